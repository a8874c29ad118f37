/**
 * What a tenant used, for people: today, this month, each day of a span without gaps, against the limits in force. Laid out from rows of
 * the gateway's own file; `readFigures` reads them beside a gateway that writes. Counts lag what is served by a second.
 */
import { limitsOf, timesQuantity } from '../core/limits.ts'
import { ceilingOf, daysBefore, periodsAt, type Ceiling } from '../core/quota.ts'
import type { Plan, Tenant } from '../core/specs.ts'
import { readUsage, usagePath, type Usage } from '../store/usage.ts'

export interface DayFigures {
  readonly day: string
  readonly requests: number
  readonly refused: number
  readonly errors: number
  readonly bytesIn: number
  readonly bytesOut: number
  /** As last known on that day; null where nothing was noted. */
  readonly storageBytes: number | null
}

export interface Figures {
  readonly storedBytes: number
  readonly storageLimitBytes: number | undefined
  readonly today: number
  readonly month: number
  readonly perDay: Ceiling | undefined
  readonly perMonth: Ceiling | undefined
  /** Oldest first, today last, with days on which nothing was asked. */
  readonly days: readonly DayFigures[]
}

const MB = 1024 * 1024

export type UsageRows = Pick<Usage, 'history' | 'storageBytes'>

export function figuresOf(tenant: Tenant, plan: Plan | undefined, rows: UsageRows | undefined, span: number, now: Date): Figures {
  const { day, month } = periodsAt(now.getTime())
  const from = daysBefore(day, span - 1)
  const monthStart = `${month}-01`
  const id = tenant.metadata.name
  const known = new Map((rows?.history(id, from < monthStart ? from : monthStart) ?? []).map((row) => [row.day, row]))
  const days = Array.from({ length: span }, (_, index): DayFigures => {
    const at = daysBefore(day, span - 1 - index)
    return known.get(at) ?? { day: at, requests: 0, refused: 0, errors: 0, bytesIn: 0, bytesOut: 0, storageBytes: null }
  })
  const limits = limitsOf(plan?.spec.limits ?? {}, tenant.spec)
  const fairUse = plan?.spec.fairUse && timesQuantity(plan.spec.fairUse, tenant.spec.billing?.quantity)
  const ceiling = (name: 'requestsPerDay' | 'requestsPerMonth' | 'storageMb'): Ceiling | undefined => ceilingOf(name, limits, fairUse)
  const storageMb = ceiling('storageMb')?.value
  let inMonth = 0
  for (const row of known.values()) if (row.day >= monthStart) inMonth += row.requests
  return {
    storedBytes: rows?.storageBytes(id) ?? 0,
    storageLimitBytes: storageMb === undefined ? undefined : storageMb * MB,
    today: known.get(day)?.requests ?? 0,
    month: inMonth,
    perDay: ceiling('requestsPerDay'),
    perMonth: ceiling('requestsPerMonth'),
    days,
  }
}

export function readFigures(home: string, tenant: Tenant, plan: Plan | undefined, span: number, now: Date): Figures {
  const usage = readUsage(usagePath(home))
  try {
    return figuresOf(tenant, plan, usage, span, now)
  } finally {
    usage?.close()
  }
}

const CSV_HEAD = 'day,requests,refused,errors,bytes_in,bytes_out,storage_bytes'

/** For spreadsheets: one line a day, CRLF (RFC 4180). Numbers and days only, so nothing needs quoting. */
export function usageCsv(days: readonly DayFigures[]): string {
  const lines = days.map(({ day, requests, refused, errors, bytesIn, bytesOut, storageBytes }) => [day, requests, refused, errors, bytesIn, bytesOut, storageBytes ?? ''].join(','))
  return [CSV_HEAD, ...lines, ''].join('\r\n')
}
