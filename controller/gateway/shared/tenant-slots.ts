/**
 * What every tenant has used of its limits, in memory that all workers share, so that limits are exact whichever worker a request comes
 * to. Counts begin anew with the day and the month by themselves. Decides nothing: a caller does its arithmetic between lock and unlock.
 */
import type { RateState } from '../../core/gcra.ts'
import type { Periods } from '../../core/quota.ts'
import type { TenantId } from '../../core/specs.ts'
import { createSlotTable, slotTableBuffer, type SlotTable } from './slot-table.ts'

/** What one tenant has used. Only between `lock` and `unlock`: a setter counts for everybody. */
export interface TenantSlot {
  readonly tenant: TenantId
  lock(): void
  unlock(): void
  rate: RateState
  /** Requests let through in the present day and month. */
  day: number
  month: number
  /** Sets the counts to 0 where they belong to an earlier day or month. */
  roll(periods: Periods): void
}

export interface TenantSlots {
  of(tenant: TenantId): TenantSlot
  /** At the start, from what was written down. */
  begin(tenant: TenantId, counts: { readonly day: number; readonly month: number }, periods: Periods): void
}

const SLOTS = 2 ** 18
/** A slot's own numbers, and its words in the same memory. */
const RATE = 2
const DAY_WORD = 6
const MONTH_WORD = 7
const DAY = 4
const MONTH = 5

export const tenantSlotsBuffer = (): SharedArrayBuffer => slotTableBuffer(SLOTS)

/** `onFull`: there is no place for one more tenant; it is then counted by each worker for itself. */
export function createTenantSlots(buffer: SharedArrayBuffer, onFull: () => void = () => undefined): TenantSlots {
  const shared = createSlotTable(buffer)
  const known = new Map<TenantId, TenantSlot>()

  function meet(tenant: TenantId): TenantSlot {
    let at = shared.place(tenant)
    let table = shared
    if (at === undefined) {
      onFull()
      table = createSlotTable(slotTableBuffer(2))
      at = table.place(tenant)!
    }
    const slot = slotAt(table, at, tenant)
    known.set(tenant, slot)
    return slot
  }

  const of = (tenant: TenantId): TenantSlot => known.get(tenant) ?? meet(tenant)

  return {
    of,
    begin(tenant, { day, month }, periods) {
      const at = shared.place(tenant)
      if (at === undefined) return
      const slot = slotAt(shared, at, tenant)
      slot.roll(periods)
      slot.day = day
      slot.month = month
    },
  }
}

function slotAt({ numbers, words, lock, unlock }: SlotTable, at: number, tenant: TenantId): TenantSlot {
  const word = at * 2
  return {
    tenant,
    lock: () => lock(at),
    unlock: () => unlock(at),
    get rate() {
      return numbers[at + RATE]!
    },
    set rate(state) {
      numbers[at + RATE] = state
    },
    get day() {
      return numbers[at + DAY]!
    },
    set day(count) {
      numbers[at + DAY] = count
    },
    get month() {
      return numbers[at + MONTH]!
    },
    set month(count) {
      numbers[at + MONTH] = count
    },
    roll({ dayNumber, monthNumber }) {
      const behind = words[word + DAY_WORD]! - dayNumber
      // Around midnight threads may read the clock in another order than they come here.
      if (behind === 0 || behind === 1) return
      words[word + DAY_WORD] = dayNumber
      numbers[at + DAY] = 0
      if (words[word + MONTH_WORD] === monthNumber) return
      words[word + MONTH_WORD] = monthNumber
      numbers[at + MONTH] = 0
    },
  }
}
