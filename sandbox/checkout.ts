/** Checkout sessions: opened, paid, settled later, left to expire. */
import type { Catalogue } from './catalogue.ts'
import { formAt, listAt, textAt, type Form } from './form.ts'
import type { Ledger } from './ledger.ts'
import { found, type Money } from './money.ts'
import { customerObject, type Customer } from './objects/customer.ts'
import { customerDetails, sessionObject, sessionTerms, type Session } from './objects/session.ts'
import type { Bought } from './objects/subscription.ts'
import { invalid, StripeRefusal } from './refusal.ts'
import type { StoredSession } from './state.ts'
import type { Subscriptions } from './subscriptions.ts'

/** `later`: a bank debit, which completes the session unpaid and settles afterwards. */
export type Payment = 'card' | 'later'

export interface PayOptions {
  /** What a promotion code takes off the first invoice, in percent. */
  readonly percentOff?: number
  /** A card is given although none is asked for, as for a trial. */
  readonly withCard?: boolean
}

export interface Checkout {
  open(form: Form): StoredSession
  session(id: string): StoredSession
  pay(id: string, payment: Payment, options?: PayOptions): Session
  /** Ends the waiting of a session that was paid `later`. */
  settle(id: string, outcome: 'succeeded' | 'failed'): Session
  expire(id: string): Session
}

export interface CheckoutOptions {
  readonly ledger: Ledger
  readonly money: Money
  readonly catalogue: Catalogue
  readonly subscriptions: Subscriptions
  /** The address of the page on which a session is paid. */
  readonly payUrl: (session: string) => string
  /** Called after each change of one: its due time may be another. */
  readonly changed: (session: Session) => void
}

const MIN_OPEN_SECONDS = 30 * 60
const MAX_OPEN_SECONDS = 24 * 3600

export function createCheckout(options: CheckoutOptions): Checkout {
  const { ledger, money, subscriptions } = options
  const { state, seconds } = ledger
  const session = (id: string): StoredSession => found('checkout.session', id, state.get('session', id))

  function put(stored: StoredSession): StoredSession {
    state.put('session', stored.session.id, stored)
    options.changed(stored.session)
    return stored
  }

  const update = (stored: StoredSession, changes: Partial<Session>): Session => put({ ...stored, session: { ...stored.session, ...changes } }).session

  function openOnly(id: string, what: string): StoredSession {
    const stored = session(id)
    const { status } = stored.session
    if (status === 'open') return stored
    throw new StripeRefusal(400, `Only Checkout Sessions with a status in ["open"] can be ${what}. This Checkout Session has a status of ${status}.`)
  }

  function customerFor({ customer, customer_email: email }: Session): Customer {
    const known = customer === null ? undefined : state.get('customer', customer)
    if (known !== undefined) return known
    const made = customerObject(ledger.newId('cus'), seconds(), email ?? 'buyer@example.com')
    state.put('customer', made.id, made)
    ledger.emit('customer.created', made)
    return made
  }

  return {
    session,
    open(form) {
      const id = ledger.newId('cs_test')
      const terms = sessionTerms(form, readItems(options, form))
      checkTimes(form, seconds())
      const customer = textAt(form['customer'])
      if (customer !== undefined && state.get('customer', customer) === undefined) throw new StripeRefusal(400, `No such customer: '${customer}'`, { code: 'resource_missing', param: 'customer' })
      return put({ session: { ...sessionObject(id, seconds(), form, terms), url: options.payUrl(id) }, terms })
    },
    pay(id, payment, { percentOff = 0, withCard = false } = {}) {
      const stored = openOnly(id, 'paid')
      const { session: open, terms } = stored
      const trial = terms.trialDays > 0
      const customer = customerFor(open)
      if (terms.asksForCard || withCard) money.addCard(customer.id)
      const off = Math.round((open.amount_subtotal * percentOff) / 100)
      const waits = payment === 'later' && !trial
      const { items, trialDays, withoutCard, subscriptionMetadata: metadata } = terms
      const subscription = subscriptions.create({ customer: customer.id, items, trialDays, withoutCard, metadata, waits, discount: off, automaticTax: open.automatic_tax.enabled })
      const paid = update(stored, {
        status: 'complete',
        payment_status: trial ? 'no_payment_required' : waits ? 'unpaid' : 'paid',
        amount_total: open.amount_subtotal - off,
        total_details: { ...open.total_details, amount_discount: off },
        customer: customer.id,
        subscription: subscription.id,
        invoice: subscription.latest_invoice,
        customer_details: customerDetails(customer.email ?? ''),
        url: null,
      })
      ledger.emit('checkout.session.completed', paid)
      return paid
    },
    settle(id, outcome) {
      const stored = session(id)
      const { subscription, payment_status: payment } = stored.session
      if (subscription === null || payment !== 'unpaid' || state.get('subscription', subscription)?.status !== 'incomplete') throw invalid(`The session ${id} does not wait for a payment.`)
      subscriptions.settle(subscription, outcome)
      const settled = update(stored, outcome === 'succeeded' ? { payment_status: 'paid' } : {})
      ledger.emit(`checkout.session.async_payment_${outcome}`, settled)
      return settled
    },
    expire(id) {
      const expired = update(openOnly(id, 'expired'), { status: 'expired', url: null })
      ledger.emit('checkout.session.expired', expired)
      return expired
    },
  }
}

/** Refuses what Stripe would refuse; only what Tenantry sells is known here: a subscription. */
function readItems({ catalogue }: CheckoutOptions, form: Form): Bought[] {
  if (textAt(form['mode']) !== 'subscription') throw invalid('The sandbox sells subscriptions only.', 'mode')
  const items = listAt(form['line_items']).map(formAt)
  if (items.length === 0) throw new StripeRefusal(400, 'You must pass `line_items`.', { code: 'parameter_missing', param: 'line_items' })
  return items.map((item, index) => {
    const price = catalogue.price(textAt(item['price']) ?? '', `line_items[${index}][price]`)
    if (!price.active) throw invalid(`The price specified is inactive. This field only accepts active prices.`, `line_items[${index}][price]`)
    const quantity = textAt(item['quantity'])
    if (price.recurring.usage_type === 'metered') {
      if (quantity !== undefined) throw invalid('Quantity should not be specified where usage_type is `metered`.', `line_items[${index}][quantity]`)
      return { price }
    }
    if (quantity === undefined) throw invalid('Quantity is required.', `line_items[${index}][quantity]`)
    return { price, quantity: Number(quantity) }
  })
}

function checkTimes(form: Form, nowSeconds: number): void {
  const expiresAt = Number(textAt(form['expires_at']) ?? nowSeconds + MAX_OPEN_SECONDS)
  if (expiresAt >= nowSeconds + MIN_OPEN_SECONDS && expiresAt <= nowSeconds + MAX_OPEN_SECONDS) return
  throw invalid('The `expires_at` timestamp must be between 30 minutes and 24 hours from Checkout Session creation.', 'expires_at')
}
