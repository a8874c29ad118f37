/** The dashboard's pages and forms: each form followed to its commit, what is refused told on its page, nothing without a session or from elsewhere. */
import Stripe from 'stripe'
import { describe, expect, it } from 'vitest'
import { createOwned } from '../../controller/dashboard/owned.ts'
import { fileOf, SHARED_FILES, tenantText } from '../support/tenant-files.ts'
import { openDashboard, REFUSAL, type DashboardPlace } from './dashboard-place.ts'

const ADA = 'user001@example.com'
const KEYS = '/dashboard/user001/keys'

/** A plan with slots, so that its owners may be listed, and a subscription. */
const FOUNDER = [
  ...SHARED_FILES.map(({ path, text }) => ({ path, text: path.startsWith('plans/') ? text.replace('  tier: standard\n', '  tier: standard\n  slots: 500\n') : text })),
  { path: fileOf(1).path, text: tenantText(1).replace('  state: active\n', '  state: active\n  billing: { customer: cus_1, subscription: sub_1, checkout: cs_1, status: active, interval: month, price: { amount: 1000, currency: usd } }\n') },
]

const keyIds = (place: DashboardPlace): string[] => place.tenant().spec.keys.map(({ id }) => id)

describe('who comes in', () => {
  it('nobody without a session: a person is led to sign in and back, a part of a page gets nothing', async () => {
    const { app } = await openDashboard()
    const answer = await app.inject('/dashboard/user001/keys?said=closed')
    expect([answer.statusCode, answer.headers.location]).toEqual([303, '/auth/sign-in?next=%2Fdashboard%2Fuser001%2Fkeys'])
    expect((await app.inject({ url: '/dashboard/user001/live', headers: { 'hx-request': 'true' } })).statusCode).toBe(204)
    expect((await app.inject({ method: 'POST', url: '/dashboard/user001/keys' })).statusCode).toBe(303)
  })

  it('the owner, to whom a part of a page comes with the headers of a page', async () => {
    const { headers, body } = await (await openDashboard()).get(ADA, '/dashboard/user001/live')
    expect(body).toContain('id="live"')
    expect(headers).toMatchObject({ 'content-security-policy': expect.stringContaining("default-src 'none'") as string, 'x-content-type-options': 'nosniff', 'cache-control': 'no-store' })
  })

  it('no form of another site, and none that comes too often', async () => {
    const place = await openDashboard()
    expect((await place.post(ADA, KEYS, { csrf: 'guessed' })).statusCode).toBe(403)
    expect(keyIds(place)).toEqual(['k1'])
    const statuses = []
    for (let i = 0; i < 32; i++) statuses.push((await place.post(ADA, '/dashboard/user001/account/close', { confirm: 'no' })).statusCode)
    expect(new Set(statuses.slice(0, 30))).toEqual(new Set([422]))
    expect(statuses.slice(30)).toEqual([429, 429])
  })

  it('with one tenant is led to it, with several sees them, with none and unproved is told what to do', async () => {
    const place = await openDashboard([...SHARED_FILES, fileOf(1), { path: fileOf(2).path, text: tenantText(2).replace('user002@', 'user001@') }, fileOf(3)])
    expect((await place.get('user003@example.com', '/dashboard')).headers.location).toBe('/dashboard/user003')
    const list = await place.get(ADA, '/dashboard')
    expect([list.body.includes('/dashboard/user001"'), list.body.includes('/dashboard/user002"'), list.body.includes('user003')]).toEqual([true, true, false])
    expect((await place.get('nobody@example.com', '/dashboard')).body).toContain('Nothing here yet')
    expect((await place.get(`unproved:${ADA}`, '/dashboard')).body).toContain('Is this address yours?')
  })
})

