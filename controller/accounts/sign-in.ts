/**
 * Registering, signing in with a password, and asking for a link. What is answered never depends on whether an address has an account.
 * A registration is an account of its own that has nothing until somebody with the mailbox confirms it; so registering a known address
 * does exactly what registering a new one does.
 */
import { randomUUID } from 'node:crypto'
import { isEmail } from '../core/purchase.ts'
import type { Accounts } from '../store/accounts.ts'
import { HttpProblem, type FieldProblem } from '../web/http-problem.ts'
import type { AccountLimits } from './limits.ts'
import type { Links } from './links.ts'
import { ownPath } from './own-path.ts'
import type { Passwords } from './passwords.ts'

export interface SignIn {
  /** Answers the id of a registration that is not confirmed, and mails the owner of the address. */
  register(fields: Fields, next: unknown): Promise<{ readonly account: string }>
  /** Answers the account. @throws HttpProblem 401, alike whatever was wrong. */
  login(fields: Fields): Promise<string>
  /** Mails a link. */
  requestLink(fields: Fields): void
}

/** As they came: nothing is taken for granted. */
export type Fields = Readonly<Record<string, unknown>>

export interface SignInOptions {
  readonly accounts: Accounts
  readonly links: Pick<Links, 'mail'>
  readonly passwords: Passwords
  readonly limits: AccountLimits
  readonly now: () => Date
}

const LEAST_CHARACTERS = 10
const MOST_CHARACTERS = 200

export function createSignIn({ accounts, links, passwords, limits, now }: SignInOptions): SignIn {
  return {
    async register(fields, next) {
      const { email, password } = readCredentials(fields, 'new')
      limits.takeMail(email)
      const passwordHash = await passwords.hash(password)
      const id = randomUUID()
      accounts.add({ id, email, passwordHash, emailVerifiedAt: null }, now().toISOString())
      links.mail('confirm-address', { email, registration: id, next: ownPath(next) })
      return { account: id }
    },
    async login(fields) {
      const { email, password } = readCredentials(fields, 'present')
      limits.takeLogin(email)
      const account = accounts.byEmail(email)
      if (!(await passwords.verify(password, account?.passwordHash ?? null))) throw wrongCredentials()
      limits.forgetLogins(email)
      return account!.id
    },
    requestLink(fields) {
      const email = readEmail(fields)
      limits.takeMail(email)
      links.mail('sign-in', { email, registration: null, next: ownPath(fields['next']) })
    },
  }
}

function readEmail({ email }: Fields): string {
  const address = typeof email === 'string' ? email.trim().toLowerCase() : ''
  if (!isEmail(address)) throw invalid([{ field: 'email', message: NO_EMAIL }])
  return address
}

const NO_EMAIL = 'Give an e-mail address, such as ada@example.com.'

function readCredentials(fields: Fields, kind: 'new' | 'present'): { readonly email: string; readonly password: string } {
  const { email, password } = fields
  const address = typeof email === 'string' ? email.trim().toLowerCase() : ''
  const errors: FieldProblem[] = isEmail(address) ? [] : [{ field: 'email', message: NO_EMAIL }]
  if (typeof password !== 'string' || password === '' || password.length > MOST_CHARACTERS) errors.push({ field: 'password', message: `Give a password of ${LEAST_CHARACTERS} to ${MOST_CHARACTERS} characters.` })
  else if (kind === 'new' && password.length < LEAST_CHARACTERS) errors.push({ field: 'password', message: `Choose a password of at least ${LEAST_CHARACTERS} characters: a few words will do.` })
  else if (kind === 'new' && password.toLowerCase() === address) errors.push({ field: 'password', message: 'Choose a password that is not your address.' })
  if (errors.length > 0) throw invalid(errors)
  return { email: address, password: password as string }
}

function invalid(errors: readonly FieldProblem[]): HttpProblem {
  return new HttpProblem({ status: 422, code: 'invalid-request', title: 'Not possible like this', detail: errors.map(({ field, message }) => `${field}: ${message}`).join(' '), errors })
}

function wrongCredentials(): HttpProblem {
  return new HttpProblem({ status: 401, code: 'wrong-credentials', title: 'Not signed in', detail: 'Address and password do not belong together, or the address was not confirmed yet. Follow the link in our mail, or ask for a sign-in link.' })
}
