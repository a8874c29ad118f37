import { describe, expect, it } from 'vitest'
import type { Limits } from '../../controller/core/specs.ts'
import type { GatewaySettings } from '../../controller/gateway/settings.ts'
import { describeRefusal, findRefusal } from '../../controller/gateway/refusal-log.ts'
import { waitFor } from '../support/wait.ts'
import { controlGet } from './control-client.ts'
import { digestOf, freePort, makeKey, routeFor, sqLike, startFixture, startUpstream, type RouteOptions } from './gateway-fixture.ts'

const SELECT = '/api/v2/select?p=a&c=1.1.1/1.1.1/1.1.1'

/** No rate gives anything back while it stands. */
const STANDING_CLOCK = (): number => 1_000_000

async function setUp(limits: Limits, { settings, now, steadyMs, ...route }: RouteOptions & { settings?: Partial<GatewaySettings>; now?: () => Date; steadyMs?: () => number } = {}) {
  const key = makeKey()
  const upstream = await startUpstream(sqLike('stored'))
  const at = { upstream: { host: '127.0.0.1', port: upstream.port } }
  const fixture = await startFixture([routeFor('user001', key, { ...at, limits, ...route })], { readCacheBytes: 0, ...settings }, undefined, now, undefined, undefined, undefined, steadyMs)
  const call = (path = SELECT, init: RequestInit = {}) => fetch(`${fixture.url}${path}`, { ...init, headers: { Authorization: `Bearer ${key}`, ...(init.headers as Record<string, string>) } })
  const change = (next: Limits, more: RouteOptions = {}) => fixture.writer.put([routeFor('user001', key, { ...at, limits: next, ...route, ...more })])
  const usage = async () => (await (await call('/api/usage')).json()) as Record<string, any> // eslint-disable-line @typescript-eslint/no-explicit-any
  return { ...fixture, key, upstream, call, change, usage }
}

const problem = async (response: Response) => (await response.json()) as Record<string, unknown>

describe('requests a second', () => {
  it('pass up to the burst, then 429 with the wait, what it was measured against, and where more is to be had', async () => {
    const { call, upstream } = await setUp({ requestsPerSecond: 1, burst: 3 }, { steadyMs: STANDING_CLOCK })
    for (const left of [2, 1, 0]) {
      const response = await call()
      expect(response.status).toBe(200)
      expect(response.headers.get('ratelimit-policy')).toBe('"rate";q=3;w=3')
      expect(response.headers.get('ratelimit')).toBe(`"rate";r=${left};t=${3 - left}`)
    }
    const refused = await call()
    expect(refused.status).toBe(429)
    expect(refused.headers.get('retry-after')).toBe('1')
    expect(refused.headers.get('ratelimit')).toBe('"rate";r=0;t=3')
    const body = { code: 'rate-exceeded', limit: 'requestsPerSecond', value: 1, burst: 3, retryAfterSeconds: 1, link: 'https://more.example', requestId: refused.headers.get('x-request-id') }
    expect(await problem(refused)).toMatchObject(body)
    expect(upstream.requests).toHaveLength(3)
  })

  it('of all keys of a tenant count together, those of others not', async () => {
    const [first, second, other] = [makeKey(), makeKey(), makeKey()]
    const server = await startUpstream(sqLike('ok'))
    const at = { upstream: { host: '127.0.0.1', port: server.port }, limits: { requestsPerSecond: 1, burst: 2 } }
    const keys = [first, second].map((key, n) => ({ id: `k${n}`, digest: digestOf(key) }))
    const { url } = await startFixture([{ ...routeFor('user001', first, at), keys }, routeFor('user002', other, at)], {}, undefined, undefined, undefined, undefined, undefined, STANDING_CLOCK)
    const status = async (key: string) => (await fetch(`${url}${SELECT}`, { headers: { 'X-API-Key': key } })).status
    expect([await status(first), await status(second), await status(first), await status(other)]).toEqual([200, 200, 429, 200])
  })

  it('of a hundred at once pass exactly as many as the burst allows', async () => {
    const { call, upstream } = await setUp({ requestsPerSecond: 1, burst: 10 })
    const statuses = await Promise.all(Array.from({ length: 100 }, async () => (await call()).status))
    const passed = statuses.filter((status) => status === 200).length
    expect(passed).toBeGreaterThanOrEqual(10)
    expect(passed).toBeLessThanOrEqual(13)
    expect(upstream.requests).toHaveLength(passed)
  })

  it('change with the route, and hold for the next request', async () => {
    const { call, change } = await setUp({ requestsPerSecond: 1, burst: 1 })
    expect([(await call()).status, (await call()).status]).toEqual([200, 429])
    await change({ requestsPerSecond: 1000, burst: 1000 })
    await waitFor(async () => (await call()).status === 200, 'the new limit', 1_000)
    await change({})
    await waitFor(async () => !(await call()).headers.has('ratelimit'), 'no limit at all', 1_000)
  })
})

