/**
 * What happens in the pretended Stripe account: sessions are opened, paid, settled later, left to expire; customers and
 * subscriptions come of it, and events tell of everything. Knows nothing of HTTP.
 */
import { randomBytes } from 'node:crypto'
import type { CatalogPrice } from './double.ts'
import { formAt, listAt, textAt, type Form } from './form.ts'
import { customerDetails, customerObject, eventObject, priceObject, sessionObject, sessionTerms, subscriptionObject } from './objects.ts'
import type { Price, Session, StripeEvent } from './objects.ts'
import type { SandboxState, StoredSession } from './state.ts'

/** A refusal in the form of Stripe's errors. */
export class StripeRefusal extends Error {
  override readonly name = 'StripeRefusal'
  readonly status: number
  readonly code: string | undefined
  readonly param: string | undefined
  readonly type: 'invalid_request_error' | 'idempotency_error'

  constructor(status: number, message: string, details: { readonly code?: string; readonly param?: string; readonly type?: 'idempotency_error' } = {}) {
    super(message)
    this.status = status
    this.code = details.code
    this.param = details.param
    this.type = details.type ?? 'invalid_request_error'
  }
}

/** `later`: a bank debit, which completes the session unpaid and settles afterwards. */
export type Payment = 'card' | 'later'

export interface Account {
  prices(): readonly Price[]
  openSession(form: Form): StoredSession
  session(id: string): StoredSession
  sessions(): readonly StoredSession[]
  pay(id: string, payment: Payment): Session
  /** Ends the waiting of a session that was paid `later`. */
  settle(id: string, outcome: 'succeeded' | 'failed'): Session
  expire(id: string): Session
}

export interface AccountOptions {
  readonly state: SandboxState
  readonly catalog: () => Iterable<CatalogPrice>
  readonly now: () => Date
  readonly emit: (event: StripeEvent) => void
  /** The address of the page on which a session is paid. */
  readonly payUrl: (session: string) => string
}

const SESSION_PARAMS: ReadonlySet<string> = new Set([
  ...['mode', 'line_items', 'customer_email', 'client_reference_id', 'metadata', 'subscription_data', 'payment_method_collection'],
  ...['success_url', 'cancel_url', 'expires_at', 'expand', 'allow_promotion_codes', 'automatic_tax', 'locale'],
])
const MIN_OPEN_SECONDS = 30 * 60
const MAX_OPEN_SECONDS = 24 * 3600

