/**
 * Reads a Checkout session, as Stripe has it now, as a purchase or as the reason why it is none. The session's own metadata says
 * what was bought; sessions without it belong to somebody else's business on the same account. Enums of Stripe are open: what is
 * not known is held for a person.
 */
import type Stripe from 'stripe'
import type { Purchase } from '../../controller/core/purchase.ts'
import type { TenantId } from '../../controller/core/specs.ts'
import { METADATA, ownerOf } from './metadata.ts'
import { customerIdOf, readItem, readSubscription, subscriptionIdOf } from './subscription.ts'

export { METADATA } from './metadata.ts'

export type SessionReading =
  | { readonly kind: 'purchase'; readonly purchase: Purchase }
  | { readonly kind: 'ignored'; readonly note: string }
  /** Not paid yet: the asynchronous success, or another look, will tell. */
  | { readonly kind: 'unpaid'; readonly note: string }
  | { readonly kind: 'never-paid' }
  | { readonly kind: 'expired' }
  | { readonly kind: 'held'; readonly reason: string; readonly detail: string }

/** What must be expanded in a session for `readSession`. */
export const SESSION_EXPANSIONS = ['line_items', 'subscription']

const CHECKOUT_ID = /^cs_[A-Za-z0-9_]+$/
const TENANT_ID = /^[a-z][a-z0-9-]{0,62}$/
/** Access follows the subscription's status; `past_due` runs with a grace clock. */
const RUNNING_STATUSES: ReadonlySet<string> = new Set(['active', 'trialing', 'past_due'])

export function readSession(session: Stripe.Checkout.Session, installation: string): SessionReading {
  const metadata = session.metadata ?? {}
  const owner = ownerOf(metadata, installation)
  if (owner === 'nobody') return ignored('the session is not one of Tenantry')
  if (owner === 'other') return ignored('the session belongs to another installation')
  if (session.status === 'expired') return { kind: 'expired' }
  return readPayment(session) ?? readPurchase(session, metadata)
}

/** Why the session is not paid for; undefined where it is. */
function readPayment({ payment_status: payment, status, subscription }: Stripe.Checkout.Session): SessionReading | undefined {
  const isLost = typeof subscription === 'object' && subscription?.status === 'incomplete_expired'
  if (payment === 'unpaid' && isLost) return { kind: 'never-paid' }
  if (payment === 'unpaid' || status === 'open') return { kind: 'unpaid', note: 'waits for the payment' }
  if (payment !== 'paid' && payment !== 'no_payment_required') return held('payment-unknown', `payment_status is ${String(payment)}`)
  if (subscription === null || typeof subscription === 'string') return undefined
  if (subscription.status === 'incomplete') return { kind: 'unpaid', note: 'waits for the first payment of the subscription' }
  return RUNNING_STATUSES.has(subscription.status) ? undefined : held('subscription-not-running', `the subscription is ${subscription.status}`)
}

function readPurchase(session: Stripe.Checkout.Session, metadata: Stripe.Metadata): SessionReading {
  if (!CHECKOUT_ID.test(session.id)) return held('session-malformed', 'the id of the session has an unknown form')
  const interval = metadata[METADATA.interval]
  if (interval !== 'month' && interval !== 'year') return held('session-malformed', `${METADATA.interval} is neither month nor year`)
  const item = readItem(session.line_items?.data ?? [], session.line_items?.has_more)
  if ('fault' in item) return held('price-unclear', item.fault)
  if (item.interval !== interval) return held('price-unclear', `the price does not recur every ${interval}`)
  const customer = customerIdOf(session.customer)
  const subscription = subscriptionIdOf(session.subscription)
  const username = metadata[METADATA.username]
  const tenant = metadata[METADATA.tenant]
  if (tenant !== undefined && !TENANT_ID.test(tenant)) return held('session-malformed', `${METADATA.tenant} is no id of a tenant`)
  return {
    kind: 'purchase',
    purchase: {
      checkout: session.id,
      ...(customer === undefined ? {} : { customer }),
      ...(subscription === undefined ? {} : { subscription }),
      ...(typeof session.subscription === 'object' && session.subscription !== null && { standing: readSubscription(session.subscription) }),
      email: session.customer_details?.email ?? session.customer_email ?? '',
      ...(username === undefined || username === '' ? {} : { username }),
      plan: metadata[METADATA.plan]!,
      interval,
      price: item.price,
      ...(item.quantity === 1 ? {} : { quantity: item.quantity }),
      ...(tenant === undefined ? {} : { tenant: tenant as TenantId }),
    },
  }
}

function ignored(note: string): SessionReading {
  return { kind: 'ignored', note }
}

function held(reason: string, detail: string): SessionReading {
  return { kind: 'held', reason, detail }
}
