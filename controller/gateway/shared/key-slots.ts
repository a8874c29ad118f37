/**
 * What keys with limits of their own have used, in memory that all workers share: the state of their rate, and the requests of their whole
 * life. Has no locks of its own: a key belongs to one tenant, and everything here is read and written under that tenant's lock.
 */
import type { RateState } from '../../core/gcra.ts'
import type { TenantId } from '../../core/specs.ts'
import { createSlotTable, slotTableBuffer, type SlotTable } from './slot-table.ts'

/** Only between the tenant's `lock` and `unlock`. */
export interface KeySlot {
  rate: RateState
  /** Requests over its whole life, those of keys made from it included. */
  spent: number
}

export interface KeySlots {
  of(tenant: TenantId, key: string): KeySlot
  /** At the start, from what was written down. */
  begin(tenant: TenantId, key: string, spent: number): void
}

const SLOTS = 2 ** 18
const RATE = 2
const SPENT = 3

export const keySlotsBuffer = (): SharedArrayBuffer => slotTableBuffer(SLOTS)

/** `onFull`: there is no place for one more key; each worker then counts it for itself. */
export function createKeySlots(buffer: SharedArrayBuffer, onFull: () => void = () => undefined): KeySlots {
  const shared = createSlotTable(buffer)

  return {
    of(tenant, key) {
      const at = shared.place(nameOf(tenant, key))
      if (at !== undefined) return slotAt(shared, at)
      onFull()
      return { rate: 0, spent: 0 }
    },
    begin(tenant, key, spent) {
      const at = shared.place(nameOf(tenant, key))
      if (at !== undefined) slotAt(shared, at).spent = spent
    },
  }
}

/** No id has a blank. */
const nameOf = (tenant: TenantId, key: string): string => `${tenant} ${key}`

function slotAt({ numbers }: SlotTable, at: number): KeySlot {
  return {
    get rate() {
      return numbers[at + RATE]!
    },
    set rate(state) {
      numbers[at + RATE] = state
    },
    get spent() {
      return numbers[at + SPENT]!
    },
    set spent(count) {
      numbers[at + SPENT] = count
    },
  }
}
