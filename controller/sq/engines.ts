/**
 * The engine that runs a shard's SQ, as its product says: and never two at once, because both would write the same data. A mark in
 * the shard's folder says that its SQ lives in a container; without it, as a process. Before one engine starts an SQ, the other's has ended.
 */
import { existsSync } from 'node:fs'
import { mkdir, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import type { ShardName } from '../core/placement.ts'
import type { SharedSqRun } from '../core/specs.ts'
import type { ContainerInstances } from './container-instances.ts'
import type { ShardFolders } from './files.ts'
import type { SqInstances } from './instance.ts'

export interface ShardEnginesOptions {
  readonly folders: ShardFolders
  readonly processes: SqInstances
  /** Those of a product that run from this image. */
  readonly containers: (product: string, image: string) => ContainerInstances
  /** What the shard's product wants now. */
  readonly productOf: (shard: ShardName) => { readonly name: string; readonly run: SharedSqRun }
}

/** Where the engine stays the same, this costs a look at a file. */
export function createShardEngines({ folders, processes, containers, productOf }: ShardEnginesOptions): (shard: ShardName) => SqInstances {
  const mark = (shard: ShardName): string => path.join(folders.folder(shard), 'in-container')
  const made = new Map<string, ContainerInstances>()

  function containersOf(shard: ShardName): ContainerInstances {
    const { name, run } = productOf(shard)
    const key = `${name} ${run.image}`
    const found = made.get(key) ?? containers(name, run.image ?? '')
    made.set(key, found)
    return found
  }

  const asProcess: SqInstances = {
    ...processes,
    async ensure(shard) {
      if (existsSync(mark(shard))) {
        await containersOf(shard).stop(shard)
        await rm(mark(shard))
      }
      return processes.ensure(shard)
    },
  }

  const inContainer = (instances: ContainerInstances): SqInstances => ({
    ...instances,
    async ensure(shard) {
      if (!existsSync(mark(shard))) {
        // A container that could not be made must not cost the process that serves.
        await instances.check(shard)
        await processes.stop(shard)
        await mkdir(folders.folder(shard), { recursive: true, mode: 0o700 })
        await writeFile(mark(shard), '')
      }
      return instances.ensure(shard)
    },
  })

  return (shard) => (productOf(shard).run.engine === 'process' ? asProcess : inContainer(containersOf(shard)))
}
