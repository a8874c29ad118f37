/** Joins accounts and agents' trials to the installation: who is signed in, and the routes of both. */
import { randomBytes } from 'node:crypto'
import type { FastifyPluginAsync } from 'fastify'
import type { Logger } from 'pino'
import { createAccounts } from './accounts/accounts.ts'
import { createProvider } from './accounts/providers.ts'
import { createStatusRoutes } from './accounts/status-routes.ts'
import type { AccountLimits } from './accounts/limits.ts'
import type { Sessions } from './accounts/port.ts'
import { createUntilServed } from './agent-keys/served.ts'
import { createClaimPages } from './agent-signup/claim-pages.ts'
import { createSignupRoutes } from './agent-signup/routes.ts'
import { createSignup } from './agent-signup/signup.ts'
import { createTrials } from './agent-signup/trials.ts'
import type { Installation } from './installation.ts'
import type { Machine } from './machine.ts'
import type { Outbox } from './mail/port.ts'
import type { Payments } from './payments.ts'
import { createAgentSignups } from './store/agent-signups.ts'
import { createHighestNumbers } from './store/highest-numbers.ts'
import type { Pages } from './web/pages/pages.ts'

export interface AccountParts {
  readonly sessions: Sessions
  readonly limits: AccountLimits
  readonly routes: readonly FastifyPluginAsync[]
}

export interface AccountPartsOptions {
  readonly installation: Installation
  readonly machine: Machine
  readonly outbox: Outbox
  readonly pages: Pages
  readonly payments: Payments
  /** Known once the gateway listens. */
  readonly publicUrl: () => string
  readonly gatewayPort: () => number | undefined
  readonly log: Logger
}

/** A new tenant's key: longer than a further one's, since SQ has to take the tenant in. */
const KEY_SERVED_WITHIN_MS = 10_000

export function composeAccounts({ installation, machine: { now }, outbox, pages, payments, publicUrl, gatewayPort, log }: AccountPartsOptions): AccountParts {
  const { stores, settings, repository, writer, catalog, source, keyring } = installation
  const accounts = createAccounts({ store: stores.durable, outbox, pages, publicUrl, now, nowMs: () => performance.now(), log, providers: settings.providers.map(createProvider), sign: (text) => keyring.mac(keyring.masterVersion, text) })
  const { sessions, limits, providers } = accounts
  const trials = createTrials({ repository, writer, catalog, sync: source.sync, highestNumbers: createHighestNumbers(stores.durable), masterVersion: keyring.masterVersion, now })
  const signup = createSignup({ trials, signups: createAgentSignups(stores.durable), catalog, keyring, publicUrl, newNonce: () => randomBytes(16).toString('hex'), now })
  const untilServed = createUntilServed({ host: settings.host, port: gatewayPort, limitMs: KEY_SERVED_WITHIN_MS })
  const claim = createClaimPages({ trials, sessions, providers, catalog, keyring, pages, limits, pay: payments.beginPurchase, now, log })
  return { sessions, limits, routes: [...accounts.routes, createStatusRoutes({ sessions, limits, catalog, records: stores.records, log }), createSignupRoutes({ signup, untilServed, limits, log }), claim] }
}
