/**
 * Whether what clients saw of one register is linearizable: whether some order of all operations, in which each takes effect between its
 * start and its end, explains every read. For histories in which no two writes write the same value, where that is decidable in one pass
 * (Gibbons and Korach, "Testing Shared Memories", 1997): every value has a zone from the first end to the last start of what
 * concerns it, and zones must not contradict each other.
 */

export interface Operation {
  readonly kind: 'read' | 'write'
  readonly value: string
  readonly start: number
  /** Infinity for a write whose outcome nobody knows. */
  readonly end: number
}

interface Zone {
  readonly value: string
  readonly low: number
  readonly high: number
  /** Forward: from the first end to the last start, where the register held the value all along. */
  readonly forward: boolean
}

/** What is wrong, in words; undefined where nothing is. `initial`: what the register held before. */
export function findContradiction(initial: string, operations: readonly Operation[]): string | undefined {
  const byValue = Map.groupBy(operations, ({ value }) => value)
  const zones: Zone[] = []
  for (const [value, concerned] of byValue) {
    const writes = concerned.filter(({ kind }) => kind === 'write')
    const reads = concerned.filter(({ kind }) => kind === 'read')
    const write = value === initial ? { start: -Infinity, end: -Infinity } : writes[0]
    if (writes.length > (value === initial ? 0 : 1)) throw new Error(`"${value}" was written twice: the check is for unique values`)
    if (write === undefined) return `"${value}" was read and never written`
    // A write that nobody saw may be one that never took effect.
    if (reads.length === 0 && write.end === Infinity) continue
    const early = reads.find(({ end }) => end < write.start)
    if (early !== undefined) return `"${value}" was read before it was written`
    const firstEnd = Math.min(write.end, ...reads.map(({ end }) => end))
    const lastStart = Math.max(write.start, ...reads.map(({ start }) => start))
    zones.push({ value, low: Math.min(firstEnd, lastStart), high: Math.max(firstEnd, lastStart), forward: firstEnd < lastStart })
  }
  if (!byValue.has(initial)) zones.push({ value: initial, low: -Infinity, high: -Infinity, forward: true })
  return clash(zones)
}

function clash(zones: readonly Zone[]): string | undefined {
  const forward = zones.filter((zone) => zone.forward).sort((left, right) => left.low - right.low)
  for (let at = 1; at < forward.length; at++) {
    const [before, after] = [forward[at - 1]!, forward[at]!]
    if (after.low < before.high) return `"${before.value}" and "${after.value}" were each read again after the other`
  }
  for (const { value, low, high } of zones.filter((zone) => !zone.forward)) {
    const around = forward.find((zone) => zone.low < low && high < zone.high)
    if (around !== undefined) return `"${value}" was written and "${around.value}" was read before and after it`
  }
  return undefined
}
