/**
 * Works on one tenant at a time for each key: looks at what is wanted now, makes it so, and folds result or error into status
 * and the next run, in this one place. Status is written on every way out, and only where it differs.
 */
import { backoffMs } from '../core/backoff.ts'
import type { TenantChange } from '../core/change-set.ts'
import { ReconcileError } from '../core/outcome.ts'
import type { CommitId, TenantId, Timestamp } from '../core/specs.ts'
import { specCondition, succeeded, withConditions, withoutCondition, withRepair, type ConditionUpdate, type TenantStatus } from '../core/status.ts'
import type { AuditEntry } from '../store/audit.ts'
import { newRecord, type TenantRecord } from '../store/tenant-records.ts'
import type { ReconcileDependencies } from './ports.ts'
import { outOfService, retire } from './retire.ts'
import { serve, type Served } from './serve.ts'
import type { Target } from './target.ts'

export type Follow = Extract<Target, { kind: 'follow' }>

/** When to run the key again: never (until something changes), or after this long. */
export interface Requeue {
  readonly afterMs: number | undefined
}

export interface Executor {
  run(id: TenantId, revision: CommitId, change: TenantChange | undefined): Promise<Requeue>
}

/** A person has to act, but what they do may be seen by nobody: an image that is built, an engine that is started. */
const STALLED_RETRY_MS = 60_000
const WAITING_RETRY_MS = 5_000

export function createExecutor(deps: ReconcileDependencies): Executor {
  return {
    async run(id, revision, change) {
      const target = deps.world.target(id)
      if (target === undefined) return forgetNeverMade(deps, id)
      const startedAt = performance.now()
      const seconds = (): number => (performance.now() - startedAt) / 1000
      try {
        await act(deps, id, target, revision, change)
        deps.observer.outcome(target.kind === 'follow' || target.kind === 'retire' ? 'applied' : 'left', seconds())
        return { afterMs: undefined }
      } catch (error) {
        return fold(deps, id, target, revision, error, seconds())
      }
    },
  }
}

/** A file that never was valid and is gone leaves nothing behind. */
function forgetNeverMade({ records }: ReconcileDependencies, id: TenantId): Requeue {
  const record = records.get(id)
  if (record !== undefined && record.appliedBlob === null && record.removedAt === null) records.remove(id)
  return { afterMs: undefined }
}

async function act(deps: ReconcileDependencies, id: TenantId, target: Target, revision: CommitId, change: TenantChange | undefined): Promise<void> {
  switch (target.kind) {
    case 'follow':
      return follow(deps, id, target, revision, change)
    case 'retire':
      return retire(deps, id, target.desired, revision)
    case 'leave':
    case 'invalid':
      return noteOnly(deps, id, target, revision)
  }
}

async function follow(deps: ReconcileDependencies, id: TenantId, target: Follow, revision: CommitId, change: TenantChange | undefined): Promise<void> {
  const { desired } = target
  const product = deps.catalog.productInForce(desired.product)
  if (product === undefined) throw new ReconcileError({ kind: 'stalled' }, 'ProductMissing', `Product ${desired.product} of ${id} is not in the repository.`)
  const trace = deps.timeline.traceOf(id)
  if (trace !== undefined) deps.timeline.mark({ trace, step: 'seen', tenant: id, at: timestamp(deps), detail: revision })
  const served = await serve(deps, desired, product, change !== undefined)
  noteServed(deps, id, target, revision, served)
  if (change !== undefined) noteChange(deps, change, revision)
  if (trace !== undefined && desired.state === 'active') markReady(deps, id, trace)
}

/** Out of service or in it: what the record says after success. */
function noteServed(deps: ReconcileDependencies, id: TenantId, target: Follow, revision: CommitId, { repairs }: Served): void {
  const { desired } = target
  const now = timestamp(deps)
  const before = deps.records.get(id) ?? newRecord(id, desired.product, target.path)
  // What was tried before and failed is in force now as well, even where the tenant's own file is the same.
  const moved = before.appliedBlob !== target.blob || before.attemptedRevision !== before.appliedRevision
  const record: TenantRecord = {
    ...before,
    product: desired.product,
    path: target.path,
    appliedBlob: target.blob,
    appliedRevision: moved ? revision : before.appliedRevision,
    attemptedRevision: moved ? revision : before.attemptedRevision,
    status: servedStatus(before.status, target, repairs, now),
  }
  for (const { action, drift } of repairs) if (drift.length > 0) reportRepair(deps, id, action, drift)
  if (desired.state !== 'ended') return deps.records.put(backInService(record))
  deps.records.put(record.removedAt === null ? outOfService(deps, record, now, revision) : record)
}

function backInService(record: TenantRecord): TenantRecord {
  if (record.removedAt === null) return record
  return { ...record, removedAt: null, removedRevision: null, dataUntil: null, status: withoutCondition(record.status, 'DataKept') }
}

export function servedStatus(before: TenantStatus, target: Follow, repairs: Served['repairs'], now: Timestamp): TenantStatus {
  let status = withConditions(before, [readyCondition(target), specConditionOf(target)], now)
  for (const { action, drift } of repairs) if (drift.length > 0) status = withRepair(status, { at: now, action, drift })
  return succeeded(withoutCondition(status, 'Held'))
}

function readyCondition({ desired }: Follow): ConditionUpdate {
  switch (desired.state) {
    case 'active':
      return { type: 'Ready', status: true, reason: 'Serving', message: '' }
    case 'suspended':
      return { type: 'Ready', status: false, reason: 'Suspended', message: desired.stateReason ?? 'suspended' }
    case 'ended':
      return { type: 'Ready', status: false, reason: 'Ended', message: desired.stateReason ?? 'ended' }
  }
}

