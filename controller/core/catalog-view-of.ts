/** The catalog's answers to deciding code: what is in force, and numbers that were ever seen. */
import type { Entries } from './catalog-entry.ts'
import type { CatalogView } from './catalog-view.ts'
import type { Plan, Platform, Product, Tenant } from './specs.ts'
import { usernameKey, type TenantIndex } from './tenant-index.ts'

export function createCatalogView(entries: Entries, index: TenantIndex, numbers: HighestNumbersSeen): CatalogView {
  /** Present and good, or present with a last good spec; a removed one is no longer sold or referred to. */
  const present = (kind: 'Platform' | 'Product' | 'Plan', name: string): unknown => {
    const entry = entries[kind].get(name)
    return entry !== undefined && entry.claims.length > 0 ? entry.good?.spec : undefined
  }
  function* all(kind: 'Platform' | 'Product' | 'Plan'): Generator<unknown> {
    for (const entry of entries[kind].values()) if (entry.claims.length > 0 && entry.good !== undefined) yield entry.good.spec
  }
  return {
    get platform() {
      for (const { good } of entries.Platform.values()) if (good !== undefined) return good.spec as Platform
      return undefined
    },
    product: (name) => present('Product', name) as Product | undefined,
    plan: (name) => present('Plan', name) as Plan | undefined,
    products: () => all('Product') as Iterable<Product>,
    plans: () => all('Plan') as Iterable<Plan>,
    tenant: (id) => entries.Tenant.get(id)?.good?.spec as Tenant | undefined,
    *tenants() {
      for (const { good } of entries.Tenant.values()) if (good !== undefined) yield good.spec as Tenant
    },
    pathOf: (id) => entries.Tenant.get(id)?.claims[0]?.path,
    tenantByCheckout: (checkout) => index.holders('checkout', checkout)[0],
    tenantBySubscription: (subscription) => index.holders('subscription', subscription)[0],
    tenantByUsername: (product, username) => index.holders('username', usernameKey(product, username))[0],
    slotsTaken: (plan) => index.slotsTaken(plan),
    highestNumber(product) {
      const spec = present('Product', product) as Product | undefined
      return spec === undefined ? 0 : numbers.highest(spec.spec.tenantId.prefix)
    },
  }
}

export interface HighestNumbersSeen {
  /** `certain` where the file is good; one that is not may not push the numbers far ahead, or a single bad file could use them all up. */
  note(name: string, certain: boolean): void
  highest(prefix: string): number
}

const LARGEST_UNCERTAIN_STEP = 1_000

/** The highest number that was ever seen for each prefix; a tenant that is gone does not give its number back. */
export function createHighestNumbers(): HighestNumbersSeen {
  const highest = new Map<string, number>()
  return {
    note(name, certain) {
      const [, prefix, digits] = /^(.*?)(\d{1,15})$/.exec(name) ?? []
      if (prefix === undefined) return
      const number = Number(digits)
      const before = highest.get(prefix) ?? 0
      if (number > before && (certain || number - before <= LARGEST_UNCERTAIN_STEP)) highest.set(prefix, number)
    },
    highest: (prefix) => highest.get(prefix) ?? 0,
  }
}
