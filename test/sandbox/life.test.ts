/** What becomes of a subscription as time passes and people do things, told by the events and shapes that Stripe has for it. */
import Stripe from 'stripe'
import { describe, expect, it } from 'vitest'
import { OLDER_VERSION } from '../../sandbox/versions.ts'
import { openOffline, START, TRIAL } from './offline.ts'
import { WEBHOOK_SECRET } from './shop.ts'

const day = (seconds: number) => new Date(seconds * 1000).toISOString().slice(0, 10)

describe('a paid subscription', () => {
  it('renews on the same day of each month, or its last, with a paid invoice and a charge', async () => {
    const { stripe, buy, pass, news } = openOffline()
    const id = await buy()
    news()
    const ends: string[] = []
    for (let n = 0; n < 4; n++) {
      ends.push(day((await stripe.subscriptions.retrieve(id)).items.data[0]!.current_period_end))
      pass(31)
    }
    expect(ends).toEqual(['2026-02-28', '2026-03-31', '2026-04-30', '2026-05-31'])
    expect(news()).toEqual(Array.from({ length: 4 }, () => ['customer.subscription.updated', 'charge.succeeded', 'invoice.paid']).flat())
    const { data } = await stripe.invoices.list({ subscription: id })
    expect(data.map(({ billing_reason: reason, amount_paid: paid }) => [reason, paid])).toEqual([...Array.from({ length: 4 }, () => ['subscription_cycle', 1000]), ['subscription_create', 1000]])
  })

  it('whose card fails is past due, tried again, and active again when the card pays', async () => {
    const { double, stripe, buy, pass, news } = openOffline()
    const id = await buy()
    double.failCard(double.subscription(id).customer)
    pass(28)
    expect(double.subscription(id).status).toBe('past_due')
    const [invoice] = (await stripe.invoices.list({ subscription: id })).data
    expect([invoice!.status, day(invoice!.next_payment_attempt!)]).toEqual(['open', '2026-03-03'])
    expect(news()).toContain('invoice.payment_failed')
    double.fixCard(double.subscription(id).customer)
    expect(double.subscription(id).status).toBe('past_due')
    pass(3)
    expect([double.subscription(id).status, (await stripe.invoices.retrieve(invoice!.id!)).status]).toEqual(['active', 'paid'])
  })

  it.each([
    ['canceled', 'customer.subscription.deleted'],
    ['unpaid', 'customer.subscription.updated'],
  ] as const)('whose card goes on failing is %s after the last retry', async (then, event) => {
    const { double, buy, pass, news } = openOffline({ retries: { afterDays: [3, 5, 7], then } })
    const id = await buy()
    double.failCard(double.subscription(id).customer)
    pass(28 + 14)
    expect(double.subscription(id).status).toBe('past_due')
    news()
    pass(1)
    expect([double.subscription(id).status, news()]).toEqual([then, ['invoice.payment_failed', event]])
  })

  it('can be paid by hand when it is unpaid', async () => {
    const { double, stripe, buy, pass } = openOffline({ retries: { afterDays: [], then: 'unpaid' } })
    const id = await buy()
    const { customer } = double.subscription(id)
    double.failCard(customer)
    pass(30)
    expect(double.subscription(id).status).toBe('unpaid')
    const [invoice] = (await stripe.invoices.list({ subscription: id, status: 'open' })).data
    await expect(stripe.invoices.pay(invoice!.id!)).rejects.toMatchObject({ code: 'card_declined' })
    double.fixCard(customer)
    await stripe.invoices.pay(invoice!.id!)
    expect(double.subscription(id).status).toBe('active')
  })

  it('that collects nothing for a while stays active', async () => {
    const { double, stripe, buy, pass } = openOffline()
    const id = await buy()
    double.failCard(double.subscription(id).customer)
    await stripe.subscriptions.update(id, { pause_collection: { behavior: 'void' } })
    pass(60)
    const { status, pause_collection: pause } = await stripe.subscriptions.retrieve(id)
    expect([status, pause?.behavior]).toEqual(['active', 'void'])
    await stripe.subscriptions.update(id, { pause_collection: '' })
    pass(30)
    expect(double.subscription(id).status).toBe('past_due')
  })
})

