/**
 * Mail that waits, and which causes have had theirs: a row for each cause, for good. Once a row is settled its address and its
 * text are gone; only the cause stays. Written on a durable connection: what is asked for here is not lost.
 */
import type { TenantId, Timestamp } from '../core/specs.ts'
import type { Store } from './db.ts'

export type MailEnd = 'sent' | 'skipped' | 'refused' | 'given-up'

export interface WaitingMail {
  readonly cause: string
  readonly kind: string
  readonly recipient: string
  /** JSON. */
  readonly mail: string
  readonly attempts: number
  readonly createdAt: Timestamp
  readonly expiresAt: Timestamp
}

export interface Mails {
  /** False where the cause has its row already. */
  add(mail: Omit<WaitingMail, 'attempts'>): boolean
  /** A cause that gets no mail: its row says why. */
  skip(cause: string, kind: string, note: string, now: Timestamp): boolean
  due(now: Timestamp, limit: number): readonly WaitingMail[]
  nextDueAt(): Timestamp | undefined
  retry(cause: string, note: string, nextAttemptAt: Timestamp): void
  settle(cause: string, end: MailEnd, note: string | null, now: Timestamp): void
  /** What was not sent in time is given up; answers the kinds. */
  expire(now: Timestamp): readonly string[]
  /** Settled causes that nothing can bring up again: links, which are each asked for by itself. */
  forget(kinds: readonly string[], before: Timestamp): void
  /** Of the causes, those that have a row. */
  has(cause: string): boolean
  counts(): { readonly waiting: number; readonly oldest: Timestamp | undefined }
}

export function createMails(db: Store): Mails {
  const add = db.prepare("INSERT OR IGNORE INTO mails (cause, kind, recipient, mail, state, created_at, expires_at, next_attempt_at) VALUES (?, ?, ?, ?, 'waiting', ?, ?, ?)")
  const skip = db.prepare("INSERT OR IGNORE INTO mails (cause, kind, state, note, created_at, expires_at, next_attempt_at, settled_at) VALUES (?, ?, 'skipped', ?, ?4, ?4, ?4, ?4)")
  const due = db.prepare(
    `SELECT cause, kind, recipient, mail, attempts, created_at AS createdAt, expires_at AS expiresAt
     FROM mails WHERE state = 'waiting' AND next_attempt_at <= ? ORDER BY next_attempt_at LIMIT ?`,
  )
  const next = db.prepare("SELECT min(next_attempt_at) AS at FROM mails WHERE state = 'waiting'")
  const retry = db.prepare("UPDATE mails SET attempts = attempts + 1, note = ?, next_attempt_at = ? WHERE cause = ? AND state = 'waiting'")
  const settle = db.prepare("UPDATE mails SET state = ?, note = ?, settled_at = ?, recipient = NULL, mail = NULL WHERE cause = ? AND state = 'waiting'")
  const expire = db.prepare("UPDATE mails SET state = 'given-up', settled_at = ?1, recipient = NULL, mail = NULL WHERE state = 'waiting' AND expires_at <= ?1 RETURNING kind")
  const counts = db.prepare("SELECT count(*) AS waiting, min(created_at) AS oldest FROM mails WHERE state = 'waiting'")
  const has = db.prepare('SELECT 1 FROM mails WHERE cause = ?')
  return {
    add: ({ cause, kind, recipient, mail, createdAt, expiresAt }) => add.run(cause, kind, recipient, mail, createdAt, expiresAt, createdAt).changes > 0,
    skip: (cause, kind, note, now) => skip.run(cause, kind, note, now).changes > 0,
    due: (now, limit) => due.all(now, limit) as unknown as WaitingMail[],
    nextDueAt: () => (next.get() as { at: string | null }).at ?? undefined,
    retry: (cause, note, nextAttemptAt) => void retry.run(note, nextAttemptAt, cause),
    settle: (cause, end, note, now) => void settle.run(end, note, now, cause),
    expire: (now) => (expire.all(now) as { kind: string }[]).map(({ kind }) => kind),
    forget(kinds, before) {
      for (const kind of kinds) db.prepare("DELETE FROM mails WHERE kind = ? AND state <> 'waiting' AND settled_at < ?").run(kind, before)
    },
    has: (cause) => has.get(cause) !== undefined,
    counts() {
      const { waiting, oldest } = counts.get() as { waiting: number; oldest: string | null }
      return { waiting, oldest: oldest ?? undefined }
    },
  }
}

/** Conditions that hold and that a mail was written about, each with the time at which it was seen first. */
export interface MailConditions {
  of(tenant: TenantId): ReadonlyMap<string, Timestamp>
  set(tenant: TenantId, conditions: ReadonlyMap<string, Timestamp>): void
}

export function createMailConditions(db: Store): MailConditions {
  const of = db.prepare('SELECT condition, since FROM mail_conditions WHERE tenant = ?')
  const add = db.prepare('INSERT OR IGNORE INTO mail_conditions (tenant, condition, since) VALUES (?, ?, ?)')
  const remove = db.prepare('DELETE FROM mail_conditions WHERE tenant = ? AND condition = ?')
  const read = (tenant: TenantId): Map<string, Timestamp> => new Map((of.all(tenant) as { condition: string; since: string }[]).map(({ condition, since }) => [condition, since]))
  return {
    of: read,
    set(tenant, conditions) {
      const before = read(tenant)
      for (const [condition, since] of conditions) if (!before.has(condition)) add.run(tenant, condition, since)
      for (const condition of before.keys()) if (!conditions.has(condition)) remove.run(tenant, condition)
    },
  }
}

/** Who wants nothing that is not essential. Addresses are keyed digests. */
export interface MailRefusals {
  has(address: string): boolean
  add(address: string, now: Timestamp): void
  remove(address: string): void
}

export function createMailRefusals(db: Store): MailRefusals {
  const has = db.prepare('SELECT 1 FROM mail_refusals WHERE address = ?')
  const add = db.prepare('INSERT OR IGNORE INTO mail_refusals (address, at) VALUES (?, ?)')
  const remove = db.prepare('DELETE FROM mail_refusals WHERE address = ?')
  return { has: (address) => has.get(address) !== undefined, add: (address, now) => void add.run(address, now), remove: (address) => void remove.run(address) }
}
