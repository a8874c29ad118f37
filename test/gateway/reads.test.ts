/** Reads answered from memory: when they are, and when they must not be. */
import type { Socket } from 'node:net'
import { describe, expect, it } from 'vitest'
import { shardName } from '../../controller/core/placement.ts'
import type { GatewaySettings } from '../../controller/gateway/settings.ts'
import { waitFor } from '../support/wait.ts'
import { controlGet } from './control-client.ts'
import { makeKey, rawExchange, routeFor, startFixture, startUpstream } from './gateway-fixture.ts'

const HERE = 'c=1.1.1/1.1.1/1.1.1'

/** An instance that answers with how many requests it has had, so that an answer from memory shows. */
async function setUp(settings: Partial<GatewaySettings> = {}, answer?: (socket: Socket, request: string, count: number) => boolean) {
  const [key, neighbour] = [makeKey(), makeKey()]
  let count = 0
  const upstream = await startUpstream((socket, request) => {
    count++
    if (answer?.(socket, request, count) === true) return
    const body = `answer ${count}`
    socket.end(`HTTP/1.1 200 OK\r\nAccess-Control-Allow-Origin: *\r\nContent-Length: ${body.length}\r\n\r\n${body}`)
  })
  const place = { upstream: { host: '127.0.0.1', port: upstream.port }, shard: shardName('sq', 0) }
  const fixture = await startFixture([routeFor('user001', key, place), routeFor('user002', neighbour, place)], settings)
  const call = (query: string, init: RequestInit = {}, as = key) => fetch(`${fixture.url}/api/v2/${query}`, { ...init, headers: { Authorization: `Bearer ${as}`, ...(init.headers as Record<string, string>) } })
  const text = async (query: string, init: RequestInit = {}, as = key) => (await call(query, init, as)).text()
  return { ...fixture, key, neighbour, upstream, place, call, text, asked: () => count }
}

