/**
 * Requests a second with a burst, by the generic cell rate algorithm (ITU-T I.371): the whole state is one number, the wait is exact,
 * and no window has an edge at which twice the rate gets through. Pure; times are milliseconds of any steady clock.
 */

export interface Rate {
  /** Above 0. */
  readonly perSecond: number
  /** How many may come at once after a rest; at least 1. */
  readonly burst: number
}

/**
 * The theoretical arrival time: when the bucket will be as full as it gets. 0 for a tenant that was never seen. Keeps its meaning when
 * the rate changes.
 */
export type RateState = number

export type Taken =
  | { readonly kind: 'taken'; readonly state: RateState; readonly remaining: number; readonly fullInMs: number }
  /** Nothing was taken; the same request passes after `waitMs`. */
  | { readonly kind: 'wait'; readonly waitMs: number; readonly fullInMs: number }

/** What sums of fractions may be off by, after weeks of uptime: it never adds up, since the state itself is not rounded. */
const ROUNDING_MS = 1e-3

export function takeOne(state: RateState, nowMs: number, { perSecond, burst }: Rate): Taken {
  const intervalMs = 1000 / perSecond
  const ahead = Math.max(state - nowMs, 0)
  const waitMs = ahead + intervalMs - burst * intervalMs
  if (waitMs > ROUNDING_MS) return { kind: 'wait', waitMs, fullInMs: ahead }
  const fullInMs = ahead + intervalMs
  return { kind: 'taken', state: nowMs + fullInMs, remaining: left(fullInMs, intervalMs, burst), fullInMs }
}

/** How many would pass at once now. */
export function remainingNow(state: RateState, nowMs: number, { perSecond, burst }: Rate): number {
  return left(Math.max(state - nowMs, 0), 1000 / perSecond, burst)
}

function left(aheadMs: number, intervalMs: number, burst: number): number {
  return Math.max(0, Math.floor(burst - (aheadMs - ROUNDING_MS) / intervalMs))
}
