/**
 * What happens by itself, in the order in which it falls due. Due times are kept, so that asking costs nothing while nothing is
 * due, whatever number of subscriptions there are.
 */
export interface DueQueue {
  /** Infinity: nothing happens by itself any more. */
  set(id: string, dueAt: number): void
  /** The first that is due by then; of several at the same time, the one that was set first. */
  first(until: number): { readonly id: string; readonly dueAt: number } | undefined
  /** Nothing is due before; Infinity where nothing is at all. Looking with `first` makes it exact. */
  next(): number
}

export function createDueQueue(): DueQueue {
  const dueTimes = new Map<string, number>()
  /** Nothing is due before. */
  let notBefore = Infinity
  return {
    set(id, dueAt) {
      if (dueAt === Infinity) dueTimes.delete(id)
      else dueTimes.set(id, dueAt)
      notBefore = Math.min(notBefore, dueAt)
    },
    first(until) {
      if (until < notBefore) return undefined
      let first: { id: string; dueAt: number } | undefined
      for (const [id, dueAt] of dueTimes) if (first === undefined || dueAt < first.dueAt) first = { id, dueAt }
      notBefore = first?.dueAt ?? Infinity
      return first !== undefined && first.dueAt <= until ? first : undefined
    },
    next: () => notBefore,
  }
}
