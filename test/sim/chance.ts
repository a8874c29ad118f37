/** Chance that can be had again: the same seed gives the same numbers, and each name its own row of them. */
import { createHash } from 'node:crypto'

export interface Chance {
  /** In [0, 1). */
  next(): number
  below(n: number): number
  /** True with this probability. */
  is(probability: number): boolean
  pick<T>(values: readonly T[]): T
  hex(digits: number): string
  /** Another row, which what is drawn from this one does not move. */
  fork(name: string): Chance
}

export function createChance(seed: string): Chance {
  let state = createHash('sha256').update(seed).digest().readUInt32LE(0)
  /** Tommy Ettinger's mulberry32. */
  const next = (): number => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296
  }
  const below = (n: number): number => Math.floor(next() * n)
  return {
    next,
    below,
    is: (probability) => next() < probability,
    pick: (values) => values[below(values.length)]!,
    hex: (digits) => Array.from({ length: digits }, () => below(16).toString(16)).join(''),
    fork: (name) => createChance(`${seed}/${name}`),
  }
}
