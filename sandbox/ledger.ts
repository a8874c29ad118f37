/** What all parts of the account share: what is remembered, the time, new ids, and events. */
import { eventObject, type StripeEvent } from './objects/list.ts'
import type { SandboxState } from './state.ts'

export interface Ledger {
  readonly state: SandboxState
  /** Unix time: now, or the moment that is being caught up with. */
  seconds(): number
  newId(prefix: string): string
  /** `before`: the former values of what changed. */
  emit(type: string, object: object, before?: object): void
}

export interface LedgerOptions {
  readonly state: SandboxState
  readonly seconds: () => number
  /** Random hex digits; ids come of them. */
  readonly randomHex: (bytes: number) => string
  readonly send: (event: StripeEvent) => void
}

const ID_BYTES = 12

export function createLedger({ state, seconds, randomHex, send }: LedgerOptions): Ledger {
  const newId = (prefix: string) => `${prefix}_${randomHex(ID_BYTES)}`
  return {
    state,
    seconds,
    newId,
    emit(type, object, before) {
      const event = eventObject(newId('evt'), seconds(), type, object, before)
      state.put('event', event.id, event)
      send(event)
    },
  }
}

/** The fields of `object` that `changes` change, as they were. */
export function formerly(object: object, changes: object): object {
  const fields = object as Readonly<Record<string, unknown>>
  return Object.fromEntries(Object.entries(changes).flatMap(([name, value]) => (JSON.stringify(fields[name]) === JSON.stringify(value) ? [] : [[name, fields[name]]])))
}