describe('keys', () => {
  it('are made, shown once to who made them, and never again', async () => {
    const place = await openDashboard()
    const made = await place.post(ADA, KEYS, { name: 'reader', readOnly: 'on', phexts: 'notes, plans', expires: '2026-04-30' })
    expect([made.statusCode, made.headers.location]).toEqual([303, `${KEYS}?said=key-made&new=k2`])
    expect(place.tenant().spec.keys[1]).toMatchObject({ id: 'k2', name: 'reader', access: { readOnly: true, phexts: ['notes', 'plans'] }, expiresAt: '2026-04-30T23:59:59Z' })
    expect(place.message()).toMatch(/^keys: user001: key k2 made[\s\S]*By: owner of user001$/)
    const { keyring } = place.installation
    const text = keyring.keyOf(place.tenant().metadata.name, place.tenant().spec.keys[1] as never)
    const [first, second] = [await place.get(ADA, made.headers.location!), await place.get(ADA, made.headers.location!)]
    expect([first.body.includes(text), second.body.includes(text)]).toEqual([true, false])
    // Without a referrer browsers send forms as from nowhere, and they would be refused.
    expect(first.headers['referrer-policy']).toBe('same-origin')
    expect(first.headers['cache-control']).toBe('no-store')
  })

  it('that cannot be made are told at their field, with what was typed', async () => {
    const place = await openDashboard()
    const answer = await place.post(ADA, KEYS, { name: 'mine', expires: '2020-01-01' })
    expect(answer.statusCode).toBe(422)
    expect(answer.body).toMatch(/id="expires-error">That day is over/)
    expect(answer.body).toContain('value="mine"')
    const bad = await place.post(ADA, KEYS, { phexts: '../up' })
    expect([bad.statusCode, bad.body.includes('role="alert"')]).toEqual([409, true])
    expect(keyIds(place)).toEqual(['k1'])
  })

  it('are renamed, rotated, revoked, and restored, each a commit', async () => {
    const place = await openDashboard()
    const said = async (path: string, fields?: Record<string, string>): Promise<string> => (await place.post(ADA, `${KEYS}/${path}`, fields)).headers.location!.split('said=')[1]!
    expect(await said('k1/rename', { name: 'laptop' })).toBe('key-renamed')
    expect(place.tenant().spec.keys[0]!.name).toBe('laptop')
    expect(await said('k1/rotate')).toBe('key-rotated&new=k2')
    expect(place.tenant().spec.keys.map(({ expiresAt }) => expiresAt)).toEqual(['2026-03-02T12:00:00Z', undefined])
    expect(await said('k2/revoke')).toBe('key-revoked')
    expect((await place.get(ADA, KEYS)).body).toContain('Take the revocation back')
    expect(await said('k2/undo')).toBe('key-restored')
    expect(place.tenant().spec.keys[1]!.revokedAt).toBeUndefined()
    await said('k2/revoke')
    place.pass(600_000)
    expect((await place.get(ADA, KEYS)).body).not.toContain('Take the revocation back')
    const late = await place.post(ADA, `${KEYS}/k2/undo`)
    expect([late.statusCode, late.body.includes('cannot be taken back any more')]).toEqual([409, true])
    expect((await place.post(ADA, `${KEYS}/k9/revoke`)).statusCode).toBe(409)
  })

  it('come in files for programs, one that is known by its digest only does not', async () => {
    const digest = 'ab'.repeat(32)
    const place = await openDashboard([...SHARED_FILES, { path: fileOf(1).path, text: tenantText(1).replace('    - {', `    - { id: k2, digest: ${digest}, createdAt: 2026-02-12T13:15:00Z }\n    - {`) }])
    const page = (await place.get(ADA, '/dashboard/user001/connect')).body
    expect(page).toContain('Of key k2 only the digest is known')
    expect(page).not.toContain('value="k2"')
    const key = place.installation.keyring.keyOf(place.tenant().metadata.name, place.tenant().spec.keys[1] as never)
    const openclaw = await place.post(ADA, '/dashboard/user001/connect/openclaw', { key: 'k1' })
    expect(openclaw.headers['content-disposition']).toBe('attachment; filename="config.yaml"')
    expect(openclaw.body).toContain(`endpoint: https://sq.example\n    api_key: ${key}\n`)
    const mcp = JSON.parse((await place.post(ADA, '/dashboard/user001/connect/mcp', { key: 'k1' })).body) as { mcpServers: { memory: { url: string; headers: object } } }
    expect(mcp.mcpServers.memory).toMatchObject({ url: 'https://sq.example/mcp', headers: { Authorization: `Bearer ${key}` } })
    expect((await place.post(ADA, '/dashboard/user001/connect/openclaw', { key: 'k2' })).statusCode).toBe(409)
    expect((await place.post(ADA, '/dashboard/user001/connect/other', { key: 'k1' })).statusCode).toBe(404)
  })
})

