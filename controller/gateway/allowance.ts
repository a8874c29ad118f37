/**
 * Whether a key may make one more request now: its own limits and those of the keys above it, then its tenant's requests a second, a day,
 * a month, in this order. Takes the request from all of them or from none. Limits are those of the route as it stands, so that a changed one holds for the next request.
 */
import { takeOne, remainingNow } from '../core/gcra.ts'
import { requestLimits, type Periods, type RequestLimits } from '../core/quota.ts'
import { createKeyLimits, giveBack, judge, type CountedLimit, type KeyVerdict } from './key-limits.ts'
import { keyStanding, limitHeaders, policyOf } from './limit-headers.ts'
import { keyBudgetSpent, keyRateExceeded, quotaUsed, rateExceeded } from './limit-refusals.ts'
import type { Refusal } from './refusal.ts'
import type { Links } from './route-log.ts'
import type { TableKey, TableRoute } from './route-table.ts'
import type { KeySlots } from './shared/key-slots.ts'
import type { TenantSlot, TenantSlots } from './shared/tenant-slots.ts'
import type { Tallies } from './tallies.ts'

export type Admission =
  /** `headers`: what the answer says about the limits; empty without limits. */
  | { readonly kind: 'admitted'; readonly headers: readonly string[]; readonly account: Account }
  | { readonly kind: 'refused'; readonly refusal: Refusal }

/** Whom a request was counted for. */
export type Account = TenantSlot

/** What a tenant has used, as read at one instant. */
export type Used = Pick<TenantSlot, 'rate' | 'day' | 'month'>

export interface RequestStanding {
  readonly limits: RequestLimits
  readonly used: Used
  readonly periods: Periods
  /** How many would pass at once now; undefined without a rate. */
  readonly rateRemaining: number | undefined
  /** Of the key and of those above it that have one. */
  readonly budgets: readonly { readonly key: string; readonly limit: number; readonly used: number }[]
}

export interface Allowance {
  admit(entry: TableKey, links: Links): Admission
  /** The request came to nothing that is the customer's doing: it does not count against the quotas. */
  giveBack(account: Account, entry: TableKey): void
  standing(entry: TableKey): RequestStanding
}

export interface AllowanceOptions {
  readonly slots: TenantSlots
  readonly keySlots: KeySlots
  readonly periods: Tallies['periods']
  /** The calendar's time. */
  readonly nowMs: () => number
  /** A clock that never jumps, the same in all threads. */
  readonly steadyMs: () => number
}

/** Limits worked out once for each route that stands, with the header that never changes. */
interface Known extends RequestLimits {
  readonly policy: string
  readonly month: string
  readonly slot: TenantSlot
}

type Verdict = { readonly kind: 'taken' } | { readonly kind: 'wait'; readonly waitMs: number } | { readonly kind: 'month' } | { readonly kind: 'day' } | { readonly kind: 'key'; readonly verdict: Exclude<KeyVerdict, { kind: 'free' }> }

const TAKEN: Verdict = { kind: 'taken' }
const MONTH_USED: Verdict = { kind: 'month' }
const DAY_USED: Verdict = { kind: 'day' }

export function createAllowance({ slots, keySlots, periods: periodsAt, nowMs, steadyMs }: AllowanceOptions): Allowance {
  const keyLimits = createKeyLimits(keySlots)
  const known = new WeakMap<TableRoute, Known>()

  function limitsOf(route: TableRoute, periods: Periods): Known {
    let limits = known.get(route)
    if (limits?.month !== periods.month) {
      const worked = requestLimits(route.limits, route.fairUse)
      limits = { ...worked, policy: policyOf(worked, periods), month: periods.month, slot: slots.of(route.tenant) }
      known.set(route, limits)
    }
    return limits
  }

  return {
    admit(entry, links) {
      const { route } = entry
      const own = keyLimits.of(entry)
      const now = nowMs()
      const periods = periodsAt(now)
      const limits = limitsOf(route, periods)
      const { rate, perDay, perMonth, slot } = limits
      const steady = steadyMs()
      slot.lock()
      slot.roll(periods)
      const verdict = takeAll(slot, limits, own, steady)
      const used = { rate: slot.rate, day: slot.day, month: slot.month }
      const ofKey = keyStanding(own, rate, steady)
      slot.unlock()
      const headers = limitHeaders({ limits, used, ofKey, periods, nowMs: now, steadyMs: steady })
      const refuse = (refusal: Refusal): Admission => ({ kind: 'refused', refusal: { ...refusal, headers } })
      switch (verdict.kind) {
        case 'taken':
          return { kind: 'admitted', headers, account: slot }
        case 'wait':
          return refuse(rateExceeded(rate!, verdict.waitMs, links))
        case 'key':
          return refuse(keyRefusal(verdict.verdict))
        case 'month':
          return refuse(quotaUsed('requestsPerMonth', perMonth!, used.month, periods.monthEndsAtMs, now, links))
        case 'day':
          return refuse(quotaUsed('requestsPerDay', perDay!, used.day, periods.dayEndsAtMs, now, links))
      }
    },
    giveBack(slot, entry) {
      slot.lock()
      giveBack(keyLimits.of(entry))
      slot.day = Math.max(0, slot.day - 1)
      slot.month = Math.max(0, slot.month - 1)
      slot.unlock()
    },
    standing(entry) {
      const { route } = entry
      const periods = periodsAt(nowMs())
      const limits = limitsOf(route, periods)
      const { slot } = limits
      slot.lock()
      slot.roll(periods)
      const used = { rate: slot.rate, day: slot.day, month: slot.month }
      const budgets = keyLimits.of(entry).flatMap(({ key, requests, slot: { spent } }) => (requests === undefined ? [] : [{ key, limit: requests, used: spent }]))
      slot.unlock()
      return { budgets, limits, used, periods, rateRemaining: limits.rate && remainingNow(used.rate, steadyMs(), limits.rate) }
    },
  }
}

/** From all limits or from none: the key's are only looked at until the tenant's are taken. The slot is locked. */
function takeAll(slot: TenantSlot, limits: RequestLimits, own: readonly CountedLimit[], steadyMs: number): Verdict {
  const verdict = judge(own, steadyMs)
  if (verdict.kind !== 'free') return { kind: 'key', verdict }
  const taken = take(slot, limits, steadyMs)
  if (taken.kind === 'taken') verdict.take()
  return taken
}

function keyRefusal(verdict: Exclude<KeyVerdict, { kind: 'free' }>): Refusal {
  const { key, requestsPerSecond, requests, slot } = verdict.limit
  return verdict.kind === 'wait' ? keyRateExceeded(key, requestsPerSecond!, verdict.waitMs) : keyBudgetSpent(key, requests!, slot.spent)
}

function take(slot: TenantSlot, { rate, perDay, perMonth }: RequestLimits, steadyMs: number): Verdict {
  const taken = rate && takeOne(slot.rate, steadyMs, rate)
  if (taken?.kind === 'wait') return taken
  if (perMonth !== undefined && slot.month >= perMonth.value) return MONTH_USED
  if (perDay !== undefined && slot.day >= perDay.value) return DAY_USED
  if (taken !== undefined) slot.rate = taken.state
  slot.day++
  slot.month++
  return TAKEN
}
