/**
 * What each tenant has used, in memory: what limits are measured against, and what is written down once a second. Counts are taken the
 * instant a request is let through, so that a hundred at once cannot share one. The one place where several workers would meet.
 */
import { periodsAt, type Periods } from '../core/quota.ts'
import type { RateState } from '../core/gcra.ts'
import type { TenantId } from '../core/specs.ts'
import type { KeyCounts, RefusalRecord, Usage } from '../store/usage.ts'
import type { Log } from './log.ts'

/** What one tenant has used of its limits. */
export interface Account {
  readonly tenant: TenantId
  rate: RateState
  /** Requests let through in the present day and month. */
  day: number
  month: number
}

/** What one key did since the last time it was written down. */
export interface Tally {
  requests: number
  refused: number
  errors: number
  bytesIn: number
  bytesOut: number
  /** Minutes since 1970. */
  usedMinute: number
}

export interface Ledger {
  /** The present day and month, by the clock handed in. */
  periods(nowMs: number): Periods
  account(tenant: TenantId): Account
  /** To add to; written down at the next flush. */
  tally(tenant: TenantId, key: string, nowMs: number): Tally
  refused(record: RefusalRecord): void
  stored(tenant: TenantId, bytes: number): void
  /** What `tally` holds that is not written down yet. */
  pending(tenant: TenantId): Iterable<KeyCounts>
  readonly failures: number
  readonly lastFlushMs: number
  flush(): void
  start(): void
  /** Writes down everything. */
  close(): void
}

export interface LedgerOptions {
  readonly usage: Usage
  readonly nowMs: () => number
  readonly log: Log
  readonly flushMs?: number
}

const FLUSH_MS = 1_000
const PRUNE_MS = 60_000
const MINUTE_MS = 60_000
const KEPT_REFUSALS = 10_000
/** Of one tenant and code in one flush: a flood of one leaves room for what others ask about. */
const REFUSALS_A_FLUSH = 10
const REFUSALS_A_FLUSH_ALL = 500

interface Known {
  readonly account: Account
  /** Which periods the account's counts belong to. */
  dayName: string
  monthName: string
  readonly keys: Map<string, Tally>
  dirty: boolean
}

export function createLedger({ usage, nowMs, log, flushMs = FLUSH_MS }: LedgerOptions): Ledger {
  const dirty = new Set<Known>()
  const storage = new Map<TenantId, number>()
  const refusals = createRefusalBuffer()
  let periods = periodsAt(nowMs())
  const tenants = createTenants(countsAtStart(usage, periods, log), periods)
  let timer: NodeJS.Timeout | undefined
  let failures = 0
  let lastFlushMs = 0
  let prunedAtMs = -Infinity

  function currentPeriods(at: number): Periods {
    if (at >= periods.dayStartsAtMs && at < periods.dayEndsAtMs) return periods
    flush() // what is pending belongs to the day that ended
    return (periods = periodsAt(at))
  }

  function write(): void {
    const written = [...dirty]
    usage.write({
      counts: written.flatMap((each) => countsOf(each, periods.day)),
      lastUsed: written.flatMap((each) => usesOf(each)),
      storage: [...storage].map(([tenant, bytes]) => ({ tenant, day: periods.day, bytes })),
      refusals: refusals.records,
    })
    // Only now: what was not committed stays pending.
    for (const each of written) {
      each.keys.clear()
      each.dirty = false
    }
    dirty.clear()
    storage.clear()
  }

  function flush(): void {
    const started = performance.now()
    try {
      if (dirty.size > 0 || storage.size > 0 || refusals.records.length > 0) write()
      if (started - prunedAtMs > PRUNE_MS) {
        prunedAtMs = started
        usage.prune(periods.day, KEPT_REFUSALS)
      }
    } catch (error) {
      if (failures++ % 60 === 0) log.error({ err: error, failures }, 'usage could not be written down: it is kept in memory and tried again')
    }
    refusals.clear()
    lastFlushMs = performance.now() - started
  }

  return {
    periods: currentPeriods,
    account: (tenant) => tenants.of(tenant, periods).account,
    tally(tenant, key, at) {
      currentPeriods(at)
      const found = tenants.of(tenant, periods)
      if (!found.dirty) {
        found.dirty = true
        dirty.add(found)
      }
      return tallyOf(found, key, at)
    },
    refused: refusals.add,
    stored: (tenant, bytes) => void storage.set(tenant, bytes),
    pending: (tenant) => countsOf(tenants.of(tenant, periods), periods.day),
    get failures() {
      return failures
    },
    get lastFlushMs() {
      return lastFlushMs
    },
    flush,
    start: () => void (timer = setInterval(flush, flushMs).unref()),
    close() {
      clearInterval(timer)
      flush()
    },
  }
}

/** A file that cannot be read through must not keep the gateway from serving: then quotas begin anew. */
function countsAtStart(usage: Usage, { month, day }: Periods, log: Log): ReturnType<Usage['requestsSince']> {
  try {
    return usage.requestsSince(`${month}-01`, day)
  } catch (error) {
    log.error({ err: error }, 'usage.db cannot be read: quotas begin anew')
    return new Map()
  }
}

interface Tenants {
  /** With its counts brought to the present periods. */
  of(tenant: TenantId, periods: Periods): Known
}

function createTenants(atStart: ReturnType<Usage['requestsSince']>, startPeriods: Periods): Tenants {
  const tenants = new Map<TenantId, Known>()

  function meet(tenant: TenantId): Known {
    const { day = 0, month = 0 } = atStart.get(tenant) ?? {}
    const known: Known = { account: { tenant, rate: 0, day, month }, dayName: startPeriods.day, monthName: startPeriods.month, keys: new Map(), dirty: false }
    tenants.set(tenant, known)
    return known
  }

  return {
    of(tenant, { day, month }) {
      const known = tenants.get(tenant) ?? meet(tenant)
      if (known.dayName === day) return known
      known.account.day = 0
      if (known.monthName !== month) known.account.month = 0
      known.dayName = day
      known.monthName = month
      return known
    },
  }
}

function tallyOf({ keys }: Known, key: string, at: number): Tally {
  let tally = keys.get(key)
  if (tally === undefined) keys.set(key, (tally = { requests: 0, refused: 0, errors: 0, bytesIn: 0, bytesOut: 0, usedMinute: 0 }))
  tally.usedMinute = Math.floor(at / MINUTE_MS)
  return tally
}

interface RefusalBuffer {
  readonly records: readonly RefusalRecord[]
  add(record: RefusalRecord): void
  clear(): void
}

function createRefusalBuffer(): RefusalBuffer {
  let records: RefusalRecord[] = []
  const counts = new Map<string, number>()
  return {
    get records() {
      return records
    },
    add(record) {
      const name = `${record.tenant} ${record.code}`
      const count = counts.get(name) ?? 0
      if (count >= REFUSALS_A_FLUSH || records.length >= REFUSALS_A_FLUSH_ALL) return
      counts.set(name, count + 1)
      records.push(record)
    },
    clear() {
      records = []
      counts.clear()
    },
  }
}

function countsOf({ account, keys }: Known, day: string): KeyCounts[] {
  return Array.from(keys, ([key, { requests, refused, errors, bytesIn, bytesOut }]) => ({ tenant: account.tenant, key, day, requests, refused, errors, bytesIn, bytesOut }))
}

function usesOf({ account, keys }: Known): { tenant: string; key: string; at: string }[] {
  return Array.from(keys, ([key, { usedMinute }]) => ({ tenant: account.tenant, key, at: new Date(usedMinute * MINUTE_MS).toISOString() }))
}
