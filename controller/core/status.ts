/** What people see of a tenant: conditions with reasons, each documented here once, and what happens next. */
import type { FieldDrift } from './container.ts'
import type { Finding, Problem } from './problem.ts'
import type { Timestamp } from './specs.ts'

export type ConditionType =
  | 'Ready' // customers' requests are served as the spec says
  | 'SpecValid' // the file in the repository is in force
  | 'Held' // Tenantry leaves the tenant alone on purpose
  | 'DataKept' // out of service; data is kept until a time

/**
 * Reasons, by condition.
 * Ready true: `Serving`. Ready false: `Suspended`, `Ended`, `Removed`, `Progressing`, `WaitingForEngine`, `NeverValid`, or the reason of the error that stands in the way.
 * SpecValid false: `BadFile`, `BadPlan`, `BadProduct`.
 * Held true: `OnHold` (spec.hold), `AwaitingApproval` (above the deletion limit).
 * DataKept true: `Retention`; false: `DataDestroyed`.
 */
export interface Condition {
  readonly type: ConditionType
  readonly status: boolean
  readonly reason: string
  readonly message: string
  /** When `status` or `reason` last became another. */
  readonly since: Timestamp
}

export interface Repair {
  readonly at: Timestamp
  readonly action: string
  readonly drift: readonly FieldDrift[]
}

export interface TenantStatus {
  readonly conditions: readonly Condition[]
  /** Failures in a row. */
  readonly failures: number
  readonly nextAttemptAt?: Timestamp
  /** The last repairs, newest first, at most five. */
  readonly repairs: readonly Repair[]
}

export const NEW_STATUS: TenantStatus = { conditions: [], failures: 0, repairs: [] }

const KEPT_REPAIRS = 5

export type ConditionUpdate = Omit<Condition, 'since'>

/** Sets conditions; `since` moves only where status or reason change, so an unchanged pass gives an equal value. */
export function withConditions(status: TenantStatus, updates: readonly ConditionUpdate[], now: Timestamp): TenantStatus {
  const conditions = new Map(status.conditions.map((condition) => [condition.type, condition]))
  for (const update of updates) {
    const before = conditions.get(update.type)
    const since = before?.status === update.status && before.reason === update.reason ? before.since : now
    conditions.set(update.type, { type: update.type, status: update.status, reason: update.reason, message: update.message, since })
  }
  return { ...status, conditions: [...conditions.values()] }
}

export function withoutCondition(status: TenantStatus, type: ConditionType): TenantStatus {
  return status.conditions.some((condition) => condition.type === type) ? { ...status, conditions: status.conditions.filter((condition) => condition.type !== type) } : status
}

export function withRepair(status: TenantStatus, repair: Repair): TenantStatus {
  return { ...status, repairs: [repair, ...status.repairs].slice(0, KEPT_REPAIRS) }
}

/** Everything went well: no failures in a row, no next attempt. */
export function succeeded(status: TenantStatus): TenantStatus {
  return { conditions: status.conditions, failures: 0, repairs: status.repairs }
}

/** The condition that says whether the repository's file is in force, with the first thing that is wrong. */
export function specCondition(findings: readonly Finding[]): ConditionUpdate {
  const [first] = findings
  if (first === undefined) return { type: 'SpecValid', status: true, reason: 'InForce', message: '' }
  const more = findings.length > 1 ? ` (and ${findings.length - 1} more: tenantry validate)` : ''
  return { type: 'SpecValid', status: false, reason: 'BadFile', message: `${first.file}${lineOf(first)} ${first.field === '' ? '' : `${first.field}: `}${first.message}. ${first.fix}${more}` }
}

/** Findings of the parser carry their place. */
const lineOf = (finding: Finding | Problem): string => ('line' in finding ? `:${finding.line}:${finding.column}` : '')
