/** Money, sizes and limits as people read them. */
import type { BillingInterval, Limit, Limits, Plan, Price } from '../../core/specs.ts'

/** Whole amounts without cents: $10, $9.50. */
export function money({ amount, currency }: Price): string {
  const format = new Intl.NumberFormat('en', { style: 'currency', currency, trailingZeroDisplay: 'stripIfInteger' } as Intl.NumberFormatOptions)
  return format.format(amount / 10 ** (format.resolvedOptions().maximumFractionDigits ?? 2))
}

export function count(n: number): string {
  return n.toLocaleString('en')
}

/** Decimal units, as the plans are written, to a tenth. */
export function megabytes(mb: number): string {
  return mb >= 1000 ? `${count(Math.round(mb / 100) / 10)} GB` : `${count(mb)} MB`
}

export const PER: Readonly<Record<BillingInterval, string>> = { month: 'a month', year: 'a year' }

/** `$10 a month or $100 a year`. */
export function priceWords({ spec }: Plan): string {
  const prices = (['month', 'year'] as const).flatMap((interval) => (spec.prices[interval] === undefined ? [] : [`${money(spec.prices[interval])} ${PER[interval]}`]))
  return prices.length === 0 ? 'Free' : prices.join(' or ')
}

/** How many months a year's price saves; 0 where there is no such choice. */
export function monthsSaved({ spec: { prices } }: Plan): number {
  if (prices.month === undefined || prices.year === undefined || prices.month.amount === 0) return 0
  return Math.max(0, Math.round((12 - prices.year.amount / prices.month.amount) * 10) / 10)
}

const LINES: readonly (readonly [keyof Limits, (limit: Limit) => string])[] = [
  ['storageMb', (limit) => (limit === 'unlimited' ? 'Unlimited storage (fair use)' : `${megabytes(limit)} of storage`)],
  ['memoryMb', (limit) => (typeof limit === 'number' ? `${megabytes(limit)} of memory` : '')],
  ['cpus', (limit) => (limit === 1 ? '1 processor core' : `${limit} processor cores`)],
  ['requestsPerMonth', (limit) => (limit === 'unlimited' ? 'Unlimited API calls (fair use)' : `${count(limit)} API calls a month`)],
  ['requestsPerSecond', (limit) => (limit === 'unlimited' ? '' : `Up to ${count(limit)} calls a second`)],
  ['documents', (limit) => (limit === 'unlimited' ? 'Unlimited documents' : `${count(limit)} documents`)],
  ['workspaces', (limit) => (limit === 'unlimited' ? 'Unlimited workspaces' : limit === 1 ? '1 workspace' : `${count(limit)} workspaces`)],
  ['tokensPerQuery', (limit) => (limit === 'unlimited' ? 'Any number of tokens a query' : `${count(limit)} tokens a query`)],
]

/** What a plan gives, from its limits, then its own words. */
export function planLines({ spec: { limits, features } }: Plan): string[] {
  const lines = LINES.flatMap(([name, words]) => (limits[name] === undefined ? [] : [words(limits[name])]))
  return [...lines.filter((line) => line !== ''), ...(features ?? [])]
}
