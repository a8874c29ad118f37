/**
 * What should stand in the catalogue at Stripe, read off the plan files: a product for each plan, a price for each of its intervals
 * and each meter, the portal of each of our products, and the webhook endpoint. And what does stand there, as far as it concerns us.
 * Values only; what follows from the two is in catalogue-changes.ts.
 */
import type { CatalogView } from '../../controller/core/catalog-view.ts'
import { lookupKey, meterEventName, meterLookupKey } from '../../controller/core/purchase.ts'
import type { BillingInterval, Meter, Plan } from '../../controller/core/specs.ts'
import { STRIPE_API_VERSION } from './client.ts'
import { HANDLED_EVENTS } from './event.ts'
import { METADATA } from './metadata.ts'

export interface WantedProduct {
  readonly id: string
  readonly name: string
  readonly plan: string
}

/** What one unit costs: `amount` in the currency's smallest unit, as a decimal text. `included`: units that a tiered price found at Stripe gives away; ours has no tiers. */
export interface PriceTerms {
  readonly product: string
  readonly currency: string
  readonly amount: string
  readonly interval: BillingInterval
  /** Of the meter, for a price that is paid by use. */
  readonly eventName?: string
  readonly included?: number
}

export interface WantedPrice extends PriceTerms {
  readonly lookupKey: string
  readonly plan: string
}

export interface WantedMeter {
  readonly eventName: string
  readonly displayName: string
}

/** Where a customer of one of our products changes card, plan and end. */
export interface WantedPortal {
  /** Our product's name. */
  readonly product: string
  readonly headline: string
  readonly returnUrl: string | undefined
  /** Lookup keys, by Stripe's product, of what may be changed to; plans with slots are not among them. */
  readonly offers: ReadonlyMap<string, readonly string[]>
}

export interface WantedEndpoint {
  readonly url: string
  readonly apiVersion: string
  readonly events: readonly string[]
}

export interface WantedCatalogue {
  readonly installation: string
  readonly products: readonly WantedProduct[]
  readonly meters: readonly WantedMeter[]
  readonly prices: readonly WantedPrice[]
  readonly portals: readonly WantedPortal[]
  /** Undefined where nobody outside reaches this installation yet. */
  readonly endpoint: WantedEndpoint | undefined
}

/** `theirs`: without our mark, or with another installation's. */
export interface FoundProduct {
  readonly id: string
  readonly name: string
  readonly active: boolean
  readonly owner: 'ours' | 'theirs'
}

export interface FoundPrice extends PriceTerms {
  readonly id: string
  readonly lookupKey: string | null
  readonly active: boolean
  readonly owner: 'ours' | 'theirs'
  /** Subscriptions that are charged by it now; counted only where it may be replaced. */
  readonly subscribers: number
}

export interface FoundPortal {
  readonly id: string
  readonly product: string
  /** Everything about it that we set, as `portalText` writes it. */
  readonly text: string
}

export interface FoundEndpoint {
  readonly id: string
  readonly url: string
  readonly apiVersion: string | null
  readonly events: readonly string[]
  readonly enabled: boolean
  readonly owner: 'ours' | 'theirs'
}

export interface FoundCatalogue {
  readonly products: readonly FoundProduct[]
  readonly meters: readonly { readonly eventName: string; readonly formula: string }[]
  readonly prices: readonly FoundPrice[]
  readonly portals: readonly FoundPortal[]
  readonly endpoints: readonly FoundEndpoint[]
}

export const WEBHOOK_PATH = '/api/stripe/webhook'
/** Stripe takes no more products in a portal. */
const MOST_PORTAL_PRODUCTS = 10

/** The same for every installation, so that a product made twice is one. */
export function productId(plan: string): string {
  return `tenantry_${plan}`
}

export function wantedCatalogue(catalog: CatalogView, { installation, publicUrl }: { readonly installation: string; readonly publicUrl: string | undefined }): WantedCatalogue {
  const plans = [...catalog.plans()].filter(({ spec }) => Object.keys(spec.prices).length > 0).sort(byName)
  const titleOf = (product: string) => catalog.product(product)?.spec.title ?? product
  return {
    installation,
    products: plans.map(({ metadata, spec }) => ({ id: productId(metadata.name), plan: metadata.name, name: fullTitle(titleOf(spec.product), spec.title) })),
    meters: plans.flatMap(({ metadata, spec }) => (spec.meters ?? []).map(({ of }) => ({ eventName: meterEventName(metadata.name, of), displayName: `${metadata.name} ${of}` }))),
    prices: plans.flatMap(pricesOf),
    portals: [...new Set(plans.map(({ spec }) => spec.product))].map((product) => portalOf(product, titleOf(product), plans, publicUrl)),
    endpoint: publicUrl === undefined ? undefined : { url: new URL(WEBHOOK_PATH, publicUrl).href, apiVersion: STRIPE_API_VERSION, events: [...HANDLED_EVENTS].sort() },
  }
}

export function ownMetadata(installation: string, plan: string): Record<string, string> {
  return { [METADATA.installation]: installation, [METADATA.plan]: plan }
}

/** A plan's title often begins with its product's. */
function fullTitle(product: string, plan: string): string {
  return plan.startsWith(product) ? plan : `${product} ${plan}`
}

function pricesOf({ metadata: { name }, spec }: Plan): WantedPrice[] {
  const fixed = Object.entries(spec.prices).map(([interval, { amount, currency }]) => ({
    ...{ lookupKey: lookupKey(name, interval as BillingInterval), plan: name, product: productId(name) },
    ...{ currency, amount: String(amount), interval: interval as BillingInterval },
  }))
  return [...fixed, ...(spec.meters ?? []).map((meter) => meteredPrice(name, meter))]
}

/** Of one whole unit: what is included, and what is below a unit, is taken off before anything is told to Stripe (core/metering-bill.ts). */
function meteredPrice(plan: string, { of, price }: Meter): WantedPrice {
  return { lookupKey: meterLookupKey(plan, of), plan, product: productId(plan), currency: price.currency, amount: String(price.amount), interval: 'month', eventName: meterEventName(plan, of) }
}

function portalOf(product: string, title: string, plans: readonly Plan[], publicUrl: string | undefined): WantedPortal {
  const offered = plans.filter(({ spec }) => spec.product === product && spec.slots === undefined && spec.unlisted !== true).slice(0, MOST_PORTAL_PRODUCTS)
  const offers = offered.map(({ metadata: { name }, spec }) => [productId(name), Object.keys(spec.prices).map((interval) => lookupKey(name, interval as BillingInterval))] as const)
  return { product, headline: title, returnUrl: publicUrl === undefined ? undefined : new URL('/dashboard', publicUrl).href, offers: new Map(offers) }
}

/** What we set of a portal, in a form in which two are compared. `prices`: ids, by Stripe's product. */
export function portalText(headline: string | null, returnUrl: string | null, prices: ReadonlyMap<string, readonly string[]>): string {
  const offers = [...prices].map(([product, ids]) => [product, [...ids].sort()] as const).sort(([a], [b]) => (a < b ? -1 : 1))
  return JSON.stringify([headline, returnUrl, offers])
}

function byName(a: Plan, b: Plan): number {
  return a.metadata.name < b.metadata.name ? -1 : 1
}
