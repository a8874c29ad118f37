/** Sessions of people who are signed in, by the digest of their token. When they end is decided by accounts/sessions.ts. */
import type { Timestamp } from '../core/specs.ts'
import type { Store } from './db.ts'

export interface StoredSession {
  readonly id: string
  readonly account: string
  readonly email: string
  readonly emailVerifiedAt: Timestamp | null
  readonly createdAt: Timestamp
  readonly seenAt: Timestamp
  readonly expiresAt: Timestamp
  readonly agent: string
}

export interface SessionRows {
  add(digest: string, session: Omit<StoredSession, 'email' | 'emailVerifiedAt'>): void
  /** Whether or not its time is over. */
  get(digest: string): StoredSession | undefined
  seen(digest: string, at: Timestamp): void
  /** The one seen last first. */
  ofAccount(account: string): readonly StoredSession[]
  /** True where the account had such a session. */
  remove(account: string, id: string): boolean
  /** How many there were. */
  removeAll(account: string): number
  /** Forgets those that expired or were not seen since `seenBefore`. */
  sweep(now: Timestamp, seenBefore: Timestamp): void
}

const SELECT = `SELECT sessions.id, account, email, email_verified_at AS emailVerifiedAt, sessions.created_at AS createdAt, seen_at AS seenAt, expires_at AS expiresAt, agent
  FROM sessions JOIN accounts ON accounts.id = account`

export function createSessionRows(db: Store): SessionRows {
  const add = db.prepare('INSERT INTO sessions (digest, id, account, created_at, seen_at, expires_at, agent) VALUES (?, ?, ?, ?, ?, ?, ?)')
  const get = db.prepare(`${SELECT} WHERE digest = ?`)
  const seen = db.prepare('UPDATE sessions SET seen_at = ? WHERE digest = ?')
  const ofAccount = db.prepare(`${SELECT} WHERE account = ? ORDER BY seen_at DESC, sessions.id`)
  const remove = db.prepare('DELETE FROM sessions WHERE account = ? AND id = ?')
  const removeAll = db.prepare('DELETE FROM sessions WHERE account = ?')
  const sweep = db.prepare('DELETE FROM sessions WHERE expires_at <= ? OR seen_at < ?')
  return {
    add: (digest, { id, account, createdAt, seenAt, expiresAt, agent }) => void add.run(digest, id, account, createdAt, seenAt, expiresAt, agent),
    get: (digest) => get.get(digest) as StoredSession | undefined,
    seen: (digest, at) => void seen.run(at, digest),
    ofAccount: (account) => ofAccount.all(account) as unknown as StoredSession[],
    remove: (account, id) => remove.run(account, id).changes > 0,
    removeAll: (account) => Number(removeAll.run(account).changes),
    sweep: (now, seenBefore) => void sweep.run(now, seenBefore),
  }
}
