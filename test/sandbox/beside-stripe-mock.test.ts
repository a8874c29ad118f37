/** The double beside the official stripe-mock: the same fields in every object, and no call that the real interface would not take. */
import Stripe from 'stripe'
import { describe, expect, it } from 'vitest'
import { createStripeClient, STRIPE_API_VERSION } from '../../hooks/stripe/client.ts'
import { createHttpClient } from '../../sandbox/in-process.ts'
import { refusedByStripeMock, startStripeMock, type RecordedRequest } from '../hooks/stripe/stripe-mock.ts'
import { has } from '../support/parts.ts'
import { openOffline } from './offline.ts'
import { closing, SECRET_KEY } from './shop.ts'

async function openBoth() {
  const mock = await startStripeMock()
  closing.push(() => mock.stop())
  const requests: RecordedRequest[] = []
  const shop = openOffline()
  const handle = (request: RecordedRequest) => {
    requests.push(request)
    return shop.double.handle(request)
  }
  const stripe = createStripeClient({ secretKey: SECRET_KEY, httpClient: createHttpClient(handle), networkRetries: 0 })
  return { ...shop, mock, requests, stripe, theirs: createStripeClient({ secretKey: 'sk_test_123', apiBase: mock.url }) }
}

/** One of everything, made through the interface. */
async function makeAll({ stripe, double, pass, open }: Awaited<ReturnType<typeof openBoth>>) {
  const meter = await stripe.billing.meters.create({ display_name: 'M', event_name: 'm', default_aggregation: { formula: 'sum' } })
  const product = await stripe.products.create({ id: 'p', name: 'P', metadata: { a: 'b' } })
  const metered = await stripe.prices.create({
    product: 'p', currency: 'usd', billing_scheme: 'tiered', tiers_mode: 'graduated', recurring: { interval: 'month', usage_type: 'metered', meter: meter.id },
    tiers: [{ up_to: 10, unit_amount: 0 }, { up_to: 'inf', unit_amount_decimal: Stripe.Decimal.from('0.5') }], lookup_key: 'k', transfer_lookup_key: true, nickname: 'n', metadata: { a: 'b' },
  })
  const endpoint = await stripe.webhookEndpoints.create({ url: 'https://example.com/', enabled_events: ['invoice.paid'], api_version: STRIPE_API_VERSION, description: 'd', metadata: { a: 'b' } })
  const configuration = await stripe.billingPortal.configurations.create({ features: { invoice_history: { enabled: true }, subscription_cancel: { enabled: true, mode: 'at_period_end' } }, business_profile: { headline: 'h' }, metadata: { a: 'b' } })
  const id = double.pay(await open()).subscription!
  const { customer } = double.subscription(id)
  const report = await stripe.billing.meterEvents.create({ event_name: 'm', identifier: 'i', payload: { stripe_customer_id: customer, value: '3' }, timestamp: Math.floor(double.now().getTime() / 1000) })
  const portal = await stripe.billingPortal.sessions.create({ customer, return_url: 'https://example.com/', configuration: configuration.id })
  pass(30)
  const charge = double.refund(id, 100)
  const dispute = double.dispute(id)
  return { meter, product, metered, endpoint, configuration, report, portal, charge: charge.id, dispute, id, customer }
}

