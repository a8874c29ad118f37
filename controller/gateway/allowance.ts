/**
 * Whether a tenant may make one more request now: requests a second, a day, a month, in this order. Takes the request from all of
 * them or from none. Limits are those of the route as it stands, so that a changed one holds for the next request.
 */
import { takeOne, remainingNow } from '../core/gcra.ts'
import { requestLimits, DAY_SECONDS, type Periods, type RequestLimits } from '../core/quota.ts'
import type { Account, Ledger } from './ledger.ts'
import { quotaUsed, rateExceeded } from './limit-refusals.ts'
import type { Refusal } from './refusal.ts'
import type { Links } from './route-log.ts'
import type { TableRoute } from './route-table.ts'

export type Admission =
  /** `headers`: what the answer says about the limits; empty without limits. */
  | { readonly kind: 'admitted'; readonly headers: readonly string[]; readonly account: Account }
  | { readonly kind: 'refused'; readonly refusal: Refusal }

export interface RequestStanding {
  readonly limits: RequestLimits
  readonly account: Account
  readonly periods: Periods
  /** How many would pass at once now; undefined without a rate. */
  readonly rateRemaining: number | undefined
}

export interface Allowance {
  admit(route: TableRoute, links: Links): Admission
  /** The request came to nothing that is the customer's doing: it does not count against the quotas. */
  giveBack(account: Account): void
  standing(route: TableRoute): RequestStanding
}

export interface AllowanceOptions {
  readonly ledger: Ledger
  /** The calendar's time. */
  readonly nowMs: () => number
  /** A clock that never jumps. */
  readonly steadyMs: () => number
}

/** Limits worked out once for each route that stands, with the header that never changes. */
interface Known extends RequestLimits {
  readonly policy: string
  readonly month: string
}

export function createAllowance({ ledger, nowMs, steadyMs }: AllowanceOptions): Allowance {
  const known = new WeakMap<TableRoute, Known>()

  function limitsOf(route: TableRoute, periods: Periods): Known {
    let limits = known.get(route)
    if (limits?.month !== periods.month) {
      const worked = requestLimits(route.limits, route.fairUse)
      limits = { ...worked, policy: policyOf(worked, periods), month: periods.month }
      known.set(route, limits)
    }
    return limits
  }

  function admit(route: TableRoute, links: Links): Admission {
    const now = nowMs()
    const periods = ledger.periods(now)
    const limits = limitsOf(route, periods)
    const account = ledger.account(route.tenant)
    const { rate, perDay, perMonth, policy } = limits
    const steady = steadyMs()
    const taken = rate && takeOne(account.rate, steady, rate)
    const status = (): string[] => ['RateLimit-Policy', policy, 'RateLimit', statusOf(limits, account, periods, now, steady)]
    const refuse = (refusal: Refusal): Admission => ({ kind: 'refused', refusal: { ...refusal, headers: status() } })
    if (taken?.kind === 'wait') return refuse(rateExceeded(rate!, taken.waitMs, links))
    if (perMonth !== undefined && account.month >= perMonth.value) return refuse(quotaUsed('requestsPerMonth', perMonth, account.month, periods.monthEndsAtMs, now, links))
    if (perDay !== undefined && account.day >= perDay.value) return refuse(quotaUsed('requestsPerDay', perDay, account.day, periods.dayEndsAtMs, now, links))
    if (taken !== undefined) account.rate = taken.state
    account.day++
    account.month++
    return { kind: 'admitted', headers: policy === '' ? NO_HEADERS : status(), account }
  }

  return {
    admit,
    giveBack(account) {
      account.day = Math.max(0, account.day - 1)
      account.month = Math.max(0, account.month - 1)
    },
    standing(route) {
      const periods = ledger.periods(nowMs())
      const limits = limitsOf(route, periods)
      const account = ledger.account(route.tenant)
      return { limits, account, periods, rateRemaining: limits.rate && remainingNow(account.rate, steadyMs(), limits.rate) }
    },
  }
}

const NO_HEADERS: readonly string[] = []

/** draft-ietf-httpapi-ratelimit-headers-10: a policy is an amount `q` in a window of `w` seconds, its state what remains (`r`) for `t` seconds. */
function policyOf({ rate, perDay, perMonth }: RequestLimits, { monthSeconds }: Periods): string {
  const policies = [
    rate && `"rate";q=${rate.burst};w=${Math.ceil(rate.burst / rate.perSecond)}`,
    perDay && `"day";q=${perDay.value};w=${DAY_SECONDS}`,
    perMonth && `"month";q=${perMonth.value};w=${monthSeconds}`,
  ]
  return policies.filter((policy) => policy !== undefined).join(', ')
}

/** Of each policy in force what remains, and in how many seconds it is whole again. */
function statusOf({ rate, perDay, perMonth }: RequestLimits, account: Account, periods: Periods, nowMs: number, steadyMs: number): string {
  let text = ''
  if (rate !== undefined) text = `"rate";r=${remainingNow(account.rate, steadyMs, rate)};t=${seconds(account.rate - steadyMs)}`
  if (perDay !== undefined) text += `${text === '' ? '' : ', '}"day";r=${Math.max(0, perDay.value - account.day)};t=${seconds(periods.dayEndsAtMs - nowMs)}`
  if (perMonth !== undefined) text += `${text === '' ? '' : ', '}"month";r=${Math.max(0, perMonth.value - account.month)};t=${seconds(periods.monthEndsAtMs - nowMs)}`
  return text
}

function seconds(ms: number): number {
  // Whole milliseconds first: a sum of fractions may lie a hair above a second.
  return Math.max(0, Math.ceil(Math.round(ms) / 1000))
}