function specConditionOf(target: Follow): ConditionUpdate {
  if (target.heldBy === 'BadPlan') return { type: 'SpecValid', status: false, reason: 'BadPlan', message: `the file of plan ${target.desired.plan} is not valid; the tenant runs on its last good one` }
  if (target.heldBy === 'BadProduct') return { type: 'SpecValid', status: false, reason: 'BadProduct', message: `the file of product ${target.desired.product} is not valid; the tenant runs on its last good one` }
  return specCondition(target.findings)
}

/** Nothing is done to what runs; only the status says so. */
function noteOnly(deps: ReconcileDependencies, id: TenantId, target: Exclude<Target, { kind: 'follow' | 'retire' }>, revision: CommitId): void {
  const product = target.kind === 'invalid' ? target.product : (target.desired?.product ?? '')
  const before = deps.records.get(id) ?? newRecord(id, product, target.kind === 'invalid' ? target.path : '')
  const updates: ConditionUpdate[] =
    target.kind === 'leave'
      ? [{ type: 'Held', status: true, reason: target.reason, message: target.message }, specCondition(target.findings)]
      : [{ type: 'Ready', status: false, reason: 'NeverValid', message: 'its file never was valid, so nothing was made for it' }, specCondition(target.findings)]
  deps.records.put({ ...before, attemptedRevision: revision, status: withConditions(before.status, updates, timestamp(deps)) })
}

function noteChange(deps: ReconcileDependencies, change: TenantChange, revision: CommitId): void {
  deps.audit.add(changeEntry(change, revision, timestamp(deps)))
  deps.log.info({ tenant: change.tenant, action: change.action, fields: change.fields, revision }, 'applied')
}

export function changeEntry({ tenant, action, fields }: TenantChange, revision: CommitId, at: Timestamp): AuditEntry {
  const differs = fields.map(({ field, from, to }) => `${field}: ${from} -> ${to}`).join('; ')
  return { at, actor: 'controller', action, tenant, detail: `revision ${revision}${differs === '' ? '' : `: ${differs}`}` }
}

function reportRepair(deps: ReconcileDependencies, id: TenantId, action: string, drift: Served['repairs'][number]['drift']): void {
  deps.observer.repaired(id, action, drift)
  deps.log.warn({ tenant: id, action, drift }, 'drift repaired')
  deps.audit.add({ at: timestamp(deps), actor: 'controller', action: `repair: ${action}`, tenant: id, detail: drift.map(({ field, wanted, found }) => `${field}: wanted ${wanted}, found ${found}`).join('; ') })
}

function markReady(deps: ReconcileDependencies, id: TenantId, trace: string): void {
  if (deps.timeline.at(trace, 'ready') !== undefined) return
  const at = timestamp(deps)
  deps.timeline.mark({ trace, step: 'ready', tenant: id, at })
  const received = deps.timeline.at(trace, 'webhook-received')
  if (received !== undefined) deps.observer.purchaseReady((Date.parse(at) - Date.parse(received)) / 1000)
}

/** The one place where an error becomes status and the next run. */
function fold(deps: ReconcileDependencies, id: TenantId, target: Target, revision: CommitId, error: unknown, seconds: number): Requeue {
  const known = error instanceof ReconcileError ? error : new ReconcileError({ kind: 'transient' }, 'Failed', error instanceof Error ? error.message : String(error), { cause: error })
  const product = target.kind === 'follow' ? target.desired.product : target.kind === 'invalid' ? target.product : (target.desired?.product ?? '')
  const before = deps.records.get(id) ?? newRecord(id, product, target.kind === 'follow' || target.kind === 'invalid' ? target.path : '')
  const failures = before.status.failures + 1
  const afterMs = delayOf(known, failures, deps)
  const now = timestamp(deps)
  const ready: ConditionUpdate = { type: 'Ready', status: false, reason: known.reason, message: known.message }
  const status = { ...withConditions(before.status, [ready, specCondition(target.kind === 'retire' ? [] : target.findings)], now), failures, nextAttemptAt: new Date(deps.now().getTime() + afterMs).toISOString() }
  deps.records.put({ ...before, attemptedRevision: revision, status })
  deps.observer.outcome(known.next.kind === 'transient' ? 'failed' : known.next.kind, seconds)
  // What waits for the same as before is no news: without an engine every tenant would say so at each look.
  const isNews = known.next.kind === 'transient' || before.status.conditions.find(({ type }) => type === 'Ready')?.reason !== known.reason
  const level = !isNews ? 'debug' : known.next.kind === 'waiting' ? 'info' : 'warn'
  deps.log[level]({ tenant: id, reason: known.reason, next: known.next.kind, failures, nextAttemptAt: status.nextAttemptAt, err: known }, 'tenant not in force yet')
  return { afterMs }
}

function delayOf({ next }: ReconcileError, failures: number, deps: ReconcileDependencies): number {
  switch (next.kind) {
    case 'stalled':
      return STALLED_RETRY_MS
    case 'waiting':
      return next.until === undefined ? WAITING_RETRY_MS : Math.max(0, Date.parse(next.until) - deps.now().getTime())
    case 'transient':
      return backoffMs(failures, deps.chance())
  }
}

const timestamp = ({ now }: ReconcileDependencies): Timestamp => now().toISOString()
