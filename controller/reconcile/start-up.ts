/**
 * The first look of a process. It adopts what runs: shards are brought in step as a whole, all routes are handed to the gateway's
 * files in one go, tenants that nothing was done for yet get their records in one go, and only tenants whose record differs or tells
 * of trouble, or that have a container, are worked on one by one. Of tenants that stand since an earlier process (standing.ts), only
 * shards and routes that are not as they were are looked at.
 */
import { mkdirSync } from 'node:fs'
import { setImmediate } from 'node:timers/promises'
import type { TenantChange } from '../core/change-set.ts'
import type { DesiredTenant } from '../core/desired.ts'
import type { ShardName } from '../core/placement.ts'
import { routeOf, type Route } from '../core/route.ts'
import type { CommitId, Tenant, TenantId, Timestamp } from '../core/specs.ts'
import { NEW_STATUS, type TenantStatus } from '../core/status.ts'
import { newRecord, type TenantRecord } from '../store/tenant-records.ts'
import { changeEntry, servedStatus, type Follow } from './executor.ts'
import type { ReconcileDependencies, StandingStart } from './ports.ts'
import type { Target } from './target.ts'
import { awaitingData } from './tenant-data.ts'

export interface StartUp {
  readonly changes: readonly TenantChange[]
  /** Tenants to be worked on. */
  readonly work: readonly TenantId[]
}

/** A tenant of a shard that nothing was done for yet. */
interface Newcomer {
  readonly target: Follow
  readonly change: TenantChange
}

interface Sorted {
  /** In force, as far as records tell. */
  readonly settled: readonly TenantId[]
  readonly newcomers: readonly Newcomer[]
  readonly work: readonly TenantId[]
  readonly shards: Set<ShardName>
}

const SHARDS_AT_ONCE = 8
const AT_ONCE = 1_000

export async function startUp(deps: ReconcileDependencies, dirty: Set<TenantId>, revision: CommitId, now: Timestamp): Promise<StartUp> {
  const standing = deps.standing?.()
  if (standing !== undefined) stand(deps, standing, dirty, now)
  const { recorded, untroubled } = readRecords(deps, dirty, standing)
  deps.world.adopt(untroubled, now)
  const changes = new Map(deps.world.advance(dirty, revision, now).map((change) => [change.tenant, change]))
  const bought = deps.timeline.awaitingFirstUse()
  const { work, settled, newcomers, shards } = sort(deps, { dirty, changes, recorded, untroubled, bought, imported: awaitingData(deps, dirty) })
  makeFolders(deps, newcomers)
  if (standing !== undefined) addStanding(deps, standing, dirty, shards)
  await syncShards(deps, shards)
  const { ready, waiting } = byShard(deps, settled)
  const begun = newcomers.filter(({ target }) => portOf(deps, target.desired) !== undefined)
  const left = standing === undefined ? NONE_LEFT : leftOf(deps, standing, dirty)
  await putRoutes(deps, [...ready, ...left.moved, ...begun.map(({ target }) => target.desired)], bought)
  await noteBegun(deps, begun, revision)
  for (const { change } of begun) changes.delete(change.tenant)
  return { changes: [...changes.values()], work: [...work, ...waiting, ...left.waiting] }
}

/** The world begins with those that stand, and what time has changed meanwhile is worked out anew. */
function stand(deps: ReconcileDependencies, { tenants, loose, head, changes }: StandingStart, dirty: Set<TenantId>, now: Timestamp): void {
  const { world, log, catalog } = deps
  world.stand(tenants, loose, head.timers, now)
  log.info({ standing: tenants.size, loose: loose.size, changes: changes.length, revision: head.revision }, 'standing tenants are taken over')
  for (const id of loose) dirty.add(id)
  for (const id of world.due(now)) dirty.add(id)
  // Data may have been taken over for them since; their specs are looked at only where there is any.
  for (const id of awaitingData(deps, idsOf(catalog.tenants()))) dirty.add(id)
}

