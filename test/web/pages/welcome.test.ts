/** The page after paying: what it shows at each step, for how long, and to whom not. */
import fastify from 'fastify'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { Tenant, TenantId } from '../../../controller/core/specs.ts'
import { createProblemHandler } from '../../../controller/web/http-problem.ts'
import { createKeyring } from '../../../controller/keyring.ts'
import { createCheckoutProof } from '../../../controller/web/checkout-proof.ts'
import { createWelcomeRoutes } from '../../../controller/web/pages/welcome.ts'
import type { PurchaseProgress } from '../../../controller/store/purchase-progress.ts'
import { SITE, testPages } from '../../support/pages.ts'
import { keySpec, NOW, plan, platform, sharedProduct, tenant } from '../../support/specs.ts'

const SESSION = 'cs_test_a1B2c3D4e5F6'
const KEY = 'pmb-v1-0123456789abcdef0123456789abcdef01234567'
const PROOF = createCheckoutProof({ keyring: createKeyring([{ version: 1, hex: '5a'.repeat(32) }]), publicUrl: () => 'https://sq.example' })

function site({ progress = { open: undefined, tenant: undefined }, spec = {}, ready = false, now = NOW, owns = false }: { progress?: PurchaseProgress; spec?: Partial<Tenant['spec']>; ready?: boolean; now?: string; owns?: boolean } = {}) {
  const { pages, catalog } = testPages([
    platform(),
    sharedProduct({ title: 'SQ Cloud', site: SITE, api: { path: '/api/v2/' } }),
    plan('standard', { title: 'SQ Cloud Standard' }),
    tenant('user007', { keys: [keySpec('k1', { createdAt: NOW })], billing: { checkout: SESSION }, ...spec }),
  ])
  const app = fastify()
  app.setErrorHandler(createProblemHandler({ error: () => undefined }))
  const times = { paidAt: '2026-03-01T12:00:00.000Z', committedAt: '2026-03-01T12:00:00.300Z', readyAt: '2026-03-01T12:00:00.500Z' }
  void app.register(createWelcomeRoutes({ pages, catalog: () => catalog, progress: { of: () => progress, times: () => times }, isReady: () => ready, keyOf: () => KEY, proof: PROOF, isOwner: (_request, { metadata }) => owns && metadata.name === 'user007', publicUrl: () => 'https://sq.example', now: () => new Date(now) }))
  onTestFinished(() => app.close())
  return app
}

/** As the browser sends it that began the session. */
const cookieOf = (session: string): string => PROOF.cookie({ headers: {} }, session).split(';')[0]!
const BEGAN = { cookie: cookieOf(SESSION) }
const served: PurchaseProgress = { open: undefined, tenant: 'user007' as TenantId }

describe('what a buyer sees', () => {
  test.each([
    ['nothing was heard yet', {}, 'One moment', true],
    ['paid', { progress: { open: { state: 'pending', paidAt: NOW }, tenant: undefined } }, 'is being made right now', true],
    ['a person must look', { progress: { open: { state: 'held', paidAt: NOW }, tenant: undefined } }, 'Nothing is lost', false],
    ['committed', { progress: served }, 'is being started', true],
    ['running', { progress: served, ready: true }, 'Your instance is running', false],
  ] as const)('%s', async (_name, state, words, goesOn) => {
    const session = 'progress' in state && state.progress === served ? SESSION : 'cs_test_somebodyelse'
    const { body, headers, statusCode } = await site(state).inject({ url: `/welcome?session=${session}`, headers: { cookie: cookieOf(session) } })
    expect(statusCode).toBe(200)
    expect(body).toContain(words)
    expect(body.includes('http-equiv="refresh"')).toBe(goesOn)
    expect(body.includes('hx-get="/welcome/progress')).toBe(goesOn)
    expect(headers).toMatchObject({ 'cache-control': 'no-store', 'referrer-policy': 'no-referrer' })
    expect(body.includes(KEY)).toBe(words === 'Your instance is running')
  })

  test('what is asked for again is the part alone, kept nowhere', async () => {
    const { body, headers } = await site({ progress: served, ready: true }).inject(`/welcome/progress?session=${SESSION}&looks=3`)
    expect(body).not.toContain('<html')
    expect(headers).toMatchObject({ 'content-security-policy': expect.stringContaining("default-src 'none'") as string, 'x-content-type-options': 'nosniff', 'referrer-policy': 'no-referrer' })
    expect(body).toContain('0.5 s after the payment')
    expect(headers['cache-control']).toBe('no-store')
  })

  test('after many looks it says that it takes longer, and looks less often', async () => {
    const app = site()
    expect((await app.inject('/welcome/progress?session=cs_test_unheard00&looks=10')).body).toContain('delay:350ms')
    const { body } = await app.inject('/welcome/progress?session=cs_test_unheard00&looks=90')
    expect(body).toContain('This takes longer than usual')
    expect(body).toContain('delay:5s')
  })
})

