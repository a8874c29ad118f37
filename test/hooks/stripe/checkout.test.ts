import { randomBytes } from 'node:crypto'
import { inspect } from 'node:util'
import Fastify from 'fastify'
import Stripe from 'stripe'
import { beforeAll, afterAll, describe, expect, it } from 'vitest'
import { createCheckoutHolds } from '../../../controller/store/checkout-holds.ts'
import { openStore } from '../../../controller/store/db.ts'
import type { Plan, Tenant, TenantId } from '../../../controller/core/specs.ts'
import { createKeyring, newMasterKey, parseMasterKey } from '../../../controller/keyring.ts'
import { createCheckoutProof } from '../../../controller/web/checkout-proof.ts'
import type { HttpProblem } from '../../../controller/web/http-problem.ts'
import { createCheckout, foundingProgress } from '../../../hooks/stripe/checkout-routes.ts'
import { startCheckout } from '../../../hooks/stripe/checkout.ts'
import { createStripeClient, parseApiBase, STRIPE_API_VERSION } from '../../../hooks/stripe/client.ts'
import { createPortal } from '../../../hooks/stripe/portal.ts'
import { fetchSessions } from '../../../hooks/stripe/fetch.ts'
import { METADATA } from '../../../hooks/stripe/session.ts'
import { tempFolder } from '../../support/temp.ts'
import { waitFor } from '../../support/wait.ts'
import { has } from '../../support/parts.ts'
import { closing, openDouble, SECRET_KEY } from '../../sandbox/shop.ts'
import { createLogDouble } from './log-double.ts'
import { catalogOf, FOUNDER, plan, STANDARD } from './repository-double.ts'
import { startStripeMock } from './stripe-mock.ts'

const ORDER = { plan: 'sq-founder', interval: 'month', email: 'ada@example.com', username: 'ada' }
const FREE = plan('ctx-free', { prices: {} })

function tenant(n: number, changes: Partial<Tenant['spec']> = {}): Tenant {
  const owner = { email: 'x@example.com', username: `u${n}` }
  const name = `user${String(n).padStart(3, '0')}` as TenantId
  return { kind: 'Tenant', metadata: { name }, spec: { product: 'sq', plan: 'sq-founder', owner, state: 'active', keys: [], ...changes } }
}

function openHolds() {
  const db = openStore(`${tempFolder()}/store.db`, 'rebuildable')
  closing.push(() => db.close())
  return { holds: createCheckoutHolds(db), newHold: () => randomBytes(16).toString('hex') }
}

async function openSite({ plans = [FOUNDER, STANDARD, FREE], priced = plans, tenants = [] as Tenant[] }: { plans?: Plan[]; priced?: Plan[]; tenants?: Tenant[] } = {}) {
  const double = await openDouble(priced)
  const stripe = createStripeClient({ secretKey: SECRET_KEY, apiBase: double.url })
  const clock = { now: new Date() }
  const app = Fastify()
  closing.push(() => app.close())
  const held = openHolds()
  const options = { stripe, catalog: () => catalogOf({ plans }, tenants), ...held, publicUrl: 'http://localhost:8080', installation: 'inst-1', now: () => clock.now }
  const proof = createCheckoutProof({ keyring: createKeyring(parseMasterKey(newMasterKey())), publicUrl: () => options.publicUrl })
  const { routes, begin } = createCheckout({ ...options, proof, log: createLogDouble() })
  await app.register(routes)
  const post = (body: unknown) => {
    const payload = typeof body === 'string' ? body : JSON.stringify(body)
    return app.inject({ method: 'POST', url: '/api/checkout', headers: { 'content-type': 'application/json' }, payload })
  }
  return { double, stripe, app, begin, proof, clock, options, post, holds: held.holds, tenants }
}

