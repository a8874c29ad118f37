/** What the repository says about income: counted from the specs each time, so that no counter can drift. Pure. */
import type { Tenant, Timestamp } from './specs.ts'

export interface Money {
  /** Of a month, by currency, in its smallest unit; a year counts a twelfth. Without trials, promotion codes and tax. */
  readonly monthly: Readonly<Record<string, number>>
  /** Tenants that are paid for, by how they stand. */
  readonly paying: number
  readonly pastDue: number
  readonly suspended: number
  /** Subscriptions in their trial, and trials that agents began. */
  readonly trials: number
  readonly agentTrials: number
  /** Will end, and when is known. */
  readonly cancelling: number
  /** Paid tenants that ended in the last 30 days. */
  readonly endedIn30Days: number
}

const CHURN_MS = 30 * 86_400_000

export interface MoneyCount {
  add(tenant: Tenant): void
  result(): Money
}

/** Counts one tenant after the other, since there may be very many. */
export function countMoney(now: Timestamp): MoneyCount {
  const monthly = new Map<string, number>()
  const counts = { paying: 0, pastDue: 0, suspended: 0, trials: 0, agentTrials: 0, cancelling: 0, endedIn30Days: 0 }
  return {
    add({ spec: { state, stateBy, billing, endedAt, trial } }) {
      if (state === 'ended') {
        if (billing?.subscription !== undefined && endedAt !== undefined && Date.parse(now) - Date.parse(endedAt) < CHURN_MS) counts.endedIn30Days++
        return
      }
      if (trial !== undefined) counts.agentTrials++
      if (billing?.subscription === undefined) return
      if (state === 'suspended' && stateBy === 'billing') counts.suspended++
      if (billing.status === 'past_due') counts.pastDue++
      if (billing.cancelAt !== undefined) counts.cancelling++
      if (billing.status === 'trialing') counts.trials++
      else if (state === 'active') {
        counts.paying++
        const { price, quantity = 1, interval } = billing
        if (price !== undefined) monthly.set(price.currency, (monthly.get(price.currency) ?? 0) + (price.amount * quantity) / (interval === 'year' ? 12 : 1))
      }
    },
    result: () => ({ ...counts, monthly: Object.fromEntries([...monthly].map(([currency, amount]) => [currency, Math.round(amount)])) }),
  }
}
