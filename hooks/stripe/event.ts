/** A verified webhook body as a typed value: the few fields that Tenantry reads, which are alike in every API version. */

export interface StripeEventHead {
  readonly id: string
  readonly type: string
  /** The id of the object that the event is about; null where it has none. */
  readonly object: string | null
}

/** What the purchase worker acts on; everything else is noted and left alone. */
export const PURCHASE_EVENTS: ReadonlySet<string> = new Set(['checkout.session.completed', 'checkout.session.async_payment_succeeded'])

/** What Tenantry asks Stripe to send: the webhook endpoint is made with exactly these. */
export const HANDLED_EVENTS: readonly string[] = [
  ...PURCHASE_EVENTS,
  ...['checkout.session.async_payment_failed', 'checkout.session.expired'],
  ...['customer.subscription.created', 'customer.subscription.updated', 'customer.subscription.deleted', 'customer.subscription.paused', 'customer.subscription.resumed', 'customer.subscription.trial_will_end'],
  ...['invoice.paid', 'invoice.payment_failed', 'charge.refunded', 'charge.dispute.created'],
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
  return { id, type, object: objectId(event) }
}

function objectId(event: Readonly<Record<string, unknown>>): string | null {
  const data = event['data']
  const object = isRecord(data) ? data['object'] : undefined
  const id = isRecord(object) ? object['id'] : undefined
  return typeof id === 'string' && OBJECT_ID.test(id) ? id : null
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
