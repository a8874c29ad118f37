/** Calls around customers, their cards, and the billing portal. */
import { found } from '../money.ts'
import { customerObject } from '../objects/customer.ts'
import { flag, formAt, given, is, list, get, mergeMetadata, post, textAt, textsAt, within, type MakeRoutes } from './route.ts'
import type { Customer } from '../objects/customer.ts'
import { formerly } from '../ledger.ts'
import { deepForm } from './deep-form.ts'

export const customerRoutes: MakeRoutes = (account) => {
  const { ledger, portal } = account
  const { state } = ledger
  const customer = (id: string): Customer => found('customer', id, state.get('customer', id))
  return [
    list('/v1/customers', ['email', 'created'], (form) => state.all('customer').filter((each) => is(form, 'email', each.email) && within(form['created'], each.created)).toReversed()),
    get('/v1/customers/:id', customer),
    post('/v1/customers', ['email', 'metadata', 'name'], ({ form }) => {
      const made = customerObject(ledger.newId('cus'), ledger.seconds(), textAt(form['email']) ?? null, textsAt(form['metadata']))
      state.put('customer', made.id, made)
      ledger.emit('customer.created', made)
      return made
    }),
    post('/v1/customers/:id', ['email', 'metadata', 'name'], ({ id, form }) => {
      const before = customer(id)
      const metadata = form['metadata'] === undefined ? undefined : mergeMetadata(before.metadata, form['metadata'])
      const changes = given<Pick<Customer, 'email' | 'name' | 'metadata'>>({ email: textAt(form['email']), name: textAt(form['name']), metadata })
      const after = { ...before, ...changes }
      state.put('customer', id, after)
      ledger.emit('customer.updated', after, formerly(before, changes))
      return after
    }),
    get('/v1/payment_methods/:id', (id) => found('payment method', id, state.get('payment_method', id))),
    { ...list('/v1/customers/:id/payment_methods', ['type'], () => []), handle: ({ id }) => state.all('payment_method').filter((method) => method.customer === customer(id).id).toReversed() },
    post('/v1/billing_portal/sessions', ['customer', 'return_url', 'configuration', 'locale', 'flow_data'], ({ form }) => {
      const configuration = textAt(form['configuration'])
      return portal.open({ customer: textAt(form['customer']) ?? '', returnUrl: textAt(form['return_url']) ?? null, ...(configuration !== undefined && { configuration }) })
    }),
    list('/v1/billing_portal/configurations', ['active', 'is_default'], (form) =>
      state.all('portal_configuration').filter((each) => is(form, 'active', String(each.active)) && is(form, 'is_default', String(each.is_default))).toReversed(),
    ),
    get('/v1/billing_portal/configurations/:id', portal.configuration),
    post('/v1/billing_portal/configurations', ['features', 'business_profile', 'default_return_url', 'metadata', 'name'], ({ form }) =>
      portal.createConfiguration({
        features: deepForm(form['features']) as object,
        businessProfile: deepForm(formAt(form['business_profile'])) as object,
        defaultReturnUrl: textAt(form['default_return_url']) ?? null,
        metadata: textsAt(form['metadata']),
      }),
    ),
    post('/v1/billing_portal/configurations/:id', ['features', 'business_profile', 'default_return_url', 'metadata', 'active', 'name'], ({ id, form }) => {
      const before = portal.configuration(id)
      const features = form['features'] === undefined ? undefined : (deepForm(form['features']) as Record<string, unknown>)
      const metadata = form['metadata'] === undefined ? undefined : mergeMetadata(before.metadata, form['metadata'])
      const profile = form['business_profile'] === undefined ? undefined : { ...before.business_profile, ...(deepForm(form['business_profile']) as object) }
      return portal.updateConfiguration(id, given({ features, metadata, business_profile: profile, active: flag(form['active']), default_return_url: textAt(form['default_return_url']) as never }))
    }),
  ]
}