function* idsOf(tenants: Iterable<Tenant>): Generator<TenantId> {
  for (const { metadata } of tenants) yield metadata.name
}

/** Shards of those that stand, with word of which files need not be rendered to see that they are right. */
function addStanding({ world, shards: all }: ReconcileDependencies, { tenants, head }: StandingStart, dirty: ReadonlySet<TenantId>, shards: Set<ShardName>): void {
  const touched = new Set<ShardName | undefined>()
  for (const id of dirty) {
    const place = world.desired(id)?.place
    touched.add(tenants.summary(id)?.shard)
    if (place?.kind === 'shard') touched.add(place.shard)
  }
  for (const { shard, state } of world.summaries()) if (shard !== undefined && state === 'active') shards.add(shard)
  for (const shard of shards) {
    const standing = head.shards[shard]
    if (standing !== undefined && !touched.has(shard)) all.trust(shard, standing)
  }
}

interface Left {
  /** Their routes may be others than they stand. */
  readonly moved: readonly DesiredTenant[]
  /** Their shard did not come up. */
  readonly waiting: readonly TenantId[]
}

const NONE_LEFT: Left = { moved: [], waiting: [] }

/** What is left to do for those that stand. */
function leftOf({ world, shards }: ReconcileDependencies, { head, tenants, routesChanged }: StandingStart, dirty: ReadonlySet<TenantId>): Left {
  const moved: DesiredTenant[] = []
  const waiting: TenantId[] = []
  for (const { tenant, shard, state } of tenants.summaries()) {
    if (dirty.has(tenant) || shard === undefined) continue
    const port = shards.portOf(shard)
    const inStep = state !== 'active' || (port !== undefined && port === head.shards[shard]?.port)
    if (inStep && routesChanged !== 'all' && !routesChanged.has(tenant)) continue
    const desired = world.desired(tenant)
    if (desired === undefined) continue
    if (state === 'active' && port === undefined) waiting.push(tenant)
    else moved.push(desired)
  }
  return { moved, waiting }
}

/** Adds to `dirty` what is in service, or only what is not known to stand. The sets hold the catalog's own texts, where it knows them, and not another copy of each. */
function readRecords({ records, catalog }: ReconcileDependencies, dirty: Set<TenantId>, standing: StandingStart | undefined): Pick<Known, 'recorded' | 'untroubled'> {
  const states = standing === undefined ? records.states() : [...dirty].flatMap((id) => records.get(id) ?? [])
  const recorded = new Set<TenantId>()
  const untroubled = new Set<TenantId>()
  for (const { tenant, appliedBlob, removedAt, status } of states) {
    const good = catalog.entry(tenant)?.good
    const id = good?.spec.metadata.name ?? tenant
    recorded.add(id)
    if (removedAt !== null) continue
    dirty.add(id)
    if (good?.blob === appliedBlob && !isTroubled(status)) untroubled.add(id)
  }
  return { recorded, untroubled }
}

/** Whether the record says of a tenant that something is not as its file has it: its own run puts that right. */
export function isTroubled({ failures, conditions }: TenantStatus): boolean {
  return failures > 0 || conditions.some(({ type, status }) => (type === 'Held' && status) || (type === 'SpecValid' && !status))
}

interface Known {
  readonly dirty: ReadonlySet<TenantId>
  readonly changes: ReadonlyMap<TenantId, TenantChange>
  /** Tenants that something was done for. */
  readonly recorded: ReadonlySet<TenantId>
  /** Those whose record names the spec that is in force, and tells of nothing that is not as it should be. */
  readonly untroubled: ReadonlySet<TenantId>
  /** Their timelines are not at their end: their own runs go on with them. */
  readonly bought: ReadonlySet<TenantId>
  /** Their own runs put their data in place first. */
  readonly imported: ReadonlySet<TenantId>
}