describe('requests a day and a month', () => {
  it('are used up, say when they begin anew, and begin anew then', async () => {
    let now = new Date('2026-02-27T23:59:00Z')
    const { call, usage } = await setUp({ requestsPerDay: 2, requestsPerMonth: 3 }, { now: () => now })
    expect((await call()).headers.get('ratelimit')).toBe(`"day";r=1;t=60, "month";r=2;t=${86_400 + 60}`)
    expect((await call()).status).toBe(200)
    const day = await call()
    expect([day.status, day.headers.get('retry-after')]).toEqual([429, '60'])
    expect(await problem(day)).toMatchObject({ code: 'day-quota-used', limit: 'requestsPerDay', value: 2, used: 2, resetAt: '2026-02-28T00:00:00.000Z', link: 'https://more.example' })
    now = new Date('2026-02-28T00:00:00Z')
    expect((await call()).status).toBe(200)
    const month = await call()
    expect(await problem(month)).toMatchObject({ code: 'month-quota-used', limit: 'requestsPerMonth', value: 3, used: 3, resetAt: '2026-03-01T00:00:00.000Z', retryAfterSeconds: 86_400 })
    expect((await usage())['requests']).toMatchObject({ day: { used: 1, limit: 2, remaining: 1 }, month: { used: 3, limit: 3, remaining: 0, resetAt: '2026-03-01T00:00:00.000Z' } })
    expect((await usage())['history']).toMatchObject([{ day: '2026-02-28', requests: 1, refused: 1 }, { day: '2026-02-27', requests: 2, refused: 1 }])
    expect((await usage())['months']).toMatchObject([{ month: '2026-02', requests: 3, refused: 2 }])
    now = new Date('2026-03-01T00:00:00Z')
    expect((await call()).status).toBe(200)
    expect((await usage())['requests']).toMatchObject({ day: { used: 1 }, month: { used: 1 } })
  })

  it('that say unlimited stay under the fair-use ceiling', async () => {
    const { call, change } = await setUp({ requestsPerMonth: 'unlimited' }, { fairUse: { requestsPerMonth: 1 } })
    expect((await call()).status).toBe(200)
    expect(await problem(await call())).toMatchObject({ code: 'month-quota-used', value: 1, fairUse: true, detail: expect.stringContaining('fair-use') })
    await change({ requestsPerMonth: 'unlimited' }, { fairUse: { requestsPerMonth: 2 } })
    await waitFor(async () => (await call()).status === 200, 'the raised ceiling', 1_000)
  })

  it('survive a restart of the gateway', async () => {
    const { call, home, gateway } = await setUp({ requestsPerDay: 3 })
    for (let at = 0; at < 3; at++) expect((await call()).status).toBe(200)
    await gateway.stop()
    const key = makeKey()
    const next = await startFixture([routeFor('user001', key, { limits: { requestsPerDay: 3 }, upstream: { host: '127.0.0.1', port: 1 } })], {}, home)
    expect((await fetch(`${next.url}${SELECT}`, { headers: { 'X-API-Key': key } })).status).toBe(429)
  })

  it('do not count what was refused, and what the instance did not answer', async () => {
    const { call, usage, change } = await setUp({ requestsPerDay: 100, bodyMb: 1 }, { settings: { comebackMs: 20, redialMs: 5 } })
    expect((await call('/api/v2/update?c=1.1.1/1.1.1/1.1.1000', { method: 'POST', body: 'x' })).status).toBe(400)
    const large = await call('/api/v2/update?c=1.1.1/1.1.1/1.1.1', { method: 'POST', body: Buffer.alloc(1024 * 1024 + 1) })
    expect([large.status, await problem(large)]).toMatchObject([413, { code: 'body-too-large', limit: 'bodyMb', value: 1, link: 'https://more.example' }])
    await change({ requestsPerDay: 100 }, { upstream: { host: '127.0.0.1', port: await freePort() } })
    let passed = 0
    const away = async () => {
      const { status } = await call()
      if (status === 200) passed++
      return status === 502
    }
    await waitFor(away, 'the instance to be away', 1_000)
    const { requests, history } = await usage()
    expect(requests.day.used).toBe(passed)
    expect(history[0]).toMatchObject({ requests: passed, refused: 3, errors: 1 })
  })
})

