/** A Stripe double with the prices of two plans, closed after the test. */
import { afterEach } from 'vitest'
import { lookupKey } from '../../controller/core/purchase.ts'
import type { BillingInterval, Plan } from '../../controller/core/specs.ts'
import { createStripeDouble, type CatalogPrice, type StripeDouble, type StripeDoubleOptions } from '../../sandbox/double.ts'

export const SECRET_KEY = 'sk_test_sandbox'
export const WEBHOOK_SECRET = 'whsec_sandbox'

export const closing: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

export function pricesOf(plans: readonly Plan[]): CatalogPrice[] {
  return plans.flatMap(({ metadata, spec }) =>
    Object.entries(spec.prices).map(([interval, price]) => ({
      lookupKey: lookupKey(metadata.name, interval as BillingInterval),
      product: metadata.name,
      productTitle: spec.title,
      amount: price.amount,
      currency: price.currency,
      interval: interval as BillingInterval,
    })),
  )
}

export async function openDouble(plans: readonly Plan[], options: Partial<StripeDoubleOptions> = {}): Promise<StripeDouble> {
  const double = await createStripeDouble({
    port: 0,
    webhookUrl: () => 'http://127.0.0.1:9/nowhere',
    webhookSecret: WEBHOOK_SECRET,
    secretKey: SECRET_KEY,
    now: () => new Date(),
    catalog: () => pricesOf(plans),
    ...options,
  })
  closing.push(() => double.close())
  return double
}
