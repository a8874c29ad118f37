/** Whether a name is free, and how one's instances are: told to whom it concerns, and within limits. */
import fastify from 'fastify'
import { pino } from 'pino'
import { describe, expect, onTestFinished, test } from 'vitest'
import { createStatusRoutes } from '../../controller/accounts/status-routes.ts'
import { createCatalog } from '../../controller/core/catalog.ts'
import { newRecord } from '../../controller/store/tenant-records.ts'
import { containerProduct, keySpec, plan, platform, put, sharedProduct, tenant } from '../support/specs.ts'
import { bearer, makeSite, signInByMail } from './support.ts'

function place() {
  const site = makeSite()
  const catalog = createCatalog()
  const spoq = containerProduct({ tenantId: { prefix: 'spoq', digits: 3 } }, 'spoq')
  const owner = { email: 'Ada@example.com', username: 'ada' }
  const specs = [platform(), sharedProduct(), spoq, plan('standard'), plan('spoq', { product: 'spoq', limits: {} }), tenant('user001', { owner }), tenant('spoq001', { product: 'spoq', plan: 'spoq', owner, keys: [keySpec('k2')] }), tenant('user002', { owner: { email: 'eve@example.com', username: 'eve' }, keys: [keySpec('k3')] })]
  catalog.apply(specs.map((spec) => put(spec)))
  const records = { get: (id: string) => (id === 'user001' ? newRecord('user001' as never, 'sq', 'x') : undefined) }
  const app = fastify()
  const { sessions, limits } = site.accounts
  void app.register(createStatusRoutes({ sessions, limits, catalog, records: records as never, log: pino({ level: 'silent' }) }))
  onTestFinished(() => app.close())
  const get = (url: string, headers: Record<string, string> = {}) => app.inject({ url, headers })
  return { site, get }
}

describe('a name', () => {
  test.each([
    ['/api/subdomain/check/bob', true],
    ['/api/subdomain/check/ada', false],
    ['/api/subdomain/check/eve', true],
    ['/api/subdomain/check/eve?product=sq', false],
    ['/api/subdomain/check/-bob', false],
    ['/api/subdomain/check/Bob', false],
    [`/api/subdomain/check/${'a'.repeat(33)}`, false],
  ])('%s is free: %s', async (url, available) => {
    expect((await place().get(url)).json()).toEqual({ available })
  })

  test('of a product that is none is refused, and too many questions are', async () => {
    const { get } = place()
    expect((await get('/api/subdomain/check/bob?product=nope')).json()).toMatchObject({ status: 404, code: 'product-unknown' })
    const statuses = []
    for (let n = 0; n < 70; n++) statuses.push((await get('/api/subdomain/check/bob')).statusCode)
    expect(statuses.slice(0, 50)).toEqual(Array.from({ length: 50 }, () => 200))
    expect(statuses.at(-1)).toBe(429)
  })
})

describe('the status', () => {
  test('is of one\'s own instances', async () => {
    const { site, get } = place()
    const token = (await signInByMail(site, 'ada@example.com')).split('=')[1]!
    const status = (await get('/api/status', bearer(token))).json<{ tenants: { tenant: string }[] }>()
    expect(status).toMatchObject({ container_status: 'starting', profiles: [], devices: [], tenants: [{ tenant: 'spoq001', product: 'spoq', state: 'active', ready: false }, { tenant: 'user001', product: 'sq', plan: 'standard', username: 'ada', state: 'active' }] })
    expect(JSON.stringify(status)).not.toContain('user002')
  })

  test('is of none for an address that is not proved, and for nobody without a session', async () => {
    const { site, get } = place()
    const { token } = (await site.post('/api/auth/register', { email: 'ada@example.com', password: 'long enough it is' })).json<{ token: string }>()
    expect((await get('/api/status', bearer(token))).json()).toEqual({ container_status: null, profiles: [], devices: [], tenants: [] })
    expect((await get('/api/status')).json()).toMatchObject({ status: 401, code: 'not-signed-in' })
  })
})
