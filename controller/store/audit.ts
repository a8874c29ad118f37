/** Who did what and why: a row for each action that changed a customer's service or data. Never updated, never deleted. */
import type { TenantId, Timestamp } from '../core/specs.ts'
import { transaction, type Store } from './db.ts'

export interface AuditEntry {
  readonly at: Timestamp
  /** A person, or `controller`. */
  readonly actor: string
  readonly action: string
  readonly tenant: TenantId | null
  readonly detail: string
}

export interface Audit {
  add(entry: AuditEntry): void
  /** Adds entries in one transaction. */
  addMany(entries: readonly AuditEntry[]): void
  /** Newest first. */
  list(filter: { readonly tenant?: TenantId; readonly limit: number }): readonly AuditEntry[]
}

export function createAudit(db: Store): Audit {
  const add = db.prepare('INSERT INTO audit (at, actor, action, tenant, detail) VALUES (?, ?, ?, ?, ?)')
  const list = db.prepare('SELECT at, actor, action, tenant, detail FROM audit WHERE ?1 IS NULL OR tenant = ?1 ORDER BY id DESC LIMIT ?2')
  const addOne = ({ at, actor, action, tenant, detail }: AuditEntry): void => void add.run(at, actor, action, tenant, detail)
  return {
    add: addOne,
    addMany: (entries) => transaction(db, () => entries.forEach(addOne)),
    list: ({ tenant, limit }) => list.all(tenant ?? null, limit) as unknown as AuditEntry[],
  }
}
