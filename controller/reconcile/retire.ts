/**
 * The end of a tenant, in two steps that are never one. First: stopped, with its data kept for the retention period. Then, when
 * that is over and nobody brought it back: data removed, as an audited step of its own.
 */
import type { DesiredTenant } from '../core/desired.ts'
import { isPast } from '../core/keys.ts'
import { shardOf } from '../core/placement.ts'
import type { CommitId, Product, TenantId, Timestamp } from '../core/specs.ts'
import { succeeded, withConditions, withoutCondition } from '../core/status.ts'
import type { TenantRecord } from '../store/tenant-records.ts'
import type { ReconcileDependencies } from './ports.ts'
import { removeTenantData } from './tenant-data.ts'

const DAY_MS = 24 * 60 * 60 * 1000
const STOP_GRACE_SECONDS = 10

/** Stops a tenant whose file is gone and notes until when its data is kept. */
export async function retire(deps: ReconcileDependencies, id: TenantId, desired: DesiredTenant | undefined, revision: CommitId): Promise<void> {
  const record = deps.records.get(id)
  await deps.routes.drop([id])
  if (desired?.place.kind === 'shard') {
    await deps.shards.sync(desired.place.shard)
  } else {
    await deps.runtime.remove(id, STOP_GRACE_SECONDS)
  }
  if (record !== undefined) noteRemoved(deps, record, revision)
  deps.deletions.forget(id)
  deps.world.retired(id)
}

function noteRemoved(deps: ReconcileDependencies, record: TenantRecord, revision: CommitId): void {
  const { tenant } = record
  if (isDestroyed(record)) return deps.records.remove(tenant)
  const at = deps.now().toISOString()
  const status = succeeded(withConditions(record.status, [{ type: 'Ready', status: false, reason: 'Removed', message: 'its file was removed from the repository' }], at))
  const removed = outOfService(deps, { ...record, attemptedRevision: revision, appliedRevision: revision, status }, at, revision)
  deps.records.put(removed)
  deps.audit.add({ at, actor: 'controller', action: 'stop', tenant, detail: `file removed in ${revision}; data kept until ${removed.dataUntil}` })
}

/** Its file outlived its data: there is nothing left to keep. */
function isDestroyed({ removedAt, dataUntil }: TenantRecord): boolean {
  return removedAt !== null && dataUntil === null
}

/** The record of a tenant that is stopped from `at` on. The clock of its data starts once. */
export function outOfService(deps: ReconcileDependencies, record: TenantRecord, at: Timestamp, revision: CommitId): TenantRecord {
  const removedAt = record.removedAt ?? at
  const dataUntil = record.dataUntil ?? new Date(Date.parse(removedAt) + retentionDays(deps) * DAY_MS).toISOString()
  const status = withConditions(withoutCondition(record.status, 'Held'), [{ type: 'DataKept', status: true, reason: 'Retention', message: `data is kept until ${dataUntil}` }], at)
  return { ...record, removedAt, removedRevision: record.removedRevision ?? revision, dataUntil, status }
}

/** Without a readable platform file data is kept for a long time: an error never shortens anything. */
function retentionDays({ catalog }: ReconcileDependencies): number {
  return catalog.platform?.spec.retentionDays ?? 365
}

/** Removes the data of every tenant whose retention is over. Answers how many; one that cannot be removed now is tried again and stops no other. */
export async function destroyExpired(deps: ReconcileDependencies): Promise<number> {
  let destroyed = 0
  for (const record of deps.records.retained()) {
    try {
      if (await destroyIfExpired(deps, record)) destroyed++
    } catch (err) {
      deps.log.error({ tenant: record.tenant, err }, 'data whose retention is over could not be removed')
    }
  }
  return destroyed
}

async function destroyIfExpired(deps: ReconcileDependencies, record: TenantRecord): Promise<boolean> {
  const target = deps.world.target(record.tenant)
  const ended = target?.kind === 'follow' && target.desired.state === 'ended'
  // Another owner's file under the id keeps nothing of the former one's from its end.
  const usedBefore = target?.kind === 'leave' && target.reason === 'IdUsedBefore'
  if (target !== undefined && !ended && !usedBefore) return false
  if (record.dataUntil === null) {
    if (target === undefined) deps.records.remove(record.tenant)
    return false
  }
  if (!isPast(record.dataUntil, deps.now().toISOString())) return false
  const product = deps.catalog.productInForce(record.product)
  if (product === undefined) return false
  await destroyData(deps, record, product, ended)
  return true
}

async function destroyData(deps: ReconcileDependencies, record: TenantRecord, product: Product, hasFile: boolean): Promise<void> {
  const { tenant } = record
  const shard = shardOf(product, tenant)
  if (shard !== undefined) await removeTenantData(deps, tenant, shard.name)
  else await deps.runtime.destroyVolumes(tenant)
  const at = deps.now().toISOString()
  deps.audit.add({ at, actor: 'controller', action: 'destroy-data', tenant, detail: `retention ended at ${record.dataUntil}; out of service since ${record.removedAt}` })
  if (!hasFile) return deps.records.remove(tenant)
  const status = withConditions(record.status, [{ type: 'DataKept', status: false, reason: 'DataDestroyed', message: `data was removed at ${at}, when its retention ended` }], at)
  deps.records.put({ ...record, dataUntil: null, status })
}
