/**
 * How many of one tenant's requests are begun before the worker looks at what else has come: a tenant with hundreds of connections would
 * otherwise have them all served in one turn of the event loop, and a neighbour's request waits for the end of it. Nothing is slowed
 * that has nobody beside it: the next turn follows at once. A client that waits for its answer asks no more meanwhile.
 */

export interface Turns {
  /** Calls `begin` now or in one of the next turns. False where the line is full: `begin` is never called then. */
  take(whom: string, begin: () => void): boolean
}

export interface TurnsOptions {
  /** Of each tenant at once; and then again so many of all who wait. */
  readonly perTurn: number
  readonly longestLine: number
  /** Calls back once what has come by now was looked at. */
  readonly nextTurn: (then: () => void) => void
}

interface Line {
  /** At once, since the last turn. */
  begun: number
  /** In the order of arrival. A Set gives up its first at no cost, however long it is. */
  readonly waiting: Set<() => void>
}

export function createTurns({ perTurn, longestLine, nextTurn }: TurnsOptions): Turns {
  /** Those who asked in this turn, and those who wait; who comes first has the next turn. */
  const lines = new Map<string, Line>()
  let planned = false

  function plan(): void {
    if (planned) return
    planned = true
    nextTurn(turn)
  }

  function turn(): void {
    planned = false
    for (const [whom, line] of lines) {
      line.begun = 0
      if (line.waiting.size === 0) lines.delete(whom)
    }
    let left = perTurn
    // Whoever has more waiting comes again in the same round, behind the others.
    for (const [whom, line] of lines) {
      const [begin] = line.waiting
      if (begin === undefined) continue
      if (left-- === 0) break
      line.waiting.delete(begin)
      lines.delete(whom)
      if (line.waiting.size > 0) lines.set(whom, line)
      begin()
    }
    if (lines.size > 0) plan()
  }

  return {
    take(whom, begin) {
      let line = lines.get(whom)
      if (line === undefined) lines.set(whom, (line = { begun: 0, waiting: new Set() }))
      plan()
      if (line.waiting.size === 0 && line.begun < perTurn) {
        line.begun++
        begin()
        return true
      }
      if (line.waiting.size >= longestLine) return false
      line.waiting.add(begin)
      return true
    },
  }
}
