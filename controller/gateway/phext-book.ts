/**
 * The sum of a tenant's phexts: their sizes when they were last looked at, and what calls under way or since then may have added. A phext
 * is only measured while nothing is being written to it, since SQ empties the file before it writes it anew.
 */
import { PHEXT_OVERHEAD_BYTES } from '../core/growth.ts'
import type { PhextSizes } from './phext-sizes.ts'

export interface PhextBook {
  has(phext: string): boolean
  /** Of one phext, with everything that may have been added. */
  bytesOf(phext: string): number
  /** Everything together. */
  readonly usedBytes: number
  /** The part of it that calls under way may add. */
  readonly inFlightBytes: number
  /** Whether another look may give another sum. */
  readonly uncertain: boolean
  /** A call begins; the answer ends it, and says whether SQ did it. */
  take(phext: string, growth: number): (applied: boolean) => void
  /** Everything at first and now and then, otherwise what calls touched since the last look. One at a time. */
  look(): Promise<void>
}

const LIST_AGAIN_MS = 10 * 60_000

interface Phext {
  readonly name: string
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

export function createPhextBook(sizes: PhextSizes, lastKnownBytes: () => number, steadyMs: () => number): PhextBook {
  const phexts = new Map<string, Phext>()
  const touched = new Set<Phext>()
  const sums: Sums = { size: 0, other: 0, inFlight: 0, since: 0 }
  let listedAtMs: number | undefined

  function phextOf(name: string): Phext {
    let phext = phexts.get(name)
    if (phext === undefined) phexts.set(name, (phext = { name, size: 0, inFlight: 0, inFlightBytes: 0, sinceBytes: 0, version: 0 }))
    return phext
  }

  function take(name: string, growth: number): (applied: boolean) => void {
    const phext = phextOf(name)
    phext.inFlight++
    phext.inFlightBytes += growth
    sums.inFlight += growth
    return (applied) => {
      phext.inFlight--
      phext.inFlightBytes -= growth
      sums.inFlight -= growth
      phext.version++
      touched.add(phext)
      if (!applied) return
      phext.sinceBytes += growth
      sums.since += growth
    }
  }

  async function list(): Promise<void> {
    const first = listedAtMs === undefined
    listedAtMs = steadyMs()
    try {
      const found = await sizes.list()
      sums.other = found.otherBytes
      for (const [name, size] of found.phexts) {
        const phext = phextOf(name)
        if (phext.inFlight === 0 && !touched.has(phext)) resize(phext, size)
      }
      // What is gone, such as after a restore, is told from what is being made by looking at it once more.
      for (const phext of phexts.values()) if (!found.phexts.has(phext.name)) touched.add(phext)
    } catch (error) {
      if (first) sums.other = lastKnownBytes()
      throw error
    }
  }

  async function correct(): Promise<void> {
    for (const phext of [...touched]) {
      if (phext.inFlight > 0) continue
      const { version } = phext
      const size = await sizes.sizeOf(phext.name)
      if (phext.version !== version || phext.inFlight > 0) continue
      touched.delete(phext)
      sums.since -= phext.sinceBytes
      phext.sinceBytes = 0
      resize(phext, size ?? 0)
      if (size === undefined) phexts.delete(phext.name)
    }
  }

  function resize(phext: Phext, size: number): void {
    sums.size += size - phext.size
    phext.size = size
  }

  return {
    has: (name) => phexts.has(name),
    bytesOf(name) {
      const phext = phexts.get(name)
      return phext === undefined ? 0 : phext.size + phext.inFlightBytes + phext.sinceBytes
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
    take,
    look: () => (listedAtMs === undefined || (steadyMs() - listedAtMs > LIST_AGAIN_MS && sums.inFlight === 0) ? list() : correct()),
  }
}
