/** A double without sockets at a clock of its own, and the `stripe` package calling it. */
import type Stripe from 'stripe'
import { createStripeClient } from '../../hooks/stripe/client.ts'
import { createOfflineDouble, type OfflineDouble, type OfflineDoubleOptions } from '../../sandbox/offline-double.ts'
import type { StripeEvent } from '../../sandbox/objects/list.ts'
import { FOUNDER, STANDARD } from '../hooks/stripe/repository-double.ts'
import { pricesOf, SECRET_KEY } from './shop.ts'

export const START = new Date('2026-01-31T12:00:00Z')
const DAY_MS = 86_400_000

export interface OfflineShop {
  readonly double: OfflineDouble
  readonly stripe: Stripe
  /** Types of the events since the last call. */
  news(): string[]
  /** So many days on. */
  pass(days: number): void
  open(params?: Partial<Stripe.Checkout.SessionCreateParams> & { readonly key?: string }): Promise<string>
  /** The subscription's id. */
  buy(params?: Partial<Stripe.Checkout.SessionCreateParams> & { readonly key?: string }): Promise<string>
}

export function openOffline(options: Partial<OfflineDoubleOptions> = {}): OfflineShop {
  const events: StripeEvent[] = []
  const double = createOfflineDouble({ secretKey: SECRET_KEY, now: () => START, catalog: () => pricesOf([FOUNDER, STANDARD]), seed: 'a', onEvent: (event) => events.push(event), ...options })
  const stripe = createStripeClient({ secretKey: SECRET_KEY, httpClient: double.httpClient, networkRetries: 0 })
  const open: OfflineShop['open'] = async ({ key = 'sq-founder_month', ...params } = {}) => {
    const [price] = (await stripe.prices.list({ lookup_keys: [key], active: true })).data
    return (await stripe.checkout.sessions.create({ mode: 'subscription', line_items: [{ price: price!.id, quantity: 1 }], customer_email: 'ada@example.com', success_url: 'http://localhost/', ...params })).id
  }
  return {
    double,
    stripe,
    open,
    news: () => events.splice(0).map(({ type }) => type),
    pass: (days) => double.advance(new Date(double.now().getTime() + days * DAY_MS)),
    buy: async (params) => double.pay(await open(params)).subscription!,
  }
}

export const TRIAL = {
  subscription_data: { trial_period_days: 14, trial_settings: { end_behavior: { missing_payment_method: 'pause' } } },
  payment_method_collection: 'if_required',
} as const
