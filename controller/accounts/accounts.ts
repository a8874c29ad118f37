/** Puts the parts of accounts together: who is signed in, and the routes with which one signs in. */
import type { FastifyPluginAsync } from 'fastify'
import type { Logger } from 'pino'
import type { Outbox } from '../mail/port.ts'
import { createAccountStore } from '../store/accounts.ts'
import type { Store } from '../store/db.ts'
import { createSessionRows } from '../store/sessions.ts'
import type { Pages } from '../web/pages/pages.ts'
import { createAuthApi } from './api-routes.ts'
import type { ProviderButton } from './forms.ts'
import { createAccountLimits, type AccountLimits } from './limits.ts'
import { createLinks, type Links } from './links.ts'
import { createAccountPages } from './pages.ts'
import { createPasswords, type Passwords } from './passwords.ts'
import { createProviderRoutes } from './provider-routes.ts'
import type { Provider } from './providers.ts'
import { createSessions, type OpenSessions } from './sessions.ts'
import { createSignIn, type SignIn } from './sign-in.ts'

export interface AccountsOptions {
  readonly store: Store
  readonly outbox: Outbox
  readonly pages: Pages
  readonly publicUrl: () => string
  readonly now: () => Date
  /** Of a clock that never goes back. */
  readonly nowMs: () => number
  readonly log: Logger
  readonly passwords?: Passwords
  readonly providers?: readonly Provider[]
  /** A MAC of a text under a secret of this installation, in hex. */
  readonly sign: (text: string) => string
}

export interface AccountsPart {
  readonly sessions: OpenSessions
  readonly links: Links
  readonly signIn: SignIn
  readonly limits: AccountLimits
  readonly providers: readonly ProviderButton[]
  readonly routes: readonly FastifyPluginAsync[]
}

export function createAccounts({ store, outbox, pages, publicUrl, now, nowMs, log, passwords = createPasswords(), providers = [], sign }: AccountsOptions): AccountsPart {
  const sessions = createSessions({ rows: createSessionRows(store), publicUrl, now })
  const limits = createAccountLimits(nowMs)
  const accounts = createAccountStore(store)
  const links = createLinks({ accounts, sessions, passwords, outbox, limits, publicUrl, now })
  const signIn = createSignIn({ accounts, links, passwords, limits, now })
  const parts = { sessions, links, signIn, limits, log }
  return { sessions, links, signIn, limits, providers, routes: [createAuthApi(parts), createAccountPages({ ...parts, pages, providers }), createProviderRoutes({ ...parts, providers, pages, sign, publicUrl, now })] }
}
