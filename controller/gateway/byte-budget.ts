/** A bound on bytes held in memory by many requests together, so that no number of large or slow ones can end the gateway. */

export interface ByteBudget {
  /** False, and nothing taken, where it would go over the bound. */
  tryTake(bytes: number): boolean
  give(bytes: number): void
  readonly held: number
}

export function createByteBudget(bound: number): ByteBudget {
  let held = 0
  return {
    tryTake(bytes) {
      if (held + bytes > bound) return false
      held += bytes
      return true
    },
    give(bytes) {
      held -= bytes
    },
    get held() {
      return held
    },
  }
}
