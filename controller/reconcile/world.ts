/**
 * What is wanted of each tenant now, as the loop sees it: the catalog's specs, less what is held on purpose (spec.hold, removals
 * above the deletion limit), merged with plans at the present instant. Decides nothing by itself that core/ does not; keeps
 * the answers, so that a change costs its own size. Never touches a runtime.
 */
import type { Catalog, Entry } from '../core/catalog.ts'
import { diffTenant, type TenantChange } from '../core/change-set.ts'
import { stricterLimit } from '../core/deletion-gate.ts'
import { desireTenant, type DesiredTenant } from '../core/desired.ts'
import { earliest, isPast } from '../core/keys.ts'
import { isSameOwner } from '../core/same-owner.ts'
import type { CommitId, Tenant, TenantId, Timestamp } from '../core/specs.ts'
import type { StandingTenants, TenantSummary } from '../core/standing.ts'
import type { Deletions } from '../store/deletions.ts'
import { gate } from './gate.ts'
import type { LimitInForce } from './limit-in-force.ts'
import type { FormerTenant, LastApplied } from './last-applied.ts'
import { createStandingTargets } from './standing-targets.ts'
import type { Proposal, Target } from './target.ts'

export interface World {
  /** Begins with what a process before this one left in force, less `except`; `timers` are the instants at which time alone changes one of them. Once, first. */
  stand(standing: StandingTenants, except: Iterable<TenantId>, timers: Iterable<readonly [TenantId, Timestamp]>, now: Timestamp): void
  /** These tenants are in force as the catalog has them: a process before this one made them so. Spares the look-up of each in the records. */
  adopt(ids: Iterable<TenantId>, now: Timestamp): void
  /** Works out anew what is wanted of these tenants at a revision; answers what is different now. */
  advance(dirty: Iterable<TenantId>, revision: CommitId, now: Timestamp): readonly TenantChange[]
  target(id: TenantId): Target | undefined
  /** What shard rendering goes by: the tenant as it is to be served, held ones as they were. */
  desired(id: TenantId): DesiredTenant | undefined
  summaries(): Iterable<TenantSummary>
  /** Tenants for which time alone has changed the answer. */
  due(now: Timestamp): TenantId[]
  /** The next instant at which `due` will answer something. */
  nextDue(): Timestamp | undefined
  /** The tenant is stopped and its data's retention noted: nothing more is wanted of it, unless its file came back meanwhile. */
  retired(id: TenantId): void
  readonly counts: { readonly held: number; readonly awaitingApproval: number; readonly invalid: number; readonly tenants: number }
}

export interface WorldOptions {
  readonly catalog: Catalog
  readonly deletions: Deletions
  readonly limitInForce: LimitInForce
  /** For tenants that this process has not served yet. */
  readonly lastApplied: LastApplied
  readonly former: FormerTenant
}

export function createWorld(options: WorldOptions): World {
  const { catalog, deletions, limitInForce, lastApplied } = options
  const targets = new Map<TenantId, Target>()
  const inForce = new Map<TenantId, DesiredTenant>()
  const timers = new Map<TenantId, Timestamp>()
  /** Laid under the rest: those that nothing was worked out for yet. */
  const standing = createStandingTargets(catalog)

  const desire = (tenant: Tenant, now: Timestamp): DesiredTenant | undefined => desireInForce(catalog, tenant, now)

  /** As it was told last: by this process, or by the one before it. */
  function before(id: TenantId, now: Timestamp): DesiredTenant | undefined {
    const known = inForce.get(id) ?? standing.target(id)?.desired
    if (known !== undefined) return known
    const applied = lastApplied(id)
    return applied && desire(applied.spec, now)
  }

  function settle({ id, target, nextAt }: Proposal): void {
    standing.leave(id)
    targets.set(id, target)
    if (nextAt === undefined) timers.delete(id)
    else timers.set(id, nextAt)
    if (target.kind === 'retire') inForce.delete(id)
    else if (target.kind !== 'invalid' && target.desired !== undefined) inForce.set(id, target.desired)
  }

  function forget(id: TenantId): void {
    standing.leave(id)
    inForce.delete(id)
    targets.delete(id)
    timers.delete(id)
  }

  return {
    stand(tenants, except, changes, now) {
      standing.begin(tenants, except, now)
      for (const [id, at] of changes) if (standing.has(id)) timers.set(id, at)
    },
    adopt(ids, now) {
      for (const id of ids) {
        const good = catalog.entry(id)?.good
        const desired = good && desire(good.spec, now)
        if (desired !== undefined) inForce.set(id, desired)
      }
    },
    advance(dirty, revision, now) {
      const proposals: Proposal[] = []
      for (const id of dirty) {
        const proposal = propose(options, id, before(id, now), now)
        if (proposal === undefined) {
          forget(id)
          deletions.forget(id)
        } else proposals.push(proposal)
      }
      const limit = catalog.platform?.spec.deletionLimit
      const gated = gate(proposals, { revision, limit: limit && stricterLimit(limitInForce.get() ?? limit, limit), total: inForce.size + standing.size, deletions })
      if (limit !== undefined) limitInForce.set(limit)
      for (const proposal of gated) settle(proposal)
      return gated.flatMap(({ change }) => change ?? [])
    },
    target: (id) => targets.get(id) ?? standing.target(id),
    desired: (id) => inForce.get(id) ?? standing.target(id)?.desired,
    *summaries() {
      for (const desired of inForce.values()) yield summaryOf(desired)
      yield* standing.summaries()
    },
    due: (now) => [...timers].flatMap(([id, at]) => (isPast(at, now) ? [id] : [])),
    nextDue: () => earliest([...timers.values()]),
    retired(id) {
      if (targets.get(id)?.kind === 'retire') forget(id)
    },
    get counts() {
      return { ...countTargets(targets.values()), tenants: inForce.size + standing.size }
    },
  }
}