describe('money and the account', () => {
  it('the billing page is Stripe\'s', async () => {
    const place = await openDashboard(FOUNDER)
    const page = (await place.get(ADA, '/dashboard/user001/billing')).body
    expect(page).toContain('$10 a month, kept while you stay subscribed')
    const answer = await place.post(ADA, '/dashboard/user001/billing/portal')
    expect([answer.statusCode, answer.headers.location]).toEqual([303, 'https://billing.stripe.com/p/session/1'])
    expect(place.asked).toEqual(['portal of cus_1'])
    const without = await openDashboard()
    expect((await without.post(ADA, '/dashboard/user001/billing/portal')).statusCode).toBe(409)
  })

  it('what is paused says so, and is resumed by its owner; what is not is refused', async () => {
    const paused = FOUNDER.map(({ path, text }) => ({ path, text: text.replace('status: active', 'status: paused').replace('  state: active\n', '  state: suspended\n  stateBy: billing\n  stateReason: the trial ended without a means of payment\n') }))
    const place = await openDashboard(paused)
    const page = (await place.get(ADA, '/dashboard/user001/billing')).body
    for (const words of ['The trial ended without a card, so it is paused', 'Add a card', 'Resume and pay']) expect(page).toContain(words)
    expect((await place.post(ADA, '/dashboard/user001/billing/resume', { csrf: 'guessed' })).statusCode).toBe(403)
    const answer = await place.post(ADA, '/dashboard/user001/billing/resume')
    expect([answer.statusCode, answer.headers.location, place.asked]).toEqual([303, '/dashboard/user001/billing?said=resuming', ['resume sub_1 of user001']])
    const running = await openDashboard(FOUNDER)
    expect((await running.get(ADA, '/dashboard/user001/billing')).body).not.toContain('Resume and pay')
    expect([(await running.post(ADA, '/dashboard/user001/billing/resume')).statusCode, running.asked]).toEqual([409, []])
  })

  it('stands on the founders page only where the plan has founders, and only by consent', async () => {
    const place = await openDashboard(FOUNDER)
    expect((await place.post(ADA, '/dashboard/user001/account/listing', { listedAs: '  ' })).statusCode).toBe(422)
    expect((await place.post(ADA, '/dashboard/user001/account/listing', { listedAs: ' Ada  L. ' })).headers.location).toBe('/dashboard/user001/account?said=listed')
    expect(place.tenant().spec.owner.listedAs).toBe('Ada L.')
    expect((await place.get(ADA, '/dashboard/user001/account')).body).toContain('<strong>Ada L.</strong>')
    await place.post(ADA, '/dashboard/user001/account/listing', { remove: 'yes' })
    expect(place.tenant().spec.owner.listedAs).toBeUndefined()
    const other = await openDashboard()
    expect((await other.post(ADA, '/dashboard/user001/account/listing', { listedAs: 'Ada' })).statusCode).toBe(409)
  })

  it('closes only when its id is typed: Stripe is told first, then it is written down', async () => {
    const place = await openDashboard(FOUNDER)
    const wrong = await place.post(ADA, '/dashboard/user001/account/close', { confirm: 'user002' })
    expect([wrong.statusCode, place.asked, place.tenant().spec.state]).toEqual([422, [], 'active'])
    expect((await place.post(ADA, '/dashboard/user001/account/close', { confirm: ' user001 ' })).headers.location).toBe('/dashboard/user001/account?said=closed')
    expect(place.asked).toEqual(['cancel sub_1 of user001 while it is active'])
    expect(place.tenant().spec).toMatchObject({ state: 'ended', stateReason: 'closed by its owner' })
    const after = (await place.get(ADA, '/dashboard/user001/account')).body
    expect(after).toContain('No key opens it any more')
    expect(after).not.toContain('account/export')
    expect((await place.post(ADA, KEYS)).statusCode).toBe(409)
  })

  it('stays open where Stripe does not answer', async () => {
    const place = await openDashboard(FOUNDER, (parts) => ({ ...parts, billing: { ...parts.billing, cancelNow: () => Promise.reject(new Error('no network')) } }))
    expect((await place.post(ADA, '/dashboard/user001/account/close', { confirm: 'user001' })).statusCode).toBe(502)
    expect(place.tenant().spec.state).toBe('active')
    expect(place.asked).toEqual(['fault Error: no network'])
  })

  it('keeps what Stripe says of it out of the log', async () => {
    const told = new Stripe.errors.StripeAPIError({ message: 'no mail to ada@example.com', type: 'api_error' })
    const place = await openDashboard(FOUNDER, (parts) => ({ ...parts, billing: { ...parts.billing, cancelNow: () => Promise.reject(told) } }))
    expect((await place.post(ADA, '/dashboard/user001/account/close', { confirm: 'user001' })).statusCode).toBe(502)
    expect(place.asked).toEqual(['fault [object Object]'])
  })

  it('is exported with a key of its own, and the gateway\'s refusal is told', async () => {
    const place = await openDashboard()
    const answer = await place.post(ADA, '/dashboard/user001/account/export')
    expect([answer.statusCode, answer.headers['content-disposition'], answer.body]).toEqual([200, 'attachment; filename="user001.tar"', 'a tar file'])
    const refusing = await openDashboard(undefined, (parts) => ({ ...parts, exportWith: async () => Response.json({ code: 'account-suspended', detail: 'Pay first.' }, { status: 402 }) }))
    const refused = await refusing.post(ADA, '/dashboard/user001/account/export')
    expect([refused.statusCode, refused.json()]).toMatchObject([409, { code: 'account-suspended', detail: 'Pay first.' }])
  })
})

