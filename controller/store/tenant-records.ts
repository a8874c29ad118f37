/** What Tenantry did for each tenant: the inventory. A row exists from the first action on a tenant until its data is destroyed. */
import type { BlobId, CommitId, TenantId, Timestamp } from '../core/specs.ts'
import { NEW_STATUS, type TenantStatus } from '../core/status.ts'
import { transaction, type Store } from './db.ts'

export interface TenantRecord {
  readonly tenant: TenantId
  readonly product: string
  readonly path: string
  /** The spec that is in force. */
  readonly appliedBlob: BlobId | null
  readonly appliedRevision: CommitId | null
  readonly attemptedRevision: CommitId | null
  readonly status: TenantStatus
  readonly removedAt: Timestamp | null
  readonly removedRevision: CommitId | null
  readonly dataUntil: Timestamp | null
}

export interface TenantRecords {
  get(tenant: TenantId): TenantRecord | undefined
  all(): Iterable<TenantRecord>
  /** Ids and blobs only: light enough for every tenant at a start. */
  blobs(): Iterable<Pick<TenantRecord, 'tenant' | 'path' | 'appliedBlob' | 'removedAt'>>
  /** The same with what people see of each. */
  states(): Iterable<Pick<TenantRecord, 'tenant' | 'appliedBlob' | 'removedAt' | 'status'>>
  /** Up to so many rows behind this id, in order: all of them in pieces, while other work goes on. */
  after(tenant: TenantId | undefined, limit: number): readonly TenantRecord[]
  /** Writes the row; no write where it stands so already. */
  put(record: TenantRecord): void
  /** Writes rows in one transaction, for a start with many tenants. */
  putMany(records: readonly TenantRecord[]): void
  remove(tenant: TenantId): void
  /** Out of service, data still kept. */
  retained(): readonly TenantRecord[]
  count(): number
}

interface Row {
  tenant: string
  product: string
  path: string
  applied_blob: string | null
  applied_revision: string | null
  attempted_revision: string | null
  status: string
  removed_at: string | null
  removed_revision: string | null
  data_until: string | null
}

const COLUMNS = 'tenant, product, path, applied_blob, applied_revision, attempted_revision, status, removed_at, removed_revision, data_until'

export function createTenantRecords(db: Store): TenantRecords {
  const one = db.prepare(`SELECT ${COLUMNS} FROM tenants WHERE tenant = ?`)
  const after = db.prepare(`SELECT ${COLUMNS} FROM tenants WHERE tenant > ? ORDER BY tenant LIMIT ?`)
  const put = db.prepare(`INSERT OR REPLACE INTO tenants (${COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`)
  const remove = db.prepare('DELETE FROM tenants WHERE tenant = ?')
  const get = (tenant: TenantId): TenantRecord | undefined => {
    const row = one.get(tenant) as Row | undefined
    return row && fromRow(row)
  }
  return {
    get,
    *all() {
      for (const row of db.prepare(`SELECT ${COLUMNS} FROM tenants ORDER BY tenant`).iterate() as Iterable<unknown>) yield fromRow(row as Row)
    },
    *blobs() {
      const rows = db.prepare('SELECT tenant, path, applied_blob AS appliedBlob, removed_at AS removedAt FROM tenants').iterate() as Iterable<unknown>
      for (const row of rows) yield row as Pick<TenantRecord, 'tenant' | 'path' | 'appliedBlob' | 'removedAt'>
    },
    *states() {
      const rows = db.prepare('SELECT tenant, applied_blob AS appliedBlob, removed_at AS removedAt, status FROM tenants').iterate() as Iterable<unknown>
      for (const row of rows as Iterable<Pick<TenantRecord, 'tenant' | 'appliedBlob' | 'removedAt'> & { status: string }>) yield { ...row, status: JSON.parse(row.status) as TenantStatus }
    },
    after: (tenant, limit) => (after.all(tenant ?? '', limit) as unknown as Row[]).map(fromRow),
    put(record) {
      const values = toValues(record)
      const before = one.get(record.tenant) as Row | undefined
      if (before !== undefined && Object.values(before).every((value, index) => value === values[index])) return
      put.run(...values)
    },
    putMany: (records) => transaction(db, () => records.forEach((record) => put.run(...toValues(record)))),
    remove: (tenant) => void remove.run(tenant),
    retained: () => (db.prepare(`SELECT ${COLUMNS} FROM tenants WHERE removed_at IS NOT NULL`).all() as unknown as Row[]).map(fromRow),
    count: () => (db.prepare('SELECT count(*) AS n FROM tenants').get() as { n: number }).n,
  }
}

/** A row for a tenant that nothing was done for yet. */
export function newRecord(tenant: TenantId, product: string, path: string): TenantRecord {
  return {
    tenant,
    product,
    path,
    appliedBlob: null,
    appliedRevision: null,
    attemptedRevision: null,
    status: NEW_STATUS,
    removedAt: null,
    removedRevision: null,
    dataUntil: null,
  }
}

function fromRow(row: Row): TenantRecord {
  return {
    tenant: row.tenant as TenantId,
    product: row.product,
    path: row.path,
    appliedBlob: row.applied_blob as BlobId | null,
    appliedRevision: row.applied_revision as CommitId | null,
    attemptedRevision: row.attempted_revision as CommitId | null,
    status: JSON.parse(row.status) as TenantStatus,
    removedAt: row.removed_at,
    removedRevision: row.removed_revision as CommitId | null,
    dataUntil: row.data_until,
  }
}

function toValues(record: TenantRecord): (string | null)[] {
  const { tenant, product, path, appliedBlob, appliedRevision, attemptedRevision, status, removedAt, removedRevision, dataUntil } = record
  return [tenant, product, path, appliedBlob, appliedRevision, attemptedRevision, JSON.stringify(status), removedAt, removedRevision, dataUntil]
}
