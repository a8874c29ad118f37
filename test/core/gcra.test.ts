import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { remainingNow, takeOne, type RateState } from '../../controller/core/gcra.ts'

const rate = fc.record({ perSecond: fc.integer({ min: 1, max: 2_000 }), burst: fc.integer({ min: 1, max: 500 }) })
const gaps = fc.array(fc.oneof(fc.constant(0), fc.double({ min: 0, max: 3, noNaN: true }), fc.double({ min: 0, max: 400, noNaN: true })), { maxLength: 300 })

describe('requests a second with a burst', () => {
  it('never lets more than the burst and the rate\'s worth through in any window', () => {
    fc.assert(
      fc.property(rate, gaps, (limit, waits) => {
        let state: RateState = 0
        let now = 1_000_000
        const passed: number[] = []
        for (const wait of waits) {
          now += wait
          const taken = takeOne(state, now, limit)
          if (taken.kind === 'wait') continue
          state = taken.state
          passed.push(now)
        }
        for (let first = 0; first < passed.length; first++) {
          for (let last = first; last < passed.length; last++) {
            expect(last - first + 1).toBeLessThanOrEqual(limit.burst + ((passed[last]! - passed[first]! + 0.002) / 1000) * limit.perSecond)
          }
        }
      }),
      { numRuns: 100 },
    )
  })

  it('passes exactly the burst after a rest, and counts down what remains', () => {
    fc.assert(
      fc.property(rate, fc.integer({ min: 0, max: 1e9 }), (limit, now) => {
        let state: RateState = 0
        for (let at = 1; at <= limit.burst; at++) {
          const taken = takeOne(state, now, limit)
          expect(taken).toMatchObject({ kind: 'taken', remaining: limit.burst - at })
          if (taken.kind === 'taken') state = taken.state
        }
        expect(takeOne(state, now, limit).kind).toBe('wait')
        expect(remainingNow(state, now, limit)).toBe(0)
      }),
    )
  })

  it('says the exact wait: passes after it, not a millisecond before', () => {
    fc.assert(
      fc.property(rate, (limit) => {
        const now = 5_000
        let state: RateState = 0
        for (;;) {
          const taken = takeOne(state, now, limit)
          if (taken.kind === 'taken') {
            state = taken.state
            continue
          }
          expect(taken.waitMs).toBeCloseTo(1000 / limit.perSecond, 6)
          expect(takeOne(state, now + taken.waitMs, limit).kind).toBe('taken')
          expect(takeOne(state, now + taken.waitMs * 0.99, limit).kind).toBe('wait')
          return
        }
      }),
    )
  })

  it('holds a changed rate at the next request, and forgives nothing', () => {
    const full = { perSecond: 10, burst: 5 }
    let state: RateState = 0
    for (let at = 0; at < 5; at++) state = (takeOne(state, 0, full) as { state: number }).state
    expect(takeOne(state, 0, full).kind).toBe('wait')
    expect(takeOne(state, 0, { perSecond: 10, burst: 6 }).kind).toBe('taken')
    expect(takeOne(state, 0, { perSecond: 1, burst: 1 })).toMatchObject({ kind: 'wait', waitMs: 500 })
  })
})
