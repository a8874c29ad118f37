/** The operator's console: closed without the token, opened by it for reading alone, and without a script. */
import fastify from 'fastify'
import { describe, expect, it, onTestFinished } from 'vitest'
import { createAssets } from '../../controller/web/assets.ts'
import { createConsole, SIGN_IN } from '../../controller/web/console.ts'
import type { TenantSummary } from '../../controller/web/status-reader.ts'

const TOKEN = 'a-token-of-enough-letters'
const summary = (tenant: string, ready: boolean, reason: string): TenantSummary => ({ tenant, product: 'sq', ready, reason, message: reason === 'ImageMissing' ? '<b>no image</b>' : '', appliedRevision: null, attemptedRevision: null, nextAttemptAt: undefined })
const LIST = [summary('user001', true, 'Serving'), summary('user002', false, 'ImageMissing')]

async function open() {
  const console = createConsole({ token: TOKEN, assets: createAssets(), status: { list: () => LIST, overview: () => ({ revision: 'abcdef0123456789', tenants: { total: 2, ready: 1, notReady: 1, held: 0, retained: 0 }, attention: [LIST[1]!], awaitingApproval: [{ revision: 'fedcba9876543210', tenants: ['user009'] }] }) } })
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
