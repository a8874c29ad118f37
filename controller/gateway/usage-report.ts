/** `GET /api/usage`: what the account of a key has used, what is left and when it begins anew. Laid out here from figures handed in. Pure. */
import { daysBefore, type Ceiling, type Periods } from '../core/quota.ts'
import type { RequestStanding } from './allowance.ts'
import type { UsageAsked, UsageFigures } from './messages.ts'
import type { Links } from './route-log.ts'
import type { TableKey, TableRoute } from './route-table.ts'
import { storageLimit } from './storage-guard.ts'
import { speaksSq } from './upstream-head.ts'

const HISTORY_DAYS = 31

export function usageAsked({ tenant, shard }: TableRoute, periods: Periods): UsageAsked {
  return { tenant, keysFrom: `${periods.month}-01`, historyFrom: daysBefore(periods.day, HISTORY_DAYS - 1), place: { tenant, shard, access: undefined } }
}

export function usageReport({ id, name, route, narrower }: TableKey, { limits, used, periods, rateRemaining, budgets }: RequestStanding, figures: UsageFigures, links: Links, now: Date): object {
  const { rate, perDay, perMonth } = limits
  const { keys, history, months } = figures
  return {
    tenant: route.tenant,
    product: route.product,
    plan: route.plan,
    state: route.state,
    key: id,
    keyName: name,
    access: narrower && { readOnly: narrower.readOnly, phexts: narrower.phexts, budgets: budgets.map((budget) => ({ ...budget, remaining: Math.max(0, budget.limit - budget.used) })) },
    at: now.toISOString(),
    requests: {
      second: rate && { limit: rate.perSecond, burst: rate.burst, remaining: rateRemaining, fairUse: rate.fairUse },
      day: { used: used.day, ...left(perDay, used.day), resetAt: new Date(periods.dayEndsAtMs).toISOString() },
      month: { used: used.month, ...left(perMonth, used.month), resetAt: new Date(periods.monthEndsAtMs).toISOString() },
    },
    storage: storage(route, figures.storedBytes),
    keys,
    history,
    months,
    links: { upgrade: links.upgrade, payment: links.payment, support: links.support },
  }
}

function storage(route: TableRoute, storedBytes: number | undefined): object | undefined {
  if (route.shard === undefined && !speaksSq(route.api)) return undefined
  const limit = storageLimit(route)
  const used = storedBytes ?? 0
  return { unit: 'bytes', used, ...left(limit && { ...limit, value: limit.value * 1024 * 1024 }, used) }
}

function left(limit: Ceiling | undefined, used: number): { limit: number | null; remaining: number | null; fairUse?: boolean } {
  if (limit === undefined) return { limit: null, remaining: null }
  return { limit: limit.value, remaining: Math.max(0, limit.value - used), fairUse: limit.fairUse }
}
