/** What of a product is sold now, and what a visitor is told about it. Pure: from the repository alone, so that a number shown is a number counted. */
import type { CatalogView } from './catalog-view.ts'
import { planOnSale } from './purchase.ts'
import type { Plan, Product } from './specs.ts'

export interface Offer {
  readonly plan: Plan
  readonly slots?: Slots
  /** What is sold when the slots are gone. */
  readonly later?: Plan
  /** The plan whose slots are gone, which this one follows. */
  readonly follows?: Plan
}

export interface Slots {
  readonly claimed: number
  readonly total: number
  readonly remaining: number
}

/**
 * The listed plans of a product: first those with few slots, then by price. A plan that only follows another one waits until that
 * one's slots are gone, and then stands in its place.
 */
export function offersOf(catalog: CatalogView, product: string): Offer[] {
  const plans = [...catalog.plans()].filter(({ spec }) => spec.product === product && spec.unlisted !== true)
  const followers = new Set(plans.flatMap(({ spec }) => (spec.successor === undefined ? [] : [spec.successor])))
  const offers = new Map<string, Offer>()
  for (const plan of plans) {
    const offer = followers.has(plan.metadata.name) ? undefined : offerFor(catalog, plan)
    if (offer !== undefined && !offers.has(offer.plan.metadata.name)) offers.set(offer.plan.metadata.name, offer)
  }
  return [...offers.values()].sort((a, b) => rank(a) - rank(b) || priceOf(a.plan) - priceOf(b.plan))
}

/** What is sold now for whom asks for this plan: itself, or what follows it. Undefined where nothing is left. */
export function offerFor(catalog: CatalogView, plan: Plan): Offer | undefined {
  const onSale = planOnSale(plan, (name) => catalog.plan(name), (name) => catalog.slotsTaken(name))
  return onSale && { ...offerOf(catalog, onSale), ...(onSale !== plan && { follows: plan }) }
}

/** The one that the front of a product's site speaks of: the one with slots, or what took its place, else the first that costs something. */
export function leadingOffer(offers: readonly Offer[]): Offer | undefined {
  return offers.find((offer) => rank(offer) === 0) ?? offers.find(({ plan }) => priceOf(plan) > 0) ?? offers[0]
}

export function slotsOf(catalog: CatalogView, plan: Plan): Slots | undefined {
  const total = plan.spec.slots
  if (total === undefined) return undefined
  const claimed = catalog.slotsTaken(plan.metadata.name)
  return { claimed, total, remaining: Math.max(0, total - claimed) }
}

/** The plan of a product that has slots, gone or not: its founders' plan. */
export function foundersPlan(catalog: CatalogView, product: Product): Plan | undefined {
  return [...catalog.plans()].filter(({ spec }) => spec.product === product.metadata.name && spec.slots !== undefined).sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1))[0]
}

function offerOf(catalog: CatalogView, plan: Plan): Offer {
  const slots = slotsOf(catalog, plan)
  const later = plan.spec.successor === undefined ? undefined : catalog.plan(plan.spec.successor)
  return { plan, ...(slots && { slots }), ...(later && { later }) }
}

const rank = ({ slots, follows }: Offer): number => (slots !== undefined || follows !== undefined ? 0 : 1)

const priceOf = ({ spec }: Plan): number => spec.prices.month?.amount ?? (spec.prices.year === undefined ? 0 : spec.prices.year.amount / 12)
