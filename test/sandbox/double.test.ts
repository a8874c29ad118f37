import { appendFileSync, readFileSync } from 'node:fs'
import { createServer, get, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import fc from 'fast-check'
import Stripe from 'stripe'
import { describe, expect, it, test } from 'vitest'
import { createStripeClient } from '../../hooks/stripe/client.ts'
import type { StripeDouble } from '../../sandbox/double.ts'
import { parseForm } from '../../sandbox/form.ts'
import { FOUNDER, STANDARD } from '../hooks/stripe/repository-double.ts'
import { tempFolder } from '../support/temp.ts'
import { waitFor } from '../support/wait.ts'
import { closing, openDouble, SECRET_KEY, WEBHOOK_SECRET } from './shop.ts'

const PLANS = [FOUNDER, STANDARD]
/** So that each purchase is one delivery. */
const enabledEvents = ['checkout.session.completed']
const client = (double: StripeDouble, secretKey = SECRET_KEY) => createStripeClient({ secretKey, apiBase: double.url })

async function open(double: StripeDouble, params: Partial<Stripe.Checkout.SessionCreateParams> = {}) {
  const stripe = client(double)
  const [price] = (await stripe.prices.list({ lookup_keys: ['sq-founder_month'], active: true })).data
  return stripe.checkout.sessions.create({
    mode: 'subscription',
    line_items: [{ price: price!.id, quantity: 1 }],
    customer_email: 'ada@example.com',
    success_url: 'http://localhost:8080/welcome?session={CHECKOUT_SESSION_ID}',
    cancel_url: 'http://localhost:8080/pricing',
    ...params,
  })
}

/** An endpoint that verifies and remembers; `status` says what it answers with. */
async function openEndpoint(status: (n: number) => number = () => 200) {
  const received: Stripe.Event[] = []
  const { webhooks } = new Stripe(SECRET_KEY)
  let requests = 0
  const answer = async (request: IncomingMessage): Promise<number> => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const code = status(requests++)
    if (code === 200) received.push(webhooks.constructEvent(Buffer.concat(chunks), request.headers['stripe-signature']!, WEBHOOK_SECRET))
    return code
  }
  const server = createServer((request, response) => void answer(request).then((code) => response.writeHead(code).end(), () => response.writeHead(400).end()))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  closing.push(() => {
    server.closeAllConnections()
    server.close()
  })
  return { received, requests: () => requests, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/` }
}

describe('the double', () => {
  it('lets only its own key in, as Stripe refuses a wrong one', async () => {
    const double = await openDouble(PLANS)
    await expect(client(double, 'sk_test_wrong').prices.list()).rejects.toBeInstanceOf(Stripe.errors.StripeAuthenticationError)
    expect((await fetch(`${double.url}/v1/prices`)).status).toBe(401)
  })

  it('finds prices by lookup key, as the plan files stand now', async () => {
    const prices = [{ lookupKey: 'p_month', product: 'p', productTitle: 'P', amount: 500, currency: 'usd', interval: 'month' as const }]
    const double = await openDouble([], { catalog: () => prices })
    const find = async () => (await client(double).prices.list({ lookup_keys: ['p_month', 'other'] })).data
    const [before] = await find()
    expect(before).toMatchObject({ lookup_key: 'p_month', unit_amount: 500, recurring: { interval: 'month' } })
    prices[0]!.amount = 700
    const [after] = await find()
    expect(after).toMatchObject({ unit_amount: 700 })
    expect(after!.id).not.toBe(before!.id)
  })

  it('takes a session from open to paid, with a customer, a subscription and a signed event', async () => {
    const endpoint = await openEndpoint()
    const double = await openDouble(PLANS, { enabledEvents, webhookUrl: () => endpoint.url })
    const stripe = client(double)
    const { id, status, payment_status: payment } = await open(double, { metadata: { a: 'b' } })
    expect([status, payment]).toEqual(['open', 'unpaid'])
    double.pay(id)
    const paid = await stripe.checkout.sessions.retrieve(id, { expand: ['subscription', 'line_items', 'customer'] })
    expect(paid).toMatchObject({
      status: 'complete',
      payment_status: 'paid',
      amount_total: 1000,
      url: null,
      customer_details: { email: 'ada@example.com' },
      customer: { object: 'customer', email: 'ada@example.com' },
      subscription: { status: 'active', items: { data: [{ price: { unit_amount: 1000 }, quantity: 1 }] } },
    })
    await waitFor(() => endpoint.received.length === 1, 'the webhook')
    expect(endpoint.received[0]).toMatchObject({ type: 'checkout.session.completed', data: { object: { id, metadata: { a: 'b' } } } })
    expect((await stripe.events.list()).data.map(({ type }) => type)).toEqual(['checkout.session.completed', 'invoice.paid', 'charge.succeeded', 'customer.subscription.created', 'customer.updated', 'payment_method.attached', 'customer.created'])
    expect(() => double.pay(id)).toThrow('status of complete')
  })

  it('settles a late payment either way', async () => {
    const double = await openDouble(PLANS)
    const stripe = client(double)
    for (const outcome of ['succeeded', 'failed'] as const) {
      const { id } = await open(double)
      double.pay(id, 'later')
      expect(await stripe.checkout.sessions.retrieve(id, { expand: ['subscription'] })).toMatchObject({ status: 'complete', payment_status: 'unpaid', subscription: { status: 'incomplete' } })
      double.settle(id, outcome)
      expect(double.events().at(-1)!.type).toBe(`checkout.session.async_payment_${outcome}`)
      expect((await stripe.checkout.sessions.retrieve(id)).payment_status).toBe(outcome === 'succeeded' ? 'paid' : 'unpaid')
      expect(() => double.settle(id, 'failed')).toThrow('does not wait')
    }
  })

  it('lets a session expire by the clock', async () => {
    const clock = { now: new Date() }
    const double = await openDouble(PLANS, { now: () => clock.now })
    const { id } = await open(double, { expires_at: Math.floor(clock.now.getTime() / 1000) + 1900 })
    clock.now = new Date(clock.now.getTime() + 2_000_000)
    expect((await client(double).checkout.sessions.retrieve(id)).status).toBe('expired')
    expect(() => double.pay(id)).toThrow('status of expired')
    expect(double.events().map(({ type }) => type)).toEqual(['checkout.session.expired'])
  })

  it('answers an idempotency key with its first answer, and refuses it for something else', async () => {
    const double = await openDouble(PLANS)
    const stripe = client(double)
    const [price] = (await stripe.prices.list()).data
    const create = (email: string) => stripe.checkout.sessions.create({ mode: 'subscription', line_items: [{ price: price!.id, quantity: 1 }], customer_email: email }, { idempotencyKey: 'k' })
    const first = await create('a@example.com')
    expect((await create('a@example.com')).id).toBe(first.id)
    await expect(create('b@example.com')).rejects.toBeInstanceOf(Stripe.errors.StripeIdempotencyError)
  })

  it('refuses what Stripe refuses', async () => {
    const double = await openDouble(PLANS)
    const stripe = client(double)
    await expect(open(double, { nonsense: 1 } as object)).rejects.toThrow('unknown parameter: nonsense')
    await expect(open(double, { line_items: [{ price: 'price_none', quantity: 1 }] })).rejects.toThrow("No such price: 'price_none'")
    await expect(open(double, { expires_at: Math.floor(Date.now() / 1000) + 60 })).rejects.toThrow('expires_at')
    await expect(stripe.checkout.sessions.retrieve('cs_test_none')).rejects.toMatchObject({ statusCode: 404, code: 'resource_missing' })
    await expect(stripe.subscriptions.retrieve('sub_none')).rejects.toMatchObject({ code: 'resource_missing' })
    await expect(stripe.checkout.sessions.retrieve((await open(double)).id, { expand: ['nothing'] })).rejects.toThrow('cannot be expanded')
    expect((await fetch(`${double.url}/v1/none`, { headers: { authorization: `Bearer ${SECRET_KEY}` } })).status).toBe(404)
  })

  it('cuts lists into pages', async () => {
    const double = await openDouble(PLANS)
    for (let n = 0; n < 5; n++) double.pay((await open(double)).id)
    const stripe = client(double)
    const all = await stripe.events.list({ types: ['checkout.session.completed'], limit: 2 }).autoPagingToArray({ limit: 100 })
    expect(new Set(all.map(({ id }) => id)).size).toBe(5)
    expect((await stripe.checkout.sessions.list({ limit: 3 })).has_more).toBe(true)
    expect((await stripe.subscriptions.list({ status: 'active' })).data).toHaveLength(5)
    expect((await stripe.customers.list({ email: 'ada@example.com' })).data).toHaveLength(5)
  })
})

describe('its webhooks', () => {
  it('are tried again until they are answered with 2xx', async () => {
    const endpoint = await openEndpoint((n) => (n < 3 ? 500 : 200))
    const double = await openDouble(PLANS, { enabledEvents, webhookUrl: () => endpoint.url })
    double.pay((await open(double)).id)
    await waitFor(() => endpoint.received.length === 1, 'the fourth attempt')
    expect(endpoint.requests()).toBe(4)
  })

  it('are dropped, doubled and put off as a test wishes, and replayed', async () => {
    const endpoint = await openEndpoint()
    const faults = [{ drop: true }, { copies: 3 }, { delayMs: 300 }, {}]
    const double = await openDouble(PLANS, { enabledEvents, webhookUrl: () => endpoint.url, faults: () => faults.shift()! })
    const sessions = [await open(double), await open(double), await open(double), await open(double)]
    for (const { id } of sessions) double.pay(id)
    const got = () => endpoint.received.map(({ data }) => sessions.findIndex(({ id }) => id === (data.object as { id: string }).id))
    await waitFor(() => got().includes(2) && got().length === 5, 'all but the dropped one')
    expect(got().filter((n) => n === 1)).toHaveLength(3)
    expect(got().at(-1)).toBe(2)
    await double.replay(double.events().find(({ data }) => data.object.id === sessions[0]!.id)!.id)
    expect(got().at(-1)).toBe(0)
  })
})

describe('its state', () => {
  it('survives a restart, a line cut in half included, and what was not delivered is delivered then', async () => {
    const stateFile = `${tempFolder()}/stripe.jsonl`
    const first = await openDouble(PLANS, { stateFile })
    const opened = await open(first)
    const paid = await open(first)
    first.pay(paid.id)
    await first.close()
    appendFileSync(stateFile, '{"kind":"session","id":"cs_half","va')
    const endpoint = await openEndpoint()
    const second = await openDouble(PLANS, { stateFile, enabledEvents, webhookUrl: () => endpoint.url })
    await waitFor(() => endpoint.received.length === 1, 'the webhook that was left')
    const stripe = client(second)
    expect((await stripe.checkout.sessions.retrieve(paid.id, { expand: ['subscription'] })).subscription).toMatchObject({ status: 'active' })
    second.pay(opened.id)
    await waitFor(() => endpoint.received.length === 2, 'the webhook of the second payment')
    await second.close()
    for (const line of readFileSync(stateFile, 'utf8').trimEnd().split('\n')) JSON.parse(line)
    await openDouble(PLANS, { stateFile, enabledEvents, webhookUrl: () => endpoint.url })
    expect(endpoint.requests()).toBe(2)
  })
})

test('a name that was made to point here is answered nothing, by page or by API', async () => {
  const { port } = new URL((await openDouble(PLANS)).url)
  const ask = (path: string, host: string) => new Promise<number | undefined>((resolve, reject) => void get({ host: '127.0.0.1', port, path, headers: { host } }, (answer) => resolve(answer.resume().statusCode)).on('error', reject))
  for (const path of ['/pay/cs_test_none', '/v1/prices', '/mail']) {
    expect(await ask(path, `rebound.example.com:${port}`)).toBe(403)
    expect(await ask(path, `localhost:${port}`)).not.toBe(403)
  }
})

describe('the pay page', () => {
  const send = (url: string, action: string) => fetch(url, { method: 'POST', body: new URLSearchParams({ action }), redirect: 'manual' })

  it('shows what is bought and for how much, is plainly a sandbox, and asks nobody outside', async () => {
    const double = await openDouble(PLANS)
    const session = await open(double, { customer_email: '"><script>alert(1)</script>@example.com' })
    const answer = await fetch(session.url!.replace(/^https?:\/\/[^/]+/, double.url))
    const html = await answer.text()
    expect(answer.headers.get('content-security-policy')).toContain("default-src 'none'")
    expect(answer.headers.get('content-security-policy')).toContain("form-action 'self' http://localhost:8080")
    for (const text of ['SQ Cloud Founder', '$10.00 a month', 'Pay $10.00', 'Cancel', 'Sandbox.', 'prefers-color-scheme: dark']) expect(html).toContain(text)
    expect(html).not.toMatch(/<script|https?:\/\/|src=|@import/)
  })

  it('says what a trial costs now', async () => {
    const double = await openDouble(PLANS)
    const html = await (await fetch((await open(double, { subscription_data: { trial_period_days: 14 } })).url!)).text()
    expect(html).toContain('nothing, 14 days free')
    expect(html).toContain('Start the trial')
  })

  it('pays, goes to where the seller wants, and pays once however often it is pressed', async () => {
    const double = await openDouble(PLANS)
    const { id, url } = await open(double)
    for (let n = 0; n < 2; n++) {
      const answer = await send(url!, 'pay')
      expect([answer.status, answer.headers.get('location')]).toEqual([303, `http://localhost:8080/welcome?session=${id}`])
    }
    expect(double.events().filter(({ type }) => type === 'checkout.session.completed')).toHaveLength(1)
    expect(await (await fetch(url!)).text()).toContain('This is paid')
  })

  it('cancels without paying, and says so when there is nothing to pay', async () => {
    const double = await openDouble(PLANS)
    const { id, url } = await open(double)
    expect((await send(url!, 'cancel')).headers.get('location')).toBe('http://localhost:8080/pricing')
    expect(double.events()).toEqual([])
    expect((await send(url!, 'nonsense')).status).toBe(400)
    double.expire(id)
    expect((await fetch(url!)).status).toBe(410)
    expect((await fetch(`${double.url}/pay/cs_none`)).status).toBe(404)
  })
})

describe('the form decoder', () => {
  it('reads nested fields, lists with and without numbers, and hostile names', () => {
    expect(parseForm('a=1&b[c]=2&d[0][e]=3&d[1][e]=4&f[]=5&f[]=6')).toMatchObject({ a: '1', b: { c: '2' }, d: [{ e: '3' }, { e: '4' }], f: ['5', '6'] })
    expect(Object.keys(parseForm('__proto__[polluted]=1&constructor[prototype][polluted]=1'))).toEqual(['__proto__', 'constructor'])
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined()
  })

  it('takes any text', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => void parseForm(text)))
  })
})
