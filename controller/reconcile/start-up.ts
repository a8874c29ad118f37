/**
 * The first look of a process. It adopts what runs: shards are brought in step as a whole, all routes are handed to the gateway's
 * files in one go, and only tenants whose record differs, or that have a container, are worked on one by one.
 */
import type { TenantChange } from '../core/change-set.ts'
import type { ShardName } from '../core/placement.ts'
import { routeOf, type Route } from '../core/route.ts'
import type { CommitId, TenantId, Timestamp } from '../core/specs.ts'
import type { ReconcileDependencies } from './ports.ts'

export interface StartUp {
  readonly changes: readonly TenantChange[]
  /** Tenants to be worked on. */
  readonly work: readonly TenantId[]
}

const SHARDS_AT_ONCE = 8
const ROUTES_AT_ONCE = 1_000

export async function startUp(deps: ReconcileDependencies, dirty: Set<TenantId>, revision: CommitId, now: Timestamp): Promise<StartUp> {
  const recorded = new Map<TenantId, string | null>()
  for (const { tenant, appliedBlob, removedAt } of deps.records.blobs()) {
    if (removedAt !== null) continue
    recorded.set(tenant, appliedBlob)
    dirty.add(tenant)
  }
  const changes = deps.world.advance(dirty, revision, now)
  const changed = new Set(changes.map(({ tenant }) => tenant))
  const { work, settled, shards } = sort(deps, dirty, changed, recorded)
  await syncShards(deps, shards)
  await putRoutes(deps, settled)
  return { changes, work }
}

function sort(deps: ReconcileDependencies, dirty: ReadonlySet<TenantId>, changed: ReadonlySet<TenantId>, recorded: ReadonlyMap<TenantId, string | null>): { work: TenantId[]; settled: TenantId[]; shards: Set<ShardName> } {
  const work: TenantId[] = []
  const settled: TenantId[] = []
  const shards = new Set<ShardName>()
  for (const id of dirty) {
    const target = deps.world.target(id)
    if (target === undefined) continue
    const inForce = target.kind === 'follow' && !changed.has(id) && recorded.get(id) === target.blob && target.findings.length === 0
    const place = target.kind === 'follow' ? target.desired.place : undefined
    if (place?.kind === 'shard' && target.kind === 'follow' && target.desired.state === 'active') shards.add(place.shard)
    if (inForce && (place?.kind === 'shard' || target.desired.state !== 'active')) settled.push(id)
    else work.push(id)
  }
  return { work, settled, shards }
}

/** A shard that cannot be brought in step is left to its members' own runs, which say why. */
async function syncShards(deps: ReconcileDependencies, shards: Iterable<ShardName>): Promise<void> {
  const rest = [...shards]
  const worker = async (): Promise<void> => {
    for (let shard = rest.shift(); shard !== undefined; shard = rest.shift()) {
      await deps.shards.sync(shard).catch((err: unknown) => deps.log.warn({ shard, err }, 'shard not in force yet'))
    }
  }
  await Promise.all(Array.from({ length: SHARDS_AT_ONCE }, worker))
}

/** Routes of tenants that are in force: written only where the gateway's files differ. */
async function putRoutes(deps: ReconcileDependencies, settled: readonly TenantId[]): Promise<void> {
  let batch: Route[] = []
  for (const id of settled) {
    const desired = deps.world.desired(id)
    if (desired === undefined) continue
    const port = desired.place.kind === 'shard' ? deps.shards.portOf(desired.place.shard) : undefined
    const serving = desired.state === 'active' && port !== undefined
    const trace = deps.timeline.traceOf(id)
    batch.push(
      routeOf({
        desired,
        api: deps.catalog.productInForce(desired.product)?.spec.api?.path,
        upstream: serving ? { host: '127.0.0.1', port } : undefined,
        digestOf: (key) => deps.keyring.keyDigest(id, key),
        awaitingFirstUse: trace !== undefined && deps.timeline.at(trace, 'first-use') === undefined,
      }),
    )
    if (batch.length >= ROUTES_AT_ONCE) {
      await deps.routes.put(batch)
      batch = []
    }
  }
  await deps.routes.put(batch)
}

