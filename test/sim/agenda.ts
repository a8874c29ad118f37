/** What is to happen when: a virtual clock that jumps from one thing to the next. Things of the same time happen in the order in which they were put down. */
export interface Agenda {
  now(): Date
  /** Not before now. */
  at(ms: number, what: () => Promise<void> | void): void
  in(ms: number, what: () => Promise<void> | void): void
  /** Until then. What happens elsewhere by itself has its turn when it is due, and ahead of each thing. */
  runUntil(ms: number, elsewhere: Elsewhere): Promise<void>
}

export interface Elsewhere {
  readonly nextDueMs: () => number
  readonly catchUp: () => void
}

interface Item {
  readonly ms: number
  readonly order: number
  readonly what: () => Promise<void> | void
}

export function createAgenda(startMs: number): Agenda {
  const items: Item[] = []
  let nowMs = startMs
  let order = 0
  const at: Agenda['at'] = (ms, what) => {
    const item: Item = { ms: Math.max(ms, nowMs), order: order++, what }
    let index = items.length
    while (index > 0 && (items[index - 1]!.ms < item.ms || (items[index - 1]!.ms === item.ms && items[index - 1]!.order < item.order))) index--
    items.splice(index, 0, item)
  }
  return {
    now: () => new Date(nowMs),
    at,
    in: (ms, what) => at(nowMs + ms, what),
    async runUntil(endMs, { nextDueMs, catchUp }) {
      for (;;) {
        const dueMs = nextDueMs()
        const itemMs = items.at(-1)?.ms ?? Infinity
        if (Math.min(dueMs, itemMs) > endMs) break
        nowMs = Math.max(nowMs, Math.min(dueMs, itemMs))
        catchUp()
        if (itemMs <= dueMs) await items.pop()!.what()
      }
      nowMs = Math.max(nowMs, endMs)
    },
  }
}
