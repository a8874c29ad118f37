/**
 * What each answer says about the limits in force: the account's rate and quotas, and a key's own limits where it has some. Pure.
 * Source: draft-ietf-httpapi-ratelimit-headers-10.
 */
import { remainingNow, type Rate } from '../core/gcra.ts'
import { DAY_SECONDS, type Periods, type RequestLimits } from '../core/quota.ts'
import type { Used } from './allowance.ts'
import type { CountedLimit } from './key-limits.ts'

/** What a key may do less than its account. */
export interface KeyStanding {
  /** One second's worth at once. */
  readonly rate?: { readonly perSecond: number; readonly remaining: number; readonly fullInMs: number }
  /** For the key's whole life: no time brings it back. */
  readonly budget?: { readonly requests: number; readonly remaining: number }
}

export interface Standing {
  readonly limits: RequestLimits & { readonly policy: string }
  readonly used: Used
  readonly ofKey: KeyStanding | undefined
  readonly periods: Periods
  readonly nowMs: number
  readonly steadyMs: number
}

const NO_HEADERS: readonly string[] = []

/** Of the limits of the key and those above it the ones that are felt first; a rate only where the account's own lets more through. Under the tenant's lock. */
export function keyStanding(own: readonly CountedLimit[], accountRate: Rate | undefined, steadyMs: number): KeyStanding | undefined {
  if (own.length === 0) return undefined
  let { rate, budget }: { rate?: KeyStanding['rate']; budget?: KeyStanding['budget'] } = {}
  for (const { requestsPerSecond: perSecond, requests, slot } of own) {
    if (perSecond !== undefined && perSecond < (accountRate?.perSecond ?? Infinity)) {
      const remaining = remainingNow(slot.rate, steadyMs, { perSecond, burst: perSecond })
      if (rate === undefined || remaining < rate.remaining || (remaining === rate.remaining && perSecond < rate.perSecond)) rate = { perSecond, remaining, fullInMs: slot.rate - steadyMs }
    }
    if (requests === undefined) continue
    const remaining = Math.max(0, requests - slot.spent)
    if (budget === undefined || remaining < budget.remaining) budget = { requests, remaining }
  }
  return { ...(rate && { rate }), ...(budget && { budget }) }
}

/** Empty without limits. */
export function limitHeaders(standing: Standing): readonly string[] {
  const { limits, ofKey } = standing
  if (ofKey === undefined) return limits.policy === '' ? NO_HEADERS : ['RateLimit-Policy', limits.policy, 'RateLimit', statusOf(standing)]
  const { rate, budget } = ofKey
  const policy = listed(rate && `"key-rate";q=${rate.perSecond};w=1`, budget && `"key-requests";q=${budget.requests}`, limits.policy)
  const status = listed(rate && `"key-rate";r=${rate.remaining};t=${seconds(rate.fullInMs)}`, budget && `"key-requests";r=${budget.remaining}`, statusOf(standing))
  return policy === '' ? NO_HEADERS : ['RateLimit-Policy', policy, 'RateLimit', status]
}

const listed = (...items: readonly (string | undefined)[]): string => items.filter((item) => item !== undefined && item !== '').join(', ')

/** A policy is an amount `q` in a window of `w` seconds, its state what remains (`r`) for `t` seconds. */
export function policyOf({ rate, perDay, perMonth }: RequestLimits, { monthSeconds }: Periods): string {
  const policies = [
    rate && `"rate";q=${rate.burst};w=${Math.ceil(rate.burst / rate.perSecond)}`,
    perDay && `"day";q=${perDay.value};w=${DAY_SECONDS}`,
    perMonth && `"month";q=${perMonth.value};w=${monthSeconds}`,
  ]
  return listed(...policies)
}

/** Of each of the account's policies what remains, and in how many seconds it is whole again. */
function statusOf({ limits: { rate, perDay, perMonth }, used, periods, nowMs, steadyMs }: Standing): string {
  let text = ''
  if (rate !== undefined) text = `"rate";r=${remainingNow(used.rate, steadyMs, rate)};t=${seconds(used.rate - steadyMs)}`
  if (perDay !== undefined) text += `${text === '' ? '' : ', '}"day";r=${Math.max(0, perDay.value - used.day)};t=${seconds(periods.dayEndsAtMs - nowMs)}`
  if (perMonth !== undefined) text += `${text === '' ? '' : ', '}"month";r=${Math.max(0, perMonth.value - used.month)};t=${seconds(periods.monthEndsAtMs - nowMs)}`
  return text
}

function seconds(ms: number): number {
  // Whole milliseconds first: a sum of fractions may lie a hair above a second.
  return Math.max(0, Math.ceil(Math.round(ms) / 1000))
}