export function createAccount(options: AccountOptions): Account {
  const { state, catalog, now } = options
  const seconds = () => Math.floor(now().getTime() / 1000)
  const prices = () => [...catalog()].map(priceObject)

  function emit(type: string, object: object): void {
    const event = eventObject(newId('evt'), seconds(), type, object)
    state.put('event', event.id, event)
    options.emit(event)
  }

  function update(stored: StoredSession, changes: Partial<Session>): Session {
    const session = { ...stored.session, ...changes }
    state.put('session', session.id, { ...stored, session })
    return session
  }

  /** As it stands now: an open session whose time is over has expired. */
  function session(id: string): StoredSession {
    const stored = state.get('session', id)
    if (stored === undefined) throw missing('checkout.session', id)
    if (stored.session.status !== 'open' || stored.session.expires_at > seconds()) return stored
    const expired = update(stored, { status: 'expired', url: null })
    emit('checkout.session.expired', expired)
    return { ...stored, session: expired }
  }

  function openOnly(id: string, what: string): StoredSession {
    const stored = session(id)
    const { status } = stored.session
    if (status === 'open') return stored
    throw new StripeRefusal(400, `Only Checkout Sessions with a status in ["open"] can be ${what}. This Checkout Session has a status of ${status}.`)
  }

  return {
    prices,
    session,
    sessions: () => state.all('session').map((stored) => session(stored.session.id)),
    openSession(form) {
      const terms = readSessionForm(form, prices(), seconds())
      const id = newId('cs_test')
      const opened = { ...sessionObject(id, seconds(), form, terms), url: options.payUrl(id) }
      state.put('session', id, { session: opened, terms })
      return { session: opened, terms }
    },
    pay(id, payment) {
      const stored = openOnly(id, 'paid')
      const trial = stored.terms.trialDays > 0
      const email = stored.session.customer_email ?? 'buyer@example.com'
      const customer = customerObject(newId('cus'), seconds(), email)
      const status = trial ? 'trialing' : payment === 'card' ? 'active' : 'incomplete'
      const subscription = subscriptionObject(newId('sub'), seconds(), { ...stored.terms, customer: customer.id, status })
      state.put('customer', customer.id, customer)
      state.put('subscription', subscription.id, subscription)
      emit('customer.created', customer)
      emit('customer.subscription.created', subscription)
      const paymentStatus = trial ? 'no_payment_required' : payment === 'card' ? 'paid' : 'unpaid'
      const paid = update(stored, {
        status: 'complete',
        payment_status: paymentStatus,
        customer: customer.id,
        subscription: subscription.id,
        customer_details: customerDetails(email),
        url: null,
      })
      emit('checkout.session.completed', paid)
      return paid
    },
    settle(id, outcome) {
      const stored = session(id)
      const subscription = stored.session.subscription === null ? undefined : state.get('subscription', stored.session.subscription)
      if (subscription?.status !== 'incomplete') throw new StripeRefusal(400, `The session ${id} does not wait for a payment.`)
      state.put('subscription', subscription.id, { ...subscription, status: outcome === 'succeeded' ? 'active' : 'incomplete_expired' })
      const settled = update(stored, outcome === 'succeeded' ? { payment_status: 'paid' } : {})
      emit(`checkout.session.async_payment_${outcome}`, settled)
      return settled
    },
    expire(id) {
      const expired = update(openOnly(id, 'expired'), { status: 'expired', url: null })
      emit('checkout.session.expired', expired)
      return expired
    },
  }
}

export function missing(what: string, id: string): StripeRefusal {
  return new StripeRefusal(404, `No such ${what}: '${id}'`, { code: 'resource_missing', param: 'id' })
}

function newId(prefix: string): string {
  return `${prefix}_${randomBytes(12).toString('hex')}`
}

/** Refuses what Stripe would refuse; only what Tenantry sells is known here: one item, a subscription. */
function readSessionForm(form: Form, prices: readonly Price[], nowSeconds: number) {
  const unknown = Object.keys(form).find((name) => !SESSION_PARAMS.has(name))
  if (unknown !== undefined) throw new StripeRefusal(400, `Received unknown parameter: ${unknown}`, { code: 'parameter_unknown', param: unknown })
  if (textAt(form['mode']) !== 'subscription') throw new StripeRefusal(400, 'The sandbox sells subscriptions only.', { param: 'mode' })
  const items = listAt(form['line_items']).map(formAt)
  if (items.length !== 1) throw new StripeRefusal(400, 'The sandbox sells one line item at a time.', { param: 'line_items' })
  const wanted = textAt(items[0]!['price']) ?? ''
  const price = prices.find(({ id }) => id === wanted)
  if (price === undefined) throw new StripeRefusal(400, `No such price: '${wanted}'`, { code: 'resource_missing', param: 'line_items[0][price]' })
  const expiresAt = Number(textAt(form['expires_at']) ?? nowSeconds + MAX_OPEN_SECONDS)
  if (!(expiresAt >= nowSeconds + MIN_OPEN_SECONDS && expiresAt <= nowSeconds + MAX_OPEN_SECONDS)) {
    throw new StripeRefusal(400, 'The `expires_at` timestamp must be between 30 minutes and 24 hours from Checkout Session creation.', { param: 'expires_at' })
  }
  return sessionTerms(form, price, items[0]!)
}
