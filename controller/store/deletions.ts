/** Removals above the deletion limit, by the revision that asked for them, until a person approves exactly that set. */
import type { CommitId, TenantId, Timestamp } from '../core/specs.ts'
import { transaction, type Store } from './db.ts'

export interface HeldDeletion {
  readonly revision: CommitId
  readonly tenant: TenantId
  readonly approvedAt: Timestamp | null
}

export interface Deletions {
  all(): readonly HeldDeletion[]
  hold(revision: CommitId, tenants: readonly TenantId[]): void
  /** Approves what waits for a revision, given as its full id or a unique beginning of it; answers the tenants. */
  approve(revision: string, by: string, at: Timestamp): readonly TenantId[]
  /** The tenant is back, or gone for good. */
  forget(tenant: TenantId): void
}

export function createDeletions(db: Store): Deletions {
  const all = db.prepare('SELECT revision, tenant, approved_at AS approvedAt FROM deletions ORDER BY revision, tenant')
  const hold = db.prepare('INSERT OR IGNORE INTO deletions (revision, tenant) VALUES (?, ?)')
  const forget = db.prepare('DELETE FROM deletions WHERE tenant = ?')
  const matching = db.prepare("SELECT DISTINCT revision FROM deletions WHERE revision LIKE ? || '%' AND approved_at IS NULL")
  const approve = db.prepare('UPDATE deletions SET approved_by = ?, approved_at = ? WHERE revision = ? AND approved_at IS NULL RETURNING tenant')
  return {
    all: () => all.all() as unknown as HeldDeletion[],
    hold: (revision, tenants) => transaction(db, () => tenants.forEach((tenant) => hold.run(revision, tenant))),
    approve(revision, by, at) {
      if (!/^[0-9a-f]{4,64}$/.test(revision)) return []
      const revisions = matching.all(revision) as { revision: string }[]
      if (revisions.length !== 1) return []
      return (approve.all(by, at, revisions[0]!.revision) as { tenant: TenantId }[]).map(({ tenant }) => tenant)
    },
    forget: (tenant) => void forget.run(tenant),
  }
}
