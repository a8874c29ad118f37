/** The way of one purchase, step by step, under one trace id: from the payment over the commit to the first successful request. */
import type { TenantId, Timestamp } from '../core/specs.ts'
import type { Store } from './db.ts'

/** In the order in which they happen. */
export type TimelineStep = 'webhook-received' | 'webhook-stored' | 'committed' | 'seen' | 'ready' | 'first-use'

export interface TimelineEntry {
  readonly trace: string
  readonly step: TimelineStep
  readonly at: Timestamp
  readonly tenant: TenantId | null
  readonly detail: string | null
}

export interface Timeline {
  /** Notes a step's first time; later times of the same step are ignored. */
  mark(entry: { readonly trace: string; readonly step: TimelineStep; readonly at: Timestamp; readonly tenant?: TenantId; readonly detail?: string }): void
  /** A tenant's traces, oldest step first. */
  of(tenant: TenantId): readonly TimelineEntry[]
  /** The trace of the purchase that made the tenant. */
  traceOf(tenant: TenantId): string | undefined
  /** When a step of a trace was first noted. */
  at(trace: string, step: TimelineStep): Timestamp | undefined
  /** Tenants of purchases whose first successful request has not come yet; one query, for a start. */
  awaitingFirstUse(): Set<TenantId>
}

export function createTimeline(db: Store): Timeline {
  const mark = db.prepare('INSERT OR IGNORE INTO timeline (trace, step, tenant, at, detail) VALUES (?, ?, ?, ?, ?)')
  const of = db.prepare('SELECT trace, step, at, tenant, detail FROM timeline WHERE trace IN (SELECT trace FROM timeline WHERE tenant = ?) ORDER BY at')
  const traceOf = db.prepare('SELECT trace FROM timeline WHERE tenant = ? ORDER BY at LIMIT 1')
  const awaiting = db.prepare("SELECT DISTINCT tenant FROM timeline AS one WHERE tenant IS NOT NULL AND NOT EXISTS (SELECT 1 FROM timeline WHERE trace = one.trace AND step = 'first-use')")
  const at = db.prepare('SELECT at FROM timeline WHERE trace = ? AND step = ?')
  return {
    mark: ({ trace, step, at: when, tenant, detail }) => void mark.run(trace, step, tenant ?? null, when, detail ?? null),
    of: (tenant) => of.all(tenant) as unknown as TimelineEntry[],
    traceOf: (tenant) => (traceOf.get(tenant) as { trace: string } | undefined)?.trace,
    awaitingFirstUse: () => new Set((awaiting.all() as unknown as { tenant: TenantId }[]).map(({ tenant }) => tenant)),
    at: (trace, step) => (at.get(trace, step) as { at: string } | undefined)?.at,
  }
}