describe('a trial without a card', () => {
  it('warns three days before, pauses at its end, and goes on when it is resumed with a card', async () => {
    const { double, stripe, buy, pass, news } = openOffline()
    const id = await buy(TRIAL)
    expect([double.subscription(id).status, day(double.subscription(id).trial_end!)]).toEqual(['trialing', '2026-02-14'])
    expect(news()).toEqual(['customer.created', 'customer.subscription.created', 'invoice.paid', 'checkout.session.completed'])
    pass(11)
    expect(news()).toEqual(['customer.subscription.trial_will_end'])
    pass(3)
    expect([double.subscription(id).status, news()]).toEqual(['paused', ['customer.subscription.paused']])
    double.fixCard(double.subscription(id).customer)
    expect(double.subscription(id).status).toBe('paused')
    await stripe.subscriptions.resume(id)
    expect(double.subscription(id).status).toBe('active')
    expect(news()).toEqual(['payment_method.attached', 'customer.updated', 'customer.subscription.resumed', 'charge.succeeded', 'invoice.paid'])
  })

  it('becomes a paid subscription where a card was added in time, and past due where that card fails', async () => {
    const { double, buy, pass } = openOffline()
    const paying = await buy(TRIAL)
    const failing = await buy(TRIAL)
    for (const id of [paying, failing]) double.fixCard(double.subscription(id).customer)
    double.failCard(double.subscription(failing).customer)
    pass(14)
    expect([double.subscription(paying).status, double.subscription(failing).status]).toEqual(['active', 'past_due'])
  })
})

describe('ending', () => {
  it('at the end of the period is undone before, and done at its time', async () => {
    const { double, stripe, buy, pass, news } = openOffline()
    const id = await buy()
    await stripe.subscriptions.update(id, { cancel_at_period_end: true })
    expect([double.subscription(id).cancel_at_period_end, day(double.subscription(id).cancel_at!)]).toEqual([true, '2026-02-28'])
    await stripe.subscriptions.update(id, { cancel_at_period_end: false })
    expect(double.subscription(id).cancel_at).toBeNull()
    pass(30)
    expect(double.subscription(id).status).toBe('active')
    double.cancel(id, new Date('2026-03-10T00:00:00Z'))
    news()
    pass(20)
    expect([double.subscription(id).status, day(double.subscription(id).ended_at!), news()]).toEqual(['canceled', '2026-03-10', ['customer.subscription.deleted']])
    await expect(stripe.subscriptions.update(id, { cancel_at_period_end: true })).rejects.toThrow('canceled')
  })

  it('now hides it from lists that do not ask for it', async () => {
    const { stripe, buy } = openOffline()
    const [kept, gone] = [await buy(), await buy()]
    await stripe.subscriptions.cancel(gone)
    const ids = async (params: Stripe.SubscriptionListParams) => (await stripe.subscriptions.list(params)).data.map(({ id }) => id)
    expect([await ids({}), await ids({ status: 'all' }), await ids({ status: 'canceled' })]).toEqual([[kept], [gone, kept], [gone]])
  })
})

describe('changing', () => {
  it('the plan swaps the price of the item, and the difference is on the next invoice', async () => {
    const { double, stripe, buy, pass } = openOffline()
    const id = await buy()
    pass(14)
    double.changePlan(id, 'sq-standard_month')
    const [item] = double.subscription(id).items.data
    expect([item!.price.lookup_key, day(item!.current_period_end)]).toEqual(['sq-standard_month', '2026-02-28'])
    pass(14)
    const [invoice] = (await stripe.invoices.list({ subscription: id })).data
    expect([invoice!.total, invoice!.lines.data.map(({ amount }) => amount)]).toEqual([1750, [1500, 250]])
  })

  it('the interval begins a new period', async () => {
    const { double, stripe, buy, pass } = openOffline()
    const id = await buy()
    pass(10)
    const year = (await stripe.prices.list({ lookup_keys: ['sq-founder_year'] })).data[0]!
    await stripe.subscriptions.update(id, { items: [{ id: double.subscription(id).items.data[0]!.id, price: year.id, quantity: 3 }] })
    const [item] = double.subscription(id).items.data
    expect([item!.quantity, day(item!.current_period_end)]).toEqual([3, '2027-02-10'])
    expect((await stripe.invoices.list({ subscription: id })).data[0]!.amount_paid).toBe(30000)
  })
})

