/**
 * Quotas over calendar periods: which day and month an instant lies in (UTC, for every customer alike), when they end, and which
 * limits are in force when `unlimited` stays under its fair-use ceiling. Pure.
 */
import type { Rate } from './gcra.ts'
import type { LimitName, Limits } from './specs.ts'

export interface Periods {
  /** As in `2026-02-12`. */
  readonly day: string
  /** As in `2026-02`. */
  readonly month: string
  /** Days and months since 1970: the same, as numbers. */
  readonly dayNumber: number
  readonly monthNumber: number
  readonly dayStartsAtMs: number
  /** The first instant of the next one. */
  readonly dayEndsAtMs: number
  readonly monthEndsAtMs: number
  readonly monthSeconds: number
}

export const DAY_SECONDS = 86_400
const DAY_MS = DAY_SECONDS * 1000

export function periodsAt(nowMs: number): Periods {
  const now = new Date(nowMs)
  const day = now.toISOString().slice(0, 10)
  const dayStartsAtMs = Date.UTC(now.getUTCFullYear(), now.getUTCMonth(), now.getUTCDate())
  const monthStartsAtMs = Date.UTC(now.getUTCFullYear(), now.getUTCMonth(), 1)
  const monthEndsAtMs = Date.UTC(now.getUTCFullYear(), now.getUTCMonth() + 1, 1)
  const [dayNumber, monthNumber] = [dayStartsAtMs / DAY_MS, (now.getUTCFullYear() - 1970) * 12 + now.getUTCMonth()]
  return { day, month: day.slice(0, 7), dayNumber, monthNumber, dayStartsAtMs, dayEndsAtMs: dayStartsAtMs + DAY_MS, monthEndsAtMs, monthSeconds: (monthEndsAtMs - monthStartsAtMs) / 1000 }
}

/** The day that lies so many days before another. */
export function daysBefore(day: string, days: number): string {
  return new Date(Date.parse(`${day}T00:00:00Z`) - days * DAY_MS).toISOString().slice(0, 10)
}

/** A limit in force. `fairUse`: the customer's limit says `unlimited`, this is what it stays under. */
export interface Ceiling {
  readonly value: number
  readonly fairUse: boolean
}

/** Undefined where there is no limit. */
export function ceilingOf(name: LimitName, limits: Limits, fairUse: Limits | undefined): Ceiling | undefined {
  const own = limits[name]
  if (typeof own === 'number') return { value: own, fairUse: false }
  const ceiling = fairUse?.[name]
  return own === 'unlimited' && typeof ceiling === 'number' ? { value: ceiling, fairUse: true } : undefined
}

export interface RequestLimits {
  readonly rate: (Rate & { readonly fairUse: boolean }) | undefined
  readonly perDay: Ceiling | undefined
  readonly perMonth: Ceiling | undefined
}

/** Without a burst of its own a rate allows one second's worth at once. */
export function requestLimits(limits: Limits, fairUse: Limits | undefined): RequestLimits {
  const perSecond = ceilingOf('requestsPerSecond', limits, fairUse)
  const burst = ceilingOf('burst', limits, fairUse)?.value ?? perSecond?.value
  return {
    rate: perSecond && { perSecond: perSecond.value, burst: Math.max(1, burst!), fairUse: perSecond.fairUse },
    perDay: ceilingOf('requestsPerDay', limits, fairUse),
    perMonth: ceilingOf('requestsPerMonth', limits, fairUse),
  }
}
