/**
 * A Stripe account outside the program under test: the double in the test's own process, so that it outlives every kill of the
 * controller, with the prices of the sample's plans, and orders placed as the checkout places them.
 */
import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import Stripe from 'stripe'
import { onTestFinished } from 'vitest'
import { parse } from 'yaml'
import { lookupKey } from '../../controller/core/purchase.ts'
import type { BillingInterval, Plan } from '../../controller/core/specs.ts'
import { createStripeClient } from '../../hooks/stripe/client.ts'
import { METADATA } from '../../hooks/stripe/session.ts'
import { createStripeDouble, type CatalogPrice, type StripeDouble, type StripeDoubleOptions } from '../../sandbox/double.ts'
import { waitFor } from './wait.ts'

const PLANS = path.join(import.meta.dirname, '../../tenants/plans')
const SECRET_KEY = 'sk_test_e2e_0123456789abcdef'
const WEBHOOK_SECRET = 'whsec_e2e_0123456789abcdef'

export interface Order {
  readonly plan: string
  readonly username: string
  readonly interval?: BillingInterval
}

export interface Shop {
  readonly double: StripeDouble
  /** The settings that make the program use this account. */
  readonly environment: Record<string, string>
  /** Opens a Checkout session; nothing is paid yet. */
  order(order: Order): Promise<string>
  /** Opens and pays a session; answers its id. */
  buy(order: Order): Promise<string>
  /** Sends a body to the webhook, signed as Stripe signs it, or with another secret; again where it is told to come back. */
  post(body: string, secret?: string): Promise<Response>
}

/** `webhookUrl` is asked at each delivery: the controller may not be up yet. Closed after the test, unless `atEnd` sees to it. */
export async function openShop(webhookUrl: () => string, options: Partial<StripeDoubleOptions> = {}, atEnd: (close: () => Promise<void>) => unknown = onTestFinished): Promise<Shop> {
  const prices = samplePrices()
  const double = await createStripeDouble({ port: 0, webhookUrl, webhookSecret: WEBHOOK_SECRET, secretKey: SECRET_KEY, now: () => new Date(), catalog: () => prices, ...options })
  atEnd(() => double.close())
  const client = createStripeClient({ secretKey: SECRET_KEY, apiBase: double.url })
  const { webhooks } = new Stripe(SECRET_KEY)

  async function order({ plan, username, interval = 'month' }: Order): Promise<string> {
    const { data } = await client.prices.list({ lookup_keys: [lookupKey(plan, interval)] })
    const metadata = { [METADATA.plan]: plan, [METADATA.interval]: interval, [METADATA.username]: username }
    const { id } = await client.checkout.sessions.create({
      mode: 'subscription',
      line_items: [{ price: data[0]!.id, quantity: 1 }],
      customer_email: `${username}@example.com`,
      metadata,
      subscription_data: { metadata },
      success_url: 'http://localhost/welcome',
    })
    return id
  }

  return {
    double,
    environment: { STRIPE_SECRET_KEY: SECRET_KEY, STRIPE_WEBHOOK_SECRET: WEBHOOK_SECRET, STRIPE_API_BASE: double.url },
    order,
    async buy(what) {
      const session = await order(what)
      double.pay(session)
      return session
    },
    post: (body, secret = WEBHOOK_SECRET) =>
      waitFor(async () => {
        const headers = { 'content-type': 'application/json', 'stripe-signature': webhooks.generateTestHeaderString({ payload: body, secret }) }
        const answer = await fetch(webhookUrl(), { method: 'POST', body, headers })
        return answer.status !== 503 && answer
      }, 'an answer to a webhook'),
  }
}

function samplePrices(): CatalogPrice[] {
  return readdirSync(PLANS).flatMap((name) => {
    const { metadata, spec } = parse(readFileSync(path.join(PLANS, name), 'utf8')) as Plan
    return Object.entries(spec.prices).map(([interval, { amount, currency }]) => ({
      lookupKey: lookupKey(metadata.name, interval as BillingInterval),
      product: spec.product,
      productTitle: spec.title,
      amount,
      currency,
      interval: interval as BillingInterval,
    }))
  })
}
