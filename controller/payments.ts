/** Joins Stripe's hooks to the store and the repository: webhook to inbox, worker to commit, checkout to the site. */
import { randomBytes } from 'node:crypto'
import { Counter, type Registry } from 'prom-client'
import type { Logger } from 'pino'
import { createCheckout, type BeginPurchase } from '../hooks/stripe/checkout-routes.ts'
import { createStripeClient } from '../hooks/stripe/client.ts'
import { createPortal, type PortalUrl } from '../hooks/stripe/portal.ts'
import { createResume, type ResumePaid } from '../hooks/stripe/resume.ts'
import { createStripeWebhook } from '../hooks/stripe/webhook.ts'
import { createPurchaseWorker } from '../hooks/stripe/worker.ts'
import { startBilling } from './billing.ts'
import type { FastifyPluginAsync } from 'fastify'
import type { Machine } from './machine.ts'
import type { Installation } from './installation.ts'
import { createSpecParser, type SpecParser } from './specs/parse.ts'
import { createTenantFiles } from './specs/tenant-files.ts'
import { stringifyTenant } from './specs/write.ts'
import { createBillingCases } from './store/billing-cases.ts'
import type { BillingOverview } from './web/billing-admin.ts'
import { createCheckoutHolds } from './store/checkout-holds.ts'
import { createHighestNumbers } from './store/highest-numbers.ts'
import type { Inbox } from './store/inbox.ts'
import { createTimeline } from './store/timeline.ts'
import type { StripeConnection } from './stripe-connection.ts'
import { createCheckoutProof, type CheckoutProof } from './web/checkout-proof.ts'

export interface Payments {
  /** Webhook and checkout, for the public site. */
  readonly routes: readonly FastifyPluginAsync[]
  /** The view of money, for the operator's port. */
  readonly admin: FastifyPluginAsync
  readonly billingOverview: () => BillingOverview
  readonly beginPurchase: BeginPurchase
  readonly proof: CheckoutProof
  readonly portalUrl: PortalUrl
  readonly resume: ResumePaid
  poke(reason: 'event' | 'tip'): void
  close(): Promise<void>
}

export interface PaymentsOptions {
  readonly installation: Installation
  readonly inbox: Inbox
  readonly stripe: StripeConnection
  readonly machine: Machine
  readonly log: Logger
  readonly registry: Registry
  /** Where a buyer comes back to; known once the gateway listens. */
  readonly publicUrl: () => string
}

export function startPayments({ installation, inbox, stripe: connection, machine, log, registry, publicUrl }: PaymentsOptions): Payments {
  const { stores, keyring } = installation
  const registers = [registry]
  const webhooks = new Counter({ name: 'tenantry_webhooks_total', help: 'Webhooks answered, by outcome.', labelNames: ['outcome'], registers })
  const purchases = new Counter({ name: 'tenantry_purchase_attempts_total', help: 'Attempts to turn a payment into a tenant, by outcome.', labelNames: ['outcome', 'reason'], registers })
  const stripe = createStripeClient({ secretKey: connection.secretKey, ...(connection.apiBase !== undefined && { apiBase: connection.apiBase }) })
  let parser: SpecParser | undefined
  const files = createTenantFiles({ repository: installation.repository, catalog: installation.catalog, parser: () => (parser ??= createSpecParser()) })
  const holds = createCheckoutHolds(stores.durable)
  const worker = createPurchaseWorker({
    inbox,
    stripe,
    writer: installation.writer,
    files,
    holds,
    cases: createBillingCases(stores.durable),
    highestNumbers: createHighestNumbers(stores.durable),
    mark: createTimeline(stores.durable).mark,
    stringify: stringifyTenant,
    installation: installation.id,
    masterVersion: keyring.masterVersion,
    now: machine.now,
    chance: machine.chance,
    newNonce: () => randomBytes(16).toString('hex'),
    log,
    count: (outcome, reason) => purchases.inc({ outcome, reason }),
  })
  const webhook = createStripeWebhook({
    inbox,
    webhooks: stripe.webhooks,
    secret: connection.webhookSecret,
    now: machine.now,
    newTrace: () => randomBytes(16).toString('hex'),
    poke: () => worker.poke('event'),
    log,
    count: (outcome) => webhooks.inc({ outcome }),
  })
  const proof = createCheckoutProof({ keyring, publicUrl })
  const checkout = createCheckout({
    stripe,
    catalog: () => installation.catalog,
    get publicUrl() {
      return publicUrl()
    },
    installation: installation.id,
    holds,
    newHold: () => randomBytes(16).toString('hex'),
    now: machine.now,
    proof,
    log,
  })
  const portalUrl: PortalUrl = (tenant) => createPortal({ stripe, catalog: () => installation.catalog, publicUrl: publicUrl(), installation: installation.id })(tenant)
  const resume = createResume({ stripe, inbox, now: machine.now, newTrace: () => randomBytes(16).toString('hex'), poke: () => worker.poke('event') })
  const billing = startBilling({ installation, inbox, stripe, files, machine, log, registry, poke: () => worker.poke('event') })
  const close = async (): Promise<void> => {
    await billing.close()
    await worker.close()
  }
  return { routes: [webhook, checkout.routes], admin: billing.admin, billingOverview: billing.overview, beginPurchase: checkout.begin, proof, portalUrl, resume, poke: worker.poke, close }
}
