/**
 * Makes SQ serve exactly the rendered file: asks with the file's own probe key, reloads, and at last restarts. SQ answers a
 * reload before it has read the file, and keeps the old map where it cannot parse it, so only a key that opens is proof.
 */
import { ReconcileError } from '../core/outcome.ts'
import type { ShardName } from '../core/placement.ts'
import { askSq } from './ask.ts'
import type { ShardFolders } from './files.ts'
import type { RunningSq, SqInstances } from './instance.ts'

export interface Acceptance {
  readonly shard: ShardName
  readonly instances: SqInstances
  readonly folders: ShardFolders
  readonly onReload: ((seconds: number) => void) | undefined
}

const PROBE_TIMEOUT_MS = 5_000
const ACCEPT_WITHIN_MS = 10_000
const ASK_RELOAD_AGAIN_MS = 1_000
const POLL_MS = 2

/** The port on which SQ accepts the probe key. Throws, transient, where not even a restart helps. */
export async function untilAccepted({ shard, instances, folders, onReload }: Acceptance, { port }: RunningSq, probeKey: string): Promise<number> {
  if (await accepts(port, probeKey)) return port
  const startedAt = performance.now()
  if (await reloadUntilAccepted(shard, instances, port, probeKey)) {
    onReload?.((performance.now() - startedAt) / 1000)
    return port
  }
  const restarted = await instances.restart(shard)
  if (await accepts(restarted.port, probeKey)) return restarted.port
  throw new ReconcileError({ kind: 'transient' }, 'SqRefusesConfiguration', `SQ of shard ${shard} does not accept its present tenants.json, not even after a restart. Look at ${folders.log(shard)}.`)
}

async function reloadUntilAccepted(shard: ShardName, instances: SqInstances, port: number, probeKey: string): Promise<boolean> {
  const deadline = performance.now() + ACCEPT_WITHIN_MS
  while (performance.now() < deadline) {
    await instances.reload(shard, port)
    const askAgain = performance.now() + ASK_RELOAD_AGAIN_MS
    while (performance.now() < askAgain) {
      if (await accepts(port, probeKey)) return true
      await new Promise((resolve) => setTimeout(resolve, POLL_MS))
    }
  }
  return false
}

async function accepts(port: number, key: string): Promise<boolean> {
  const { status } = await askSq({ port, method: 'GET', path: '/api/v2/version', key, timeoutMs: PROBE_TIMEOUT_MS })
  return status === 200
}
