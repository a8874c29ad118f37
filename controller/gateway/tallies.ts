/** What a worker counted since it last posted it to the coordinator: by tenant, key and day, and the refusals that people ask about. */
import { periodsAt, type Periods } from '../core/quota.ts'
import type { TenantId } from '../core/specs.ts'
import type { KeyCounts, KeySpent, RefusalRecord } from '../store/usage.ts'

/** What one key did on one day. */
export interface Tally {
  requests: number
  refused: number
  errors: number
  bytesIn: number
  bytesOut: number
  /** Minutes since 1970. */
  usedMinute: number
}

export interface KeyUse extends KeyCounts {
  readonly usedMinute: number
}

/** What is posted: everything since the post before it. */
export interface Counted {
  readonly uses: readonly KeyUse[]
  readonly spent: readonly KeySpent[]
  readonly refusals: readonly RefusalRecord[]
}

export interface Tallies {
  /** The present day and month, by the clock handed in. */
  periods(nowMs: number): Periods
  /** To add to. */
  tally(tenant: TenantId, key: string, nowMs: number): Tally
  /** Of a key that has a budget: what its own requests and those of keys made from it took of it, or gave back. */
  spend(tenant: TenantId, key: string, requests: number): void
  refused(record: RefusalRecord): void
  /** Takes everything out. */
  take(): Counted
}

const MINUTE_MS = 60_000
/** Of one tenant and code in one post: a flood of one leaves room for what others ask about. */
const REFUSALS_A_POST = 10
const REFUSALS_A_POST_ALL = 500

type ByTenant = Map<TenantId, Map<string, Tally>>

export function createTallies(nowMs: () => number): Tallies {
  const refusals = createRefusalBuffer()
  let periods = periodsAt(nowMs())
  let today: ByTenant = new Map()
  let ended: KeyUse[] = []
  const spent = new Map<string, { tenant: TenantId; key: string; requests: number }>()

  function currentPeriods(at: number): Periods {
    if (at >= periods.dayStartsAtMs && at < periods.dayEndsAtMs) return periods
    ended = [...ended, ...usesOf(today, periods.day)]
    today = new Map()
    return (periods = periodsAt(at))
  }

  return {
    periods: currentPeriods,
    tally(tenant, key, at) {
      currentPeriods(at)
      let keys = today.get(tenant)
      if (keys === undefined) today.set(tenant, (keys = new Map()))
      let tally = keys.get(key)
      if (tally === undefined) keys.set(key, (tally = { requests: 0, refused: 0, errors: 0, bytesIn: 0, bytesOut: 0, usedMinute: 0 }))
      tally.usedMinute = Math.floor(at / MINUTE_MS)
      return tally
    },
    spend(tenant, key, requests) {
      const name = `${tenant} ${key}`
      const known = spent.get(name)
      if (known === undefined) spent.set(name, { tenant, key, requests })
      else known.requests += requests
    },
    refused: refusals.add,
    take() {
      const counted = { uses: [...ended, ...usesOf(today, periods.day)], spent: [...spent.values()], refusals: refusals.take() }
      ended = []
      spent.clear()
      today = new Map()
      return counted
    },
  }
}

function usesOf(tenants: ByTenant, day: string): KeyUse[] {
  return Array.from(tenants, ([tenant, keys]) => Array.from(keys, ([key, tally]) => ({ tenant, key, day, ...tally }))).flat()
}

interface RefusalBuffer {
  add(record: RefusalRecord): void
  take(): readonly RefusalRecord[]
}

function createRefusalBuffer(): RefusalBuffer {
  let records: RefusalRecord[] = []
  const counts = new Map<string, number>()
  return {
    add(record) {
      const name = `${record.tenant} ${record.code}`
      const count = counts.get(name) ?? 0
      if (count >= REFUSALS_A_POST || records.length >= REFUSALS_A_POST_ALL) return
      counts.set(name, count + 1)
      records.push(record)
    },
    take() {
      const taken = records
      records = []
      counts.clear()
      return taken
    },
  }
}