describe('money that goes back', () => {
  it('is summed on the charge, leads to its subscription, and ends nothing', async () => {
    const { double, stripe, buy, news } = openOffline()
    const id = await buy()
    news()
    expect(double.refund(id, 300)).toMatchObject({ amount_refunded: 300, refunded: false })
    const charge = double.refund(id)
    expect(charge).toMatchObject({ amount_refunded: 1000, refunded: true })
    expect(news()).toEqual(['refund.created', 'charge.refunded', 'refund.created', 'charge.refunded'])
    expect(() => double.refund(id)).toThrow('greater than unrefunded')
    double.dispute(id)
    expect((await stripe.charges.retrieve(charge.id)).disputed).toBe(true)
    const [payment] = (await stripe.invoicePayments.list({ payment: { type: 'payment_intent', payment_intent: charge.payment_intent } })).data
    const invoice = await stripe.invoices.retrieve(payment!.invoice as string)
    expect([invoice.parent?.subscription_details?.subscription, double.subscription(id).status]).toEqual([id, 'active'])
  })
})

describe('use', () => {
  it('is billed by tiers at the next renewal, each report once', async () => {
    const { double, stripe, pass } = openOffline({ catalog: 'none' })
    const meter = await stripe.billing.meters.create({ display_name: 'Requests', event_name: 'requests', default_aggregation: { formula: 'sum' } })
    const product = await stripe.products.create({ id: 'p', name: 'P' })
    const flat = await stripe.prices.create({ product: product.id, currency: 'usd', unit_amount: 500, recurring: { interval: 'month' } })
    const used = await stripe.prices.create({
      product: product.id, currency: 'usd', billing_scheme: 'tiered', tiers_mode: 'graduated', recurring: { interval: 'month', usage_type: 'metered', meter: meter.id },
      tiers: [{ up_to: 1000, unit_amount: 0 }, { up_to: 'inf', unit_amount_decimal: Stripe.Decimal.from('0.1') }],
    })
    const session = await stripe.checkout.sessions.create({ mode: 'subscription', line_items: [{ price: flat.id, quantity: 1 }, { price: used.id }], success_url: 'http://localhost/' })
    const { customer, subscription } = double.pay(session.id)
    const report = (identifier: string, value: number) => stripe.billing.meterEvents.create({ event_name: 'requests', identifier, payload: { stripe_customer_id: customer!, value: String(value) } })
    await report('a', 900)
    await report('b', 600)
    await expect(report('a', 900)).rejects.toThrow('identifier a')
    pass(30)
    expect((await stripe.invoices.list({ subscription: subscription! })).data[0]!.lines.data.map(({ amount }) => amount)).toEqual([500, 50])
  })
})

describe('an event', () => {
  it('is rendered in the shapes of the version that an endpoint was made with', async () => {
    const { double, buy } = openOffline()
    const id = await buy()
    const bodyOf = (type: string, apiVersion: string) => {
      const event = double.events().find((each) => each.type === type)!
      const { body, headers } = double.sign(event, { url: 'http://localhost/', secret: WEBHOOK_SECRET, enabledEvents: ['*'], apiVersion })
      new Stripe('sk_test').webhooks.constructEvent(body, headers['stripe-signature']!, WEBHOOK_SECRET, undefined, undefined, START.getTime())
      return (JSON.parse(body) as { data: { object: Record<string, unknown> } }).data.object
    }
    const created = 'customer.subscription.created'
    expect(bodyOf(created, '2026-10-28.endive')).not.toHaveProperty('current_period_end')
    expect(bodyOf(created, OLDER_VERSION)['current_period_end']).toBe(double.subscription(id).items.data[0]!.current_period_end)
    expect(bodyOf('invoice.paid', '2026-10-28.endive')).toMatchObject({ parent: { subscription_details: { subscription: id } } })
    expect(bodyOf('invoice.paid', OLDER_VERSION)).toMatchObject({ subscription: id })
  })

  it('of a change says what it was before', async () => {
    const { double, buy } = openOffline()
    double.cancel(await buy(), 'period-end')
    expect(double.events().at(-1)!.data).toMatchObject({ previous_attributes: { cancel_at_period_end: false, cancel_at: null }, object: { cancel_at_period_end: true } })
  })
})

it('the same seed and the same doings give the same events, ids included', async () => {
  const run = async () => {
    const { double, buy, pass } = openOffline({ seed: 'x' })
    double.failCard(double.subscription(await buy()).customer)
    await buy(TRIAL)
    pass(90)
    return double.events()
  }
  expect(await run()).toEqual(await run())
})

it('serves a thousand purchases in a few seconds', async () => {
  const { double, buy } = openOffline()
  for (let n = 0; n < 1000; n++) await buy()
  expect(double.subscriptions()).toHaveLength(1000)
}, 20_000)
