/**
 * A verified webhook body as a typed value: the ids that Tenantry acts on, and nothing else, since everything but an id may be old
 * news by the time it is read. They are found in the shapes of every API version, whichever the endpoint was made with.
 */

export interface StripeEventHead {
  readonly id: string
  readonly type: string
  /** The id of the object to look at: for an invoice, its subscription. Null where there is none. */
  readonly object: string | null
}

/** What an event makes Tenantry look at. */
export type EventWork = 'session' | 'subscription' | 'charge' | 'dispute'

const WORK: Readonly<Record<string, EventWork>> = {
  'checkout.session.completed': 'session',
  'checkout.session.async_payment_succeeded': 'session',
  'checkout.session.async_payment_failed': 'session',
  'checkout.session.expired': 'session',
  'invoice.paid': 'subscription',
  'invoice.payment_failed': 'subscription',
  'charge.refunded': 'charge',
}

/** Every event of these kinds, also those that Stripe adds later. */
const WORK_BY_BEGINNING: readonly (readonly [string, EventWork])[] = [
  ['customer.subscription.', 'subscription'],
  ['charge.dispute.', 'dispute'],
]

/** Undefined where nothing is done with events of the type. */
export function workOf(type: string): EventWork | undefined {
  return Object.hasOwn(WORK, type) ? WORK[type] : WORK_BY_BEGINNING.find(([beginning]) => type.startsWith(beginning))?.[1]
}

/** What Tenantry asks Stripe to send: the webhook endpoint is made with exactly these. */
export const HANDLED_EVENTS: readonly string[] = [
  ...Object.keys(WORK),
  ...['customer.subscription.created', 'customer.subscription.updated', 'customer.subscription.deleted', 'customer.subscription.paused', 'customer.subscription.resumed', 'customer.subscription.trial_will_end'],
  ...['charge.dispute.created', 'charge.dispute.closed'],
]

const EVENT_ID = /^evt_[A-Za-z0-9_]{1,250}$/
const OBJECT_ID = /^[A-Za-z0-9_]{1,255}$/
const TYPE = /^[a-z0-9_.[\]-]{1,200}$/

/** @throws SyntaxError where the text is no JSON. Undefined where it is no event. */
export function parseEvent(body: string): StripeEventHead | undefined {
  const event: unknown = JSON.parse(body)
  if (!isRecord(event)) return undefined
  const { id, type } = event
  if (typeof id !== 'string' || !EVENT_ID.test(id) || typeof type !== 'string' || !TYPE.test(type)) return undefined
  const data = isRecord(event['data']) ? event['data'] : {}
  const object = isRecord(data['object']) ? data['object'] : {}
  return { id, type, object: type.startsWith('invoice.') ? subscriptionOf(object) : idOf(object) }
}

/** It moved from `invoice.subscription` to `invoice.parent.subscription_details.subscription`. */
function subscriptionOf(invoice: Readonly<Record<string, unknown>>): string | null {
  const parent = isRecord(invoice['parent']) ? invoice['parent'] : {}
  const details = isRecord(parent['subscription_details']) ? parent['subscription_details'] : {}
  return idOf(details['subscription']) ?? idOf(invoice['subscription'])
}

/** Of an id, or of an object that has one. */
function idOf(value: unknown): string | null {
  const id = isRecord(value) ? value['id'] : value
  return typeof id === 'string' && OBJECT_ID.test(id) ? id : null
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
