/** How often purchases may be begun: each one costs calls to Stripe, and anybody may ask. By address and in all; a buyer never comes near either. */
import type { Rate, RateState } from '../../controller/core/gcra.ts'
import { takeOne } from '../../controller/core/gcra.ts'
import { HttpProblem } from '../../controller/web/http-problem.ts'

export interface CheckoutLimit {
  /** @throws HttpProblem, 429, where it is too often. */
  take(address: string): void
}

const FOR_AN_ADDRESS: Rate = { perSecond: 0.5, burst: 20 }
const IN_ALL: Rate = { perSecond: 20, burst: 200 }
const ADDRESSES_KEPT = 10_000

/** `nowMs`: of any clock that never goes back. */
export function createCheckoutLimit(nowMs: () => number): CheckoutLimit {
  const addresses = new Map<string, RateState>()
  let all: RateState = 0

  /** The ones seen longest ago go first: those that ask all the time stay. */
  function remember(network: string, state: RateState): void {
    addresses.delete(network)
    addresses.set(network, state)
    if (addresses.size <= ADDRESSES_KEPT) return
    for (const oldest of addresses.keys()) {
      addresses.delete(oldest)
      break
    }
  }

  return {
    take(address) {
      const now = nowMs()
      const network = networkOf(address)
      const own = takeOne(addresses.get(network) ?? 0, now, FOR_AN_ADDRESS)
      if (own.kind === 'wait') throw tooMany('Purchases are begun too often from this address.', own.waitMs)
      const one = takeOne(all, now, IN_ALL)
      if (one.kind === 'wait') throw tooMany('Too many purchases are begun at once.', one.waitMs)
      remember(network, own.state)
      all = one.state
    },
  }
}

/** Whoever has one address of IPv6 has all of its network. */
function networkOf(address: string): string {
  if (!address.includes(':')) return address
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1]
  return mapped ?? expanded(address).slice(0, 4).join(':')
}

function expanded(address: string): string[] {
  const [head = '', tail = ''] = address.split('::')
  const before = head.split(':').filter((part) => part !== '')
  const after = tail.split(':').filter((part) => part !== '')
  return [...before, ...Array.from({ length: Math.max(0, 8 - before.length - after.length) }, () => '0'), ...after]
}

function tooMany(why: string, waitMs: number): HttpProblem {
  const retryAfterSeconds = Math.max(1, Math.ceil(waitMs / 1000))
  return new HttpProblem({ status: 429, code: 'too-many-checkouts', title: 'Too many purchases begun', detail: `${why} Try again in ${retryAfterSeconds} s.`, retryAfterSeconds })
}
