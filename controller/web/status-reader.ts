/** What `tenantry status` and the admin API say: put together from the store alone, so that it can be asked with the controller running or not. */
import type { TenantId } from '../core/specs.ts'
import type { Condition } from '../core/status.ts'
import type { Audit, AuditEntry } from '../store/audit.ts'
import type { Deletions } from '../store/deletions.ts'
import type { Meta } from '../store/meta.ts'
import type { TenantRecord, TenantRecords } from '../store/tenant-records.ts'
import type { Timeline, TimelineEntry } from '../store/timeline.ts'

export interface Overview {
  readonly revision: string | undefined
  readonly tenants: { readonly total: number; readonly ready: number; readonly notReady: number; readonly held: number; readonly retained: number }
  /** Tenants that are not as their file says, and why. */
  readonly attention: readonly TenantSummary[]
  readonly awaitingApproval: readonly { readonly revision: string; readonly tenants: readonly string[] }[]
}

export interface TenantSummary {
  readonly tenant: string
  readonly product: string
  readonly ready: boolean
  readonly reason: string
  readonly message: string
  readonly appliedRevision: string | null
  readonly attemptedRevision: string | null
  readonly nextAttemptAt: string | undefined
}

export interface TenantReport extends TenantRecord {
  readonly timeline: readonly TimelineEntry[]
  readonly history: readonly AuditEntry[]
}

export interface StatusReader {
  overview(): Overview
  list(): readonly TenantSummary[]
  tenant(id: TenantId): TenantReport | undefined
  audit(): readonly AuditEntry[]
}

const HISTORY = 20
const ATTENTION = 100

export function createStatusReader(stores: { readonly records: TenantRecords; readonly timeline: Timeline; readonly audit: Audit; readonly deletions: Deletions; readonly meta: Meta }): StatusReader {
  const { records, timeline, audit, deletions, meta } = stores

  function overview(): Overview {
    const tenants = { total: 0, ready: 0, notReady: 0, held: 0, retained: 0 }
    const attention: TenantSummary[] = []
    for (const record of records.all()) {
      const summary = summarise(record)
      tenants.total++
      if (record.removedAt !== null) tenants.retained++
      else if (summary.ready) tenants.ready++
      else tenants.notReady++
      if (isHeld(record)) tenants.held++
      if (needsAttention(record, summary) && attention.length < ATTENTION) attention.push(summary)
    }
    return { revision: meta.get('revision'), tenants, attention, awaitingApproval: awaiting(deletions) }
  }

  return {
    overview,
    list: () => [...records.all()].map(summarise),
    tenant(id) {
      const record = records.get(id)
      return record && { ...record, timeline: timeline.of(id), history: audit.list({ tenant: id, limit: HISTORY }) }
    },
    audit: () => audit.list({ limit: ATTENTION }),
  }
}

function awaiting(deletions: Deletions): Overview['awaitingApproval'] {
  const byRevision = new Map<string, string[]>()
  for (const { revision, tenant, approvedAt } of deletions.all()) {
    if (approvedAt === null) byRevision.set(revision, [...(byRevision.get(revision) ?? []), tenant])
  }
  return [...byRevision].map(([revision, tenants]) => ({ revision, tenants }))
}

const conditionOf = ({ status }: TenantRecord, type: Condition['type']): Condition | undefined => status.conditions.find((condition) => condition.type === type)

const isHeld = (record: TenantRecord): boolean => conditionOf(record, 'Held')?.status === true

/** Serving, and out of service on purpose, are as they should be; everything else is worth a look. */
function needsAttention(record: TenantRecord, { ready, reason }: TenantSummary): boolean {
  if (isHeld(record) || conditionOf(record, 'SpecValid')?.status === false) return true
  return !ready && !['Suspended', 'Ended', 'Removed'].includes(reason)
}

/** One line a tenant: the first thing that a person has to know. */
export function summarise(record: TenantRecord): TenantSummary {
  const ready = conditionOf(record, 'Ready')
  const held = conditionOf(record, 'Held')
  const invalid = conditionOf(record, 'SpecValid')
  const said = held?.status === true ? held : invalid?.status === false ? invalid : ready
  return {
    tenant: record.tenant,
    product: record.product,
    ready: ready?.status ?? false,
    reason: said?.reason ?? 'Progressing',
    message: said?.message ?? '',
    appliedRevision: record.appliedRevision,
    attemptedRevision: record.attemptedRevision,
    nextAttemptAt: record.status.nextAttemptAt,
  }
}
