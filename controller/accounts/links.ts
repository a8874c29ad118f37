/**
 * Links that come by mail: made, looked at, followed once. Whoever follows one has the mailbox. A password that was registered before
 * counts only where whoever confirms knows it too: otherwise somebody could register another's address, and wait.
 */
import { randomBytes, randomUUID } from 'node:crypto'
import type { Mail, Outbox } from '../mail/port.ts'
import type { Account, Accounts, SignInLink } from '../store/accounts.ts'
import { HttpProblem } from '../web/http-problem.ts'
import type { AccountLimits } from './limits.ts'
import type { Passwords } from './passwords.ts'
import { digestOf, type OpenSessions } from './sessions.ts'

export interface Links {
  mail(kind: Extract<Mail, { link: string }>['kind'], link: SignInLink): void
  /** What a link is for; undefined where it was used, is too old or never was. */
  lookAt(token: unknown): SignInLink | undefined
  /**
   * Uses a link up. `present`: the account that the browser is signed in as; `password`: to be kept, where it is the one that was
   * registered. @throws HttpProblem 422 where it is another one; the link stays good.
   */
  follow(token: unknown, by: { readonly present?: string; readonly password?: string }): Promise<{ readonly account: string; readonly next: string } | undefined>
  /** The account of an address that is proved to be somebody's; made where there is none. */
  ofProvedAddress(email: string): string
}

export interface LinksOptions {
  readonly accounts: Accounts
  readonly sessions: Pick<OpenSessions, 'endAll'>
  readonly passwords: Passwords
  readonly outbox: Outbox
  readonly limits: AccountLimits
  readonly publicUrl: () => string
  readonly now: () => Date
}

export const LINK_MINUTES = 15
const REGISTRATION_DAYS = 7
const SWEEP_PAUSE_MS = 3_600_000

export function createLinks({ accounts, sessions, passwords, outbox, limits, publicUrl, now }: LinksOptions): Links {
  const stamp = (plusMs = 0): string => new Date(now().getTime() + plusMs).toISOString()
  let sweptAtMs = -Infinity

  function sweep(): void {
    const atMs = now().getTime()
    if (atMs - sweptAtMs < SWEEP_PAUSE_MS) return
    sweptAtMs = atMs
    accounts.sweep(stamp(), stamp(-REGISTRATION_DAYS * 86_400_000))
  }

  function mail(kind: Extract<Mail, { link: string }>['kind'], link: SignInLink): void {
    sweep()
    const token = randomBytes(32).toString('base64url')
    const digest = digestOf(token)
    accounts.putLink(digest, link, stamp(LINK_MINUTES * 60_000))
    const address = new URL('/auth/link', publicUrl())
    address.searchParams.set('token', token)
    outbox.put(`${kind}/${digest.slice(0, 32)}`, link.email, { kind, link: address.href, minutes: LINK_MINUTES })
  }

  function ofProvedAddress(email: string): string {
    const owner = accounts.byEmail(email)
    if (owner !== undefined) return owner.id
    const id = randomUUID()
    accounts.add({ id, email, passwordHash: null, emailVerifiedAt: stamp() }, stamp())
    return id
  }

  /** Whoever follows the link has the mailbox. `keep`: the registration's password is theirs as well. */
  function settle({ email, registration: id }: SignInLink, registered: Account | undefined, keep: boolean): string {
    if (registered === undefined || id === null) return ofProvedAddress(email)
    if (!keep) {
      accounts.remove(id)
      return ofProvedAddress(email)
    }
    const owner = accounts.byEmail(email)
    if (owner === undefined) {
      accounts.verify(id, registered.passwordHash, stamp())
      return id
    }
    // A new password, set by whoever has the mailbox: whoever was signed in with the old one is so no longer.
    accounts.setPassword(owner.id, registered.passwordHash!)
    sessions.endAll(owner.id)
    accounts.remove(id)
    return owner.id
  }

  /** @throws HttpProblem where a password was given that is not the registered one. */
  async function mayKeep(registered: Account | undefined, token: string, present: string | undefined, password: string | undefined): Promise<boolean> {
    if (registered === undefined) return false
    if (present === registered.id) return true
    if (password === undefined || password === '') return false
    limits.takeGuess(digestOf(token))
    if (await passwords.verify(password, registered.passwordHash)) return true
    throw new HttpProblem({ status: 422, code: 'password-differs', title: 'Not the password that was registered', detail: 'That is not the password with which this address was registered. Try again, or leave it empty to go on without a password.', errors: [{ field: 'password', message: 'This is not the password that was registered.' }] })
  }

  return {
    mail,
    lookAt: (token) => (typeof token === 'string' ? accounts.link(digestOf(token), stamp()) : undefined),
    async follow(token, { present, password }) {
      if (typeof token !== 'string') return undefined
      const digest = digestOf(token)
      const seen = accounts.link(digest, stamp())
      const registered = seen === undefined || seen.registration === null ? undefined : accounts.get(seen.registration)
      const keep = await mayKeep(registered, token, present, password)
      return accounts.useLink(digest, stamp(), (link) => ({ account: settle(link, registered, keep), next: link.next }))
    },
    ofProvedAddress: (email) => ofProvedAddress(email.toLowerCase()),
  }
}
