/** What a revision would do, as a value for people and for CI: tenants, capacity, money and risks. Made from the same diff that the loop acts on. */
import type { Catalog } from './catalog.ts'
import { diffTenant, orderChanges, takesOut, type TenantChange } from './change-set.ts'
import { containerNeeds } from './container.ts'
import { gateDeletions, NO_LIMIT_KNOWN, stricterLimit, type DeletionLimit } from './deletion-gate.ts'
import { desireTenant, type DesiredTenant } from './desired.ts'
import { isLive } from './keys.ts'
import type { KeySpec, Plan, TenantId, Timestamp } from './specs.ts'

export interface Totals {
  readonly tenants: number
  readonly storageMb: number
  /** Of containers that run. */
  readonly memoryMb: number
  readonly cpus: number
  /** Per month, by currency, in its smallest unit; a yearly price counts a twelfth where a plan has no monthly one. */
  readonly monthly: Readonly<Record<string, number>>
}

export interface Risk {
  readonly kind: 'approval-needed' | 'stops-serving' | 'key-ends' | 'key-returns' | 'limit-lowered' | 'engine-changed'
  readonly tenant: TenantId | undefined
  readonly message: string
}

export interface Report {
  readonly changes: readonly TenantChange[]
  readonly before: Totals
  readonly after: Totals
  readonly risks: readonly Risk[]
  /** Above the deletion limit: the loop would hold the removals until a person approves. */
  readonly approvalNeeded: boolean
}

type DesiredById = ReadonlyMap<TenantId, DesiredTenant>

/** Everything that is desired of a catalog at an instant. */
export function desiredOf(catalog: Catalog, now: Timestamp): Map<TenantId, DesiredTenant> {
  const all = new Map<TenantId, DesiredTenant>()
  for (const tenant of catalog.tenants()) {
    const product = catalog.productInForce(tenant.spec.product)
    const plan = catalog.planInForce(tenant.spec.plan)
    const desired = product && plan && desireTenant(tenant, product, plan, now)
    if (desired !== undefined) all.set(tenant.metadata.name, desired)
  }
  return all
}

/** One revision: its catalog, and what is desired of it at an instant with the sums of that. */
export interface Side {
  readonly catalog: Catalog
  readonly desired: DesiredById
  readonly totals: Totals
  /** Keys that are written down and open nothing any more. */
  readonly ended: ReadonlyMap<TenantId, readonly KeySpec[]>
  /** Kept as a value, since the catalog may move on. */
  readonly deletionLimit: DeletionLimit | undefined
}

export function sideOf(catalog: Catalog, now: Timestamp): Side {
  const desired = desiredOf(catalog, now)
  return { catalog, desired, totals: totalsOf(catalog, desired), ended: endedKeys(catalog, now), deletionLimit: catalog.platform?.spec.deletionLimit }
}

function endedKeys(catalog: Catalog, now: Timestamp): Map<TenantId, readonly KeySpec[]> {
  const all = new Map<TenantId, readonly KeySpec[]>()
  for (const { metadata, spec } of catalog.tenants()) {
    const ended = spec.keys.filter((key) => !isLive(key, now))
    if (ended.length > 0) all.set(metadata.name, ended)
  }
  return all
}

/** Compares two revisions. A tenant whose file became invalid stays at its last good spec, so it is no change. */
export function compare(base: Side, head: Side): Report {
  const changes: TenantChange[] = []
  for (const id of new Set([...base.desired.keys(), ...head.desired.keys()])) {
    const gone = head.desired.get(id) === undefined && head.catalog.entry(id) !== undefined
    const change = gone ? undefined : diffTenant(base.desired.get(id), head.desired.get(id))
    if (change !== undefined) changes.push(change)
  }
  const leaving = changes.filter(({ action }) => takesOut(action))
  // The loop goes by the new revision's platform as well.
  const limit = stricterLimit(base.deletionLimit ?? head.deletionLimit ?? NO_LIMIT_KNOWN, head.deletionLimit ?? NO_LIMIT_KNOWN)
  const gate = leaving.length === 0 ? { kind: 'open' as const } : gateDeletions(limit, base.desired.size, leaving.length)
  const approval: Risk[] = gate.kind === 'held' ? [{ kind: 'approval-needed', tenant: undefined, message: `${gate.asked} tenants would be taken out of service; ${gate.allowed} a revision are let through without approval` }] : []
  return { changes: orderChanges(changes), before: base.totals, after: head.totals, risks: [...approval, ...changes.flatMap((change) => risksOf(change, base, head))], approvalNeeded: gate.kind === 'held' }
}

function risksOf({ tenant, action, fields }: TenantChange, base: Side, head: Side): Risk[] {
  const risks: Risk[] = []
  const now = base.desired.get(tenant)
  const then = head.desired.get(tenant)
  if (action === 'remove' || action === 'end' || action === 'suspend') risks.push({ kind: 'stops-serving', tenant, message: `${tenant} stops being served (${action})` })
  const lost = now?.keys.filter((key) => then !== undefined && !then.keys.some((other) => isSameText(other, key))) ?? []
  for (const { id } of lost) risks.push({ kind: 'key-ends', tenant, message: `key ${id} of ${tenant} stops working` })
  const back = then?.keys.filter((key) => base.ended.get(tenant)?.some((other) => isSameText(other, key))) ?? []
  for (const { id } of back) risks.push({ kind: 'key-returns', tenant, message: `key ${id} of ${tenant}, which had been revoked or had expired, works again for whoever has it` })
  for (const { field, from, to } of fields) {
    if (field === 'place') risks.push({ kind: 'engine-changed', tenant, message: `${tenant} moves from ${from} to ${to}; its data does not move by itself` })
    if (field.startsWith('limits.') && limitOf(to) < limitOf(from)) risks.push({ kind: 'limit-lowered', tenant, message: `${field} of ${tenant} is lowered from ${from} to ${to}` })
  }
  return risks
}

/** Whether two specs stand for a key of one text. */
function isSameText(a: KeySpec, b: KeySpec): boolean {
  return a.id === b.id && a.nonce === b.nonce && a.digest === b.digest && (a.master ?? 1) === (b.master ?? 1)
}

/** A limit as it is shown: no limit and `unlimited` are over every number. */
function limitOf(shown: string): number {
  return Number.isNaN(Number(shown)) ? Infinity : Number(shown)
}

function totalsOf(catalog: Catalog, desired: DesiredById): Totals {
  const totals = { tenants: 0, storageMb: 0, memoryMb: 0, cpus: 0, monthly: {} as Record<string, number> }
  for (const tenant of desired.values()) {
    if (tenant.state === 'ended') continue
    totals.tenants++
    if (typeof tenant.limits.storageMb === 'number') totals.storageMb += tenant.limits.storageMb
    const run = catalog.productInForce(tenant.product)?.spec.run
    if (run?.kind === 'container' && tenant.state === 'active') {
      const needs = containerNeeds(run, tenant.limits)
      totals.memoryMb += needs.memoryMb
      totals.cpus += needs.cpus
    }
    const price = monthlyPrice(catalog.planInForce(tenant.plan))
    if (price !== undefined) totals.monthly[price.currency] = (totals.monthly[price.currency] ?? 0) + price.amount
  }
  return totals
}

function monthlyPrice(plan: Plan | undefined): { readonly amount: number; readonly currency: string } | undefined {
  const { month, year } = plan?.spec.prices ?? {}
  if (month !== undefined) return month
  return year && { amount: Math.round(year.amount / 12), currency: year.currency }
}
