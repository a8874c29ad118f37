import { describe, expect, it } from 'vitest'
import { digestOf, freePort, makeKey, routeFor, sqLike, startFixture, startUpstream, rawExchange } from './gateway-fixture.ts'
import { waitFor } from '../support/wait.ts'
import type { TenantId } from '../../controller/core/specs.ts'

const PAST = '2020-01-01T00:00:00Z'
const FUTURE = '2999-01-01T00:00:00Z'

async function problem(url: string, headers: Record<string, string> = {}, init: RequestInit = {}) {
  const response = await fetch(url, { ...init, headers })
  return { status: response.status, headers: response.headers, body: (await response.json()) as Record<string, unknown> }
}

describe('who may pass', () => {
  it('finds the key in all four places and hands SQ one Authorization', async () => {
    const key = makeKey()
    const upstream = await startUpstream(sqLike('stored'))
    const { url } = await startFixture([routeFor('user001', key, { upstream: { host: '127.0.0.1', port: upstream.port } })])
    const places = [{ Authorization: `Bearer ${key}` }, { authorization: `bearer  ${key}` }, { Authorization: key }, { 'X-SQ-API-Key': key }, { 'X-API-Key': key }]
    for (const headers of [...places, { Authorization: 'Basic dXNlcjpwYXNz', 'X-API-Key': key }, { Authorization: 'Bearer some.other.token', 'X-API-Key': key }]) {
      const response = await fetch(`${url}/api/v2/select?p=a&c=1.1.1/1.1.1/1.1.1`, { headers: headers as Record<string, string> })
      expect([response.status, await response.text()]).toEqual([200, 'stored'])
    }
    for (const request of upstream.requests) {
      expect(request).toMatch(new RegExp(`^GET /api/v2/select\\?p=a&c=1\\.1\\.1/1\\.1\\.1/1\\.1\\.1 HTTP/1\\.1\r\nAuthorization: Bearer ${key}\r\n`))
      expect(request.match(/api-key|authorization/gi)).toHaveLength(1)
    }
  })

  it('refuses no key, a mistyped key, several keys, each in words of its own', async () => {
    const key = makeKey()
    const { url, gateway } = await startFixture([routeFor('user001', key)])
    const typo = key.slice(0, 20) + (key[20] === 'a' ? 'b' : 'a') + key.slice(21)
    expect(await problem(`${url}/api/v2/select`)).toMatchObject({ status: 401, body: { code: 'key-missing', status: 401, requestId: expect.stringMatching(/^test-/) } })
    expect(await problem(`${url}/api/v2/select`, { 'X-API-Key': typo })).toMatchObject({ status: 401, body: { code: 'key-malformed' } })
    expect(await problem(`${url}/api/v2/select`, { 'X-API-Key': key, Authorization: `Bearer ${makeKey()}` })).toMatchObject({ status: 400, body: { code: 'keys-conflict' } })
    const twice = await rawExchange(gateway.port, `GET /api/v2/select HTTP/1.1\r\nHost: a\r\nAuthorization: ${key}\r\nAuthorization: ${makeKey()}\r\nConnection: close\r\n\r\n`)
    expect(twice.statuses).toEqual([400])
    const { headers } = await problem(`${url}/api/v2/select`)
    expect(headers.get('content-type')).toBe('application/problem+json')
    expect(headers.get('www-authenticate')).toBe('Bearer realm="tenantry"')
    expect(headers.get('access-control-allow-origin')).toBe('*')
  })

  it('answers unknown, expired and revoked keys exactly alike', async () => {
    const [expired, revoked] = [makeKey(), makeKey()]
    const { url, writer } = await startFixture([routeFor('user001', expired, { expiresAt: PAST }), routeFor('user002', revoked)])
    await writer.drop(['user002' as TenantId])
    const answer = async (key: string) => {
      const { status, headers, body } = await problem(`${url}/api/v2/select`, { 'X-API-Key': key })
      const shown = [...headers].filter(([name]) => !['date', 'x-request-id', 'content-length'].includes(name))
      return JSON.stringify([status, shown, { ...body, requestId: '' }])
    }
    const unknown = await answer(makeKey())
    expect(await answer(expired)).toBe(unknown)
    await waitFor(async () => (await answer(revoked)) === unknown, 'the revoked key to look unknown', 1_000)
    expect(unknown).toContain('key-invalid')
  })

  it('says where to pay when suspended, and that data is kept when ended', async () => {
    const [suspended, ended] = [makeKey(), makeKey()]
    const { url } = await startFixture([routeFor('user001', suspended, { state: 'suspended', stateReason: 'payment failed' }), routeFor('user002', ended, { state: 'ended' })])
    const body = { code: 'account-suspended', link: 'https://pay.example/now', detail: expect.stringContaining('payment failed') }
    expect(await problem(`${url}/api/v2/select`, { 'X-API-Key': suspended })).toMatchObject({ status: 402, body })
    expect(await problem(`${url}/api/v2/select`, { 'X-API-Key': ended })).toMatchObject({ status: 402, body: { code: 'account-ended', detail: expect.stringContaining('kept') } })
  })

  it('keeps products apart, and says that an instance is still starting', async () => {
    const [sq, other, silent, waiting] = [makeKey(), makeKey(), makeKey(), makeKey()]
    const upstream = { host: '127.0.0.1', port: await freePort() }
    const { tenant, plan, state, keys, limits } = routeFor('alice', silent)
    const { url } = await startFixture([
      routeFor('user001', sq, { upstream }),
      routeFor('ctx001', other, { product: 'contextlite', api: '/api/v1/', upstream }),
      { tenant, plan, state, keys, limits, product: 'spoq', upstream },
      routeFor('ded001', waiting, { waiting: 'the container is starting' }),
    ])
    const wrong = { status: 404, body: { code: 'no-such-route-for-product' } }
    expect(await problem(`${url}/api/v1/documents`, { 'X-API-Key': sq })).toMatchObject(wrong)
    expect(await problem(`${url}/api/v2/select`, { 'X-API-Key': other })).toMatchObject(wrong)
    expect(await problem(`${url}/api/v2/select`, { 'X-API-Key': silent })).toMatchObject(wrong)
    const starting = await problem(`${url}/api/v2/select`, { 'X-API-Key': waiting })
    expect(starting).toMatchObject({ status: 503, body: { code: 'instance-starting', retryAfterSeconds: 5, detail: expect.stringContaining('the container is starting') } })
    expect(starting.headers.get('retry-after')).toBe('5')
  })

  it('has a revoked, a rotated and a suspended key in force within a second', async () => {
    const [first, second] = [makeKey(), makeKey()]
    const server = await startUpstream(sqLike('ok'))
    const upstream = { host: '127.0.0.1', port: server.port }
    const { url, writer } = await startFixture([routeFor('user001', first, { upstream, expiresAt: FUTURE })])
    const status = async (key: string) => (await fetch(`${url}/api/v2/select`, { headers: { 'X-API-Key': key } })).status
    expect([await status(first), await status(second)]).toEqual([200, 401])
    await writer.put([{ ...routeFor('user001', second, { upstream }), keys: [first, second].map((key, n) => ({ id: `k${n}`, digest: digestOf(key) })) }])
    await waitFor(async () => (await status(second)) === 200, 'the second key', 1_000)
    expect(await status(first)).toBe(200)
    await writer.put([routeFor('user001', second, { upstream })])
    await waitFor(async () => (await status(first)) === 401, 'the revoked key refused', 1_000)
    await writer.put([routeFor('user001', second, { upstream, state: 'suspended' })])
    await waitFor(async () => (await status(second)) === 402, 'the suspension', 1_000)
  })

  it('answers preflights and never logs a key', async () => {
    const key = makeKey()
    const { url, log } = await startFixture([routeFor('user001', key, { upstream: { host: '127.0.0.1', port: await freePort() } })], { comebackMs: 50 })
    const preflight = await fetch(`${url}/api/v2/insert`, { method: 'OPTIONS', headers: { Origin: 'https://x.example', 'Access-Control-Request-Method': 'POST' } })
    expect(preflight.status).toBe(204)
    expect(preflight.headers.get('access-control-allow-headers')).toContain('Authorization')
    expect(await problem(`${url}/api/v2/select?secret=${key}`, { 'X-API-Key': key })).toMatchObject({ status: 502, body: { code: 'instance-unreachable' } })
    expect(log.length).toBeGreaterThan(1)
    expect(log.join('\n')).not.toContain(key.slice(7))
    expect(log.join('\n')).not.toContain('secret')
  })
})
