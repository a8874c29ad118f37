import { connect } from 'node:net'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { waitFor } from '../support/wait.ts'
import { makeKey, rawExchange, routeFor, sqLike, startFixture, startUpstream } from './gateway-fixture.ts'

async function setUp(settings = {}) {
  const key = makeKey()
  const upstream = await startUpstream(sqLike('ok'))
  const fixture = await startFixture([routeFor('user001', key, { upstream: { host: '127.0.0.1', port: upstream.port } })], settings)
  const get = `GET /api/v2/select HTTP/1.1\r\nHost: a\r\nX-API-Key: ${key}\r\nConnection: close\r\n\r\n`
  const works = async () => (await rawExchange(fixture.gateway.port, get)).statuses[0]
  return { ...fixture, key, upstream, get, port: fixture.gateway.port, works }
}

describe('what the public port does with bad requests', () => {
  it('refuses every smuggled request and passes none of it on', async () => {
    const { port, key, upstream, works } = await setUp()
    const inner = `GET /api/v2/delete?p=stolen HTTP/1.1\r\nHost: a\r\nX-API-Key: ${key}\r\n\r\n`
    const post = `POST /api/v2/insert HTTP/1.1\r\nHost: a\r\nX-API-Key: ${key}\r\n`
    const attacks = [
      `${post}Content-Length: ${inner.length + 5}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${inner}`,
      `${post}Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n${inner}`,
      `${post}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n${inner}`,
      `${post}Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n${inner}`,
      `${post}Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n${inner}`,
      `${post}Transfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n${inner}`,
      `${post}Content-Length: 0\r\nContent-Length: ${inner.length}\r\n\r\n${inner}`,
      `${post}Content-Length: +0\r\n\r\n${inner}`,
      `${post}Content-Length: 0x0\r\n\r\n${inner}`,
      `${post}Content-Length: 0,0\r\n\r\n${inner}`,
      `${post}X-A: b\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${inner}`,
      `${post}X-A: b\r\n Transfer-Encoding: chunked\r\nContent-Length: 0\r\nX\r\n\r\n${inner}`,
      `${post}Transfer-Encoding: chunked\r\n\r\n0\n\r\n${inner}`,
      `${post}Transfer-Encoding: chunked\r\n\r\n-1\r\n\r\n${inner}`,
      `GET /api/v2/select HTTP/1.1 \r\n x\r\nHost: a\r\n\r\n${inner}`,
    ]
    for (const attack of attacks) {
      const { statuses, closed } = await rawExchange(port, attack)
      expect([closed, statuses.filter((status) => status !== 400)], JSON.stringify(attack)).toEqual([true, []])
    }
    expect(upstream.requests).toEqual([])
    expect(await works()).toBe(200)
  })

  it('gives SQ one request only, whatever the target and the header names hold', async () => {
    const { port, key, upstream } = await setUp()
    const target = '/api/v2/select?p=%0d%0aAuthorization:%20x%0d%0a%0d%0a'
    const names = 'Authorization-Extra: Bearer other\r\nContent-Length-Extra: 99\r\n'
    await rawExchange(port, `GET ${target} HTTP/1.1\r\n${names}Host: a\r\nX-API-Key: ${key}\r\nConnection: close\r\n\r\n`)
    expect(upstream.requests[0]).toBe(`GET ${target} HTTP/1.1\r\nAuthorization: Bearer ${key}\r\nContent-Length: 0\r\nHost: a\r\nConnection: close\r\n\r\n`)
    const absolute = await rawExchange(port, `GET http://evil.example/api/v2/select?p=x HTTP/1.1\r\nHost: a\r\nX-API-Key: ${key}\r\nConnection: close\r\n\r\n`)
    expect(absolute.statuses).toEqual([200])
    expect(upstream.requests[1]).toMatch(/^GET \/api\/v2\/select\?p=x HTTP/)
  })

  it('answers 431 to oversized headers, 400 to nonsense, in the words of a problem', async () => {
    const { port, works } = await setUp()
    const large = await rawExchange(port, `GET /api/v2/select HTTP/1.1\r\nHost: a\r\nX: ${'y'.repeat(70_000)}\r\n\r\n`)
    expect(large.statuses).toEqual([431])
    expect(large.received).toContain('"code":"headers-too-large"')
    for (const text of ['hello\r\n\r\n', 'GET / HTTP/3.0\r\n\r\n', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', '\x16\x03\x01\x02\x00', 'CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n', 'GET /api/v2/select HTTP/1.1\r\n\r\n']) {
      const { statuses, closed } = await rawExchange(port, Buffer.from(text, 'latin1'))
      expect([statuses, closed], JSON.stringify(text)).toEqual([[400], true])
    }
    const star = await rawExchange(port, 'OPTIONS * HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
    expect(star.statuses).toEqual([400])
    expect(await works()).toBe(200)
  })

  it('answers 408 to slow heads and slow bodies, and SQ never hears of them', async () => {
    const { port, key, upstream } = await setUp({ headersTimeoutMs: 200, requestTimeoutMs: 400 })
    const head = await rawExchange(port, 'GET /api/v2/select HTTP/1.1\r\nHost: a\r\nX-')
    expect([head.statuses, head.closed]).toEqual([[408], true])
    const body = await rawExchange(port, `POST /api/v2/insert HTTP/1.1\r\nHost: a\r\nX-API-Key: ${key}\r\nContent-Length: 9\r\n\r\nabc`)
    expect([body.statuses, body.closed]).toEqual([[408], true])
    expect(upstream.requests).toEqual([])
  })

  it('answers or closes for half-closed clients, and forgets those who leave in the middle of a body', async () => {
    const { port, key, get, upstream, works } = await setUp()
    const half = await rawExchange(port, get, { halfClose: true })
    expect(half.closed).toBe(true)
    const socket = connect(port, '127.0.0.1', () => socket.write(`POST /api/v2/insert HTTP/1.1\r\nHost: a\r\nX-API-Key: ${key}\r\nContent-Length: 9\r\n\r\nabc`, () => socket.resetAndDestroy()))
    await new Promise((resolve) => socket.on('close', resolve))
    expect(await works()).toBe(200)
    expect(upstream.requests.every((request) => request.startsWith('GET'))).toBe(true)
  })

  it('lives through random bytes and cut requests', async () => {
    const { port, get, works } = await setUp({ headersTimeoutMs: 100, requestTimeoutMs: 100 })
    const noise = fc.oneof(
      fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
      fc.tuple(fc.nat(get.length), fc.nat(255)).map(([at, byte]) => Buffer.from(get.slice(0, at) + String.fromCharCode(byte) + get.slice(at + 1), 'latin1')),
    )
    await Promise.all(fc.sample(noise, { numRuns: 200, seed: 7 }).map((bytes) => rawExchange(port, bytes, { halfClose: true })))
    expect(await works()).toBe(200)
  })

  it('holds a slow client\'s place for nobody else: neighbours go on', async () => {
    const { port, key, works } = await setUp()
    const slow = Array.from({ length: 600 }, () => connect(port, '127.0.0.1'))
    for (const socket of slow) socket.on('error', () => undefined).write(`POST /api/v2/insert HTTP/1.1\r\nHost: a\r\nX-API-Key: ${key}\r\nContent-Length: 9\r\n\r\na`)
    await waitFor(() => slow.every((socket) => !socket.connecting), 'the slow clients')
    for (let n = 0; n < 20; n++) expect(await works()).toBe(200)
    for (const socket of slow) socket.destroy()
  })
})
