/** The operator's console: closed without the token, opened by it for reading alone, and without a script. */
import fastify from 'fastify'
import { describe, expect, it, onTestFinished } from 'vitest'
import { createAssets } from '../../controller/web/assets.ts'
import { createConsole, SIGN_IN } from '../../controller/web/console.ts'
import type { BillingOverview } from '../../controller/web/billing-admin.ts'
import type { TenantSummary } from '../../controller/web/status-reader.ts'

const TOKEN = 'a-token-of-enough-letters'
const summary = (tenant: string, ready: boolean, reason: string): TenantSummary => ({ tenant, product: 'sq', ready, reason, message: reason === 'ImageMissing' ? '<b>no image</b>' : '', appliedRevision: null, attemptedRevision: null, nextAttemptAt: undefined })
const LIST = [summary('user001', true, 'Serving'), summary('user002', false, 'ImageMissing')]

const BILLING: BillingOverview = {
  money: { monthly: { usd: 4150 }, paying: 3, trials: 2, agentTrials: 1, pastDue: 1, suspended: 0, cancelling: 0, endedIn30Days: 0 },
  slots: [{ plan: 'sq-founder', taken: 4, total: 500 }],
  lastComparedAt: null,
  heldStops: null,
  differences: [],
  held: [{ event: 'evt_1', type: 'checkout.session.completed', object: 'cs_1', since: '2026-03-01T00:00:00Z', reason: '<i>unknown plan</i>' }],
  cases: [],
}

async function open() {
  const console = createConsole({ token: TOKEN, assets: createAssets(), billing: () => BILLING, status: { list: () => LIST, overview: () => ({ revision: 'abcdef0123456789', tenants: { total: 2, ready: 1, notReady: 1, held: 0, retained: 0 }, attention: [LIST[1]!], awaitingApproval: [{ revision: 'fedcba9876543210', tenants: ['user009'] }] }) } })
  const app = fastify()
  await app.register(console.entrance)
  await app.register(console.pages)
  app.all('/seen', (request) => ({ seen: console.maySee(request) }))
  onTestFinished(() => app.close())
  const signIn = (token: string) => app.inject({ method: 'POST', url: SIGN_IN, headers: { 'content-type': 'application/x-www-form-urlencoded' }, payload: new URLSearchParams({ token }).toString() })
  return { app, signIn }
}

describe('signing in', () => {
  it('takes the token, and leaves a cookie that is none and that other sites cannot have sent', async () => {
    const { app, signIn } = await open()
    const answer = await signIn(` ${TOKEN}\n`)
    const cookie = String(answer.headers['set-cookie'])
    expect([answer.statusCode, answer.headers.location]).toEqual([303, '/'])
    expect(cookie).toMatch(/; HttpOnly/i)
    expect(cookie).toMatch(/; SameSite=Strict/i)
    expect(cookie).not.toContain(TOKEN)
    const value = cookie.split(';')[0]!
    const see = async (method: 'GET' | 'POST', sent: string) => ((await app.inject({ method, url: '/seen', headers: { cookie: sent } })).json<{ seen: boolean }>()).seen
    expect([await see('GET', value), await see('POST', value), await see('GET', `${value}x`), await see('GET', `tenantry-console=${TOKEN}`)]).toEqual([true, false, false, false])
  })

  it('refuses anything else', async () => {
    const { signIn } = await open()
    for (const token of ['', 'wrong', `${TOKEN}x`]) expect((await signIn(token)).statusCode).toBe(403)
  })
})

describe('the tenants', () => {
  it('stand there with what waits and why, as text', async () => {
    const { app } = await open()
    const { body, headers } = await app.inject('/')
    expect(body).toContain('tenantry approve fedcba987654')
    expect(body).toContain('&#60;b&#62;no image')
    expect(body).not.toContain('<script')
    expect(headers['content-security-policy']).toContain("default-src 'none'")
    expect((await app.inject('/?q=user001')).body).toContain('user001')
    expect((await app.inject('/?q=%3Cb%3E')).body).toContain('No tenant is called like this')
  })
})

describe('billing', () => {
  it('stands there with what was earned and what waits for a person, as text', async () => {
    const { app } = await open()
    const { body, headers } = await app.inject('/billing')
    expect(body).toContain('41.50 USD')
    expect(body).toContain('4 of 500')
    expect(body).toContain('&#60;i&#62;unknown plan')
    expect(body).toContain('Stripe and the repository agree.')
    expect(body).toContain('<a href="/billing" aria-current="page">')
    expect(headers['content-security-policy']).toContain("default-src 'none'; style-src 'self'")
  })
})
