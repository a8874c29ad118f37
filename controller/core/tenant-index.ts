/**
 * Look-ups over all tenants by what must be unique: username in a product, Checkout session, subscription, the digest of a key whose
 * text Tenantry has not; by their owner's address, of which one may have several; and slots of a plan.
 * Holds one spec a tenant: the one in force, or the new one while it is being settled. Costs are those of the change, not of the number of tenants.
 */
import type { Tenant, TenantId } from './specs.ts'
import type { StandingLayer } from './standing.ts'

export type UniqueField = 'username' | 'checkout' | 'subscription' | 'digest'

export interface TenantIndex {
  put(tenant: Tenant): void
  remove(id: TenantId): void
  /** Tenants that carry this value; for `username`, within the product. */
  holders(field: UniqueField, key: string): readonly TenantId[]
  /** Tenants of the owner with this address, in whatever letters; ended ones as well. */
  ownedBy(email: string): readonly TenantId[]
  /** Tenants that hold a slot of a plan: every one that has not ended. */
  slotHolders(plan: string): Iterable<TenantId>
  slotsTaken(plan: string): number
}

export const usernameKey = (product: string, username: string): string => `${product}/${username}`

export const ownerKey = (email: string): string => email.toLowerCase()

const NONE: readonly TenantId[] = []

/** Most values belong to one tenant: an array is made only for the second. */
type OneOrMore = TenantId | TenantId[]

/** Over the tenants that stand, which are put in here once they leave that layer. */
export function createTenantIndex(standing: StandingLayer): TenantIndex {
  const tenants = new Map<TenantId, Tenant>()
  const unique: Record<UniqueField, Map<string, OneOrMore>> = { username: new Map(), checkout: new Map(), subscription: new Map(), digest: new Map() }
  const owners = new Map<string, OneOrMore>()
  const slots = new Map<string, Set<TenantId>>()

  function remove(id: TenantId): void {
    const tenant = tenants.get(id)
    if (tenant === undefined) return
    tenants.delete(id)
    for (const [field, key] of uniqueKeys(tenant)) drop(unique[field], key, id)
    drop(owners, ownerKey(tenant.spec.owner.email), id)
    slots.get(tenant.spec.plan)?.delete(id)
  }

  return {
    put(tenant) {
      const id = tenant.metadata.name
      if (tenants.get(id) === tenant) return
      remove(id)
      tenants.set(id, tenant)
      for (const [field, key] of uniqueKeys(tenant)) add(unique[field], key, id)
      add(owners, ownerKey(tenant.spec.owner.email), id)
      if (tenant.spec.state === 'ended') return
      const holders = slots.get(tenant.spec.plan)
      if (holders === undefined) slots.set(tenant.spec.plan, new Set([id]))
      else holders.add(id)
    },
    remove,
    holders(field, key) {
      const own = listed(unique[field].get(key))
      const stands = standing.holder(field, key)
      return stands === undefined ? own : [...own, stands]
    },
    ownedBy: (email) => [...listed(owners.get(ownerKey(email))), ...standing.ownedBy(ownerKey(email))],
    *slotHolders(plan) {
      yield* slots.get(plan) ?? NONE
      for (const summary of standing.summaries()) if (summary.plan === plan && summary.state !== 'ended') yield summary.tenant
    },
    slotsTaken: (plan) => (slots.get(plan)?.size ?? 0) + standing.slots(plan),
  }
}

/** The unique values that a spec carries, as index keys. */
export function uniqueKeys({ spec }: Tenant): [UniqueField, string][] {
  const keys: [UniqueField, string][] = []
  if (spec.owner.username !== undefined) keys.push(['username', usernameKey(spec.product, spec.owner.username)])
  if (spec.billing?.checkout !== undefined) keys.push(['checkout', spec.billing.checkout])
  if (spec.billing?.subscription !== undefined) keys.push(['subscription', spec.billing.subscription])
  for (const { digest } of spec.keys) if (digest !== undefined) keys.push(['digest', digest])
  return keys
}

function listed(held: OneOrMore | undefined): readonly TenantId[] {
  return held === undefined ? NONE : Array.isArray(held) ? held : [held]
}

function add(map: Map<string, OneOrMore>, key: string, id: TenantId): void {
  const held = map.get(key)
  if (held === undefined) map.set(key, id)
  else if (Array.isArray(held)) held.push(id)
  else map.set(key, [held, id])
}

function drop(map: Map<string, OneOrMore>, key: string, id: TenantId): void {
  const held = map.get(key)
  if (held === id) map.delete(key)
  else if (Array.isArray(held)) {
    const rest = held.filter((other) => other !== id)
    if (rest.length > 1) map.set(key, rest)
    else if (rest[0] !== undefined) map.set(key, rest[0])
    else map.delete(key)
  }
}