describe('the key is not shown', () => {
  test.each([
    ['a day later', { now: '2026-03-02T12:00:01Z' }],
    ['for a suspended tenant', { spec: { state: 'suspended' } }],
    ['but the one that took its place neither', { spec: { keys: [keySpec('k1', { createdAt: NOW, revokedAt: NOW }), keySpec('k2', { createdAt: NOW })] } }],
    ['when it was revoked', { spec: { keys: [keySpec('k1', { createdAt: NOW, revokedAt: NOW })] } }],
  ] as const)('%s', async (_name, state) => {
    const app = site({ progress: served, ready: true, ...(state as object) })
    expect((await app.inject({ url: `/welcome?session=${SESSION}`, headers: BEGAN })).body).not.toContain(KEY)
    expect((await app.inject({ url: `/welcome/openclaw?session=${SESSION}`, headers: BEGAN })).statusCode).toBe(404)
  })

  test.each(['', 'cs_', 'cs_short', 'sub_0123456789', 'cs_test_<script>', `cs_${'x'.repeat(300)}`])('for what is no session: %s', async (session) => {
    const { statusCode, body } = await site({ progress: served, ready: true }).inject({ url: '/welcome', query: { session } })
    expect(statusCode).toBe(404)
    expect(body).toContain('This address is not complete')
    expect(body).not.toContain('<script>')
  })
})

describe('whoever has the session alone', () => {
  test.each([
    ['without a cookie', {}],
    ['with the proof of another checkout', { cookie: cookieOf('cs_test_another0') }],
    ['with something made up', { cookie: `__Host-checkout=${'0'.repeat(64)}.x` }],
  ])('sees that it runs, and no key: %s', async (_name, headers) => {
    const app = site({ progress: served, ready: true })
    for (const url of [`/welcome?session=${SESSION}`, `/welcome/progress?session=${SESSION}`]) {
      const { body } = await app.inject({ url, headers })
      expect(body).toContain('Sign in with the address you paid with to see the key')
      expect(body).toContain('href="/auth/sign-in?next=/dashboard"')
      expect(body).toContain('rotate it before you store anything')
      expect(body).not.toMatch(/pmb-v1|openclaw|user007/)
    }
    expect((await app.inject({ url: `/welcome/openclaw?session=${SESSION}`, headers })).statusCode).toBe(404)
  })

  test('sees it as the signed-in owner, and as who began several checkouts', async () => {
    const owner = site({ progress: served, ready: true, owns: true })
    expect((await owner.inject(`/welcome?session=${SESSION}`)).body).toContain(KEY)
    expect((await owner.inject(`/welcome/openclaw?session=${SESSION}`)).statusCode).toBe(200)
    const later = PROOF.cookie({ headers: BEGAN }, 'cs_test_another0')
    expect(later).toMatch(/^__Host-checkout=.*; Max-Age=129600; Path=\/; HttpOnly; Secure; SameSite=Lax$/)
    const { body } = await site({ progress: served, ready: true }).inject({ url: `/welcome?session=${SESSION}`, headers: { cookie: later.split(';')[0]! } })
    expect(body).toContain(KEY)
  })
})

test('the settings for OpenClaw are a file with address, key and a name', async () => {
  const { body, headers } = await site({ progress: served, ready: true }).inject({ url: `/welcome/openclaw?session=${SESSION}`, headers: BEGAN })
  expect(body).toBe(`skills:\n  sq-memory:\n    enabled: true\n    endpoint: https://sq.example\n    api_key: ${KEY}\n    namespace: user007\n`)
  expect(headers).toMatchObject({ 'content-disposition': 'attachment; filename="openclaw-sq-memory.yaml"', 'cache-control': 'no-store' })
})
