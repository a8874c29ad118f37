/** `GET /api/usage`: what the account of a key has used, what is left and when it begins anew. From memory and the gateway's own file. */
import { daysBefore, type Ceiling } from '../core/quota.ts'
import type { Counts, Usage } from '../store/usage.ts'
import type { Allowance } from './allowance.ts'
import type { Ledger } from './ledger.ts'
import type { Links } from './route-log.ts'
import type { TableKey } from './route-table.ts'
import type { StorageGuard } from './storage-guard.ts'

export interface UsageReportParts {
  readonly allowance: Allowance
  readonly ledger: Ledger
  readonly storage: StorageGuard
  readonly usage: Usage
}

const HISTORY_DAYS = 31

/** `days` of history, today's included. */
export async function usageReport(parts: UsageReportParts, { id, route }: TableKey, links: Links, now: Date, days = HISTORY_DAYS): Promise<object> {
  const storage = await parts.storage.standing(route)
  const { limits, account, periods, rateRemaining } = parts.allowance.standing(route)
  const { rate, perDay, perMonth } = limits
  const pending = [...parts.ledger.pending(route.tenant)]
  return {
    tenant: route.tenant,
    product: route.product,
    plan: route.plan,
    state: route.state,
    key: id,
    at: now.toISOString(),
    requests: {
      second: rate && { limit: rate.perSecond, burst: rate.burst, remaining: rateRemaining, fairUse: rate.fairUse },
      day: { used: account.day, ...left(perDay, account.day), resetAt: new Date(periods.dayEndsAtMs).toISOString() },
      month: { used: account.month, ...left(perMonth, account.month), resetAt: new Date(periods.monthEndsAtMs).toISOString() },
    },
    storage: storage && { unit: 'bytes', used: storage.usedBytes, ...left(storage.limit && { ...storage.limit, value: storage.limit.value * 1024 * 1024 }, storage.usedBytes) },
    keys: keys(parts.usage, route.tenant, `${periods.month}-01`, pending),
    history: history(parts.usage, route.tenant, periods.day, days, pending),
    links: { upgrade: links.upgrade, payment: links.payment, support: links.support },
  }
}

function left(limit: Ceiling | undefined, used: number): { limit: number | null; remaining: number | null; fairUse?: boolean } {
  if (limit === undefined) return { limit: null, remaining: null }
  return { limit: limit.value, remaining: Math.max(0, limit.value - used), fairUse: limit.fairUse }
}

type Pending = readonly (Counts & { readonly key: string; readonly day: string })[]

/** Of the present month, with the time of the last use to the minute. */
function keys(usage: Usage, tenant: string, monthStart: string, pending: Pending): object[] {
  const lastUsed = usage.lastUsed(tenant)
  const counts = new Map(usage.keysSince(tenant, monthStart).map(({ key, ...rest }) => [key, rest as Counts]))
  for (const { key, ...rest } of pending) counts.set(key, sum(counts.get(key), rest))
  return Array.from(counts, ([key, { requests, refused, errors, bytesIn, bytesOut }]) => ({ key, requests, refused, errors, bytesIn, bytesOut, lastUsedAt: lastUsed.get(key) ?? null }))
}

function history(usage: Usage, tenant: string, today: string, days: number, pending: Pending): object[] {
  const byDay = usage.history(tenant, daysBefore(today, days - 1))
  if (pending.length === 0) return byDay
  const { day, storageBytes, ...counts } = byDay[0]?.day === today ? byDay.shift()! : { day: today, storageBytes: null, requests: 0, refused: 0, errors: 0, bytesIn: 0, bytesOut: 0 }
  return [{ day, ...pending.reduce<Counts>(sum, counts), storageBytes }, ...byDay]
}

function sum(a: Counts | undefined, b: Counts): Counts {
  const { requests, refused, errors, bytesIn, bytesOut } = b
  if (a === undefined) return { requests, refused, errors, bytesIn, bytesOut }
  return { requests: a.requests + requests, refused: a.refused + refused, errors: a.errors + errors, bytesIn: a.bytesIn + bytesIn, bytesOut: a.bytesOut + bytesOut }
}
