/** What usage.db holds of one tenant, with what could not be written down yet. */
import type { Counts, KeyCounts, Usage } from '../../store/usage.ts'
import type { UsageAsked, UsageFigures } from '../messages.ts'

type ByKey = UsageFigures['keys']
type ByDay = UsageFigures['history']
type ByMonth = UsageFigures['months']

/** Of the present month, with the time of the last use to the minute. */
export function figuresByKey(usage: Usage, { tenant, keysFrom }: UsageAsked, pending: readonly KeyCounts[]): ByKey {
  const lastUsed = usage.lastUsed(tenant)
  const counts = new Map<string, Counts>(usage.keysSince(tenant, keysFrom).map(({ key, ...rest }) => [key, rest]))
  for (const each of pending) if (each.day >= keysFrom) counts.set(each.key, sum(counts.get(each.key), each))
  return Array.from(counts, ([key, { requests, refused, errors, bytesIn, bytesOut }]) => ({ key, requests, refused, errors, bytesIn, bytesOut, lastUsedAt: lastUsed.get(key) ?? null }))
}

/** Newest first. */
export function figuresByDay(usage: Usage, { tenant, historyFrom }: UsageAsked, pending: readonly KeyCounts[]): ByDay {
  const days = new Map(usage.history(tenant, historyFrom).map((each) => [each.day, each]))
  for (const each of pending) days.set(each.day, { storageBytes: null, ...days.get(each.day), day: each.day, ...sum(days.get(each.day), each) })
  return [...days.values()].sort((a, b) => (a.day < b.day ? 1 : -1))
}

/** Newest first, as far back as there is anything. */
export function figuresByMonth(usage: Usage, { tenant }: UsageAsked, pending: readonly KeyCounts[]): ByMonth {
  const months = new Map(usage.months(tenant).map((each) => [each.month, each]))
  for (const each of pending) {
    const month = each.day.slice(0, 7)
    months.set(month, { storageBytes: null, ...months.get(month), month, ...sum(months.get(month), each) })
  }
  return [...months.values()].sort((a, b) => (a.month < b.month ? 1 : -1))
}

function sum(a: Counts | undefined, b: Counts): Counts {
  const { requests, refused, errors, bytesIn, bytesOut } = b
  if (a === undefined) return { requests, refused, errors, bytesIn, bytesOut }
  return { requests: a.requests + requests, refused: a.refused + refused, errors: a.errors + errors, bytesIn: a.bytesIn + bytesIn, bytesOut: a.bytesOut + bytesOut }
}
