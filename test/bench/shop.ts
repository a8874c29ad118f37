/** A Stripe account in the bench's own process, with the prices of the plan that benches sell. */
import { lookupKey } from '../../controller/core/purchase.ts'
import { createStripeClient } from '../../hooks/stripe/client.ts'
import { METADATA } from '../../hooks/stripe/session.ts'
import { createStripeDouble } from '../../sandbox/double.ts'

const SECRET_KEY = 'sk_test_bench_0123456789abcdef'
const WEBHOOK_SECRET = 'whsec_bench_0123456789abcdef'
const PLAN = 'sq-founder'
const INTERVAL = 'month'

export interface Shop {
  /** The settings that make the program use this account. */
  readonly settings: Readonly<Record<string, string>>
  /** Opens a Checkout session; nothing is paid yet. */
  order(username: string): Promise<string>
  /** Pays: from here on, the signed webhook is on its way. */
  pay(session: string): void
  close(): Promise<void>
}

export async function openShop(webhookUrl: () => string): Promise<Shop> {
  const price = { lookupKey: lookupKey(PLAN, INTERVAL), product: 'sq', productTitle: 'SQ Cloud Founder', amount: 1000, currency: 'usd', interval: INTERVAL } as const
  const double = await createStripeDouble({ port: 0, webhookUrl, webhookSecret: WEBHOOK_SECRET, secretKey: SECRET_KEY, now: () => new Date(), catalog: () => [price] })
  const client = createStripeClient({ secretKey: SECRET_KEY, apiBase: double.url })
  const { data } = await client.prices.list({ lookup_keys: [price.lookupKey] })
  return {
    settings: { STRIPE_SECRET_KEY: SECRET_KEY, STRIPE_WEBHOOK_SECRET: WEBHOOK_SECRET, STRIPE_API_BASE: double.url },
    async order(username) {
      const metadata = { [METADATA.plan]: PLAN, [METADATA.interval]: INTERVAL, [METADATA.username]: username }
      const { id } = await client.checkout.sessions.create({
        mode: 'subscription',
        line_items: [{ price: data[0]!.id, quantity: 1 }],
        customer_email: `${username}@example.com`,
        metadata,
        subscription_data: { metadata },
        success_url: 'http://localhost/welcome',
      })
      return id
    },
    pay: (session) => double.pay(session),
    close: double.close,
  }
}
