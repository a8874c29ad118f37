import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ceilingOf, daysBefore, periodsAt, requestLimits } from '../../controller/core/quota.ts'

describe('periods', () => {
  it('are UTC days and months, each instant in exactly one', () => {
    fc.assert(
      fc.property(fc.date({ min: new Date('2000-01-01'), max: new Date('2100-01-01'), noInvalidDate: true }), (date) => {
        const periods = periodsAt(date.getTime())
        expect(date.toISOString().startsWith(periods.day)).toBe(true)
        expect(periods.day.startsWith(periods.month)).toBe(true)
        expect(periods.dayStartsAtMs).toBeLessThanOrEqual(date.getTime())
        expect(periods.dayEndsAtMs).toBeGreaterThan(date.getTime())
        expect(periodsAt(periods.dayEndsAtMs).day).toBe(daysBefore(periods.day, -1))
        expect(periodsAt(periods.monthEndsAtMs - 1).month).toBe(periods.month)
        expect(periodsAt(periods.monthEndsAtMs).day).toMatch(/-01$/)
      }),
    )
  })

  it('end with the year, and in February', () => {
    expect(periodsAt(Date.parse('2026-12-31T23:59:59.999Z'))).toMatchObject({ day: '2026-12-31', month: '2026-12', monthEndsAtMs: Date.parse('2027-01-01T00:00:00Z') })
    expect(periodsAt(Date.parse('2028-02-29T12:00:00Z')).monthSeconds).toBe(29 * 86_400)
  })
})

describe('limits in force', () => {
  it('stay under the fair-use ceiling only where they say unlimited', () => {
    expect(ceilingOf('requestsPerMonth', { requestsPerMonth: 'unlimited' }, { requestsPerMonth: 7 })).toEqual({ value: 7, fairUse: true })
    expect(ceilingOf('requestsPerMonth', { requestsPerMonth: 100 }, { requestsPerMonth: 7 })).toEqual({ value: 100, fairUse: false })
    expect(ceilingOf('requestsPerMonth', { requestsPerMonth: 'unlimited' }, undefined)).toBeUndefined()
    expect(ceilingOf('requestsPerMonth', {}, { requestsPerMonth: 7 })).toBeUndefined()
  })

  it('have one second\'s worth at once where no burst is stated', () => {
    expect(requestLimits({ requestsPerSecond: 20 }, undefined).rate).toEqual({ perSecond: 20, burst: 20, fairUse: false })
    expect(requestLimits({ requestsPerSecond: 20, burst: 200 }, undefined).rate).toEqual({ perSecond: 20, burst: 200, fairUse: false })
    expect(requestLimits({ requestsPerSecond: 20, burst: 'unlimited' }, undefined).rate?.burst).toBe(20)
    expect(requestLimits({}, { requestsPerSecond: 5 })).toEqual({ rate: undefined, perDay: undefined, perMonth: undefined })
  })
})
