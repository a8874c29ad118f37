/** Shards of a shared SQ as processes, with the real SQ where there is one, on a temporary HOME; everything is ended after the test. */
import path from 'node:path'
import { onTestFinished } from 'vitest'
import { deriveProbeKey } from '../../controller/core/keys.ts'
import { shardName, type ShardName } from '../../controller/core/placement.ts'
import type { TenantId } from '../../controller/core/specs.ts'
import { renderTenantsJson } from '../../controller/core/tenants-json.ts'
import { createKeyring, parseMasterKey } from '../../controller/keyring.ts'
import { createSqProcesses, type SqProcesses } from '../../controller/runtime/process/sq-processes.ts'
import { askSq } from '../../controller/sq/ask.ts'
import { shardFolders, type ShardFolders } from '../../controller/sq/files.ts'
import { createShards, type Shards } from '../../controller/sq/shards.ts'
import { desireTenant } from '../../controller/core/desired.ts'
import { findProgram } from '../support/parts.ts'
import { keySpec, NOW, plan, sharedProduct, tenant, userId } from '../support/specs.ts'
import { tempFolder } from '../support/temp.ts'

export const SHARD: ShardName = shardName('sq', 0)

const bundled = [process.execPath, path.resolve(import.meta.dirname, '../../controller/sq/bundled/main.ts')] as const
const real = findProgram('sq')
export const SQ: readonly [string, ...string[]] = real === undefined ? bundled : [real]

const keyring = createKeyring(parseMasterKey(`1:${'11'.repeat(32)}`))
export const keyOf = (id: TenantId): string => keyring.keyOf(id, keySpec())

export interface Supervisor {
  readonly folders: ShardFolders
  readonly processes: SqProcesses
  readonly shards: Shards
  /** Numbers of the tenants that the shard serves; change it and call `invalidate`. */
  readonly members: Set<number>
  /** Shards whose end was reported. */
  readonly exits: ShardName[]
  /** What the supervisor did. */
  readonly counts: { renders: number; reloads: number; moves: number }
}

/** One controller's worth of supervision; a second one on the same HOME is the next controller. */
export function supervise(home = tempFolder('sq'), command = SQ): Supervisor {
  const folders = shardFolders(home)
  const exits: ShardName[] = []
  const counts = { renders: 0, reloads: 0, moves: 0 }
  const members = new Set([1, 2])
  const processes = createSqProcesses({
    command,
    folders,
    environment: { PATH: process.env['PATH'] ?? '' },
    now: () => new Date(),
    chance: () => 0,
    kill: (pid, signal) => void process.kill(pid, signal),
    onExit: (shard) => void exits.push(shard),
  })
  const shards = createShards({
    folders,
    instances: () => ({ ...processes, reload: (shard, port) => (counts.reloads++, processes.reload(shard, port)) }),
    render(shard) {
      counts.renders++
      const desired = [...members].map((n) => desireTenant(tenant(userId(n)), sharedProduct(), plan('standard'), NOW)!)
      return renderTenantsJson({ instance: shard, maxTenants: 500, defaultQuotaMb: 1000, members: desired, dataFolder: (id) => folders.data(shard, id), probeFolder: folders.probe(shard) }, keyring)
    },
    probeKeyOf: (about) => deriveProbeKey(keyring.mac, keyring.masterVersion, about),
    onMoved: () => void counts.moves++,
  })
  onTestFinished(() => processes.stop(SHARD))
  return { folders, processes, shards, members, exits, counts }
}

/** What SQ answers to a key: 200 where it opens, 401 where it does not. */
export async function statusWith(port: number, key: string): Promise<number> {
  return (await askSq({ port, method: 'GET', path: '/api/v2/version', key, timeoutMs: 5_000 })).status
}
