/**
 * A table of fixed slots in memory that all threads share: found by a name's digest, 96 bits of it, so that two names never meet in one.
 * A slot is taken for good. Its lock is held for arithmetic only; one whose holder is gone is taken over. Knows nothing of what is kept.
 */
import { hash } from 'node:crypto'

export interface SlotTable {
  /** A slot's own are six, from `at + 2` on: before them lie its state and digest. */
  readonly numbers: Float64Array
  /** The same memory: a slot's own begin at `2 * at + 4`. */
  readonly words: Int32Array
  /** Where the slot of a name begins in `numbers`; the first time for all threads it is all zeros. Undefined where the table is full. */
  place(name: string): number | undefined
  lock(at: number): void
  unlock(at: number): void
}

/** One line of the processor's cache. */
const SLOT_BYTES = 64
const SLOT_NUMBERS = SLOT_BYTES / 8
const SLOT_WORDS = SLOT_BYTES / 4

const EMPTY = 0
const FILLING = 1
const OPEN = 2
const LOCKED = 3

const SPINS = 200
/** Sleeps of a millisecond before the holder counts as gone: it does arithmetic, so it needs less than that. */
const SLEEPS = 50
/** A table as full as this finds names slowly: it takes no more. */
const FULLEST = 0.9

/** Memory that nobody touches costs nothing. */
export function slotTableBuffer(slots: number): SharedArrayBuffer {
  return new SharedArrayBuffer(slots * SLOT_BYTES)
}

export function createSlotTable(buffer: SharedArrayBuffer): SlotTable {
  const numbers = new Float64Array(buffer)
  const words = new Int32Array(buffer)
  const slots = buffer.byteLength / SLOT_BYTES
  const longestSearch = Math.ceil(slots * FULLEST)

  /** Whether the slot is this name's, after taking it where it was empty. */
  function claim(word: number, digest: Buffer): boolean {
    if (Atomics.compareExchange(words, word, EMPTY, FILLING) === EMPTY) {
      for (let part = 0; part < 3; part++) words[word + 1 + part] = digest.readInt32LE(part * 4)
      Atomics.store(words, word, OPEN)
      return true
    }
    for (let tries = 0; Atomics.load(words, word) === FILLING && tries < SPINS + SLEEPS; tries++) pause(words, word, FILLING, tries)
    return [0, 1, 2].every((part) => words[word + 1 + part] === digest.readInt32LE(part * 4))
  }

  return {
    numbers,
    words,
    place(name) {
      const digest = hash('sha256', name, 'buffer')
      const first = digest.readUInt32LE(12) % slots
      for (let step = 0; step < longestSearch; step++) {
        const slot = (first + step) % slots
        if (claim(slot * SLOT_WORDS, digest)) return slot * SLOT_NUMBERS
      }
      return undefined
    },
    lock(at) {
      const word = at * 2
      for (let tries = 0; Atomics.compareExchange(words, word, OPEN, LOCKED) !== OPEN; tries++) {
        if (tries > SPINS + SLEEPS) return
        pause(words, word, LOCKED, tries)
      }
    },
    unlock: (at) => void Atomics.store(words, at * 2, OPEN),
  }
}

function pause(words: Int32Array, word: number, whileIt: number, tries: number): void {
  if (tries > SPINS) Atomics.wait(words, word, whileIt, 1)
}
