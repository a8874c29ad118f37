/** How often purchases may be begun, by address and in all. */
import { expect, it } from 'vitest'
import { HttpProblem } from '../../../controller/web/http-problem.ts'
import { createCheckoutLimit } from '../../../hooks/stripe/checkout-limit.ts'

function limitAt(): { clock: { nowMs: number }; refusal: (address: string) => HttpProblem | undefined; taken: (address: string, times: number) => number } {
  const clock = { nowMs: 1_000_000 }
  const limit = createCheckoutLimit(() => clock.nowMs)
  const refusal = (address: string): HttpProblem | undefined => {
    try {
      limit.take(address)
      return undefined
    } catch (error) {
      if (error instanceof HttpProblem) return error
      throw error
    }
  }
  return { clock, refusal, taken: (address, times) => Array.from({ length: times }, () => refusal(address)).filter((problem) => problem === undefined).length }
}

it('lets one address begin a few at once and then slowly, and says when to come again', () => {
  const { clock, refusal, taken } = limitAt()
  expect(taken('192.0.2.1', 50)).toBe(20)
  expect(refusal('192.0.2.1')?.details).toMatchObject({ status: 429, code: 'too-many-checkouts', retryAfterSeconds: 2 })
  expect(taken('192.0.2.2', 1)).toBe(1)
  clock.nowMs += 2_000
  expect(taken('192.0.2.1', 5)).toBe(1)
})

it('takes all addresses of a network of IPv6 for one, and an address of IPv4 for itself however it is written', () => {
  const { taken } = limitAt()
  const many = Array.from({ length: 40 }, (_, n) => `2001:db8:0:1:${n}::1`)
  expect(many.reduce((sum, address) => sum + taken(address, 1), 0)).toBe(20)
  expect(taken('2001:db8::1:ffff:0:0:2', 1)).toBe(0)
  expect(taken('2001:db8:0:2::1', 1)).toBe(1)
  expect(taken('192.0.2.1', 20) + taken('::ffff:192.0.2.1', 20)).toBe(20)
})

it('ends together, whoever asks, and does not go on for ever', () => {
  const { clock, refusal } = limitAt()
  const passed = Array.from({ length: 400 }, (_, n) => refusal(`10.0.${n >> 8}.${n & 255}`)).filter((problem) => problem === undefined).length
  expect(passed).toBe(200)
  expect(refusal('10.9.9.9')?.message).toContain('Too many purchases are begun at once')
  clock.nowMs += 1_000
  expect(refusal('10.9.9.9')).toBeUndefined()
})

it('gives one network few of what is scarce in a day, whatever it may begin besides', () => {
  const clock = { nowMs: 1_000_000 }
  const limit = createCheckoutLimit(() => clock.nowMs)
  const taken = (hours: number): number => {
    let count = 0
    for (let minute = 0; minute < hours * 60; minute++, clock.nowMs += 60_000) {
      try {
        limit.take('192.0.2.1')
        limit.takeScarce('192.0.2.1')
        count++
      } catch (error) {
        expect((error as HttpProblem).details).toMatchObject({ status: 429, code: 'too-many-checkouts' })
      }
    }
    return count
  }
  expect(taken(1)).toBeLessThanOrEqual(26)
  expect(taken(23)).toBeLessThanOrEqual(139)
})
