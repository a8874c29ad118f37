/**
 * The sum of a tenant's phexts: their sizes when they were last looked at, and what calls under way or since then may have added. A phext
 * is only measured while nothing is being written to it, since SQ empties the file before it writes it anew.
 */
import { PHEXT_OVERHEAD_BYTES } from '../core/growth.ts'
import type { PhextSizes } from './phext-sizes.ts'

export interface PhextBook {
  has(phext: string): boolean
  /** How many there are; those only that were met where they cannot be listed. */
  readonly phexts: number
  /** Of one phext, with everything that may have been added. */
  bytesOf(phext: string): number
  /** Everything together. */
  readonly usedBytes: number
  /** The part of it that calls under way may add. */
  readonly inFlightBytes: number
  /** Whether another look may give another sum. */
  readonly uncertain: boolean
  /** A call begins, or several that share what is taken; what is called at their end says how much of it may have been added. */
  take(phext: string, growth: number): (addedBytes: number) => void
  /** Where phexts cannot be listed: has this one looked at next. False where it is not needed. */
  meet(phext: string): boolean
  /** Everything at first and now and then, otherwise what calls touched since the last look. One at a time. */
  look(): Promise<void>
}

const LIST_AGAIN_MS = 10 * 60_000

interface Phext {
  readonly name: string
  /** Never measured, though it may have been there before: only where phexts cannot be listed. */
  unmet: boolean
  size: number
  /** Calls under way, and what they and those since the last look may have added. */
  inFlight: number
  inFlightBytes: number
  sinceBytes: number
  /** Goes up with each call that ends. */
  version: number
}

interface Sums {
  size: number
  other: number
  inFlight: number
  since: number
}

interface State {
  readonly sizes: PhextSizes
  readonly lastKnownBytes: () => number
  readonly steadyMs: () => number
  readonly phexts: Map<string, Phext>
  readonly touched: Set<Phext>
  readonly sums: Sums
  listedAtMs: number | undefined
}

export function createPhextBook(sizes: PhextSizes, lastKnownBytes: () => number, steadyMs: () => number): PhextBook {
  const sums: Sums = { size: 0, other: 0, inFlight: 0, since: 0 }
  const state: State = { sizes, lastKnownBytes, steadyMs, phexts: new Map(), touched: new Set(), sums, listedAtMs: undefined }
  const { phexts, touched } = state
  return {
    has: (name) => phexts.get(name)?.unmet === false,
    bytesOf(name) {
      const phext = phexts.get(name)
      return phext === undefined ? 0 : phext.size + phext.inFlightBytes + phext.sinceBytes
    },
    get phexts() {
      return phexts.size
    },
    get usedBytes() {
      return sums.size + sums.other + phexts.size * PHEXT_OVERHEAD_BYTES + sums.inFlight + sums.since
    },
    get inFlightBytes() {
      return sums.inFlight
    },
    get uncertain() {
      return touched.size > 0
    },
    take: (name, growth) => take(state, phextOf(state, name), growth),
    meet(name) {
      if (sizes.list !== undefined || phexts.has(name)) return phexts.get(name)?.unmet === true
      const phext = phextOf(state, name)
      phext.unmet = true
      touched.add(phext)
      return true
    },
    look() {
      const { listedAtMs } = state
      const due = listedAtMs === undefined || (steadyMs() - listedAtMs > LIST_AGAIN_MS && sums.inFlight === 0)
      return due ? list(state) : correct(state)
    },
  }
}

function phextOf({ phexts }: State, name: string): Phext {
  let phext = phexts.get(name)
  if (phext === undefined) phexts.set(name, (phext = { name, unmet: false, size: 0, inFlight: 0, inFlightBytes: 0, sinceBytes: 0, version: 0 }))
  return phext
}

function take({ sums, touched }: State, phext: Phext, growth: number): (addedBytes: number) => void {
  phext.inFlight++
  phext.inFlightBytes += growth
  sums.inFlight += growth
  return (addedBytes) => {
    phext.inFlight--
    phext.inFlightBytes -= growth
    sums.inFlight -= growth
    phext.version++
    touched.add(phext)
    phext.sinceBytes += addedBytes
    sums.since += addedBytes
  }
}

async function list(state: State): Promise<void> {
  const { sizes, sums, phexts, touched } = state
  const first = state.listedAtMs === undefined
  state.listedAtMs = state.steadyMs()
  if (first) sums.other = state.lastKnownBytes()
  if (sizes.list === undefined) return first ? undefined : correct(state)
  const found = await sizes.list()
  sums.other = found.otherBytes
  for (const [name, size] of found.phexts) {
    const phext = phextOf(state, name)
    if (phext.inFlight === 0 && !touched.has(phext)) resize(state, phext, size)
  }
  // What is gone, such as after a restore, is told from what is being made by looking at it once more.
  for (const phext of phexts.values()) if (!found.phexts.has(phext.name)) touched.add(phext)
}

async function correct(state: State): Promise<void> {
  const { phexts, touched, sums } = state
  for (const phext of [...touched]) {
    if (phext.inFlight > 0) continue
    const { version } = phext
    const size = await sizeOf(state, phext)
    if (phext.version !== version || phext.inFlight > 0) continue
    touched.delete(phext)
    sums.since -= phext.sinceBytes
    phext.sinceBytes = 0
    // What was known of all together held this one already.
    if (phext.unmet && size !== undefined && size > 0) sums.other = Math.max(0, sums.other - size - PHEXT_OVERHEAD_BYTES)
    phext.unmet = false
    resize(state, phext, size ?? 0)
    if (size === undefined) phexts.delete(phext.name)
  }
}

/** An SQ that does not answer leaves the sum as it is: the request will find out by itself. */
async function sizeOf({ sizes }: State, phext: Phext): Promise<number | undefined> {
  if (sizes.list !== undefined) return sizes.sizeOf(phext.name)
  return sizes.sizeOf(phext.name).catch(() => phext.size + phext.sinceBytes)
}

function resize({ sums }: State, phext: Phext, size: number): void {
  sums.size += size - phext.size
  phext.size = size
}
