/**
 * Shards of a shared SQ as containers: the production setting, since real SQ binds every address. Published on 127.0.0.1 only,
 * its folder mounted at its own path so that tenants.json is the same on both engines, and reloaded from inside its own network
 * namespace, because SQ takes a reload from loopback alone.
 */
import type { ContainerSpec } from '../core/container.ts'
import { ReconcileError } from '../core/outcome.ts'
import type { ShardName } from '../core/placement.ts'
import type { ContainerRuntime, Ensured } from '../runtime/port.ts'
import type { ShardFolders } from './files.ts'
import type { RunningSq, SqInstances } from './instance.ts'

export interface ContainerInstancesOptions {
  readonly runtime: ContainerRuntime
  readonly folders: ShardFolders
  readonly product: string
  readonly image: string
  /** The controller's own user and group, which alone may read tenants.json. */
  readonly user: string
}

export interface ContainerInstances extends SqInstances {
  /** Throws what would keep the container from being made: no engine, no image. Changes nothing. */
  check(shard: ShardName): Promise<void>
}

const SQ_PORT = 1337
const STOP_GRACE_SECONDS = 10
const RELOAD = ['wget', '-q', '-O', '-', '--post-data=', `http://127.0.0.1:${SQ_PORT}/api/v2/reload`] as const

export function createContainerInstances(options: ContainerInstancesOptions): ContainerInstances {
  const { runtime, folders } = options
  const up = new Set<ShardName>()

  async function ensure(shard: ShardName): Promise<RunningSq> {
    up.delete(shard)
    const ensured = await runtime.ensure(shardContainer(options, shard))
    up.add(shard)
    return running(shard, ensured)
  }

  return {
    ensure,
    check: async (shard) => void (await runtime.inspect(shardContainer(options, shard))),
    async reload(shard) {
      const { exitCode, output } = await runtime.exec(shard, RELOAD)
      if (exitCode !== 0) throw new ReconcileError({ kind: 'transient' }, 'ReloadFailed', `SQ in the container of shard ${shard} could not be asked to reload: ${output.trim()}`)
    },
    async restart(shard) {
      await runtime.remove(shard, STOP_GRACE_SECONDS)
      return ensure(shard)
    },
    async stop(shard) {
      up.delete(shard)
      await runtime.remove(shard, STOP_GRACE_SECONDS)
    },
    isUp: (shard) => up.has(shard),
  }

  function running(shard: ShardName, { observed, action, drift }: Ensured): RunningSq {
    const port = observed.ports['http']
    if (port === undefined) throw new ReconcileError({ kind: 'transient' }, 'PortNotPublished', `The container of shard ${shard} (${folders.folder(shard)}) publishes no port yet.`)
    return { port, action: action === 'none' ? 'none' : 'started', drift }
  }
}

function shardContainer({ folders, product, image, user }: ContainerInstancesOptions, shard: ShardName): ContainerSpec {
  return {
    name: shard,
    tenant: 'shared',
    product,
    image,
    command: ['sq', 'host', String(SQ_PORT), '--config', folders.config(shard)],
    user,
    environment: {},
    capabilities: [],
    memoryMb: 4096,
    cpus: 2,
    pidsLimit: 1024,
    ports: [{ name: 'http', port: SQ_PORT }],
    volumes: [],
    binds: [folders.folder(shard)],
    tmpfs: [],
    health: { port: 'http', path: '/api/v2/version' },
    stopGraceSeconds: STOP_GRACE_SECONDS,
    files: [],
  }
}
