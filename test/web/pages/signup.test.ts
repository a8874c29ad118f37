/** Signing up: what leads to the payment page, what is refused and where that stands, and what is said when places are gone. */
import fastify from 'fastify'
import { describe, expect, onTestFinished, test } from 'vitest'
import { createAccountLimits } from '../../../controller/accounts/limits.ts'
import { HttpProblem, type ProblemDetails } from '../../../controller/web/http-problem.ts'
import { createSignupRoutes } from '../../../controller/web/pages/signup.ts'
import { SITE, testPages } from '../../support/pages.ts'
import { plan, platform, sharedProduct, tenant } from '../../support/specs.ts'

const PAY = 'https://checkout.stripe.com/c/pay/cs_test_1'
const usd = (amount: number) => ({ amount, currency: 'usd' })

function site(answer: (body: unknown) => { url: string }, slots = 500) {
  const { pages, catalog } = testPages([
    platform(),
    sharedProduct({ title: 'SQ Cloud', site: SITE }),
    plan('founder', { title: 'SQ Cloud Founder', slots, successor: 'standard', trialDays: 14, prices: { month: usd(1000), year: usd(10_000) } }),
    plan('standard', { title: 'SQ Cloud Standard', prices: { month: usd(1500), year: usd(15_000) } }),
    plan('enterprise', { title: 'SQ Cloud Enterprise', prices: { month: usd(5000) } }),
    plan('free', { title: 'SQ Cloud Free', prices: {} }),
    tenant('user001', { plan: 'founder', owner: { email: 'ada@example.com', username: 'ada' } }),
  ])
  const asked: { address: string; body: unknown; form: string }[] = []
  const limits = createAccountLimits(() => 0)
  const app = fastify()
  void app.register(createSignupRoutes({
    pages,
    catalog: () => catalog,
    checkoutOrigins: ['https://checkout.stripe.com'],
    begin: async (address, body, { form }) => {
      asked.push({ address, body, form })
      return { ...answer(body), session: 'cs_test_1' }
    },
    proof: { cookie: (_request, session) => `checkout=${session}` },
    takeLook: limits.takeLook,
  }))
  onTestFinished(() => app.close())
  const send = (fields: Record<string, string>) => app.inject({ method: 'POST', url: '/signup', headers: { 'content-type': 'application/x-www-form-urlencoded', 'x-forwarded-for': '192.0.2.7' }, payload: new URLSearchParams(fields).toString() })
  return { app, asked, send }
}

const refusing = (details: Partial<ProblemDetails>) => (): never => {
  throw new HttpProblem({ status: 400, code: 'invalid-request', title: 'Refused', detail: 'because', ...details })
}
const FIELDS = { plan: 'founder', interval: 'year', email: 'grace@example.com', username: 'grace' }

describe('the form', () => {
  test('leads to the payment page, asking for its client, with what was typed', async () => {
    const { send, asked } = site(() => ({ url: PAY }))
    const answer = await send({ ...FIELDS, form: 'f1' })
    expect([answer.statusCode, answer.headers['location'], answer.headers['set-cookie']]).toEqual([303, PAY, 'checkout=cs_test_1'])
    expect(asked).toEqual([{ address: '192.0.2.7', body: FIELDS, form: 'f1' }])
  })

  test('leads by a page where the policy forbids to redirect: a payment page of another domain', async () => {
    const answer = await site(() => ({ url: 'https://pay.example.com/cs_1' })).send(FIELDS)
    expect(answer.statusCode).toBe(200)
    expect(answer.body).toContain('href="https://pay.example.com/cs_1"')
    expect(answer.headers['set-cookie']).toBe('checkout=cs_test_1')
  })

  test.each([
    ['a field', { errors: [{ field: 'email', message: 'Give an e-mail address.' }] }, /id="email-error">Give an e-mail address\./],
    ['a taken name', { status: 409, code: 'username-taken', detail: 'The user name grace is taken.' }, /id="username-error">The user name grace is taken\./],
    ['the interval', { errors: [{ field: 'interval', message: 'Choose month.' }] }, /class="error">Choose month\./],
    ['what no field can mend', { status: 429, code: 'too-many-checkouts', title: 'Too many purchases begun', detail: 'Try again in 2 s.', retryAfterSeconds: 2 }, /role="alert".*Too many purchases begun/],
  ] as const)('shows what is wrong where it is: %s, and keeps what was typed', async (_name, details, words) => {
    const { statusCode, body } = await site(refusing(details)).send({ ...FIELDS, email: 'grace@"example' })
    expect(statusCode).toBe('status' in details ? details.status : 400)
    expect(body).toMatch(words)
    expect(body).toContain('value="grace@&#34;example"')
    expect(body).toContain('value="grace"')
    expect(body).toMatch(/value="year" checked/)
  })

  test('says what is sold instead when the places went while it was filled in', async () => {
    const { body } = await site(refusing({ status: 409, code: 'plan-sold-out', offer: { plan: 'standard', title: 'SQ Cloud Standard', prices: {} } })).send(FIELDS)
    expect(body).toContain('All founder places are taken')
    expect(body).toContain('name="plan" value="standard"')
    expect(body).toContain('$15 a month or $150 a year')
    expect(body).toContain('value="grace@example.com"')
  })

  test('says that nothing is left where nothing takes the place', async () => {
    expect((await site(refusing({ status: 409, code: 'plan-sold-out' })).send(FIELDS)).body).toContain('Nothing is left right now')
  })

  test('is for what is sold now, before anybody types', async () => {
    const { body } = await site(() => ({ url: PAY }), 1).app.inject('/signup?plan=founder')
    expect(body).toContain('All founder places are taken')
    expect(body).toContain('name="plan" value="standard"')
  })

  test('has one price to choose from where there is one, and none for a plan that costs nothing or belongs elsewhere', async () => {
    const { app } = site(() => ({ url: PAY }))
    expect((await app.inject('/signup?plan=enterprise')).body).toMatch(/type="hidden" name="interval" value="month"/)
    expect((await app.inject('/signup?plan=free')).body).toContain('Nothing is left right now')
    expect((await app.inject('/signup?plan=no-such-plan')).body).toContain('name="plan" value="founder"')
  })
})

describe('the name, while it is typed', () => {
  test.each([
    ['ada', 'is taken'],
    ['grace', 'is free'],
    ['Grace!', 'It begins with a letter'],
    ['', ''],
  ])('%s', async (username, words) => {
    const answer = await site(() => ({ url: PAY })).app.inject({ url: '/products/sq/username', query: { username } })
    expect(answer.body).toContain(words)
    expect(answer.body).not.toContain('<html')
  })

  test('is shown as text', async () => {
    expect((await site(() => ({ url: PAY })).app.inject({ url: '/products/sq/username', query: { username: '<b>x' } })).body).not.toContain('<b>')
  })

  test('as a part with the headers of a page, and to a network that asks all the time for a while no more', async () => {
    const { app } = site(() => ({ url: PAY }))
    const ask = (address: string) => app.inject({ url: '/products/sq/username', query: { username: 'grace' }, headers: { 'x-forwarded-for': address } })
    expect((await ask('192.0.2.7')).headers).toMatchObject({ 'content-security-policy': expect.stringContaining("default-src 'none'") as string, 'x-content-type-options': 'nosniff', 'cache-control': 'no-store' })
    const answers = await Promise.all(Array.from({ length: 60 }, () => ask('192.0.2.7')))
    expect(answers.map(({ body }) => body).filter((body) => body.includes('asks too often'))).toHaveLength(1)
    expect((await ask('192.0.2.8')).statusCode).toBe(200)
  })
})
