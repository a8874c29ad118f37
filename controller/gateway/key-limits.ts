/**
 * The limits that keys have of their own: a request counts against the key that it carries and against all keys above it, so that no key
 * gets more by making others. Takes from all of them or from none. Runs under the tenant's lock.
 */
import { takeOne, type RateState } from '../core/gcra.ts'
import type { KeyLimit, TableKey } from './route-table.ts'
import type { KeySlot, KeySlots } from './shared/key-slots.ts'

/** A limit and where it is counted. */
export interface CountedLimit extends KeyLimit {
  readonly slot: KeySlot
}

export type KeyVerdict =
  /** Nothing was taken yet: `take` does. */
  | { readonly kind: 'free'; readonly take: () => void }
  | { readonly kind: 'wait'; readonly limit: CountedLimit; readonly waitMs: number }
  | { readonly kind: 'spent'; readonly limit: CountedLimit }

export interface KeyLimits {
  /** Empty for most keys. */
  of(entry: TableKey): readonly CountedLimit[]
}

const NO_LIMITS: readonly CountedLimit[] = []
const FREE: KeyVerdict = { kind: 'free', take: () => undefined }

export function createKeyLimits(slots: KeySlots): KeyLimits {
  const known = new WeakMap<TableKey, readonly CountedLimit[]>()
  return {
    of(entry) {
      const { narrower, route } = entry
      if (narrower === undefined || narrower.limits.length === 0) return NO_LIMITS
      let counted = known.get(entry)
      if (counted === undefined) known.set(entry, (counted = narrower.limits.map((limit) => ({ ...limit, slot: slots.of(route.tenant, limit.key) }))))
      return counted
    },
  }
}

/** A key's rate allows one second's worth at once. */
export function judge(limits: readonly CountedLimit[], steadyMs: number): KeyVerdict {
  if (limits.length === 0) return FREE
  const states: (RateState | undefined)[] = []
  for (const limit of limits) {
    const { requestsPerSecond, requests, slot } = limit
    if (requests !== undefined && slot.spent >= requests) return { kind: 'spent', limit }
    const taken = requestsPerSecond === undefined ? undefined : takeOne(slot.rate, steadyMs, { perSecond: requestsPerSecond, burst: requestsPerSecond })
    if (taken?.kind === 'wait') return { kind: 'wait', limit, waitMs: taken.waitMs }
    states.push(taken?.state)
  }
  return {
    kind: 'free',
    take() {
      limits.forEach(({ slot }, at) => {
        slot.rate = states[at] ?? slot.rate
        slot.spent++
      })
    },
  }
}

export function giveBack(limits: readonly CountedLimit[]): void {
  for (const { slot } of limits) slot.spent = Math.max(0, slot.spent - 1)
}
