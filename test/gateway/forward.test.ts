import { createServer } from 'node:http'
import { connect, type AddressInfo } from 'node:net'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { GatewaySettings } from '../../controller/gateway/settings.ts'
import { waitFor } from '../support/wait.ts'
import { controlGet } from './control-client.ts'
import { makeKey, rawExchange, routeFor, sqLike, startFixture, startUpstream, type RouteOptions } from './gateway-fixture.ts'

type Answer = Parameters<typeof startUpstream>[0]

/** One tenant with its instance behind a gateway. */
async function setUp(answer: Answer, settings: Partial<GatewaySettings> = {}, route: RouteOptions = {}) {
  const key = makeKey()
  const upstream = await startUpstream(answer)
  const fixture = await startFixture([routeFor('user001', key, { upstream: { host: '127.0.0.1', port: upstream.port }, ...route })], settings)
  const call = (path: string, init: RequestInit = {}) => fetch(`${fixture.url}${path}`, { ...init, headers: { Authorization: `Bearer ${key}`, ...(init.headers as Record<string, string>) } })
  return { ...fixture, key, upstream, call }
}

const CONTAINER = { product: 'contextlite', api: '/api/v1/' } as const
const sends = (text: string): Answer => (socket) => void socket.end(text, 'latin1')

describe('what goes to the instance', () => {
  it('is a complete request with its length, however it came', async () => {
    const { call, upstream } = await setUp(sqLike('Inserted 11 bytes'))
    const chunked = new ReadableStream({
      start(controller) {
        for (const part of ['hello', ' ', 'world']) controller.enqueue(Buffer.from(part))
        controller.close()
      },
    })
    const response = await call('/api/v2/insert?c=1.1.1/1.1.1/1.1.1', { method: 'POST', body: chunked, duplex: 'half' } as RequestInit)
    expect(await response.text()).toBe('Inserted 11 bytes')
    expect(upstream.requests[0]).toContain('\r\nContent-Length: 11\r\n')
    expect(upstream.requests[0]).toMatch(/\r\n\r\nhello world$/)
    expect(upstream.requests[0]).not.toMatch(/transfer-encoding/i)
  })

  it('is not dialled before the body is complete', async () => {
    const { gateway, upstream, key } = await setUp(sqLike('ok'))
    const socket = connect(gateway.port, '127.0.0.1')
    let received = ''
    socket.on('data', (bytes: Buffer) => (received += bytes.toString()))
    socket.write(`POST /api/v2/insert HTTP/1.1\r\nHost: a\r\nX-API-Key: ${key}\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n`)
    await waitFor(() => received.includes('100 Continue'), 'leave to send the body')
    socket.write('abc')
    expect((await fetch(`http://127.0.0.1:${gateway.port}/api/v2/select`, { headers: { 'X-API-Key': key } })).status).toBe(200)
    expect(upstream.requests).toHaveLength(1)
    socket.write('d')
    await waitFor(() => received.includes('200 OK'), 'the answer')
    expect(upstream.requests[1]).toMatch(/\r\n\r\nabcd$/)
    socket.destroy()
  })

  it('carries a container\'s headers without those of the connection, of identity, and without the key', async () => {
    const { call, upstream, gateway, key } = await setUp(sqLike('ok'), {}, CONTAINER)
    const headers = [
      ...['Host: api.example', `X-API-Key: ${key}`, 'Connection: close, X-Hop', 'X-Hop: 1', 'Keep-Alive: 5', 'TE: trailers', 'Upgrade: h2c', 'Proxy-Authorization: x'],
      ...['X-Forwarded-For: 6.6.6.6', 'Forwarded: for=6.6.6.6', 'X-Real-IP: 6.6.6.6', 'X-Tenantry-Tenant: user999', 'X-Request-Id: mine', 'Content-Type: text/x', 'X-Own: kept'],
    ]
    await rawExchange(gateway.port, `PUT /api/v1/documents/7 HTTP/1.1\r\n${headers.join('\r\n')}\r\nContent-Length: 2\r\n\r\nhi`)
    const [request] = upstream.requests
    expect(request).toMatch(/^PUT \/api\/v1\/documents\/7 HTTP\/1\.1\r\nHost: api\.example\r\nConnection: close\r\n/)
    expect(request).toContain('Content-Type: text/x\r\nX-Own: kept\r\n')
    expect(request).toContain('X-Forwarded-For: 127.0.0.1\r\nX-Forwarded-Host: api.example\r\n')
    expect(request).toContain('X-Tenantry-Tenant: user001\r\n')
    expect(request).not.toMatch(/x-hop|keep-alive|te:|upgrade|proxy|6\.6\.6\.6|user999|mine|api-key/i)
    expect(request).not.toContain(key)
    expect((await call('/api/v1/x', { method: 'DELETE' })).status).toBe(200)
  })

  it('tells a container whom a trusted proxy got the request from', async () => {
    const { upstream, gateway, key } = await setUp(sqLike('ok'), { trustedProxies: ['127.0.0.0/8'] }, CONTAINER)
    await rawExchange(gateway.port, `GET /api/v1/documents/7 HTTP/1.1\r\nHost: a\r\nX-API-Key: ${key}\r\nX-Forwarded-For: 6.6.6.6, 203.0.113.9\r\nConnection: close\r\n\r\n`)
    expect(upstream.requests[0]).toContain('X-Forwarded-For: 203.0.113.9\r\n')
  })

  it('is bounded by the tenant\'s limit: 413, and the connection lives on', async () => {
    const { call, upstream, gateway, key } = await setUp(sqLike('ok'), {}, { limits: { bodyMb: 1 } })
    const tooLarge = await call('/api/v2/insert', { method: 'POST', body: Buffer.alloc(1024 * 1024 + 1) })
    expect([tooLarge.status, ((await tooLarge.json()) as { code: string }).code]).toEqual([413, 'body-too-large'])
    const chunk = `100000\r\n${'x'.repeat(0x100000)}\r\n`
    const head = `POST /api/v2/insert HTTP/1.1\r\nHost: a\r\nX-API-Key: ${key}\r\nTransfer-Encoding: chunked\r\n\r\n`
    const next = `GET /api/v2/select HTTP/1.1\r\nHost: a\r\nX-API-Key: ${key}\r\nConnection: close\r\n\r\n`
    expect((await rawExchange(gateway.port, `${head}${chunk}${chunk}0\r\n\r\n${next}`)).statuses).toEqual([413, 200])
    expect(upstream.requests).toHaveLength(1)
    expect((await call('/api/v2/insert', { method: 'POST', body: Buffer.alloc(1024 * 1024) })).status).toBe(200)
  })

  it('refuses bodies beyond a tenant\'s part of the gateway\'s memory, and gives the memory back', async () => {
    const { call } = await setUp(sqLike('ok'), { bufferBytes: 2000 })
    for (let n = 0; n < 3; n++) {
      expect((await call('/api/v2/insert', { method: 'POST', body: 'x'.repeat(2000) })).status).toBe(503)
      expect((await call('/api/v2/insert', { method: 'POST', body: 'x'.repeat(900) })).status).toBe(200)
    }
  })
})

