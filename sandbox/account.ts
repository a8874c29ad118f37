/**
 * The pretended Stripe account: what is sold, bought, paid and ended, and what the clock brings. Knows nothing of HTTP. Its parts
 * are in the files of their names; this one joins them and lets time pass.
 */
import { createCatalogue, type Catalogue } from './catalogue.ts'
import { createCheckout, type Checkout } from './checkout.ts'
import { createDueQueue } from './due.ts'
import { createLedger, type Ledger } from './ledger.ts'
import { createMoney, type Money } from './money.ts'
import type { StripeEvent } from './objects/list.ts'
import type { Session } from './objects/session.ts'
import type { CatalogPrice } from './offers.ts'
import { createPortal, type Portal } from './portal.ts'
import { createSetup, type Setup } from './setup.ts'
import type { SandboxState } from './state.ts'
import type { RetryRules } from './billing.ts'
import { createSubscriptions, type Subscriptions } from './subscriptions.ts'

export interface Account {
  readonly ledger: Ledger
  readonly money: Money
  readonly catalogue: Catalogue
  readonly checkout: Checkout
  readonly subscriptions: Subscriptions
  readonly setup: Setup
  readonly portal: Portal
  /** Lets happen what fell due until then, each thing at its own time, in order. */
  catchUp(until: Date): void
  /** Unix time of the next thing that happens by itself; Infinity where nothing does. */
  nextDueAt(): number
}

export interface AccountOptions {
  readonly state: SandboxState
  readonly offers: () => Iterable<CatalogPrice>
  readonly now: () => Date
  readonly randomHex: (bytes: number) => string
  readonly send: (event: StripeEvent) => void
  /** The address of the double's own pages. */
  readonly url: () => string
  readonly retries: RetryRules
}

export function createAccount({ state, offers, now, randomHex, send, url, retries }: AccountOptions): Account {
  let catchingUpAt: number | undefined
  const due = createDueQueue()
  const ledger = createLedger({ state, seconds: () => catchingUpAt ?? Math.floor(now().getTime() / 1000), randomHex, send })
  const money = createMoney(ledger)
  const catalogue = createCatalogue(ledger, offers)
  const subscriptions = createSubscriptions({ ledger, money, retries, changed: (subscription) => due.set(subscription.id, subscriptions.dueAt(subscription)) })
  const sessionChanged = ({ id, status, expires_at: expiresAt }: Session): void => due.set(id, status === 'open' ? expiresAt : Infinity)
  const checkout = createCheckout({ ledger, money, catalogue, subscriptions, payUrl: (session) => `${url()}/pay/${session}`, changed: sessionChanged })
  for (const subscription of state.all('subscription')) due.set(subscription.id, subscriptions.dueAt(subscription))
  for (const { session } of state.all('session')) sessionChanged(session)

  return {
    ledger,
    money,
    catalogue,
    checkout,
    subscriptions,
    setup: createSetup(ledger),
    portal: createPortal(ledger, (session) => `${url()}/portal/${session}`),
    nextDueAt: due.next,
    catchUp(until) {
      const seconds = Math.floor(until.getTime() / 1000)
      for (let next = due.first(seconds); next !== undefined; next = due.first(seconds)) {
        catchingUpAt = next.dueAt
        try {
          if (next.id.startsWith('cs_')) checkout.expire(next.id)
          else subscriptions.fallDue(next.id)
        } finally {
          catchingUpAt = undefined
        }
      }
    },
  }
}
