/** How far a purchase has come, by the Checkout session that paid for it: read for the page on which its buyer waits. Writes nothing. */
import type { TenantId, Timestamp } from '../core/specs.ts'
import type { Store } from './db.ts'
import { createTimeline } from './timeline.ts'

export interface PurchaseProgress {
  /** Told of the payment, and nothing is served with it yet. */
  readonly open: { readonly state: 'pending' | 'held'; readonly paidAt: Timestamp } | undefined
  readonly tenant: TenantId | undefined
}

export interface PurchaseTimes {
  readonly paidAt: Timestamp | undefined
  readonly committedAt: Timestamp | undefined
  readonly readyAt: Timestamp | undefined
}

export interface PurchaseProgressReader {
  of(session: string): PurchaseProgress
  times(tenant: TenantId): PurchaseTimes
}

export function createPurchaseProgress(db: Store): PurchaseProgressReader {
  const open = db.prepare("SELECT state, received_at AS paidAt FROM inbox WHERE object = ? AND state IN ('pending', 'held') ORDER BY received_at LIMIT 1")
  const served = db.prepare('SELECT tenant FROM inbox WHERE object = ? AND tenant IS NOT NULL LIMIT 1')
  const timeline = createTimeline(db)
  return {
    of: (session) => ({
      open: open.get(session) as PurchaseProgress['open'],
      tenant: (served.get(session) as { tenant: TenantId } | undefined)?.tenant,
    }),
    times(tenant) {
      const trace = timeline.traceOf(tenant)
      const at = (step: 'webhook-received' | 'committed' | 'ready'): Timestamp | undefined => (trace === undefined ? undefined : timeline.at(trace, step))
      return { paidAt: at('webhook-received'), committedAt: at('committed'), readyAt: at('ready') }
    },
  }
}
