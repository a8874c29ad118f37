/** What more would cost: the next plan that allows more of what a refusal was measured against. Pure. */
import type { HeaderFacts, PlanPrice } from '../core/header-facts.ts'
import { ceilingOf } from '../core/quota.ts'
import type { LimitName } from '../core/specs.ts'
import type { Refusal } from './refusal.ts'
import type { TableRoute } from './route-table.ts'

export interface Offer {
  readonly plan: string
  readonly title: string
  /** In the currency's smallest unit, each month or year. */
  readonly price: PlanPrice | null
  /** How much of the limit it allows; null: there is no limit. */
  readonly limit: number | null
}

/** The limits that plans set and requests are measured against, as people say them. */
const UNITS: Readonly<Partial<Record<LimitName, string>>> = {
  storageMb: 'MB of storage',
  bodyMb: 'MiB a request',
  requestsPerSecond: 'requests a second',
  requestsPerDay: 'requests a day',
  requestsPerMonth: 'requests a month',
}

/** The refusal with the present plan, and what the next larger one costs and where to get it. As it is where no plan allows more. */
export function withOffer(refusal: Refusal, route: TableRoute | undefined, { plans, links }: HeaderFacts): Refusal {
  const limit = refusal.measured?.['limit'] as LimitName | undefined
  const unit = limit && UNITS[limit]
  if (route === undefined || limit === undefined || unit === undefined) return refusal
  const offer = nextOffer(limit, route, plans)
  const at = links.upgrade === undefined ? '.' : `: ${links.upgrade}`
  if (offer === undefined) return { ...refusal, plan: route.plan, detail: `${refusal.detail}${withoutOffer(plans[route.plan] !== undefined, links)}` }
  const amount = offer.limit === null ? `any number of ${unit}` : `${offer.limit} ${unit}`
  return { ...refusal, plan: route.plan, upgrade: offer, detail: `${refusal.detail} ${offer.title} allows ${amount}, for ${priceText(offer.price)}${at}` }
}

function withoutOffer(isLargest: boolean, { upgrade, support }: HeaderFacts['links']): string {
  if (!isLargest) return upgrade === undefined ? '' : ` A larger plan allows more: ${upgrade}`
  return ` No plan on sale allows more${support === undefined ? '.' : `; ask for it at ${support}`}`
}

function nextOffer(limit: LimitName, { plan, limits, fairUse }: TableRoute, plans: HeaderFacts['plans']): Offer | undefined {
  const present = ceilingOf(limit, limits, fairUse)?.value ?? Infinity
  const seen = new Set([plan])
  for (let name = plans[plan]?.next; name !== undefined && !seen.has(name); name = plans[name]?.next) {
    seen.add(name)
    const next = plans[name]
    if (next === undefined) return undefined
    const value = ceilingOf(limit, next.limits, next.fairUse)?.value ?? Infinity
    if (value > present) return { plan: name, title: next.title, price: next.price ?? null, limit: value === Infinity ? null : value }
  }
  return undefined
}

function priceText(price: PlanPrice | null): string {
  return price === null ? 'nothing' : `${(price.amount / 100).toFixed(2)} ${price.currency.toUpperCase()} a ${price.interval}`
}
