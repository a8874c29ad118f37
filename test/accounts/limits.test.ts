/** How often one may call, by network and by site: nobody alone uses up what there is for all. */
import { expect, test } from 'vitest'
import { createAccountLimits } from '../../controller/accounts/limits.ts'
import { networkOf } from '../../controller/web/client-network.ts'
import { HttpProblem } from '../../controller/web/http-problem.ts'

function caller(): { clock: { nowMs: number }; calls: (addresses: readonly string[]) => number } {
  const clock = { nowMs: 1_000_000 }
  const limits = createAccountLimits(() => clock.nowMs)
  const passes = (address: string): boolean => {
    try {
      limits.takeCall(networkOf(address))
      return true
    } catch (error) {
      if (error instanceof HttpProblem && error.details.status === 429) return false
      throw error
    }
  }
  return { clock, calls: (addresses) => addresses.filter(passes).length }
}

const networks = (site: string, count: number): string[] => Array.from({ length: count }, (_, n) => `2001:db8:${site}:${n.toString(16)}::1`)

test('a site of IPv6 has no more than five networks together, and takes nothing from another', () => {
  const { clock, calls } = caller()
  expect(calls(networks('1', 1000))).toBe(150)
  clock.nowMs += 10_000
  expect(calls(networks('1', 1000))).toBe(10)
  expect(calls(networks('2', 10))).toBe(10)
})

test('an address of IPv4 has what it had', () => {
  const { calls } = caller()
  expect(calls(Array.from({ length: 50 }, () => '192.0.2.1'))).toBe(30)
  expect(calls(['192.0.2.2'])).toBe(1)
})
