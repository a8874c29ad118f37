/** Refunds and disputes: they end nothing by themselves, so a person looks at each and says when it is done. Nothing personal is here. */
import type { TenantId, Timestamp } from '../core/specs.ts'
import type { Store } from './db.ts'

export interface BillingCase {
  /** Stripe's id of the charge or the dispute. */
  readonly id: string
  readonly kind: 'refund' | 'dispute'
  readonly tenant: TenantId | null
  /** In the currency's smallest unit; of a charge, all that was refunded so far. */
  readonly amount: number
  readonly currency: string
  /** In Stripe's words. */
  readonly status: string
  readonly since: Timestamp
  readonly updatedAt: Timestamp
}

export interface BillingCases {
  /** Puts a case before a person, again where its amount or status is another than what was settled. Whether that is news. */
  put(found: Omit<BillingCase, 'since' | 'updatedAt'>, at: Timestamp): boolean
  /** Those that wait for a person, oldest first. */
  open(): readonly BillingCase[]
  counts(): Readonly<Record<BillingCase['kind'], number>>
  /** Whether there was such an open case. */
  settle(id: string, by: string, at: Timestamp): boolean
}

const FIELDS = 'id, kind, tenant, amount, currency, status, since, updated_at AS updatedAt'

export function createBillingCases(db: Store): BillingCases {
  const put = db.prepare(
    `INSERT INTO billing_cases (id, kind, tenant, amount, currency, status, since, updated_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7)
     ON CONFLICT (id) DO UPDATE SET tenant = ?3, amount = ?4, currency = ?5, status = ?6, updated_at = ?7, settled_at = NULL, settled_by = NULL
     WHERE amount <> ?4 OR status <> ?6`,
  )
  const open = db.prepare(`SELECT ${FIELDS} FROM billing_cases WHERE settled_at IS NULL ORDER BY since, id`)
  const counts = db.prepare('SELECT kind, count(*) AS n FROM billing_cases WHERE settled_at IS NULL GROUP BY kind')
  const settle = db.prepare('UPDATE billing_cases SET settled_at = ?, settled_by = ? WHERE id = ? AND settled_at IS NULL')
  return {
    put: ({ id, kind, tenant, amount, currency, status }, at) => put.run(id, kind, tenant, amount, currency, status, at).changes > 0,
    open: () => open.all() as unknown as BillingCase[],
    counts() {
      const rows = counts.all() as { kind: BillingCase['kind']; n: number }[]
      const of = (kind: BillingCase['kind']) => rows.find((row) => row.kind === kind)?.n ?? 0
      return { refund: of('refund'), dispute: of('dispute') }
    },
    settle: (id, by, at) => settle.run(at, by, id).changes > 0,
  }
}
