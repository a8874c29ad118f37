/**
 * What a metered plan costs: from counts of days to whole units, by one rule that the reporter and `tenantry billing explain` share.
 * The day is the smallest interval, since the ledger of usage has days. Pure; knows neither Stripe nor git.
 */
import { meterEventName } from './purchase.ts'
import type { Meter, Price, Tenant, Plan } from './specs.ts'

/** The terms of one meter on one day. */
export interface MeterTerms {
  readonly event: string
  readonly plan: string
  readonly of: Meter['of']
  readonly per: number
  /** For all units of the subscription together. */
  readonly included: number
  readonly price: Price
  /** At Stripe. */
  readonly customer: string
}

/** What the tenant pays for by use, as its file and its plan's stand. Nothing without a customer at Stripe: there is nobody to charge. */
export function meterTerms({ spec }: Tenant, plan: Plan | undefined): MeterTerms[] {
  const { customer, quantity = 1 } = spec.billing ?? {}
  if (plan === undefined || customer === undefined) return []
  const name = plan.metadata.name
  return (plan.spec.meters ?? []).map((meter) => ({ event: meterEventName(name, meter.of), plan: name, of: meter.of, per: meter.per, included: (meter.included ?? 0) * quantity, price: meter.price, customer }))
}

export interface MeteredDay {
  /** As in `2026-11-05`. */
  readonly day: string
  /** Of that day. */
  readonly counted: number
  /** Undefined where nothing was to be paid for on that day: its use costs nothing, and takes nothing of what is included. */
  readonly terms: MeterTerms | undefined
}

export interface BilledDay extends MeteredDay {
  /** Of the month so far, of days with terms. */
  readonly total: number
  /** Of the day's count, what goes beyond what is included. */
  readonly billable: number
  /** Whole units that the day completes. */
  readonly units: number
  /** What is left below a whole unit, for the next day. */
  readonly remainder: number
}

/**
 * One meter's month, in the order of the days. What is included is used up first; what goes beyond is billed in whole units, and what
 * is left over goes to the next day. So, while terms stay the same, all units together are floor(max(0, total - included) / per).
 * Each plan has its own remainder; where `per` of a plan changes within the month, a remainder below one unit lapses.
 */
export function billMonth(days: readonly MeteredDay[]): BilledDay[] {
  let total = 0
  const remainders = new Map<string, { readonly per: number; readonly rest: number }>()
  return days.map(({ day, counted, terms }) => {
    if (terms === undefined) return { day, counted, terms, total, billable: 0, units: 0, remainder: 0 }
    const before = remainders.get(terms.event)
    const billable = Math.max(0, total + counted - Math.max(total, terms.included))
    total += counted
    const due = billable + (before?.per === terms.per ? before.rest : 0)
    const units = Math.floor(due / terms.per)
    const remainder = due - units * terms.per
    remainders.set(terms.event, { per: terms.per, rest: remainder })
    return { day, counted, terms, total, billable, units, remainder }
  })
}

/** A report that was written down: so many units of an event, as they were known when `day` was over. */
export interface WrittenReport {
  readonly event: string
  readonly day: string
  readonly units: number
}

/**
 * What is to be reported for `day`, now that it is over: what the month up to it comes to, less what was written down already. A count
 * that came late, for a day before, is in it. Never negative: Stripe adds up.
 */
export function unitsToReport(billed: readonly BilledDay[], event: string, written: readonly WrittenReport[], day: string): number {
  const owed = sum(billed.filter((each) => each.terms?.event === event && each.day <= day).map(({ units }) => units))
  const reported = sum(written.filter((each) => each.event === event).map(({ units }) => units))
  return Math.max(0, owed - reported)
}

/** In the currency's smallest unit. */
export function amountOf(units: number, { price }: Pick<MeterTerms, 'price'>): number {
  return units * price.amount
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((a, b) => a + b, 0)
}