describe('a read', () => {
  it.each(['select', 'toc', 'get', 'checksum', 'query'])('by %s is answered once by the instance and then from memory, the same in every byte', async (command) => {
    const { call, asked } = await setUp()
    const answers = []
    for (let n = 0; n < 3; n++) {
      const response = await call(`${command}?p=notes&${HERE}`)
      const headers = [...response.headers].filter(([name]) => !['x-request-id', 'date'].includes(name))
      answers.push({ status: response.status, headers, body: await response.text() })
    }
    expect(asked()).toBe(1)
    expect(answers[1]).toEqual(answers[0])
    expect(answers[2]).toEqual(answers[0])
    expect(Object.fromEntries(answers[0]!.headers)).toMatchObject({ 'content-type': 'text/plain; charset=utf-8', 'content-length': '8', etag: expect.stringMatching(/^"[\w-]{27}"$/), 'access-control-allow-origin': '*' })
  })

  it.each(['status', 'version', 'delta'])('by %s is always asked for', async (command) => {
    const { text } = await setUp()
    expect([await text(`${command}?p=notes`), await text(`${command}?p=notes`)]).toEqual(['answer 1', 'answer 2'])
  })

  it.each([
    ['update by GET', `update?p=notes&${HERE}&s=x`, {}],
    ['update by POST', `update?p=notes&${HERE}`, { method: 'POST', body: 'x' }],
    ['insert', `insert?p=notes&${HERE}&s=x`, {}],
    ['delete', `delete?p=notes&${HERE}`, {}],
    ['load', 'load?p=notes', {}],
    ['json-export', 'json-export?p=notes', {}],
    ['delta by POST', 'delta?p=notes', { method: 'POST', body: '1.1.1/1.1.1/1.1.1: 00' }],
    ['a call that nobody knows', 'append?p=notes&s=x', {}],
    ['a method that nobody knows', 'select?p=other', { method: 'PUT', body: 'x' }],
  ])('is not answered from memory after %s', async (_name, write, init) => {
    const { text } = await setUp()
    const [select, toc] = [await text(`select?p=notes&${HERE}`), await text('toc?p=notes')]
    await text(write, init)
    expect(await text(`select?p=notes&${HERE}`)).not.toBe(select)
    expect(await text('toc?p=notes')).not.toBe(toc)
  })

  it('is still answered from memory after a write to another phext or of another tenant', async () => {
    const { text, neighbour } = await setUp()
    const first = await text(`select?p=notes&${HERE}`)
    await text(`update?p=others&${HERE}&s=x`)
    await text(`update?p=notes&${HERE}&s=x`, {}, neighbour)
    expect(await text(`select?p=notes&${HERE}`)).toBe(first)
    expect(await text(`select?p=notes&${HERE}`, {}, neighbour)).not.toBe(first)
  })

  it('that a write overtook is not kept', async () => {
    let held: Socket | undefined
    const { text, asked } = await setUp({}, (socket, request) => held === undefined && request.includes('/select') && (held = socket) !== undefined)
    const slow = text(`select?p=notes&${HERE}`)
    await waitFor(() => held !== undefined, 'the read at the instance')
    await text(`update?p=notes&${HERE}&s=x`)
    held!.end('HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nold')
    expect(await slow).toBe('old')
    expect(await text(`select?p=notes&${HERE}`)).toBe('answer 3')
    expect(asked()).toBe(3)
  })

  it('is not kept while a write is under way, nor after one whose outcome is not known', async () => {
    const { text, call, asked } = await setUp({}, (socket, request) => {
      if (!request.includes('/update')) return false
      socket.destroy()
      return true
    })
    expect((await call(`update?p=notes&${HERE}&s=x`)).status).toBe(502)
    const before = asked()
    expect(await text(`select?p=notes&${HERE}`)).not.toBe(await text(`select?p=notes&${HERE}`))
    expect(asked()).toBe(before + 2)
  })

  it('of a phext that holds breaks which SQ has not read yet is always asked for', async () => {
    const { text } = await setUp()
    await text(`update?p=notes&${HERE}`, { method: 'POST', body: 'one\u0017two' })
    expect(await text(`select?p=notes&${HERE}`)).not.toBe(await text(`select?p=notes&${HERE}`))
    expect(await text(`select?p=other&${HERE}`)).toBe(await text(`select?p=other&${HERE}`))
  })

  it('is asked for again after any change of the tenant\'s route', async () => {
    const { text, writer, key, place } = await setUp()
    const first = await text('toc?p=notes')
    expect(await text('toc?p=notes')).toBe(first)
    await writer.put([routeFor('user001', key, { ...place, plan: 'another' })])
    await waitFor(async () => (await text('toc?p=notes')) !== first, 'an answer of the route as it is now')
  })

  it.each([
    ['an error', 'HTTP/1.1 500 Internal Server Error\r\nContent-Length: 3\r\n\r\nbad'],
    ['no length', 'HTTP/1.1 200 OK\r\n\r\nbody'],
    ['a header that the gateway does not know', 'HTTP/1.1 200 OK\r\nSet-Cookie: a=b\r\nContent-Length: 3\r\n\r\none'],
    ['more than is kept', `HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\n${'x'.repeat(200_000)}`],
  ])('whose answer has %s is not kept and has no ETag', async (_name, raw) => {
    const { call, asked } = await setUp({}, (socket) => void socket.end(raw) === undefined)
    for (let n = 1; n <= 2; n++) {
      const response = await call('get?p=notes')
      await response.text()
      expect([response.headers.get('etag'), asked()]).toEqual([null, n])
    }
  })

  it('that is cut off is an error and is not kept', async () => {
    const { call, asked } = await setUp({}, (socket, _request, count) => count === 1 && socket.end('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc') !== undefined)
    expect((await call('get?p=notes')).status).toBe(502)
    expect(await (await call('get?p=notes')).text()).toBe('answer 2')
    expect(asked()).toBe(2)
  })

  it('passes key, limits and meters when it is answered from memory', async () => {
    const { call, text, key, url, writer, place } = await setUp()
    await writer.put([routeFor('user001', key, { ...place, limits: { requestsPerDay: 4 } })])
    await waitFor(async () => (await call('version')).headers.get('ratelimit') !== null, 'the limit')
    for (let n = 0; n < 3; n++) await text('toc?p=notes')
    expect((await call('toc?p=notes')).status).toBe(429)
    expect((await call('toc?p=notes', {}, makeKey())).status).toBe(401)
    const usage = (await (await fetch(`${url}/api/usage`, { headers: { Authorization: `Bearer ${key}` } })).json()) as { requests?: unknown }
    expect(JSON.stringify(usage)).toContain('"used":4')
  })

  it('is counted by whether its answer was in memory', async () => {
    const { text, home } = await setUp()
    for (let n = 0; n < 4; n++) await text('toc?p=notes')
    await waitFor(async () => {
      const metrics = (await controlGet(home, '/metrics')).body
      return /tenantry_gateway_reads_total\{result="hit"\} 3\n/.test(metrics) && /tenantry_gateway_reads_total\{result="miss"\} 1\n/.test(metrics) && /tenantry_gateway_read_cache_bytes [1-9]/.test(metrics)
    }, 'the counts')
  })

  it('is always asked for when the setting says so', async () => {
    const { text } = await setUp({ readCacheBytes: 0 })
    expect([await text('toc?p=notes'), await text('toc?p=notes')]).toEqual(['answer 1', 'answer 2'])
  })
})

