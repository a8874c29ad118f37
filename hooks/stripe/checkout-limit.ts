/** How often purchases may be begun: each one costs calls to Stripe, and anybody may ask. By address and in all; a buyer never comes near either. */
import { takeOne, type Rate, type RateState } from '../../controller/core/gcra.ts'
import { networkOf, siteOf } from '../../controller/web/client-network.ts'
import { HttpProblem } from '../../controller/web/http-problem.ts'
import { createKeyedLimit } from '../../controller/web/keyed-limit.ts'

export interface CheckoutLimit {
  /** @throws HttpProblem, 429, where it is too often. */
  take(address: string): void
  /** Besides, for what costs nothing at first and is not there for everybody: places of a plan, and trials without a card. */
  takeScarce(address: string): void
}

const FOR_AN_ADDRESS: Rate = { perSecond: 0.5, burst: 20 }
const IN_ALL: Rate = { perSecond: 20, burst: 200 }
/** Whoever begins and never pays holds a place for half an hour: from one network never more than a few of them. */
const OF_SCARCE: Rate = { perSecond: 1 / 600, burst: 20 }

/** `nowMs`: of any clock that never goes back. */
export function createCheckoutLimit(nowMs: () => number): CheckoutLimit {
  const addresses = createKeyedLimit({ rate: FOR_AN_ADDRESS, nowMs })
  const scarce = createKeyedLimit({ rate: OF_SCARCE, nowMs })
  let all: RateState = 0

  return {
    take(address) {
      const waitMs = addresses.take(networkOf(address))
      if (waitMs > 0) throw tooMany('Purchases are begun too often from this address.', waitMs)
      const one = takeOne(all, nowMs(), IN_ALL)
      if (one.kind === 'wait') throw tooMany('Too many purchases are begun at once.', one.waitMs)
      all = one.state
    },
    takeScarce(address) {
      const waitMs = scarce.take(siteOf(address))
      if (waitMs > 0) throw tooMany('Many purchases of this plan were begun from this address already.', waitMs)
    },
  }
}

function tooMany(why: string, waitMs: number): HttpProblem {
  const retryAfterSeconds = Math.max(1, Math.ceil(waitMs / 1000))
  return new HttpProblem({ status: 429, code: 'too-many-checkouts', title: 'Too many purchases begun', detail: `${why} Try again in ${retryAfterSeconds} s.`, retryAfterSeconds })
}