describe('starting a checkout', () => {
  it('is refused for a while to an address that asks all the time, before Stripe is asked', async () => {
    const { app } = await openSite()
    const ask = (address: string) => app.inject({ method: 'POST', url: '/api/checkout', headers: { 'content-type': 'application/json', 'x-forwarded-for': address }, payload: '{}' })
    const answers = await Promise.all(Array.from({ length: 25 }, () => ask('192.0.2.7')))
    expect(answers.map(({ statusCode }) => statusCode).sort()).toEqual([...Array.from({ length: 20 }, () => 400), ...Array.from({ length: 5 }, () => 429)].sort())
    const refused = answers.find(({ statusCode }) => statusCode === 429)!
    expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0)
    expect(refused.json()).toMatchObject({ type: 'urn:tenantry:problem:too-many-checkouts', code: 'too-many-checkouts' })
    expect((await ask('192.0.2.8')).statusCode).toBe(400)
  })

  it('answers with the page to pay on, of a session that carries what the worker needs', async () => {
    const { post, stripe, double } = await openSite()
    const answer = await post(ORDER)
    expect(answer.statusCode).toBe(200)
    const { url } = answer.json()
    expect(url).toMatch(new RegExp(`^${double.url}/pay/cs_test_\\w+$`))
    const session = await stripe.checkout.sessions.retrieve((url as string).split('/').at(-1)!, { expand: ['line_items'] })
    expect(session.metadata).toEqual({ [METADATA.plan]: 'sq-founder', [METADATA.interval]: 'month', [METADATA.username]: 'ada', [METADATA.installation]: 'inst-1' })
    expect(session).toMatchObject({
      mode: 'subscription',
      customer_email: 'ada@example.com',
      success_url: 'http://localhost:8080/welcome?session={CHECKOUT_SESSION_ID}',
      cancel_url: expect.stringMatching(/^http:\/\/localhost:8080\/api\/checkout\/cancel\?hold=[0-9a-f]{32}&plan=sq-founder&interval=month$/) as string,
    })
    expect(session.line_items!.data).toMatchObject([{ quantity: 1, price: { lookup_key: 'sq-founder_month', unit_amount: 1000 } }])
    double.pay(session.id)
    const paid = await stripe.checkout.sessions.retrieve(session.id, { expand: ['subscription'] })
    expect(paid.subscription).toMatchObject({ status: 'trialing', metadata: session.metadata! })
    expect(paid.payment_status).toBe('no_payment_required')
  })

  it('leaves with who began it the proof of that, for this session alone', async () => {
    const { post, proof } = await openSite()
    const answer = await post(ORDER)
    const session = answer.json<{ url: string }>().url.split('/').at(-1)!
    const headers = { cookie: String(answer.headers['set-cookie']).split(';')[0]! }
    expect(answer.cookies).toMatchObject([{ name: 'checkout', httpOnly: true, sameSite: 'Lax', path: '/', maxAge: 129_600 }])
    expect([proof.isGiven({ headers }, session), proof.isGiven({ headers }, 'cs_test_somebodyelse'), proof.isGiven({ headers: {} }, session)]).toEqual([true, false, false])
  })

  it('of two forms from one network is two sessions, of one form one', async () => {
    const { begin } = await openSite()
    const urls = await Promise.all(['a', 'a', 'b'].map(async (form) => (await begin('192.0.2.7', ORDER, { form })).session))
    expect(urls[1]).toBe(urls[0])
    expect(urls[2]).not.toBe(urls[0])
  })

  it('twice within five minutes is one session, later another one', async () => {
    const { post, clock } = await openSite()
    clock.now = new Date(Math.ceil(Date.now() / 300_000) * 300_000 - 240_000)
    const first = (await post(ORDER)).json()['url']
    clock.now = new Date(clock.now.getTime() + 60_000)
    expect((await post(ORDER)).json()['url']).toBe(first)
    expect((await post({ ...ORDER, interval: 'year' })).json()['url']).not.toBe(first)
    clock.now = new Date(clock.now.getTime() + 300_000)
    expect((await post(ORDER)).json()['url']).not.toBe(first)
  })

  it('of two clients who ask for the same is two sessions: whoever began one is shown the key that comes of it', async () => {
    const { app, stripe } = await openSite()
    const ask = async (address: string): Promise<string> => (await app.inject({ method: 'POST', url: '/api/checkout', headers: { 'x-forwarded-for': address }, payload: ORDER })).json<{ url: string }>().url
    const [first, guessed] = [await ask('192.0.2.7'), await ask('198.51.100.9')]
    expect(guessed).not.toBe(first)
    expect((await stripe.checkout.sessions.retrieve(first.split('/').at(-1)!)).status).toBe('expired')
  })

  it('holds few places for a client that never pays', async () => {
    const { app, holds } = await openSite()
    const ask = (address: string, n: number) => app.inject({ method: 'POST', url: '/api/checkout', headers: { 'x-forwarded-for': address }, payload: { ...ORDER, username: `b${n}`, email: `b${n}@example.com` } })
    const statuses: number[] = []
    for (let n = 0; n < 24; n++) statuses.push((await ask(`2001:db8:7:${n}::1`, n)).statusCode)
    expect(statuses.filter((status) => status === 200)).toHaveLength(20)
    expect(holds.ofPlan('sq-founder', new Date().toISOString())).toHaveLength(20)
    expect((await ask('198.51.100.9', 30)).statusCode).toBe(200)
  })

  const refusals: readonly [string, unknown, number, string, RegExp][] = [
    ['a body that is no JSON', '{', 400, 'bad-request', /JSON|json/],
    ['a body that is no object', [1], 400, 'invalid-request', /Send a JSON object/],
    ['everything wrong at once', { plan: 1, interval: 'week', email: 'ada', username: 'A', coupon: 'x' }, 400, 'invalid-request', /coupon.*plan.*email.*username/],
    ['a plan with a typo', { ...ORDER, plan: 'sq-fuonder' }, 400, 'invalid-request', /Did you mean sq-founder\?/],
    ['an interval that the plan has not', { ...ORDER, interval: 'week' }, 400, 'invalid-request', /interval: Choose month or year/],
    ['a plan without a price', { ...ORDER, plan: 'ctx-free' }, 400, 'invalid-request', /nothing to pay for/],
    ['a name that is taken', { ...ORDER, username: 'u1' }, 409, 'username-taken', /u1 is taken/],
    ['more than the limit', { ...ORDER, username: 'x'.repeat(20_000) }, 413, 'body-too-large', /./],
  ]
  it.each(refusals)('refuses %s', async (_, body, status, code, detail) => {
    const { post } = await openSite({ tenants: [tenant(1)] })
    const answer = await post(body)
    expect([answer.statusCode, answer.json()['code']]).toEqual([status, code])
    expect(answer.json()['detail']).toMatch(detail)
    expect(answer.headers['content-type']).toMatch(/^application\/problem\+json/)
  })

  it('names the fields that are wrong', async () => {
    const { post } = await openSite()
    const { errors } = (await post({ ...ORDER, email: 'ada', username: '9' })).json()
    expect((errors as { field: string }[]).map(({ field }) => field)).toEqual(['email', 'username'])
  })

  it('says so when the slots are gone, and what to choose instead', async () => {
    const { post } = await openSite({ plans: [{ ...FOUNDER, spec: { ...FOUNDER.spec, slots: 1 } }, STANDARD], tenants: [tenant(1)] })
    const answer = await post(ORDER)
    expect(answer.json()).toMatchObject({ status: 409, code: 'plan-sold-out', detail: 'All 1 slots of sq-founder are taken. Choose sq-standard instead.' })
  })

  it('sells nothing whose price at Stripe is missing or another one', async () => {
    expect((await (await openSite({ priced: [] })).post(ORDER)).json()).toMatchObject({ status: 503, code: 'price-missing' })
    const dearer = plan('sq-founder', { prices: { month: { amount: 9900, currency: 'usd' } } })
    expect((await (await openSite({ priced: [dearer] })).post(ORDER)).json()).toMatchObject({ status: 503, code: 'price-differs' })
    const { options } = await openSite()
    const yearly = { ...options.stripe, checkout: options.stripe.checkout, prices: { list: async () => ({ data: [{ id: 'price_1', unit_amount: 1000, currency: 'usd', lookup_key: 'sq-founder_month', recurring: { interval: 'year', interval_count: 1 } }] }) } } as unknown as Stripe
    await expect(startCheckout({ ...options, stripe: yearly }, ORDER)).rejects.toMatchObject({ details: { code: 'price-differs' } })
  })

  it('says that the payment provider failed, without its message', async () => {
    const { options } = await openSite()
    const stripe = createStripeClient({ secretKey: 'sk_test_wrong', apiBase: (await openDouble([FOUNDER])).url })
    await expect(startCheckout({ ...options, stripe }, ORDER)).rejects.toMatchObject({ details: { status: 502, code: 'payment-provider-failed', detail: expect.not.stringMatching(/sk_test|Key/) } })
  })

  it('keeps what Stripe quotes of a buyer out of logs, and tells the buyer of an address that Stripe does not take', async () => {
    const { options } = await openSite()
    const failing = (param: string) => {
      const error = new Stripe.errors.StripeInvalidRequestError({ type: 'invalid_request_error', message: `Invalid: ${ORDER.email}`, param } as never)
      const stripe = { prices: options.stripe.prices, checkout: { sessions: { create: () => Promise.reject(error) } } } as unknown as Stripe
      return startCheckout({ ...options, stripe }, ORDER).catch((problem: unknown) => problem as HttpProblem)
    }
    const refused = (await failing('customer_email')) as HttpProblem
    expect(refused.details).toMatchObject({ status: 400, errors: [{ field: 'email' }] })
    const failed = (await failing('line_items')) as HttpProblem
    expect(failed.details.status).toBe(502)
    expect(inspect([refused.cause, failed.cause, failed.details])).not.toContain('ada@')
  })
})

