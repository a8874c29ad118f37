/** What the repository says about income. */
import { describe, expect, test } from 'vitest'
import { countMoney, type Money } from '../../controller/core/money.ts'
import type { BillingSpec, TenantSpec } from '../../controller/core/specs.ts'
import { tenant } from '../support/specs.ts'

const NOW = '2026-11-26T12:00:00Z'
const TRIAL = { endsAt: '2026-12-01T00:00:00Z' }
const NOTHING: Money = { monthly: {}, paying: 0, pastDue: 0, suspended: 0, trials: 0, agentTrials: 0, cancelling: 0, endedIn30Days: 0 }

const paid = (billing: Partial<BillingSpec> = {}, spec: Partial<TenantSpec> = {}): Partial<TenantSpec> => ({
  ...spec,
  billing: { customer: 'cus_1', subscription: 'sub_1', status: 'active', interval: 'month', price: { amount: 1000, currency: 'usd' }, ...billing },
})

function moneyOf(...specs: Partial<TenantSpec>[]): Money {
  const count = countMoney(NOW)
  specs.forEach((spec, index) => count.add(tenant(`user${String(index + 1).padStart(3, '0')}`, spec)))
  return count.result()
}

describe('what comes in each month', () => {
  test('is nothing where nobody pays', () => {
    expect(moneyOf()).toEqual(NOTHING)
    expect(moneyOf({}, { state: 'suspended' }, { state: 'ended', endedAt: NOW })).toEqual(NOTHING)
  })

  test('is added up for each currency by itself', () => {
    expect(moneyOf(paid(), paid(), paid({ price: { amount: 900, currency: 'eur' } }))).toEqual({ ...NOTHING, paying: 3, monthly: { usd: 2000, eur: 900 } })
  })

  test('counts units, and a twelfth of a year, rounded once for all', () => {
    expect(moneyOf(paid({ quantity: 3 })).monthly).toEqual({ usd: 3000 })
    // 8.33 each: twelve of them are what one pays in a year.
    expect(moneyOf(...Array.from({ length: 12 }, () => paid({ interval: 'year', price: { amount: 100, currency: 'usd' } }))).monthly).toEqual({ usd: 100 })
  })

  test('counts who is behind with a payment, since it still runs, and says so', () => {
    expect(moneyOf(paid({ status: 'past_due' }))).toEqual({ ...NOTHING, paying: 1, pastDue: 1, monthly: { usd: 1000 } })
  })

  test('counts who leaves at the end of the period until then', () => {
    expect(moneyOf(paid({ cancelAt: '2026-12-01T00:00:00Z' }))).toEqual({ ...NOTHING, paying: 1, cancelling: 1, monthly: { usd: 1000 } })
  })

  test('counts a subscription without a known price as paying, and its price as nothing', () => {
    expect(moneyOf({ billing: { customer: 'cus_1', subscription: 'sub_1', status: 'active' } })).toEqual({ ...NOTHING, paying: 1 })
  })
})

describe('who does not pay', () => {
  test('are trials: those with a subscription, and those that agents began', () => {
    expect(moneyOf(paid({ status: 'trialing' }), { trial: TRIAL })).toEqual({ ...NOTHING, trials: 1, agentTrials: 1 })
  })

  test('are the suspended: for their bill, or by a person, who is no matter of money', () => {
    expect(moneyOf(paid({ status: 'unpaid' }, { state: 'suspended', stateBy: 'billing' }))).toEqual({ ...NOTHING, suspended: 1 })
    expect(moneyOf(paid({}, { state: 'suspended' }))).toEqual(NOTHING)
  })

  test('are the ended: those of the last 30 days who paid are told', () => {
    const ended = (endedAt: string): Partial<TenantSpec> => paid({ status: 'canceled' }, { state: 'ended', endedAt })
    expect(moneyOf(ended('2026-10-27T12:00:01Z'), ended('2026-10-27T12:00:00Z'), ended('2026-01-01T00:00:00Z'))).toEqual({ ...NOTHING, endedIn30Days: 1 })
    expect(moneyOf({ state: 'ended', endedAt: NOW, billing: { customer: 'cus_1' } }, paid({}, { state: 'ended' }))).toEqual(NOTHING)
  })
})
