/** Objects of a Stripe account that a test sets as it likes, behind the few calls that the worker makes. What is set is what is true now. */
import Stripe from 'stripe'
import { METADATA } from '../../../hooks/stripe/metadata.ts'

export interface StripeAccount {
  readonly stripe: Stripe
  readonly sessions: Map<string, object>
  readonly subscriptions: Map<string, Record<string, unknown>>
  readonly charges: Map<string, object>
  readonly disputes: Map<string, object>
  /** Asked before each call: may throw. */
  onCall: (what: string) => void
  calls: string[]
}

export interface SubscriptionOptions {
  readonly plan?: string
  readonly amount?: number
  readonly quantity?: number
  readonly interval?: 'month' | 'year'
  readonly metadata?: Record<string, string>
  readonly customer?: string
  readonly [field: string]: unknown
}

const MARKED = { [METADATA.plan]: 'sq-founder', [METADATA.interval]: 'month', [METADATA.installation]: 'inst-1' }

/** A subscription in the shape of the pinned version; other fields are laid over it. */
export function subscriptionOf(id: string, { plan = 'sq-founder', amount = 1000, quantity = 1, interval = 'month', metadata = MARKED, customer = `cus_${id.slice(4)}`, ...more }: SubscriptionOptions = {}): Record<string, unknown> {
  const price = { id: `price_${plan}`, lookup_key: `${plan}_${interval}`, unit_amount: amount, currency: 'usd', metadata: {}, recurring: { interval, interval_count: 1, usage_type: 'licensed' } }
  return { id, object: 'subscription', customer, status: 'active', metadata, cancel_at: null, cancel_at_period_end: false, trial_end: null, latest_invoice: null, items: { data: [{ price, quantity, current_period_end: 1_800_000_000 }], has_more: false }, ...more }
}

/** A completed session that bought the subscription. */
export function sessionOf(id: string, subscription: Record<string, unknown>, more: Record<string, unknown> = {}): object {
  const { customer, metadata, items } = subscription as { customer: string; metadata: object; items: { data: object[] } }
  return {
    id, object: 'checkout.session', status: 'complete', payment_status: 'paid', customer, subscription,
    metadata: { ...metadata, [METADATA.username]: `buyer-${id.replace(/\W|_/g, '')}` }, customer_details: { email: `${id}@example.com` }, line_items: { data: items.data, has_more: false }, created: Math.floor(Date.now() / 1000), ...more,
  }
}

export function createStripeAccount(): StripeAccount {
  const account = { sessions: new Map<string, object>(), subscriptions: new Map<string, Record<string, unknown>>(), charges: new Map<string, object>(), disputes: new Map<string, object>(), onCall: () => undefined, calls: [] } as Omit<StripeAccount, 'stripe'>
  const retrieve = (what: string, from: ReadonlyMap<string, object>) => (id: string) => {
    account.calls.push(`${what} ${id}`)
    account.onCall(what)
    const found = from.get(id)
    return found === undefined ? Promise.reject(new Stripe.errors.StripeInvalidRequestError({ message: 'no such thing', type: 'invalid_request_error', code: 'resource_missing' })) : Promise.resolve(structuredClone(found))
  }
  interface Listing { readonly customer?: string; readonly subscription?: string; readonly limit?: number; readonly starting_after?: string }
  const list = (what: string, from: ReadonlyMap<string, object>) => ({ customer, subscription, limit = 10, starting_after: after }: Listing = {}) => {
    account.calls.push(`list ${what}`)
    account.onCall(`list ${what}`)
    const all = [...from.values()].filter((each) => (customer === undefined || (each as { customer: string }).customer === customer) && (subscription === undefined || (each as { subscription: { id: string } }).subscription.id === subscription)).reverse()
    const start = after === undefined ? 0 : all.findIndex((each) => (each as { id: string }).id === after) + 1
    return Promise.resolve({ object: 'list', data: structuredClone(all.slice(start, start + limit)), has_more: start + limit < all.length })
  }
  const stripe = {
    checkout: { sessions: { retrieve: retrieve('session', account.sessions), list: list('sessions', account.sessions) } },
    subscriptions: { retrieve: retrieve('subscription', account.subscriptions), list: list('subscriptions', account.subscriptions) },
    charges: { retrieve: retrieve('charge', account.charges) },
    disputes: { retrieve: retrieve('dispute', account.disputes) },
  } as unknown as Stripe
  return Object.assign(account, { stripe })
}
