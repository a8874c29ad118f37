/** Calls around Checkout sessions. */
import { lineItems } from '../objects/session.ts'
import type { StoredSession } from '../state.ts'
import { is, list, post, within, type MakeRoutes } from './route.ts'

const PARAMS = [
  ...['mode', 'line_items', 'customer', 'customer_email', 'client_reference_id', 'metadata', 'subscription_data', 'payment_method_collection', 'customer_update'],
  ...['success_url', 'cancel_url', 'expires_at', 'allow_promotion_codes', 'automatic_tax', 'tax_id_collection', 'billing_address_collection', 'locale', 'custom_text', 'consent_collection'],
]

export const checkoutRoutes: MakeRoutes = ({ checkout, ledger: { state } }) => [
  post('/v1/checkout/sessions', PARAMS, ({ form }) => whole(checkout.open(form))),
  { method: 'GET', path: '/v1/checkout/sessions/:id', accepts: [], handle: ({ id }) => whole(checkout.session(id)) },
  post('/v1/checkout/sessions/:id/expire', [], ({ id }) => checkout.expire(id)),
  list('/v1/checkout/sessions', ['status', 'subscription', 'customer', 'customer_details', 'created', 'payment_intent'], (form) =>
    state
      .all('session')
      .filter(({ session }) => within(form['created'], session.created) && (['status', 'subscription', 'customer'] as const).every((name) => is(form, name, session[name])))
      .map(whole)
      .reverse(),
  ),
  {
    method: 'GET',
    path: '/v1/checkout/sessions/:id/line_items',
    accepts: ['limit', 'starting_after'],
    handle({ id }) {
      const { session, terms } = checkout.session(id)
      return lineItems(session, terms)
    },
  },
]

function whole({ session, terms }: StoredSession): object {
  return { ...session, line_items: lineItems(session, terms) }
}
