/** From counts of days to whole units. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { billMonth, meterTerms, unitsToReport, type MeterTerms } from '../../controller/core/metering-bill.ts'
import { plan, tenant } from '../support/specs.ts'

const terms = (changes: Partial<MeterTerms> = {}): MeterTerms => ({ event: 'tenantry_a_requests', plan: 'a', of: 'requests', per: 1000, included: 10_000, price: { amount: 5, currency: 'usd' }, customer: 'cus_1', ...changes })
const monthOf = (counts: readonly number[], of: (index: number) => MeterTerms | undefined) => billMonth(counts.map((counted, index) => ({ day: `2026-11-${String(index + 1).padStart(2, '0')}`, counted, terms: of(index) })))
const units = (days: ReturnType<typeof billMonth>): number => days.reduce((sum, day) => sum + day.units, 0)

describe('a metered month', () => {
  test('uses up what is included first, and carries what is below a unit', () => {
    expect(monthOf([9_000, 1_500, 600, 2_000], () => terms()).map(({ billable, units: each, remainder }) => [billable, each, remainder])).toEqual([[0, 0, 0], [500, 0, 500], [600, 1, 100], [2_000, 2, 100]])
  })

  test('comes to the floor of what is beyond, however it is spread over days', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(30_000), { maxLength: 31 }), fc.integer({ min: 1, max: 5000 }), fc.nat(50_000), (counts, per, included) => {
        const total = counts.reduce((a, b) => a + b, 0)
        expect(units(monthOf(counts, () => terms({ per, included })))).toBe(Math.floor(Math.max(0, total - included) / per))
      }),
    )
  })

  test('costs nothing on days without a meter, which take nothing of what is included', () => {
    expect(units(monthOf([1_000_000, 10_000, 999], (index) => (index === 0 ? undefined : terms())))).toBe(0)
  })

  test('goes on in another plan with what was used; each plan has its own remainder', () => {
    const other = terms({ event: 'tenantry_b_requests', plan: 'b', per: 100, included: 12_000 })
    const days = monthOf([10_500, 2_000, 700], (index) => (index === 1 ? other : terms()))
    expect(days.map(({ billable, units: each }) => [billable, each])).toEqual([[500, 0], [500, 5], [700, 1]])
  })

  test('a count that comes late only adds', () => {
    fc.assert(
      fc.property(fc.array(fc.record({ counted: fc.nat(5000), b: fc.boolean() }), { minLength: 1, maxLength: 31 }), fc.nat(30), fc.nat(5000), (days, at, late) => {
        const of = (index: number): MeterTerms => (days[index]!.b ? terms({ event: 'b', per: 300, included: 2_000 }) : terms({ per: 700 }))
        const before = monthOf(days.map(({ counted }) => counted), of)
        const after = monthOf(days.map(({ counted }, index) => counted + (index === at % days.length ? late : 0)), of)
        for (const event of ['b', 'tenantry_a_requests']) {
          const reported = unitsToReport(before, event, [], '2026-11-31')
          expect(unitsToReport(after, event, [{ event, day: '2026-11-31', units: reported }], '2026-12-01') + reported).toBe(unitsToReport(after, event, [], '2026-12-01'))
        }
      }),
    )
  })
})

test('included use is for each unit that is paid for, and nobody pays without a customer at Stripe', () => {
  const metered = plan('a', { meters: [{ of: 'requests', per: 10, included: 100, price: { amount: 1, currency: 'usd' } }] })
  expect(meterTerms(tenant('user001', { billing: { customer: 'cus_1', quantity: 3 } }), metered)).toMatchObject([{ event: 'tenantry_a_requests', included: 300, customer: 'cus_1' }])
  expect(meterTerms(tenant('user001'), metered)).toEqual([])
  expect(meterTerms(tenant('user001', { billing: { customer: 'cus_1' } }), plan('b'))).toEqual([])
})