describe('a condition', () => {
  it('is answered with 304 exactly when the client has what would be sent, from memory or not', async () => {
    for (const readCacheBytes of [0, 1_000_000]) {
      const { call } = await setUp({ readCacheBytes }, (socket, request) => {
        const body = request.includes('p=empty') ? '' : 'the same'
        return socket.end(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`) !== undefined
      })
      const etag = (await call('toc?p=notes')).headers.get('etag')!
      const ask = async (value: string, query = 'toc?p=notes', method = 'GET') => {
        const response = await call(query, { method, headers: { 'If-None-Match': value } })
        return [response.status, response.headers.get('etag'), (await response.text()).length]
      }
      expect(await ask(etag)).toEqual([304, etag, 0])
      expect(await ask(etag, 'toc?p=notes', 'HEAD')).toEqual([304, etag, 0])
      expect(await ask(`"other", W/${etag}`)).toEqual([304, etag, 0])
      expect(await ask('*')).toEqual([304, etag, 0])
      expect(await ask('"other"')).toEqual([200, etag, 8])
      expect(await ask(etag.slice(1, -1))).toEqual([200, etag, 8])
      const [status, other] = await ask(etag, 'toc?p=empty')
      expect(status).toBe(200)
      expect(other).not.toBe(etag)
    }
  })

  it('on a write is refused, since it could not be kept', async () => {
    const { call, asked } = await setUp()
    for (const name of ['If-Match', 'If-None-Match', 'If-Unmodified-Since']) {
      const response = await call(`update?p=notes&${HERE}`, { method: 'POST', body: 'x', headers: { [name]: '*' } })
      expect([response.status, ((await response.json()) as { code: string }).code]).toEqual([400, 'condition-unsupported'])
    }
    expect(asked()).toBe(0)
  })
})

it('answers HEAD from what GET brought, and the other way round', async () => {
  const { gateway, key, asked } = await setUp()
  const ask = (method: string) => rawExchange(gateway.port, `${method} /api/v2/toc?p=notes HTTP/1.1\r\nHost: a\r\nX-API-Key: ${key}\r\nConnection: close\r\n\r\n`)
  const [head, get, again] = [await ask('HEAD'), await ask('GET'), await ask('HEAD')]
  expect(asked()).toBe(1)
  expect(head.received).toMatch(/Content-Length: 8\r\n[^]*\r\n\r\n$/)
  expect(get.received).toMatch(/Content-Length: 8\r\n[^]*\r\n\r\nanswer 1$/)
  expect(again.received).toMatch(/\r\n\r\n$/)
})
