/** Accounts and the links by which their owners sign in. Addresses come in lower case; what is secret comes as a digest. */
import type { Timestamp } from '../core/specs.ts'
import { transaction, type Store } from './db.ts'

export interface Account {
  readonly id: string
  readonly email: string
  readonly passwordHash: string | null
  readonly emailVerifiedAt: Timestamp | null
}

export interface SignInLink {
  readonly email: string
  /** The unconfirmed account that asked for it; null: a plain sign-in. */
  readonly registration: string | null
  /** Where to go afterwards: a path of ours. */
  readonly next: string
}

export interface Accounts {
  get(id: string): Account | undefined
  /** The account whose owner proved to have this address. */
  byEmail(email: string): Account | undefined
  add(account: Account, now: Timestamp): void
  /** The address is proved. Throws where another account has it. */
  verify(id: string, passwordHash: string | null, now: Timestamp): void
  setPassword(id: string, passwordHash: string): void
  /** With its sessions. */
  remove(id: string): void
  putLink(digest: string, link: SignInLink, expiresAt: Timestamp): void
  link(digest: string, now: Timestamp): SignInLink | undefined
  /** Runs `work` with the link, which is used up by it; undefined where there is none any more. All of it or nothing. */
  useLink<T>(digest: string, now: Timestamp, work: (link: SignInLink) => T): T | undefined
  /** Forgets links that ended before `now`, and registrations that nobody confirmed since `registeredBefore`. */
  sweep(now: Timestamp, registeredBefore: Timestamp): void
}

const FIELDS = 'id, email, password_hash AS passwordHash, email_verified_at AS emailVerifiedAt'

export function createAccountStore(db: Store): Accounts {
  const get = db.prepare(`SELECT ${FIELDS} FROM accounts WHERE id = ?`)
  const byEmail = db.prepare(`SELECT ${FIELDS} FROM accounts WHERE email = ? AND email_verified_at IS NOT NULL`)
  const add = db.prepare('INSERT INTO accounts (id, email, password_hash, email_verified_at, created_at) VALUES (?, ?, ?, ?, ?)')
  const verify = db.prepare('UPDATE accounts SET email_verified_at = ?, password_hash = ? WHERE id = ?')
  const setPassword = db.prepare('UPDATE accounts SET password_hash = ? WHERE id = ?')
  const remove = db.prepare('DELETE FROM accounts WHERE id = ?')
  const putLink = db.prepare('INSERT INTO sign_in_links (digest, email, registration, next, expires_at) VALUES (?, ?, ?, ?, ?)')
  const link = db.prepare('SELECT email, registration, next FROM sign_in_links WHERE digest = ? AND expires_at > ?')
  const dropLink = db.prepare('DELETE FROM sign_in_links WHERE digest = ?')
  const sweepLinks = db.prepare('DELETE FROM sign_in_links WHERE expires_at <= ?')
  const sweepRegistrations = db.prepare('DELETE FROM accounts WHERE email_verified_at IS NULL AND created_at < ?')
  const linkOf = (digest: string, now: Timestamp): SignInLink | undefined => link.get(digest, now) as SignInLink | undefined
  return {
    get: (id) => get.get(id) as Account | undefined,
    byEmail: (email) => byEmail.get(email) as Account | undefined,
    add: ({ id, email, passwordHash, emailVerifiedAt }, now) => void add.run(id, email, passwordHash, emailVerifiedAt, now),
    verify: (id, passwordHash, now) => void verify.run(now, passwordHash, id),
    setPassword: (id, passwordHash) => void setPassword.run(passwordHash, id),
    remove: (id) => void remove.run(id),
    putLink: (digest, { email, registration, next }, expiresAt) => void putLink.run(digest, email, registration, next, expiresAt),
    link: linkOf,
    useLink: (digest, now, work) =>
      transaction(db, () => {
        const found = linkOf(digest, now)
        if (found === undefined) return undefined
        dropLink.run(digest)
        return work(found)
      }),
    sweep(now, registeredBefore) {
      sweepLinks.run(now)
      sweepRegistrations.run(registeredBefore)
    },
  }
}