function propose({ catalog, former }: WorldOptions, id: TenantId, was: DesiredTenant | undefined, now: Timestamp): Proposal | undefined {
  const entry = catalog.entry(id)
  if (entry === undefined) return was && { id, was, target: { kind: 'retire', desired: was }, change: diffTenant(was, undefined) }
  const good = entry.good
  const wanted = good && desireInForce(catalog, good.spec, now)
  if (good === undefined || wanted === undefined) return { id, was, target: was ? leftAlone(entry, was) : invalid(entry), change: undefined }
  const kept = was === undefined || was.state === 'ended' ? former(id) : undefined
  if (kept !== undefined && !isSameOwner(kept, good.spec)) return { id, was, target: usedBefore(entry, was), change: undefined }
  const { hold } = good.spec.spec
  if (hold !== undefined && !isPast(hold.until, now)) {
    const message = `on hold until ${hold.until} by ${hold.by}: ${hold.reason}`
    return { id, was, target: { kind: 'leave', reason: 'OnHold', message, desired: was, findings: entry.findings }, change: undefined, nextAt: hold.until }
  }
  const target: Target = { kind: 'follow', desired: wanted, blob: good.blob, path: good.path, findings: entry.findings, heldBy: heldBy(catalog, entry) }
  const change = diffTenant(was, wanted)
  // Where nothing differs, one of two equal values is enough: at a start there are two of every tenant.
  return { id, was: change === undefined ? wanted : was, target, change, nextAt: wanted.nextChangeAt }
}

function summaryOf({ tenant, product, plan, state, place }: DesiredTenant): TenantSummary {
  return { tenant, product, plan, state, ...(place.kind === 'shard' && { shard: place.shard }) }
}

/** By the plan and the product that are in force; undefined where there are none. */
function desireInForce(catalog: Catalog, tenant: Tenant, now: Timestamp): DesiredTenant | undefined {
  const product = catalog.productInForce(tenant.spec.product)
  const plan = catalog.planInForce(tenant.spec.plan)
  return product && plan && desireTenant(tenant, product, plan, now)
}

/** A tenant that nothing good is known of any more keeps what it has. */
function leftAlone(entry: Entry<Tenant>, was: DesiredTenant): Target {
  return { kind: 'leave', reason: 'BadFile', message: 'its plan, product or file cannot be read; it is left as it is', desired: was, findings: entry.findings }
}

/** Data is kept for its owner under this id, and another one's file stands there now. */
function usedBefore(entry: Entry<Tenant>, was: DesiredTenant | undefined): Target {
  const message = `${entry.name} belonged to somebody else, whose data is kept; an id is never used twice. Give the new tenant another id, or bring the former owner back`
  return { kind: 'leave', reason: 'IdUsedBefore', message, desired: was, findings: entry.findings }
}

function invalid(entry: Entry<Tenant>): Target {
  const claim = entry.claims[0]
  const product = claim?.parsed.kind === 'ok' ? (claim.parsed.spec as Tenant).spec.product : ''
  return { kind: 'invalid', path: claim?.path ?? '', product, findings: entry.findings }
}

function heldBy(catalog: Catalog, entry: Entry<Tenant>): 'BadFile' | 'BadPlan' | 'BadProduct' | undefined {
  if (entry.findings.length > 0) return 'BadFile'
  const { product, plan } = entry.good!.spec.spec
  if (catalog.isHeld('Plan', plan)) return 'BadPlan'
  return catalog.isHeld('Product', product) ? 'BadProduct' : undefined
}

function countTargets(targets: Iterable<Target>): { held: number; awaitingApproval: number; invalid: number } {
  const counts = { held: 0, awaitingApproval: 0, invalid: 0 }
  for (const target of targets) {
    if (target.kind === 'invalid') counts.invalid++
    if (target.kind === 'leave' && target.reason === 'OnHold') counts.held++
    if (target.kind === 'leave' && target.reason === 'AwaitingApproval') counts.awaitingApproval++
  }
  return counts
}