describe('what comes back', () => {
  it('keeps the client\'s connection although SQ closes, with type, date and request id', async () => {
    const { gateway, key } = await setUp(sqLike('één'))
    const get = `GET /api/v2/select HTTP/1.1\r\nHost: a\r\nX-API-Key: ${key}\r\n\r\n`
    const { received, statuses, closed } = await rawExchange(gateway.port, get + get + get, { enough: (text) => text.match(/200 OK/g)?.length === 3 })
    expect([statuses, closed]).toEqual([[200, 200, 200], false])
    expect(received).toMatch(/Content-Type: text\/plain; charset=utf-8\r\n/)
    expect(received).toMatch(/Date: \w{3}, \d/)
    expect(received).toContain('Content-Length: 5\r\n')
    expect(received).toMatch(/X-Request-Id: test-1\r\n/)
    expect(received).not.toMatch(/Connection: close/i)
  })

  it('answers HEAD from SQ\'s GET, and lets HEAD change nothing', async () => {
    const { call, upstream } = await setUp(sqLike('twelve bytes'))
    const head = await call('/api/v2/select?c=1.1.1/1.1.1/1.1.1', { method: 'HEAD' })
    expect([head.status, head.headers.get('content-length'), await head.text()]).toEqual([200, '12', ''])
    expect(upstream.requests[0]).toMatch(/^GET /)
    for (const path of ['/api/v2/insert?s=x', '/api/v2/update?s=x', '/api/v2/delete', '/api/v2/reload']) expect((await call(path, { method: 'HEAD' })).status).toBe(405)
    expect(upstream.requests).toHaveLength(1)
  })

  it.each([
    ['by length in two pieces', ['HTTP/1.1 200 OK\r\nContent-Le', 'ngth: 6\r\n\r\nabc', 'def']],
    ['chunked', ['HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n3;ext=1\r\ndef\r\n0\r\nTrailer: x\r\n\r\n']],
    ['chunked in odd pieces', ['HTTP/1.1 200 OK\r\nTransfer-Encoding: chun', 'ked\r\n\r\n3\r', '\nab', 'c\r\n3\r\nd', 'ef\r\n0', '\r\n\r', '\n']],
    ['until the close', ['HTTP/1.0 200 OK\r\n\r\nabc', 'def']],
    ['after interim answers', ['HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n', 'abcdef and too much']],
  ])('reads bodies %s', async (_name, pieces) => {
    const { call } = await setUp(
      (socket) => {
        void (async () => {
          socket.setNoDelay(true)
          for (const piece of pieces) {
            await new Promise((resolve) => socket.write(piece, resolve))
            await new Promise((resolve) => setImmediate(resolve))
          }
          socket.end()
        })()
      },
      {},
      CONTAINER,
    )
    for (let n = 0; n < 5; n++) expect(await (await call('/api/v1/x')).text()).toBe('abcdef')
  })

  it('drops the instance\'s connection headers and keeps its own', async () => {
    const answer = 'HTTP/1.1 201 Made\r\nConnection: close, X-Hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=1\r\nContent-Type: application/json\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\nContent-Length: 2\r\n\r\n{}'
    const { call } = await setUp(sends(answer), {}, CONTAINER)
    const { status, headers } = await call('/api/v1/x')
    expect([status, headers.get('content-type'), headers.get('date'), headers.getSetCookie()]).toEqual([201, 'application/json', 'Thu, 01 Jan 1970 00:00:00 GMT', ['a=1', 'b=2']])
    expect(headers.get('x-hop')).toBeNull()
    expect(headers.get('connection')).toBe('keep-alive')
  })

  it.each(['204 No Content', '304 Not Modified'])('passes %s without a body', async (status) => {
    const { gateway, key } = await setUp(sends(`HTTP/1.1 ${status}\r\nETag: "x"\r\n\r\n`), {}, CONTAINER)
    const get = `GET /api/v1/x HTTP/1.1\r\nHost: a\r\nX-API-Key: ${key}\r\n`
    const { received, statuses } = await rawExchange(gateway.port, `${get}\r\n${get}Connection: close\r\n\r\n`)
    expect(statuses).toEqual([Number(status.slice(0, 3)), Number(status.slice(0, 3))])
    expect(received).not.toMatch(/content-length|transfer-encoding|content-type/i)
  })

  it.each([
    ['nonsense', 'hello\r\n\r\n'],
    ['two lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab'],
    ['length and chunks', 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'],
    ['an unknown coding', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n'],
    ['a negative length', 'HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n'],
    ['a header with a bare newline', 'HTTP/1.1 200 OK\r\nX-A: 1\nX-B: 2\r\nContent-Length: 0\r\n\r\n'],
    ['endless headers', `HTTP/1.1 200 OK\r\n${'X: y\r\n'.repeat(20_000)}`],
  ])('answers 502 to %s', async (_name, text) => {
    const { call } = await setUp(sends(text), {}, CONTAINER)
    const response = await call('/api/v1/x')
    expect([response.status, ((await response.json()) as { code: string }).code]).toEqual([502, 'instance-malformed'])
  })

  it.each([
    ['a short body', 'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc'],
    ['bad chunks', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nzz\r\n'],
    ['missing chunks', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n'],
  ])('cuts the client off after %s: a part never looks like the whole', async (_name, text) => {
    const { gateway, key, call } = await setUp(sends(text), {}, CONTAINER)
    const { received, closed } = await rawExchange(gateway.port, `GET /api/v1/x HTTP/1.1\r\nHost: a\r\nX-API-Key: ${key}\r\n\r\n`)
    expect(closed).toBe(true)
    expect(received).not.toContain('0\r\n\r\n')
    await expect(call('/api/v1/x').then((response) => response.text())).rejects.toThrow()
  })

  it('streams a large answer whole to a slow reader, and holds back an endless one', { timeout: 20_000 }, async () => {
    const size = 24 * 1024 * 1024
    let sent = 0
    const server = createServer((request, response) => {
      if (request.url === '/api/v1/large') return void response.end(Buffer.alloc(size, 'x'))
      const more = (): void => {
        if (response.destroyed) return
        sent += 65_536
        if (response.write(Buffer.alloc(65_536))) setImmediate(more)
        else response.once('drain', more)
      }
      more()
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    onTestFinished(() => {
      server.closeAllConnections()
      server.close()
    })
    const { call, gateway, key } = await setUp(sqLike(''), {}, { ...CONTAINER, upstream: { host: '127.0.0.1', port: (server.address() as AddressInfo).port } })
    const reader = (await call('/api/v1/large')).body!.getReader()
    let received = 0
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      received += part.value.length
      await new Promise((resolve) => setImmediate(resolve))
    }
    expect(received).toBe(size)
    const socket = connect(gateway.port, '127.0.0.1', () => socket.write(`GET /api/v1/endless HTTP/1.1\r\nHost: a\r\nX-API-Key: ${key}\r\n\r\n`))
    socket.pause()
    let before = -1
    await waitFor(
      async () => {
        const still = sent > 0 && sent === before
        before = sent
        await new Promise((resolve) => setTimeout(resolve, 200))
        return still
      },
      'the instance to be held back',
      15_000,
    )
    expect(sent).toBeLessThan(40 * 1024 * 1024)
    socket.destroy()
  })
})

describe('when the instance fails', () => {
  it('waits for a restarting instance, for writes too when they were not delivered', async () => {
    const { call, upstream, gateway } = await setUp(sqLike('one'))
    expect(await (await call('/api/v2/select')).text()).toBe('one')
    const { port } = upstream
    await upstream.close()
    const waiting = [call('/api/v2/select?p=another'), call('/api/v2/insert?s=x', { method: 'POST', body: 'y' })]
    const startedAt = performance.now()
    await waitFor(() => performance.now() - startedAt > 300, 'some time without an instance')
    await startUpstream(sqLike('two'), port)
    expect(await Promise.all(waiting.map(async (response) => (await response).text()))).toEqual(['two', 'two'])
    expect(gateway.port).toBeGreaterThan(0)
  })

  it('gives up after the time to come back, then refuses at once', async () => {
    const { call, upstream } = await setUp(sqLike('one'), { comebackMs: 300 })
    await upstream.close()
    const timed = async () => {
      const startedAt = performance.now()
      const response = await call('/api/v2/select')
      return { status: response.status, retryAfter: response.headers.get('retry-after'), ms: performance.now() - startedAt }
    }
    const first = await timed()
    expect(first).toMatchObject({ status: 502, retryAfter: '2' })
    expect(first.ms).toBeGreaterThan(250)
    expect((await timed()).ms).toBeLessThan(200)
  })

  it('sends a read again, once, when the connection is cut before an answer; a write never', async () => {
    let cuts = 1
    const { call, upstream } = await setUp((socket) => (cuts-- > 0 ? socket.resetAndDestroy() : sqLike('again')(socket)))
    expect(await (await call('/api/v2/select')).text()).toBe('again')
    expect(upstream.requests).toHaveLength(2)
    cuts = 1
    const write = await call('/api/v2/insert?s=x')
    expect([write.status, ((await write.json()) as { code: string }).code]).toEqual([502, 'instance-closed'])
    expect(upstream.requests).toHaveLength(3)
    cuts = 2
    expect((await call('/api/v2/select')).status).toBe(502)
    expect(upstream.requests).toHaveLength(5)
  })

  it('answers 504 to silence', async () => {
    const { call } = await setUp(() => undefined, { answerTimeoutMs: 200 })
    const response = await call('/api/v2/select')
    expect([response.status, ((await response.json()) as { code: string }).code]).toEqual([504, 'instance-timeout'])
  })

  it('ends the instance\'s connection when the client goes away, also one that waits in line', async () => {
    const { upstream, gateway, key, home } = await setUp(() => undefined, { connectionsPerUpstream: 1 })
    const get = `GET /api/v2/select HTTP/1.1\r\nHost: a\r\nX-API-Key: ${key}\r\n\r\n`
    const first = connect(gateway.port, '127.0.0.1', () => first.write(get))
    await waitFor(() => upstream.sockets.size === 1, 'the first request at the instance')
    const second = connect(gateway.port, '127.0.0.1', () => second.write(get))
    await waitFor(async () => (await metric(home, 'tenantry_gateway_upstream_waiting')) === 1, 'the second in line')
    second.destroy()
    await waitFor(async () => (await metric(home, 'tenantry_gateway_upstream_waiting')) === 0, 'the line to be empty')
    first.destroy()
    await waitFor(() => upstream.sockets.size === 0, 'the instance\'s connection to end')
    expect(await metric(home, 'tenantry_gateway_upstream_active')).toBe(0)
  })

  it('never opens more connections than allowed, in order of arrival, and refuses beyond the line', async () => {
    const held: Parameters<Answer>[0][] = []
    const { call, upstream } = await setUp((socket) => void held.push(socket), { connectionsPerUpstream: 4, queuePerUpstream: 20 })
    const statuses: number[] = []
    const calls = Array.from({ length: 40 }, async (_, n) => statuses.push((await call(`/api/v2/select?p=${n}`)).status))
    await waitFor(() => statuses.length === 16, 'sixteen refused')
    expect(new Set(statuses)).toEqual(new Set([503]))
    let most = 0
    for (let answered = 0; answered < 24; answered++) {
      most = Math.max(most, upstream.sockets.size)
      sqLike('ok')(await waitFor(() => held.shift(), 'the next request'))
    }
    await Promise.all(calls)
    expect(statuses.slice(16)).toEqual(Array(24).fill(200))
    expect(most).toBe(4)
  })
})

async function metric(home: string, name: string): Promise<number> {
  return Number(new RegExp(`^${name} (\\S+)$`, 'm').exec((await controlGet(home, '/metrics')).body)?.[1])
}