describe.skipIf(!has('stripe-mock'))('beside the real stripe-mock', () => {
  it('every object has every field of Stripe’s, of the same kind where both have a value', async () => {
    const both = await openBoth()
    const { stripe, theirs, double } = both
    const made = await makeAll(both)
    const paid = await stripe.checkout.sessions.retrieve(double.account.ledger.state.all('session')[0]!.session.id, { expand: ['line_items'] })
    const mockSession = await theirs.checkout.sessions.retrieve('cs_test_1', { expand: ['line_items'] })
    const invoice = (await stripe.invoices.list({ subscription: made.id })).data[0]!
    const pairs: [string, object, object][] = [
      ['session', paid, mockSession],
      ['line item', paid.line_items!.data[0]!, mockSession.line_items!.data[0]!],
      ['subscription', await stripe.subscriptions.retrieve(made.id), await theirs.subscriptions.retrieve('sub_1')],
      ['subscription item', double.subscription(made.id).items.data[0]!, await theirs.subscriptionItems.retrieve('si_1')],
      ['customer', await stripe.customers.retrieve(made.customer), await theirs.customers.retrieve('cus_1')],
      ['payment method', (await stripe.customers.listPaymentMethods(made.customer)).data[0]!, await theirs.paymentMethods.retrieve('pm_1')],
      ['price', made.metered, await theirs.prices.retrieve('price_1')],
      ['product', made.product, await theirs.products.retrieve('prod_1')],
      ['invoice', invoice, await theirs.invoices.retrieve('in_1')],
      ['invoice line', invoice.lines.data[0]!, (await theirs.invoices.retrieve('in_1')).lines.data[0]!],
      ['invoice payment', (await stripe.invoicePayments.list({ invoice: invoice.id! })).data[0]!, (await theirs.invoicePayments.list({ limit: 1 })).data[0]!],
      ['charge', await stripe.charges.retrieve(made.charge, { expand: ['refunds'] }), await theirs.charges.retrieve('ch_1', { expand: ['refunds'] })],
      ['refund', (await stripe.refunds.list({ charge: made.charge })).data[0]!, await theirs.refunds.retrieve('re_1')],
      ['dispute', await stripe.disputes.retrieve(made.dispute), await theirs.disputes.retrieve('dp_1')],
      ['meter', made.meter, await theirs.billing.meters.retrieve('m_1')],
      ['meter event', made.report, await theirs.billing.meterEvents.create({ event_name: 'x', payload: { a: 'b' } })],
      ['endpoint', made.endpoint, await theirs.webhookEndpoints.retrieve('we_1')],
      ['portal configuration', made.configuration, await theirs.billingPortal.configurations.retrieve('bpc_1')],
      ['portal session', made.portal, await theirs.billingPortal.sessions.create({ customer: 'cus_1' })],
      ['event', (await stripe.events.list({ limit: 1 })).data[0]!, (await theirs.events.list({ limit: 1 })).data[0]!],
      ['list', await stripe.prices.list({ limit: 1 }), await theirs.prices.list({ limit: 1 })],
    ]
    expect(pairs.flatMap(([name, mine, real]) => differences(name, mine, real))).toEqual([])
  })

  it('every call that the double takes, the real interface takes', async () => {
    const both = await openBoth()
    const { stripe, mock, requests, open, double } = both
    const made = await makeAll(both)
    const price = (await stripe.prices.list({ lookup_keys: ['sq-standard_month', 'k'], active: true, limit: 10, expand: ['data.tiers'] })).data.find(({ lookup_key: key }) => key === 'sq-standard_month')!
    const item = double.subscription(made.id).items.data[0]!
    await stripe.subscriptions.update(made.id, { items: [{ id: item.id, price: price.id, quantity: 2 }], proration_behavior: 'none', metadata: { a: 'c' } })
    await stripe.subscriptions.update(made.id, { cancel_at_period_end: true })
    await stripe.subscriptions.update(made.id, { cancel_at_period_end: false, pause_collection: { behavior: 'void' } })
    await stripe.subscriptions.list({ status: 'all', limit: 100, created: { gte: 0 }, customer: made.customer, expand: ['data.customer', 'data.latest_invoice'] })
    await stripe.checkout.sessions.expire(await open())
    await stripe.webhookEndpoints.update(made.endpoint.id, { enabled_events: ['invoice.paid', 'charge.refunded'], url: 'https://example.com/2' })
    await stripe.products.update('p', { active: false, name: 'P2' })
    await stripe.prices.update(made.metered.id, { active: false, lookup_key: 'other', transfer_lookup_key: true })
    await stripe.billingPortal.configurations.update(made.configuration.id, { features: { payment_method_update: { enabled: true } } })
    await stripe.events.list({ types: ['invoice.paid'], created: { gte: 0 } })
    await stripe.refunds.create({ charge: made.charge, amount: 100 })
    await stripe.subscriptions.cancel(made.id)
    expect(await refusedByStripeMock(mock.url, requests)).toEqual([])
  })
})

function differences(name: string, mine: object, real: object): string[] {
  const own = mine as Readonly<Record<string, unknown>>
  return Object.entries(real).flatMap(([key, value]) => {
    if (!(key in own)) return [`${name} lacks ${key}`]
    const isReference = ['subscription', 'customer', 'default_price'].includes(key)
    const differs = value !== null && own[key] !== null && !isReference && kindOf(own[key]) !== kindOf(value)
    return differs ? [`${name}.${key} is ${kindOf(own[key])} instead of ${kindOf(value)}`] : []
  })
}

function kindOf(value: unknown): string {
  return Array.isArray(value) ? 'array' : typeof value
}
