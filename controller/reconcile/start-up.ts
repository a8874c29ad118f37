/**
 * The first look of a process. It adopts what runs: shards are brought in step as a whole, all routes are handed to the gateway's
 * files in one go, and only tenants whose record differs or tells of trouble, or that have a container, are worked on one by one.
 */
import type { TenantChange } from '../core/change-set.ts'
import type { DesiredTenant } from '../core/desired.ts'
import type { ShardName } from '../core/placement.ts'
import { routeOf, type Route } from '../core/route.ts'
import type { BlobId, CommitId, TenantId, Timestamp } from '../core/specs.ts'
import type { TenantStatus } from '../core/status.ts'
import type { ReconcileDependencies } from './ports.ts'

export interface StartUp {
  readonly changes: readonly TenantChange[]
  /** Tenants to be worked on. */
  readonly work: readonly TenantId[]
}

const SHARDS_AT_ONCE = 8
const ROUTES_AT_ONCE = 1_000

export async function startUp(deps: ReconcileDependencies, dirty: Set<TenantId>, revision: CommitId, now: Timestamp): Promise<StartUp> {
  const untroubled = new Map<TenantId, BlobId | null>()
  for (const { tenant, appliedBlob, removedAt, status } of deps.records.all()) {
    if (removedAt !== null) continue
    dirty.add(tenant)
    if (!isTroubled(status)) untroubled.set(tenant, appliedBlob)
  }
  const changes = deps.world.advance(dirty, revision, now)
  const changed = new Set(changes.map(({ tenant }) => tenant))
  const { work, settled, shards } = sort(deps, dirty, changed, untroubled)
  await syncShards(deps, shards)
  const { ready, waiting } = byShard(deps, settled)
  await putRoutes(deps, ready)
  return { changes, work: [...work, ...waiting] }
}

/** Whether the record says of a tenant that something is not as its file has it: its own run puts that right. */
function isTroubled({ failures, conditions }: TenantStatus): boolean {
  return failures > 0 || conditions.some(({ type, status }) => (type === 'Held' && status) || (type === 'SpecValid' && !status))
}

function sort(deps: ReconcileDependencies, dirty: ReadonlySet<TenantId>, changed: ReadonlySet<TenantId>, untroubled: ReadonlyMap<TenantId, BlobId | null>): { work: TenantId[]; settled: TenantId[]; shards: Set<ShardName> } {
  const work: TenantId[] = []
  const settled: TenantId[] = []
  const shards = new Set<ShardName>()
  for (const id of dirty) {
    const target = deps.world.target(id)
    if (target === undefined) continue
    const place = target.kind === 'follow' ? target.desired.place : undefined
    if (place?.kind === 'shard' && target.kind === 'follow' && target.desired.state === 'active') shards.add(place.shard)
    const inForce = target.kind === 'follow' && !changed.has(id) && untroubled.get(id) === target.blob && target.findings.length === 0 && target.heldBy === undefined
    if (inForce && (place?.kind === 'shard' || target.desired.state !== 'active')) settled.push(id)
    else work.push(id)
  }
  return { work, settled, shards }
}

/** Tenants whose shard did not come up keep the route that they have; their own runs say why. */
function byShard(deps: ReconcileDependencies, settled: readonly TenantId[]): { ready: DesiredTenant[]; waiting: TenantId[] } {
  const ready: DesiredTenant[] = []
  const waiting: TenantId[] = []
  for (const id of settled) {
    const desired = deps.world.desired(id)
    if (desired === undefined) continue
    const { place, state } = desired
    if (state === 'active' && place.kind === 'shard' && deps.shards.portOf(place.shard) === undefined) waiting.push(id)
    else ready.push(desired)
  }
  return { ready, waiting }
}

/** A shard that cannot be brought in step is left to its members' own runs. */
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
async function putRoutes(deps: ReconcileDependencies, tenants: readonly DesiredTenant[]): Promise<void> {
  for (let first = 0; first < tenants.length; first += ROUTES_AT_ONCE) {
    await deps.routes.put(tenants.slice(first, first + ROUTES_AT_ONCE).map((desired) => shardRoute(deps, desired)))
  }
}

function shardRoute({ catalog, shards, timeline, keyring }: ReconcileDependencies, desired: DesiredTenant): Route {
  const { tenant, place, state } = desired
  const port = place.kind === 'shard' && state === 'active' ? shards.portOf(place.shard) : undefined
  const trace = timeline.traceOf(tenant)
  return routeOf({
    desired,
    api: catalog.productInForce(desired.product)?.spec.api?.path,
    upstream: port === undefined ? undefined : { host: '127.0.0.1', port },
    digestOf: (key) => keyring.keyDigest(tenant, key),
    awaitingFirstUse: trace !== undefined && timeline.at(trace, 'first-use') === undefined,
  })
}
