/** Calls around invoices, charges, refunds and disputes, and the list of events. */
import { found } from '../money.ts'
import { StripeRefusal } from '../refusal.ts'
import { formAt, get, is, list, listAt, post, textAt, within, type MakeRoutes } from './route.ts'

export const moneyRoutes: MakeRoutes = ({ ledger: { state }, money, subscriptions }) => [
  list('/v1/invoices', ['customer', 'subscription', 'status', 'created'], (form) =>
    state
      .all('invoice')
      .filter((each) => is(form, 'customer', each.customer) && is(form, 'status', each.status) && is(form, 'subscription', each.parent.subscription_details.subscription) && within(form['created'], each.created))
      .toReversed(),
  ),
  get('/v1/invoices/:id', (id) => found('invoice', id, state.get('invoice', id))),
  post('/v1/invoices/:id/pay', ['payment_method', 'off_session'], ({ id }) => {
    const invoice = found('invoice', id, state.get('invoice', id))
    const { subscription } = invoice.parent.subscription_details
    const outcome = state.get('cycle', subscription)?.invoice === id ? subscriptions.payOpenInvoice(subscription) : money.attempt(id, null)
    if (outcome === 'declined') throw new StripeRefusal(402, 'Your card was declined.', { code: 'card_declined', type: 'card_error' })
    return found('invoice', id, state.get('invoice', id))
  }),
  list('/v1/invoice_payments', ['invoice', 'payment', 'status'], (form) => {
    const intent = textAt(formAt(form['payment'])['payment_intent'])
    return state.all('invoice_payment').filter((each) => is(form, 'invoice', each.invoice) && (intent === undefined || each.payment.payment_intent === intent)).toReversed()
  }),
  list('/v1/charges', ['customer', 'payment_intent', 'created'], (form) =>
    state.all('charge').filter((each) => is(form, 'customer', each.customer) && is(form, 'payment_intent', each.payment_intent) && within(form['created'], each.created)).toReversed(),
  ),
  get('/v1/charges/:id', (id) => found('charge', id, state.get('charge', id))),
  list('/v1/refunds', ['charge', 'payment_intent', 'created'], (form) => state.all('refund').filter((each) => is(form, 'charge', each.charge) && is(form, 'payment_intent', each.payment_intent)).toReversed()),
  get('/v1/refunds/:id', (id) => found('refund', id, state.get('refund', id))),
  post('/v1/refunds', ['charge', 'payment_intent', 'amount', 'reason', 'metadata'], ({ form }) => {
    const intent = textAt(form['payment_intent'])
    const charge = textAt(form['charge']) ?? state.all('charge').find((each) => each.payment_intent === intent)?.id ?? ''
    const amount = textAt(form['amount'])
    return money.refund(charge, amount === undefined ? undefined : Number(amount))
  }),
  list('/v1/disputes', ['charge', 'payment_intent', 'created'], (form) => state.all('dispute').filter((each) => is(form, 'charge', each.charge) && within(form['created'], each.created)).toReversed()),
  get('/v1/disputes/:id', (id) => found('dispute', id, state.get('dispute', id))),
  list('/v1/events', ['type', 'types', 'created', 'delivery_success'], (form) => {
    const types = listAt(form['types'])
    return state.all('event').filter(({ type, created }) => is(form, 'type', type) && (types.length === 0 || types.includes(type)) && within(form['created'], created)).toReversed()
  }),
  get('/v1/events/:id', (id) => found('event', id, state.get('event', id))),
]
