/**
 * Which lane of the count of writes each worker has. The lane of one that ended is only free again when SQ cannot be at any of its
 * writes any more; where workers end faster than that, the longest dead one's is taken.
 */
import { createPhextVersions } from '../shared/phext-versions.ts'

export interface Lanes {
  take(): number
  ended(lane: number): void
  close(): void
}

/** SQ gives up on a connection after 30 s. */
const UNKNOWN_MS = 40_000

/** Twice as many as there are workers, so that all of them may end at once. */
export function laneCount(workers: number): number {
  return 2 * workers
}

export function createLanes(buffer: SharedArrayBuffer, workers: number): Lanes {
  const versions = createPhextVersions(buffer)
  const free = Array.from({ length: laneCount(workers) }, (_, lane) => lane)
  const dead = new Map<number, NodeJS.Timeout>()

  function release(lane: number): void {
    clearTimeout(dead.get(lane))
    dead.delete(lane)
    versions.endLane(lane)
    free.push(lane)
  }

  return {
    take() {
      const [longestDead] = dead.keys()
      if (free.length === 0 && longestDead !== undefined) release(longestDead)
      return free.shift()!
    },
    ended: (lane) => void dead.set(lane, setTimeout(() => release(lane), UNKNOWN_MS).unref()),
    close() {
      for (const timer of dead.values()) clearTimeout(timer)
    },
  }
}
