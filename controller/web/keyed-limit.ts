/** How often something may be done under one name (an address, an account), in bounded memory. */
import { takeOne, type Rate, type RateState } from '../core/gcra.ts'

export interface KeyedLimit {
  /** Takes one; answers the milliseconds to wait where there is none, 0 where it was taken. */
  take(key: string): number
  /** Whoever turned out to be right starts anew. */
  forget(key: string): void
}

export interface KeyedLimitOptions {
  readonly rate: Rate
  /** Of a clock that never goes back. */
  readonly nowMs: () => number
  readonly most?: number
}

const MOST_KEYS = 10_000

export function createKeyedLimit({ rate, nowMs, most = MOST_KEYS }: KeyedLimitOptions): KeyedLimit {
  const states = new Map<string, RateState>()
  return {
    take(key) {
      const taken = takeOne(states.get(key) ?? 0, nowMs(), rate)
      if (taken.kind === 'wait') return taken.waitMs
      // The ones seen longest ago go first: those that ask all the time stay.
      states.delete(key)
      states.set(key, taken.state)
      if (states.size > most) states.delete(states.keys().next().value!)
      return 0
    },
    forget: (key) => void states.delete(key),
  }
}
