/**
 * What the gateway knows of the repository beside its tenants: where people are sent, how products are reached, and what plans cost,
 * so that a refusal can say what more would cost. Pure; equal repositories give equal values.
 */
import type { CatalogView } from './catalog-view.ts'
import type { BillingInterval, JwtSpec, Limits, Plan, PlatformSpec, Price, Product } from './specs.ts'

export type Links = NonNullable<PlatformSpec['links']>

export interface HeaderFacts {
  readonly links: Links
  readonly products: Readonly<Record<string, ProductFacts>>
  readonly plans: Readonly<Record<string, PlanFacts>>
}

export interface ProductFacts {
  readonly title: string
  readonly api?: string
  readonly hostSuffix?: string
  readonly jwt?: JwtSpec
}

export interface PlanFacts {
  readonly title: string
  /** By month where it has such a price; absent where it costs nothing. */
  readonly price?: PlanPrice
  readonly limits: Limits
  readonly fairUse?: Limits
  /** The product's plan with the next higher price. */
  readonly next?: string
}

export interface PlanPrice extends Price {
  readonly interval: BillingInterval
}

export function headerFactsOf(catalog: Pick<CatalogView, 'platform' | 'products' | 'plans'>): HeaderFacts {
  const plans = byName(catalog.plans())
  return {
    links: catalog.platform?.spec.links ?? {},
    products: Object.fromEntries(byName(catalog.products()).map(({ metadata, spec }) => [metadata.name, productFacts(spec)])),
    plans: Object.fromEntries(plans.map((plan) => [plan.metadata.name, planFacts(plan, plans)])),
  }
}

function productFacts({ title, api }: Product['spec']): ProductFacts {
  return { title, ...(api && { api: api.path }), ...(api?.hostSuffix !== undefined && { hostSuffix: api.hostSuffix }), ...(api?.jwt && { jwt: api.jwt }) }
}

function planFacts({ metadata, spec }: Plan, plans: readonly Plan[]): PlanFacts {
  const price = priceOf(spec.prices)
  const dearer = plans
    .filter((other) => other.spec.product === spec.product && other.metadata.name !== metadata.name && monthly(other.spec) > monthly(spec))
    .sort((a, b) => monthly(a.spec) - monthly(b.spec))
  const next = dearer[0]?.metadata.name
  return { title: spec.title, ...(price && { price }), limits: spec.limits, ...(spec.fairUse && { fairUse: spec.fairUse }), ...(next !== undefined && { next }) }
}

function priceOf({ month, year }: Plan['spec']['prices']): PlanPrice | undefined {
  if (month !== undefined) return { amount: month.amount, currency: month.currency, interval: 'month' }
  return year && { amount: year.amount, currency: year.currency, interval: 'year' }
}

/** In cents a month, for comparing; nothing where it is free. */
function monthly({ prices }: Plan['spec']): number {
  const price = priceOf(prices)
  return price === undefined ? 0 : price.interval === 'month' ? price.amount : price.amount / 12
}

function byName<T extends Plan | Product>(specs: Iterable<T>): T[] {
  return [...specs].sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1))
}
