/** What deciding code may ask of the tenant repository as it stands at one commit. Implemented by the catalog (catalog.ts); hand-written in tests. */
import type { Plan, Platform, Product, Tenant, TenantId } from './specs.ts'

export interface CatalogView {
  readonly platform: Platform | undefined
  product(name: string): Product | undefined
  plan(name: string): Plan | undefined
  plans(): Iterable<Plan>
  products(): Iterable<Product>
  /** The last good spec of a tenant. */
  tenant(id: TenantId): Tenant | undefined
  tenants(): Iterable<Tenant>
  /** The path of the file that is about this tenant now, good or bad. */
  pathOf(id: TenantId): string | undefined
  /** The tenant that a Checkout session paid for, whether its file is good or not. */
  tenantByCheckout(checkout: string): TenantId | undefined
  tenantBySubscription(subscription: string): TenantId | undefined
  tenantByUsername(product: string, username: string): TenantId | undefined
  /** Tenants that hold a slot of the plan: every one that has not ended. */
  slotsTaken(plan: string): number
  /** The highest number that any file of the product carries, good or bad; 0 where there is none. */
  highestNumber(product: string): number
}
