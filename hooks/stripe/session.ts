/**
 * Reads a Checkout session, as Stripe has it now, as a purchase or as the reason why it is none. The session's own metadata says
 * what was bought; sessions without it belong to somebody else's business on the same account. Enums of Stripe are open: what is
 * not known is held for a person.
 */
import type Stripe from 'stripe'
import type { Purchase } from '../../controller/core/purchase.ts'
import type { BillingInterval } from '../../controller/core/specs.ts'

export type SessionReading =
  | { readonly kind: 'purchase'; readonly purchase: Purchase }
  | { readonly kind: 'ignored'; readonly note: string }
  /** Not paid yet: the asynchronous success, or another look, will tell. */
  | { readonly kind: 'unpaid'; readonly note: string }
  | { readonly kind: 'held'; readonly reason: string; readonly detail: string }

export const METADATA = { plan: 'tenantry_plan', interval: 'tenantry_interval', username: 'tenantry_username', installation: 'tenantry_installation' } as const

/** What must be expanded in a session for `readSession`. */
export const SESSION_EXPANSIONS = ['line_items', 'subscription']

const CHECKOUT_ID = /^cs_[A-Za-z0-9_]+$/
const CUSTOMER_ID = /^cus_[A-Za-z0-9_]+$/
const SUBSCRIPTION_ID = /^sub_[A-Za-z0-9_]+$/
/** Access follows the subscription's status; `past_due` runs with a grace clock. */
const RUNNING_STATUSES: ReadonlySet<string> = new Set(['active', 'trialing', 'past_due'])

export function readSession(session: Stripe.Checkout.Session, installation: string): SessionReading {
  const metadata = session.metadata ?? {}
  const plan = metadata[METADATA.plan]
  if (plan === undefined) return ignored('the session is not one of Tenantry')
  const owner = metadata[METADATA.installation]
  if (owner !== undefined && owner !== installation) return ignored('the session belongs to another installation')
  if (session.status === 'expired') return ignored('the session expired')
  return readPayment(session) ?? readPurchase(session, plan, metadata[METADATA.interval], metadata[METADATA.username])
}

/** Why the session is not paid for; undefined where it is. */
function readPayment({ payment_status: payment, status, subscription }: Stripe.Checkout.Session): SessionReading | undefined {
  if (payment === 'unpaid' || status === 'open') return { kind: 'unpaid', note: 'waits for the payment' }
  if (payment !== 'paid' && payment !== 'no_payment_required') return held('payment-unknown', `payment_status is ${String(payment)}`)
  if (subscription === null || typeof subscription === 'string') return undefined
  if (subscription.status === 'incomplete') return { kind: 'unpaid', note: 'waits for the first payment of the subscription' }
  return RUNNING_STATUSES.has(subscription.status) ? undefined : held('subscription-not-running', `the subscription is ${subscription.status}`)
}

function readPurchase(session: Stripe.Checkout.Session, plan: string, interval: string | undefined, username: string | undefined): SessionReading {
  if (!CHECKOUT_ID.test(session.id)) return held('session-malformed', 'the id of the session has an unknown form')
  if (interval !== 'month' && interval !== 'year') return held('session-malformed', `${METADATA.interval} is neither month nor year`)
  const price = readPrice(session, interval)
  if (typeof price === 'string') return held('price-unclear', price)
  const customer = matching(idOf(session.customer), CUSTOMER_ID)
  const subscription = matching(idOf(session.subscription), SUBSCRIPTION_ID)
  return {
    kind: 'purchase',
    purchase: {
      checkout: session.id,
      ...(customer === undefined ? {} : { customer }),
      ...(subscription === undefined ? {} : { subscription }),
      email: session.customer_details?.email ?? session.customer_email ?? '',
      ...(username === undefined || username === '' ? {} : { username }),
      plan,
      interval,
      price,
    },
  }
}

/** The price of the one thing bought; a text where that is not clear. */
function readPrice({ line_items: items }: Stripe.Checkout.Session, interval: BillingInterval): Purchase['price'] | string {
  const [item, ...others] = items?.data ?? []
  if (item === undefined || others.length > 0 || items?.has_more === true) return `the session has ${items?.data.length ?? 0} items instead of one`
  if (item.quantity !== 1) return `the quantity is ${String(item.quantity)}`
  const { price } = item
  if (typeof price?.unit_amount !== 'number') return 'the item has no fixed price'
  const { recurring } = price
  if (recurring?.interval !== interval || recurring.interval_count !== 1) return `the price does not recur every ${interval}`
  return { amount: price.unit_amount, currency: price.currency }
}

function idOf(value: string | { readonly id: string } | null): string | undefined {
  return typeof value === 'string' ? value : value?.id
}

function matching(id: string | undefined, form: RegExp): string | undefined {
  return id !== undefined && form.test(id) ? id : undefined
}

function ignored(note: string): SessionReading {
  return { kind: 'ignored', note }
}

function held(reason: string, detail: string): SessionReading {
  return { kind: 'held', reason, detail }
}
