/** What moves money in the pretended account: invoices, attempts to pay them by the customer's card, refunds and disputes. */
import type { Ledger } from './ledger.ts'
import { chargeObject, disputeObject, refundObject, type Charge, type Dispute, type Refund } from './objects/charge.ts'
import { paymentMethodObject, type Customer } from './objects/customer.ts'
import { invoiceObject, invoicePaymentObject, type Invoice, type InvoiceTerms } from './objects/invoice.ts'
import { listObject } from './objects/list.ts'
import { invalid, missing } from './refusal.ts'

export interface Money {
  hasCard(customer: string): boolean
  /** A card that pays, the customer's own from now on. */
  addCard(customer: string): void
  /** The card is declined from now on. */
  failCard(customer: string): void
  /** An open invoice; nothing is paid yet. */
  invoice(terms: Omit<InvoiceTerms, 'customer'>): Invoice
  /** Tries the card; tells of it. `next`: when it is tried again if it is declined. */
  attempt(invoice: string, next: number | null): 'paid' | 'declined'
  /** Without an attempt: what is not to be collected. */
  setAside(invoice: string, status: 'draft' | 'void' | 'uncollectible'): void
  /** Part of what is left of a charge, or all of it. */
  refund(charge: string, amount?: number): Refund
  dispute(charge: string, reason?: string): Dispute
  closeDispute(id: string, outcome: 'won' | 'lost'): Dispute
}

export function createMoney(ledger: Ledger): Money {
  const { state } = ledger
  const customerOf = (id: string): Customer => found('customer', id, state.get('customer', id))
  const invoiceOf = (id: string): Invoice => found('invoice', id, state.get('invoice', id))
  const chargeOf = (id: string): Charge => found('charge', id, state.get('charge', id))

  function revise(invoice: Invoice, changes: Partial<Invoice>): Invoice {
    const revised = { ...invoice, ...changes }
    state.put('invoice', invoice.id, revised)
    return revised
  }

  function charge(invoice: Invoice): void {
    const customer = customerOf(invoice.customer)
    const paymentIntent = ledger.newId('pi')
    const terms = { amount: invoice.amount_due, currency: invoice.currency, customer: customer.id, email: customer.email, paymentIntent, paymentMethod: customer.invoice_settings.default_payment_method }
    const made = chargeObject(ledger.newId('ch'), ledger.seconds(), terms)
    state.put('charge', made.id, made)
    const payment = invoicePaymentObject(ledger.newId('inpay'), ledger.seconds(), invoice, paymentIntent)
    state.put('invoice_payment', payment.id, payment)
    ledger.emit('charge.succeeded', made)
  }

  return {
    hasCard: (customer) => state.get('card', customer) !== undefined,
    addCard: (customer) => addCard(ledger, customerOf(customer)),
    failCard: (customer) => state.put('card', customerOf(customer).id, { declines: true }),
    invoice(terms) {
      const made = invoiceObject(ledger.newId('in'), ledger.seconds(), { ...terms, customer: customerOf(terms.subscription.customer) })
      state.put('invoice', made.id, made)
      return made
    },
    attempt(id, next) {
      const invoice = invoiceOf(id)
      if (invoice.status === 'paid') throw invalid('Invoice is already paid')
      const tried = { attempted: true, attempt_count: invoice.attempt_count + 1 }
      const card = state.get('card', invoice.customer)
      if (invoice.amount_due > 0 && (card === undefined || card.declines)) {
        ledger.emit('invoice.payment_failed', revise(invoice, { ...tried, status: 'open', next_payment_attempt: next }))
        return 'declined'
      }
      if (invoice.amount_due > 0) charge(invoice)
      const transitions = { ...invoice.status_transitions, paid_at: ledger.seconds() }
      ledger.emit('invoice.paid', revise(invoice, { ...tried, status: 'paid', amount_paid: invoice.amount_due, amount_remaining: 0, next_payment_attempt: null, status_transitions: transitions }))
      return 'paid'
    },
    setAside: (id, status) => void revise(invoiceOf(id), { status }),
    refund: (id, amount) => refund(ledger, chargeOf(id), amount),
    dispute(id, reason = 'fraudulent') {
      const made = disputeObject(ledger.newId('du'), ledger.seconds(), chargeOf(id), reason)
      state.put('dispute', made.id, made)
      state.put('charge', id, { ...chargeOf(id), disputed: true })
      ledger.emit('charge.dispute.created', made)
      return made
    },
    closeDispute(id, outcome) {
      const closed = { ...found('dispute', id, state.get('dispute', id)), status: outcome }
      state.put('dispute', id, closed)
      ledger.emit('charge.dispute.closed', closed)
      return closed
    },
  }
}

function addCard(ledger: Ledger, customer: Customer): void {
  const method = paymentMethodObject(ledger.newId('pm'), ledger.seconds(), customer.id)
  ledger.state.put('payment_method', method.id, method)
  ledger.state.put('card', customer.id, { declines: false })
  const revised = { ...customer, invoice_settings: { ...customer.invoice_settings, default_payment_method: method.id } }
  ledger.state.put('customer', customer.id, revised)
  ledger.emit('payment_method.attached', method)
  ledger.emit('customer.updated', revised, { invoice_settings: customer.invoice_settings })
}

/** The charge carries the sum of all its refunds. */
function refund(ledger: Ledger, charge: Charge, wanted: number | undefined): Refund {
  const left = charge.amount - charge.amount_refunded
  const amount = wanted ?? left
  if (!(amount > 0 && amount <= left)) throw invalid(`Refund amount (${amount}) is greater than unrefunded amount on charge (${left})`, 'amount')
  const made = refundObject(ledger.newId('re'), ledger.seconds(), charge, amount)
  const refunded = charge.amount_refunded + amount
  const revised = { ...charge, amount_refunded: refunded, refunded: refunded === charge.amount, refunds: listObject([made, ...charge.refunds.data], charge.refunds.url) }
  ledger.state.put('refund', made.id, made)
  ledger.state.put('charge', charge.id, revised)
  ledger.emit('refund.created', made)
  ledger.emit('charge.refunded', revised, { amount_refunded: charge.amount_refunded, refunded: charge.refunded })
  return made
}

export function found<T>(what: string, id: string, value: T | undefined): T {
  if (value === undefined) throw missing(what, id)
  return value
}