describe('what was used', () => {
  it('is told to any key, also of a suspended account, and is never counted', async () => {
    const { call, change, usage, key } = await setUp({ requestsPerSecond: 50, burst: 100, requestsPerDay: 10, requestsPerMonth: 'unlimited', storageMb: 10 }, { shard: 'sq-000' as never })
    await call()
    await call('/api/v2/update?c=1.1.1/1.1.1/1.1.1', { method: 'POST', body: 'four' })
    const report = await usage()
    expect(report).toMatchObject({
      tenant: 'user001',
      product: 'sq',
      state: 'active',
      key: 'k1',
      requests: { second: { limit: 50, burst: 100 }, day: { used: 2, limit: 10, remaining: 8 }, month: { used: 2, limit: null, remaining: null } },
      storage: { unit: 'bytes', limit: 10 * 1024 * 1024 },
      keys: [{ key: 'k1', requests: 2, refused: 0, errors: 0, bytesIn: 4, bytesOut: 12 }],
      history: [{ requests: 2, bytesIn: 4, bytesOut: 12 }],
      links: { upgrade: 'https://more.example' },
    })
    expect(JSON.stringify(report)).not.toContain(key)
    for (let at = 0; at < 20; at++) await usage()
    expect((await usage())['requests'].day.used).toBe(2)
    await change({}, { state: 'suspended' })
    await waitFor(async () => (await usage())['state'] === 'suspended', 'the suspension', 1_000)
    expect((await call('/api/usage', { method: 'POST' })).status).toBe(405)
    expect((await call('/api/usage', { headers: { Authorization: `Bearer ${makeKey()}` } })).status).toBe(401)
    const { lastUsedAt } = await waitFor(async () => (await usage())['keys'][0].lastUsedAt !== null && (await usage())['keys'][0], 'the last use to be written down')
    expect(lastUsedAt).toMatch(/:\d\d:00\.000Z$/)
  })

  it('appears in the metrics by product', async () => {
    const { call, home } = await setUp({ requestsPerDay: 1 })
    await call()
    await call()
    const { body } = await controlGet(home, '/metrics')
    expect(body).toContain('tenantry_gateway_refusals_total{code="day-quota-used"} 1')
    expect(body).toContain('tenantry_gateway_metered_requests_total{product="sq"} 1')
    expect(body).toContain('tenantry_gateway_sent_bytes_total{product="sq"} 6')
    expect(body).not.toContain('user001')
  })
})

describe('a refusal', () => {
  it('is found again by the id in its answer, with rule, tenant, limit and use', async () => {
    const { call, home } = await setUp({ requestsPerDay: 1 })
    await call()
    const { requestId } = await problem(await call())
    const record = await waitFor(() => findRefusal(home, requestId as string), 'the refusal to be written down')
    expect(record).toMatchObject({ tenant: 'user001', key: 'k1', plan: 'sq-founder', status: 429, code: 'day-quota-used', measured: { limit: 'requestsPerDay', value: 1, used: 1 } })
    expect(describeRefusal(record).join('\n')).toMatch(/tenant user001 \(key k1.*\n.*\n {2}rule: limits.requestsPerDay = 1 requests\n {2}used then: 1\n {2}begins anew: /)
    expect(findRefusal(home, 'unknown')).toBeUndefined()
  })

  it('without a key is remembered without a tenant; of a flood only the first', async () => {
    const { url, home, call } = await setUp({ requestsPerSecond: 1, burst: 1 })
    const { requestId } = await problem(await fetch(`${url}${SELECT}`))
    const flood = await Promise.all(Array.from({ length: 60 }, async () => call().then((response) => (response.ok ? undefined : problem(response))).then((body) => body?.['requestId'] as string | undefined)))
    expect(await waitFor(() => findRefusal(home, requestId as string), 'the refusal')).toMatchObject({ tenant: '', code: 'key-missing' })
    const kept = flood.filter((id) => id !== undefined && findRefusal(home, id) !== undefined)
    expect(kept.length).toBeGreaterThan(0)
    expect(kept.length).toBeLessThanOrEqual(30)
  })
})
