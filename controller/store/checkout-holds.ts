/**
 * What open Checkout sessions hold: a slot of a plan, a user name. A hold is written before its session is made and ends with it, or by
 * the clock, so that a crash in between keeps nothing from anybody for longer than a session would.
 */
import type { Timestamp } from '../core/specs.ts'
import type { Store } from './db.ts'

export interface CheckoutHold {
  readonly hold: string
  /** Digest of what was asked for. */
  readonly request: string
  readonly session: string | null
  readonly plan: string
  readonly product: string
  readonly username: string | null
  /** Digest of the buyer's address. */
  readonly buyer: string
  /** 0 where the buyer's tenant has a slot of the plan already. */
  readonly takesSlot: 0 | 1
  readonly expiresAt: Timestamp
}

export interface CheckoutHolds {
  /** Writes a hold, in the place of one for the same request. */
  put(hold: CheckoutHold): void
  /** The session that was made for a hold, and when that ends. */
  opened(hold: string, session: string, expiresAt: Timestamp): void
  byRequest(request: string, now: Timestamp): CheckoutHold | undefined
  byHold(hold: string): CheckoutHold | undefined
  byUsername(product: string, username: string, now: Timestamp): readonly CheckoutHold[]
  /** Those that hold a slot of the plan and have not ended. */
  ofPlan(plan: string, now: Timestamp): readonly CheckoutHold[]
  /** The session ended, was paid or was cancelled. */
  release(session: string): void
  remove(hold: string): void
  /** A bank takes its time: the slot is kept until then. */
  extend(session: string, expiresAt: Timestamp): void
  /** Forgets those that ended by the clock. */
  prune(now: Timestamp): void
}

const FIELDS = 'hold, request, session, plan, product, username, buyer, takes_slot AS takesSlot, expires_at AS expiresAt'

export function createCheckoutHolds(db: Store): CheckoutHolds {
  const put = db.prepare('INSERT OR REPLACE INTO checkout_holds (hold, request, session, plan, product, username, buyer, takes_slot, expires_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)')
  const opened = db.prepare('UPDATE checkout_holds SET session = ?, expires_at = ? WHERE hold = ?')
  const byRequest = db.prepare(`SELECT ${FIELDS} FROM checkout_holds WHERE request = ? AND expires_at > ?`)
  const byHold = db.prepare(`SELECT ${FIELDS} FROM checkout_holds WHERE hold = ?`)
  const byUsername = db.prepare(`SELECT ${FIELDS} FROM checkout_holds WHERE username = ? AND product = ? AND expires_at > ?`)
  const ofPlan = db.prepare(`SELECT ${FIELDS} FROM checkout_holds WHERE plan = ? AND takes_slot = 1 AND expires_at > ?`)
  const release = db.prepare('DELETE FROM checkout_holds WHERE session = ?')
  const remove = db.prepare('DELETE FROM checkout_holds WHERE hold = ?')
  const extend = db.prepare('UPDATE checkout_holds SET expires_at = ?1 WHERE session = ?2 AND expires_at < ?1')
  const prune = db.prepare('DELETE FROM checkout_holds WHERE expires_at <= ?')
  return {
    put: ({ hold, request, session, plan, product, username, buyer, takesSlot, expiresAt }) => void put.run(hold, request, session, plan, product, username, buyer, takesSlot, expiresAt),
    opened: (hold, session, expiresAt) => void opened.run(session, expiresAt, hold),
    byRequest: (request, now) => byRequest.get(request, now) as unknown as CheckoutHold | undefined,
    byHold: (hold) => byHold.get(hold) as unknown as CheckoutHold | undefined,
    byUsername: (product, username, now) => byUsername.all(username, product, now) as unknown as CheckoutHold[],
    ofPlan: (plan, now) => ofPlan.all(plan, now) as unknown as CheckoutHold[],
    release: (session) => void release.run(session),
    remove: (hold) => void remove.run(hold),
    extend: (session, expiresAt) => void extend.run(expiresAt, session),
    prune: (now) => void prune.run(now),
  }
}
