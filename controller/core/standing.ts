/**
 * Tenants that a process before this one left in force, with nothing wrong about any of them. They are looked up one by one where
 * they are kept and never held in memory as values, so that a start with an unchanged repository costs next to nothing. Nothing
 * about them ever changes: what is known anew of a tenant takes it out of this layer and lies over it from then on.
 */
import type { Good } from './catalog-entry.ts'
import type { ShardName } from './placement.ts'
import type { Tenant, TenantId, TenantState } from './specs.ts'
import type { UniqueField } from './tenant-index.ts'

/** What is known of a standing tenant without reading its spec. */
export interface TenantSummary {
  readonly tenant: TenantId
  readonly product: string
  readonly plan: string
  readonly state: TenantState
  /** Absent where it has a container of its own. */
  readonly shard?: ShardName
}

/** Where they are kept. */
export interface StandingTenants {
  readonly size: number
  has(id: TenantId): boolean
  summary(id: TenantId): TenantSummary | undefined
  /** Read anew with each call. */
  good(id: TenantId): Good<Tenant> | undefined
  atPath(path: string): TenantId | undefined
  /** The one that carries the value; `key` as in the tenant index. */
  holder(field: UniqueField, key: string): TenantId | undefined
  /** `key`: the owner's address as in the tenant index. */
  ownedBy(key: string): readonly TenantId[]
  goods(): Iterable<Good<Tenant>>
  summaries(): Iterable<TenantSummary>
}

/** The standing tenants less those that were taken out. */
export interface StandingLayer extends StandingTenants {
  /** Begins with these, less `except`, before anything was asked; not again after that. */
  begin(tenants: StandingTenants, except: Iterable<TenantId>): void
  /** From now on something newer is known of the tenant; answers what stood. */
  take(id: TenantId): Good<Tenant> | undefined
  /** How many hold a slot of the plan. */
  slots(plan: string): number
}

const NONE: StandingTenants = { size: 0, has: () => false, summary: () => undefined, good: () => undefined, atPath: () => undefined, holder: () => undefined, ownedBy: () => [], goods: () => [], summaries: () => [] }

export function createStandingLayer(): StandingLayer {
  let below = NONE
  let count = 0
  const taken = new Set<TenantId>()
  const slots = new Map<string, number>()
  const stays = (id: TenantId | undefined): TenantId | undefined => (id === undefined || taken.has(id) ? undefined : id)

  function take(id: TenantId): Good<Tenant> | undefined {
    const good = taken.has(id) ? undefined : below.good(id)
    if (good === undefined) return undefined
    taken.add(id)
    count--
    const { plan, state } = good.spec.spec
    if (state !== 'ended') slots.set(plan, slots.get(plan)! - 1)
    return good
  }

  return {
    begin(tenants, except) {
      if (below !== NONE) return
      below = tenants
      count = tenants.size
      for (const { plan, state } of tenants.summaries()) if (state !== 'ended') slots.set(plan, (slots.get(plan) ?? 0) + 1)
      for (const id of except) take(id)
    },
    take,
    get size() {
      return count
    },
    has: (id) => !taken.has(id) && below.has(id),
    summary: (id) => (taken.has(id) ? undefined : below.summary(id)),
    good: (id) => (taken.has(id) ? undefined : below.good(id)),
    atPath: (path) => stays(below.atPath(path)),
    holder: (field, key) => stays(below.holder(field, key)),
    ownedBy: (key) => below.ownedBy(key).filter((id) => !taken.has(id)),
    *goods() {
      for (const good of below.goods()) if (!taken.has(good.spec.metadata.name)) yield good
    },
    *summaries() {
      for (const summary of below.summaries()) if (!taken.has(summary.tenant)) yield summary
    },
    slots: (plan) => slots.get(plan) ?? 0,
  }
}