describe('what is held while somebody pays', () => {
  const few = (slots: number) => [{ ...FOUNDER, spec: { ...FOUNDER.spec, slots } }, STANDARD]
  const idOf = (url: string): string => url.split('/').at(-1)!
  const buyer = (n: number, changes: object = {}) => ({ ...ORDER, email: `b${n}@example.com`, username: `b${n}`, ...changes })

  it('the buyer after the last slot is told before paying, with what is sold instead by name and price', async () => {
    const { post } = await openSite({ plans: few(3), tenants: [tenant(1)] })
    expect([(await post(buyer(1))).statusCode, (await post(buyer(2))).statusCode]).toEqual([200, 200])
    const late = await post(buyer(3))
    expect(late.json()).toMatchObject({
      status: 409,
      code: 'plan-sold-out',
      detail: 'All 3 slots of sq-founder are taken, 2 of them by buyers who are paying now. Choose sq-standard instead.',
      offer: { plan: 'sq-standard', title: 'sq-standard', prices: { month: { amount: 1500, currency: 'usd' } } },
    })
    expect((await post(buyer(3, { plan: 'sq-standard' }))).json()).toMatchObject({ plan: 'sq-standard' })
  })

  it('of many who ask for the last slot at once, one gets it', async () => {
    const { options } = await openSite({ plans: few(1) })
    const answers = await Promise.allSettled(Array.from({ length: 8 }, (_, n) => startCheckout(options, buyer(n))))
    expect(answers.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
  })

  it('is free again when the buyer turns back, and when the session has ended by the clock', async () => {
    const { post, app, stripe, clock } = await openSite({ plans: few(1) })
    const { url } = (await post(buyer(1))).json()
    const session = await stripe.checkout.sessions.retrieve(idOf(url))
    expect((await post(buyer(2))).statusCode).toBe(409)
    const back = await app.inject(session.cancel_url!.replace('http://localhost:8080', ''))
    expect([back.statusCode, back.headers['location']]).toEqual([303, '/products/sq/signup?plan=sq-founder&interval=month&cancelled='])
    expect((await stripe.checkout.sessions.retrieve(session.id)).status).toBe('expired')
    expect((await post(buyer(2))).statusCode).toBe(200)
    clock.now = new Date(clock.now.getTime() + 45 * 60_000)
    const third = await post(buyer(3))
    // The double's own clock did not move, and refuses a session that ends so late: what matters here is that the slot is free.
    expect(third.json()['code']).not.toBe('plan-sold-out')
  })

  it('is not free when the buyer pays and then turns back', async () => {
    const { post, app, stripe, double } = await openSite({ plans: few(1) })
    const { url } = (await post(buyer(1))).json()
    const session = await stripe.checkout.sessions.retrieve(idOf(url))
    double.pay(session.id)
    await app.inject(session.cancel_url!.replace('http://localhost:8080', ''))
    expect((await post(buyer(2))).statusCode).toBe(409)
  })

  it('is counted once when the payment has become a tenant', async () => {
    const { post, tenants } = await openSite({ plans: few(2) })
    const { url } = (await post(buyer(1))).json()
    tenants.push(tenant(1, { billing: { checkout: idOf(url) } }))
    expect((await post(buyer(2))).statusCode).toBe(200)
  })

  it('is a user name too, for everybody else', async () => {
    const { post } = await openSite()
    expect((await post(ORDER)).statusCode).toBe(200)
    const other = await post({ ...ORDER, email: 'mallory@example.com' })
    expect(other.json()).toMatchObject({ status: 409, code: 'username-taken', detail: expect.stringContaining('at this moment') })
  })

  it('a buyer who begins again pays once: the session begun before is ended', async () => {
    const { post, stripe, double } = await openSite({ plans: few(1) })
    const first = (await post(ORDER)).json()['url']
    const second = (await post({ ...ORDER, interval: 'year' })).json()['url']
    expect((await stripe.checkout.sessions.retrieve(idOf(first))).status).toBe('expired')
    double.pay(idOf(second))
    expect((await post(ORDER)).json()).toMatchObject({ status: 409, code: 'already-paid' })
  })

  it('is not kept for a session that could not be made', async () => {
    const { options, holds } = await openSite({ plans: few(1) })
    const stripe = { prices: options.stripe.prices, checkout: { sessions: { create: () => Promise.reject(new Error('connection reset')) } } } as unknown as Stripe
    await expect(startCheckout({ ...options, stripe }, ORDER)).rejects.toThrow('connection reset')
    expect(holds.ofPlan('sq-founder', new Date().toISOString())).toEqual([])
    expect((await startCheckout(options, ORDER)).plan).toBe('sq-founder')
  })

  it('ends by itself where the program died before the session was made', async () => {
    const { options, holds, clock } = await openSite({ plans: few(1) })
    const dead = { prices: options.stripe.prices, checkout: { sessions: { create: () => new Promise(() => undefined) } } } as unknown as Stripe
    void startCheckout({ ...options, stripe: dead }, buyer(1))
    await waitFor(() => holds.ofPlan('sq-founder', clock.now.toISOString()).length === 1, 'the hold')
    await expect(startCheckout(options, buyer(2))).rejects.toMatchObject({ details: { code: 'plan-sold-out' } })
    expect(holds.ofPlan('sq-founder', new Date(clock.now.getTime() + 41 * 60_000).toISOString())).toEqual([])
  })

  it('a tenant that is paid for needs no name and keeps the slot that it has', async () => {
    const trial = tenant(1, { trial: { endsAt: '2099-01-01T00:00:00Z' } })
    const { options, stripe } = await openSite({ plans: few(1), tenants: [trial] })
    const { url } = await startCheckout(options, { plan: 'sq-founder', interval: 'month', email: 'ada@example.com', quantity: 2 }, { pays: trial.metadata.name })
    const session = await stripe.checkout.sessions.retrieve(idOf(url), { expand: ['line_items'] })
    expect(session.metadata).toMatchObject({ [METADATA.tenant]: 'user001' })
    expect(session.line_items!.data[0]!.quantity).toBe(2)
    await expect(startCheckout(options, buyer(2))).rejects.toMatchObject({ details: { code: 'plan-sold-out' } })
  })
})

describe('the founding progress', () => {
  it('counts tenants that have not ended, from the repository alone', async () => {
    const tenants = Array.from({ length: 327 }, (_, n) => tenant(n + 1))
    const { app } = await openSite({ tenants: [...tenants, tenant(400, { state: 'ended' }), tenant(401, { plan: 'sq-standard' })] })
    expect((await app.inject('/api/founding-progress')).json()).toEqual({ claimed: 327, total: 500, remaining: 173, percentage: 65.4 })
  })

  it('stays within bounds where slots were taken away, and is 404 where there is no such plan', async () => {
    const small = { ...FOUNDER, spec: { ...FOUNDER.spec, slots: 1 } }
    expect(foundingProgress(catalogOf({ plans: [small] }, [tenant(1), tenant(2)]))).toEqual({ claimed: 2, total: 1, remaining: 0, percentage: 100 })
    const { app } = await openSite({ plans: [STANDARD] })
    expect((await app.inject('/api/founding-progress')).json()).toMatchObject({ status: 404, code: 'no-founding-plan' })
  })
})

describe('the address of a double', () => {
  it('is taken apart, or refused with what to write', () => {
    expect(parseApiBase('http://127.0.0.1:12111')).toEqual({ protocol: 'http', host: '127.0.0.1', port: '12111' })
    expect(parseApiBase('https://stripe.test')).toEqual({ protocol: 'https', host: 'stripe.test', port: '443' })
    for (const bad of ['', 'localhost:1', 'ftp://x', 'http://x/v1', 'http://me@x']) expect(() => parseApiBase(bad)).toThrow('STRIPE_API_BASE is not the address of a server')
  })
})

describe.skipIf(!has('stripe-mock'))('checked by the real stripe-mock', () => {
  let mock: Awaited<ReturnType<typeof startStripeMock>>
  let stripe: Stripe
  beforeAll(async () => {
    mock = await startStripeMock()
    stripe = createStripeClient({ secretKey: 'sk_test_123', apiBase: mock.url })
  })
  afterAll(() => mock.stop())

  /** stripe-mock's one price is $20 a month, whatever is asked for. */
  const twenty = { prices: { month: { amount: 2000, currency: 'usd' } } }

  it.each([['without a trial', twenty], ['with a trial', { ...twenty, trialDays: 14 }], ['with promotion codes and tax', { ...twenty, promotionCodes: true, automaticTax: true }]])('a checkout %s is a request that Stripe takes', async (_, changes) => {
    const options = { stripe, catalog: () => catalogOf({ plans: [plan('sq-founder', changes)] }, []), ...openHolds(), publicUrl: 'https://example.com', installation: 'inst-1', now: () => new Date() }
    expect((await startCheckout(options, ORDER)).url).toMatch(/^https:\/\/checkout\.stripe\.com\//)
  })

  it('ending a session and opening the portal are requests that Stripe takes', async () => {
    const owner = tenant(1, { billing: { customer: 'cus_1' } })
    expect((await stripe.checkout.sessions.expire('cs_test_1')).object).toBe('checkout.session')
    expect(await createPortal({ stripe, catalog: () => catalogOf({}, [owner]), publicUrl: 'https://example.com', installation: 'inst-1' })(owner.metadata.name)).toMatch(/^https:/)
    await expect(createPortal({ stripe, catalog: () => catalogOf({}, [tenant(1)]), publicUrl: 'https://example.com', installation: 'inst-1' })(owner.metadata.name)).rejects.toMatchObject({ details: { code: 'not-paid-for' } })
  })

  it('and a wrong parameter would be seen', async () => {
    await expect(stripe.checkout.sessions.create({ mode: 'subscription', nonsense: '1' } as Stripe.Checkout.SessionCreateParams)).rejects.toThrow('additional properties are not allowed')
  })

  it('fetching a session with what the worker expands is a request that Stripe takes', async () => {
    const answers = await fetchSessions(stripe, ['cs_test_1', 'cs_test_2', 'cs_test_1'])
    expect([...answers].map(([id, answer]) => [id, answer.kind]).sort()).toEqual([['cs_test_1', 'found'], ['cs_test_2', 'found']])
    const first = answers.get('cs_test_1')
    expect(first?.kind === 'found' && [typeof first.value.subscription, first.value.line_items?.data.length]).toEqual(['object', 1])
  })

  it('the pinned version is the one of the package', async () => {
    const { lastResponse } = await stripe.prices.list({ limit: 1 })
    expect([lastResponse.statusCode, stripe.getApiField('version')]).toEqual([200, STRIPE_API_VERSION])
  })
})
