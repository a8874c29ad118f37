/**
 * What checkTenant may ask of everybody else: who holds a value, and who comes first for a slot. Who holds it in force keeps it
 * against a newcomer; among newcomers the lowest id wins. So the answer does not depend on the order in which files are read.
 */
import type { Entries } from './catalog-entry.ts'
import type { CatalogView } from './catalog-view.ts'
import type { TenantContext } from './check.ts'
import type { Plan, Product, Tenant, TenantId } from './specs.ts'
import { compareIds } from './tenant-id.ts'
import { uniqueKeys, usernameKey, type TenantIndex, type UniqueField } from './tenant-index.ts'

export interface ContextOf {
  (tenant: Tenant): TenantContext
  /** Whether the tenant holds a slot of its plan in force, which nobody can take from it. */
  holdsSlot(tenant: Tenant): boolean
}

/** Good for one round: who comes before whom is worked out once, from the index as it is when first asked. */
export function contextOf(entries: Entries, index: TenantIndex, view: CatalogView): ContextOf {
  const ranks = new Map<string, Map<TenantId, number>>()
  const inForce = (id: TenantId): Tenant | undefined => entries.Tenant.get(id)?.good?.spec as Tenant | undefined

  function holdsInForce(id: TenantId, field: UniqueField, key: string): boolean {
    const good = inForce(id)
    return good !== undefined && uniqueKeys(good).some(([otherField, otherKey]) => otherField === field && otherKey === key)
  }

  /** The one that may hold the value, where it is not this tenant. */
  function heldBy(tenant: Tenant, field: UniqueField, key: string): TenantId | undefined {
    const holders = index.holders(field, key)
    if (holders.length < 2) return holders[0] === tenant.metadata.name ? undefined : holders[0]
    const first = holders.toSorted((a, b) => Number(holdsInForce(b, field, key)) - Number(holdsInForce(a, field, key)) || compareIds(a, b))[0]
    return first === tenant.metadata.name ? undefined : first
  }

  const holds = (id: TenantId, plan: string): boolean => {
    const spec = inForce(id)?.spec
    return spec?.plan === plan && spec.state !== 'ended'
  }
  const holdsSlot = ({ metadata, spec }: Tenant): boolean => holds(metadata.name, spec.plan)

  /** Nobody comes before one who holds a slot already, even where the plan has fewer slots by now. */
  function slotRank(tenant: Tenant): number {
    if (holdsSlot(tenant)) return 0
    const { plan } = tenant.spec
    let rank = ranks.get(plan)
    if (rank === undefined) {
      const order = [...index.slotHolders(plan)].sort((a, b) => Number(holds(b, plan)) - Number(holds(a, plan)) || compareIds(a, b))
      ranks.set(plan, (rank = new Map(order.map((id, position) => [id, position]))))
    }
    return rank.get(tenant.metadata.name) ?? rank.size
  }

  const context = (tenant: Tenant): TenantContext => {
    const { product, plan } = tenant.spec
    return {
      platform: view.platform,
      product: view.product(product),
      plan: view.plan(plan),
      productNames: () => names(view.products()),
      planNames: () => names(view.plans()),
      heldBy: (field, value) => heldBy(tenant, field, field === 'username' ? usernameKey(product, value) : value),
      // Sorting all holders is needed only where there are more of them than slots.
      slotRank: () => (index.slotsTaken(plan) <= (view.plan(plan)?.spec.slots ?? Infinity) ? 0 : slotRank(tenant)),
    }
  }
  return Object.assign(context, { holdsSlot })
}

function names(specs: Iterable<Plan | Product>): string[] {
  return [...specs].map(({ metadata }) => metadata.name)
}
