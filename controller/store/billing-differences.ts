/** What the last comparison with Stripe left different, since when, and whether a person let it through. */
import type { Difference, DifferenceKind } from '../core/billing-compare.ts'
import type { TenantId, Timestamp } from '../core/specs.ts'
import { transaction, type Store } from './db.ts'

export interface KeptDifference {
  readonly kind: DifferenceKind
  readonly subject: string
  readonly tenant: TenantId | null
  readonly detail: string
  readonly stops: boolean
  readonly since: Timestamp
  readonly approvedBy: string | null
}

export interface BillingDifferences {
  /** Takes the place of what was kept; what was there before keeps its time and its approval. */
  replace(differences: readonly Difference[], at: Timestamp): void
  all(): readonly KeptDifference[]
  /** Lets exactly these through, above the limit; how many. */
  approve(differences: readonly Pick<Difference, 'kind' | 'subject'>[], by: string): number
  isApproved(difference: Pick<Difference, 'kind' | 'subject'>): boolean
}

export function createBillingDifferences(db: Store): BillingDifferences {
  const put = db.prepare(
    `INSERT INTO billing_differences (kind, subject, tenant, detail, stops, since, seen_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6)
     ON CONFLICT (kind, subject) DO UPDATE SET tenant = ?3, detail = ?4, stops = ?5, seen_at = ?6`,
  )
  const unsee = db.prepare("UPDATE billing_differences SET seen_at = ''")
  const drop = db.prepare("DELETE FROM billing_differences WHERE seen_at = ''")
  const all = db.prepare('SELECT kind, subject, tenant, detail, stops, since, approved_by AS approvedBy FROM billing_differences ORDER BY since, kind, subject')
  const approve = db.prepare('UPDATE billing_differences SET approved_by = ? WHERE kind = ? AND subject = ?')
  const approved = db.prepare('SELECT 1 FROM billing_differences WHERE kind = ? AND subject = ? AND approved_by IS NOT NULL')
  return {
    replace(differences, at) {
      transaction(db, () => {
        unsee.run()
        for (const { kind, subject, tenant, detail, stops } of differences) put.run(kind, subject, tenant ?? null, detail, Number(stops), at)
        drop.run()
      })
    },
    all: () => (all.all() as unknown as (Omit<KeptDifference, 'stops'> & { stops: number })[]).map((row) => ({ ...row, stops: row.stops === 1 })),
    approve: (differences, by) => differences.reduce((count, { kind, subject }) => count + Number(approve.run(by, kind, subject).changes), 0),
    isApproved: ({ kind, subject }) => approved.get(kind, subject) !== undefined,
  }
}
