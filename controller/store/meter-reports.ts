/** What is told to Stripe of metered use: a row for each tenant, meter and finished day with use, written before it is sent, kept after. */
import type { MeterTerms } from '../core/metering-bill.ts'
import type { CommitId, TenantId, Timestamp } from '../core/specs.ts'
import type { Store } from './db.ts'

/** `nothing`: the day completed no unit. `doubtful`: whether Stripe has it is not known, and it is too late to send it again. `too-late`: Stripe takes it no more. */
export type ReportState = 'nothing' | 'waiting' | 'sent' | 'doubtful' | 'too-late'

export interface MeterReport {
  readonly tenant: TenantId
  readonly event: string
  readonly month: string
  readonly day: string
  readonly revision: CommitId
  readonly terms: MeterTerms
  /** The day whose terms these are: the report's own, or one before it whose use came late. */
  readonly termsOf: string
  readonly units: number
  readonly identifier: string
  /** Seconds since 1970. */
  readonly at: number
  readonly state: ReportState
  /** Since when an attempt may have arrived that was never answered. */
  readonly firstAttemptAt: Timestamp | null
  readonly attempts: number
  readonly note: string | null
}

export interface MeterReports {
  /** Of a tenant's month, by day. */
  of(tenant: TenantId, month: string): readonly MeterReport[]
  /** Where there is no such row yet. */
  add(report: Omit<MeterReport, 'state' | 'firstAttemptAt' | 'attempts' | 'note'>, now: Timestamp): void
  due(now: Timestamp, limit: number): readonly MeterReport[]
  nextDueAt(): Timestamp | undefined
  /** Before an attempt: from here on it may have arrived. */
  begin(identifier: string, now: Timestamp): void
  /** `firstAttemptAt`: since when an attempt may have arrived, this one or one before it. */
  retry(identifier: string, firstAttemptAt: Timestamp | null, note: string, nextAttemptAt: Timestamp): void
  settle(identifier: string, state: 'sent' | 'doubtful' | 'too-late', note: string | null): void
  counts(): Readonly<Partial<Record<ReportState, number>>>
}

const COLUMNS = 'tenant, event, month, day, revision, terms, units, identifier, at, state, first_attempt_at AS firstAttemptAt, attempts, note'

export function createMeterReports(db: Store): MeterReports {
  const of = db.prepare(`SELECT ${COLUMNS} FROM meter_reports WHERE tenant = ? AND month = ? ORDER BY day`)
  const add = db.prepare('INSERT OR IGNORE INTO meter_reports (tenant, event, month, day, revision, terms, units, identifier, at, state, next_attempt_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)')
  const due = db.prepare(`SELECT ${COLUMNS} FROM meter_reports WHERE state = 'waiting' AND next_attempt_at <= ? ORDER BY next_attempt_at LIMIT ?`)
  const next = db.prepare("SELECT min(next_attempt_at) AS at FROM meter_reports WHERE state = 'waiting'")
  const begin = db.prepare("UPDATE meter_reports SET first_attempt_at = coalesce(first_attempt_at, ?) WHERE identifier = ? AND state = 'waiting'")
  const retry = db.prepare("UPDATE meter_reports SET attempts = attempts + 1, first_attempt_at = ?, note = ?, next_attempt_at = ? WHERE identifier = ? AND state = 'waiting'")
  const settle = db.prepare("UPDATE meter_reports SET state = ?, note = ? WHERE identifier = ? AND state = 'waiting'")
  const counts = db.prepare("SELECT state, count(*) AS n FROM meter_reports WHERE state IN ('waiting', 'doubtful', 'too-late') GROUP BY state")
  const toReports = (rows: readonly unknown[]): MeterReport[] =>
    (rows as (Omit<MeterReport, 'terms' | 'termsOf'> & { readonly terms: string })[]).map((row) => {
      const { day: termsOf, ...terms } = JSON.parse(row.terms) as MeterTerms & { readonly day: string }
      return { ...row, terms, termsOf }
    })
  return {
    of: (tenant, month) => toReports(of.all(tenant, month)),
    add({ tenant, event, month, day, revision, terms, termsOf, units, identifier, at }, now) {
      add.run(tenant, event, month, day, revision, JSON.stringify({ ...terms, day: termsOf }), units, identifier, at, units === 0 ? 'nothing' : 'waiting', now)
    },
    due: (now, limit) => toReports(due.all(now, limit)),
    nextDueAt: () => (next.get() as { at: string | null }).at ?? undefined,
    begin: (identifier, now) => void begin.run(now, identifier),
    retry: (identifier, firstAttemptAt, note, nextAttemptAt) => void retry.run(firstAttemptAt, note, nextAttemptAt, identifier),
    settle: (identifier, state, note) => void settle.run(state, note, identifier),
    counts: () => Object.fromEntries((counts.all() as { state: ReportState; n: number }[]).map(({ state, n }) => [state, n])),
  }
}
