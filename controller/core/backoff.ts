/** Waiting longer after each failure, never for ever, and never all at the same instant. Pure: chance is handed in. */

const FIRST_MS = 250
const LONGEST_MS = 5 * 60_000

/** Milliseconds to wait after the `failures`-th failure in a row (1-based): doubling from 250 ms to 5 minutes, of which a random half is jitter. `chance` lies in [0, 1). */
export function backoffMs(failures: number, chance: number): number {
  const full = Math.min(LONGEST_MS, FIRST_MS * 2 ** Math.min(failures - 1, 20))
  return Math.round(full / 2 + (chance * full) / 2)
}