function sort({ world }: ReconcileDependencies, { dirty, changes, recorded, untroubled, bought, imported }: Known): Sorted {
  const settled: TenantId[] = []
  const newcomers: Newcomer[] = []
  const work: TenantId[] = []
  const shards = new Set<ShardName>()
  for (const id of dirty) {
    const target = world.target(id)
    if (target === undefined) continue
    const change = changes.get(id)
    const { place, state } = target.kind === 'follow' ? target.desired : {}
    const served = place?.kind === 'shard' && state === 'active'
    if (served) shards.add(place.shard)
    if (imported.has(id)) work.push(id)
    else if (isSound(target) && change === undefined && untroubled.has(id) && (place?.kind === 'shard' || state !== 'active')) settled.push(id)
    else if (isSound(target) && change !== undefined && served && !recorded.has(id) && !bought.has(id)) newcomers.push({ target, change })
    else work.push(id)
  }
  return { settled, newcomers, work, shards }
}

/** Its file is in force, with nothing wrong. */
function isSound(target: Target): target is Follow {
  return target.kind === 'follow' && target.findings.length === 0 && target.heldBy === undefined
}

/** Tenants whose shard did not come up keep the route that they have; their own runs say why. */
function byShard(deps: ReconcileDependencies, settled: readonly TenantId[]): { ready: DesiredTenant[]; waiting: TenantId[] } {
  const ready: DesiredTenant[] = []
  const waiting: TenantId[] = []
  for (const id of settled) {
    const desired = deps.world.desired(id)
    if (desired === undefined) continue
    if (desired.state === 'active' && portOf(deps, desired) === undefined) waiting.push(id)
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
async function putRoutes(deps: ReconcileDependencies, tenants: readonly DesiredTenant[], bought: ReadonlySet<TenantId>): Promise<void> {
  for (let first = 0; first < tenants.length; first += AT_ONCE) {
    await deps.routes.put(tenants.slice(first, first + AT_ONCE).map((desired) => shardRoute(deps, desired, bought.has(desired.tenant))))
  }
}

function shardRoute(deps: ReconcileDependencies, desired: DesiredTenant, awaitingFirstUse: boolean): Route {
  const { tenant, product, state } = desired
  const port = state === 'active' ? portOf(deps, desired) : undefined
  return routeOf({
    desired,
    api: deps.catalog.productInForce(product)?.spec.api?.path,
    upstream: port === undefined ? undefined : { host: '127.0.0.1', port },
    digestOf: (key) => deps.keyring.keyDigest(tenant, key),
    instanceKey: () => deps.keyring.instanceKeyOf(tenant),
    awaitingFirstUse,
  })
}

function portOf({ shards }: ReconcileDependencies, { place }: DesiredTenant): number | undefined {
  return place.kind === 'shard' ? shards.portOf(place.shard) : undefined
}

/** One after another, since asking for each costs several times what making it does. */
function makeFolders({ folders }: ReconcileDependencies, newcomers: readonly Newcomer[]): void {
  for (const { target } of newcomers) {
    const { tenant, place } = target.desired
    if (place.kind === 'shard') mkdirSync(folders.data(place.shard, tenant), { recursive: true, mode: 0o700 })
  }
}

/** The records of tenants that are served now, as their own runs would have written them. */
async function noteBegun(deps: ReconcileDependencies, begun: readonly Newcomer[], revision: CommitId): Promise<void> {
  for (let first = 0; first < begun.length; first += AT_ONCE) {
    const now = deps.now().toISOString()
    const some = begun.slice(first, first + AT_ONCE)
    deps.records.putMany(some.map(({ target }) => beginning(target, revision, now)))
    deps.audit.addMany(some.map(({ change }) => changeEntry(change, revision, now)))
    await setImmediate()
  }
  if (begun.length > 0) deps.log.info({ tenants: begun.length, revision }, 'applied')
}

function beginning(target: Follow, revision: CommitId, now: Timestamp): TenantRecord {
  const { desired, path, blob } = target
  return { ...newRecord(desired.tenant, desired.product, path), appliedBlob: blob, appliedRevision: revision, attemptedRevision: revision, status: servedStatus(NEW_STATUS, target, [], now) }
}