describe('what is read', () => {
  it('tells a refusal\'s rule, who set it with which commit, and the use behind it', async () => {
    const place = await openDashboard()
    expect((await place.get(ADA, '/dashboard/user001/refusals')).body).toContain('/dashboard/user001/refusals/gw-1')
    const { body } = await place.get(ADA, `/dashboard/user001/refusals/${REFUSAL.id}`)
    expect(body).toMatch(/storage: 1 GB/)
    expect(body).toMatch(/The operator, in the plan, [^<]*, commit <code>[0-9a-f]{10}</)
    expect(body).toContain('999 MB')
    expect(body).not.toContain('op@example.com')
  })

  it('has the days as a file, the way from payment to running with times, and no script or style in a page', async () => {
    const place = await openDashboard()
    const csv = await place.get(ADA, '/dashboard/user001/usage.csv')
    expect([csv.headers['content-type'], csv.body.split('\r\n').length]).toEqual(['text/csv; charset=utf-8', 367])
    const history = (await place.get(ADA, '/dashboard/user001/history')).body
    expect(history).toContain('From payment to running: <strong>700 ms</strong>')
    expect(history).toContain('Waits for your agent.')
    for (const section of ['', '/keys', '/connect', '/usage', '/billing', '/history', '/account', '/refusals']) {
      const { body } = await place.get(ADA, `/dashboard/user001${section}`)
      expect(body).not.toMatch(/ style="|<style|<script(?! src)| on\w+="/)
    }
  })

  it('stays up while a fault of ours keeps a change from being written', async () => {
    const place = await openDashboard(undefined, (parts) => ({ ...parts, owned: createOwned({ ownedBy: () => [], tenant: () => place.tenant() }), actions: { ...parts.actions, revokeKey: () => Promise.reject(new Error('disk full')) } }))
    const answer = await place.post(ADA, `${KEYS}/k1/revoke`)
    expect([answer.statusCode, answer.json()]).toMatchObject([503, { code: 'not-written' }])
    expect(answer.body).not.toContain('disk full')
  })
})
