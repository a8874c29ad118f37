import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { describe, expect, it, onTestFinished } from 'vitest'
import { isInternal } from '../../controller/gateway/request-target.ts'
import { webSocketPath } from '../../controller/gateway/sockets.ts'
import { tempFolder } from '../support/temp.ts'
import { waitFor } from '../support/wait.ts'
import { makeKey, rawExchange, routeFor, sqLike, startFixture, startUpstream } from './gateway-fixture.ts'

interface Seen {
  readonly request: IncomingMessage
  readonly body: Buffer
}

/** The controller's web socket. Ends with the test. */
async function startController(home: string, answer: (response: ServerResponse, seen: Seen) => void): Promise<{ seen: Seen[]; close(): Promise<void> }> {
  const seen: Seen[] = []
  const server = createServer((request, response) => {
    const pieces: Buffer[] = []
    request.on('data', (piece: Buffer) => pieces.push(piece))
    request.on('end', () => {
      const one = { request, body: Buffer.concat(pieces) }
      seen.push(one)
      answer(response, one)
    })
  })
  await new Promise<void>((resolve) => server.listen(webSocketPath(home), resolve))
  const close = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve())
      server.closeAllConnections()
    })
  onTestFinished(close)
  return { seen, close }
}

describe('what is not the data path', () => {
  it('reaches the controller byte for byte, with the client\'s address and nothing pretended', async () => {
    const home = tempFolder()
    const { seen } = await startController(home, (response) => response.writeHead(202, { 'X-Own': '1', 'Content-Type': 'text/html' }).end('<p>'))
    const { gateway } = await startFixture([], {}, home)
    const body = Buffer.from([0, 255, 10, 13, 0x7b, 0xc3, 0x28])
    const head = 'POST /api/stripe/webhook?a=%20b HTTP/1.1\r\nHost: shop.example\r\nStripe-Signature: t=1,v1=abc\r\nX-Forwarded-For: 6.6.6.6\r\nX-Tenantry-Public: 0\r\nConnection: close, X-Hop\r\nX-Hop: 1\r\n'
    for (const framed of [Buffer.concat([Buffer.from(`${head}Content-Length: 7\r\n\r\n`), body]), Buffer.concat([Buffer.from(`${head}Transfer-Encoding: chunked\r\n\r\n7\r\n`), body, Buffer.from('\r\n0\r\n\r\n')])]) {
      const { received, statuses } = await rawExchange(gateway.port, framed)
      expect(statuses).toEqual([202])
      expect(received).toContain('X-Own: 1\r\n')
      const { request, body: arrived } = seen.at(-1)!
      expect([request.method, request.url, arrived.equals(body)]).toEqual(['POST', '/api/stripe/webhook?a=%20b', true])
      expect(request.headers).toMatchObject({ host: 'shop.example', 'stripe-signature': 't=1,v1=abc', 'x-forwarded-for': '127.0.0.1', 'x-tenantry-public': '1' })
      expect(request.headers['x-hop']).toBeUndefined()
    }
  })

  it('is told whom a trusted proxy got a request from, so that its clients are not taken for one', async () => {
    const home = tempFolder()
    const { seen } = await startController(home, (response) => response.end())
    const { gateway } = await startFixture([], { trustedProxies: ['127.0.0.0/8'] }, home)
    await rawExchange(gateway.port, 'GET /auth/sign-in HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 6.6.6.6, 203.0.113.9\r\nConnection: close\r\n\r\n')
    expect(seen[0]!.request.headers['x-forwarded-for']).toBe('203.0.113.9')
  })

  it('streams events as they come, and ends them when draining', async () => {
    const home = tempFolder()
    let stream: ServerResponse | undefined
    await startController(home, (response) => {
      stream = response.writeHead(200, { 'Content-Type': 'text/event-stream' })
      stream.flushHeaders()
    })
    const { url, gateway } = await startFixture([], { drainMs: 10_000 }, home)
    const response = await fetch(`${url}/api/founding-progress/stream`)
    const reader = response.body!.getReader()
    stream!.write('data: 1\n\n')
    expect(Buffer.from((await reader.read()).value!).toString()).toBe('data: 1\n\n')
    const startedAt = performance.now()
    await gateway.stop()
    expect(performance.now() - startedAt).toBeLessThan(3_000)
    await waitFor(() => stream!.destroyed, 'the controller to see the end')
  })

  it('is away with the controller, in words, while customers\' requests go on', async () => {
    const home = tempFolder()
    const key = makeKey()
    const upstream = await startUpstream(sqLike('memory'))
    const controller = await startController(home, (response) => response.end('page'))
    const { url } = await startFixture([routeFor('user001', key, { upstream: { host: '127.0.0.1', port: upstream.port } })], {}, home)
    const page = () => fetch(`${url}/pricing`)
    const memory = async () => (await fetch(`${url}/api/v2/select`, { headers: { 'X-API-Key': key } })).text()
    expect([await (await page()).text(), await memory()]).toEqual(['page', 'memory'])
    await controller.close()
    const away = await page()
    expect([away.status, away.headers.get('retry-after'), ((await away.json()) as { code: string }).code]).toEqual([503, '5', 'control-plane-down'])
    expect((await fetch(`${url}/api/stripe/webhook`, { method: 'POST', body: 'x'.repeat(100_000) })).status).toBe(503)
    expect(await memory()).toBe('memory')
    await startController(home, (response) => response.end('back'))
    expect(await (await page()).text()).toBe('back')
  })

  it('answers 504 when the controller hangs', async () => {
    const home = tempFolder()
    await startController(home, () => undefined)
    const { url } = await startFixture([], { controlAnswerTimeoutMs: 100 }, home)
    expect((await fetch(`${url}/`)).status).toBe(504)
  })

  it('never includes the controller\'s internal calls, however they are written', async () => {
    const home = tempFolder()
    const { seen } = await startController(home, (response) => response.end())
    const { gateway } = await startFixture([], {}, home)
    const paths = ['/internal/first-use', '/INTERNAL/first-use', '/%69nternal/first-use', '//internal/first-use', '/x/../internal/first-use', '/./internal', '/x/%2e%2e/internal/a', '/internal', '/internal;x/first-use', '/\\internal/a', '/%2finternal/a', 'http://a/internal/first-use']
    for (const path of paths) {
      expect((await rawExchange(gateway.port, `POST ${path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`)).statuses, path).toEqual([404])
    }
    expect(seen).toEqual([])
    for (const path of ['/', '/pricing', '/api/internal-tools', '/docs/internals', '/a%20b']) expect(isInternal(path), path).toBe(false)
  })

  it('hears of a tenant\'s first success once, also when it was away at that moment', async () => {
    const home = tempFolder()
    const [fresh, old] = [makeKey(), makeKey()]
    const statuses = ['404 Not Found', '200 OK']
    const upstream = await startUpstream((socket) => socket.end(`HTTP/1.1 ${statuses.shift() ?? '200 OK'}\r\nContent-Length: 0\r\n\r\n`))
    const to = { host: '127.0.0.1', port: upstream.port }
    const { url } = await startFixture([routeFor('user001', fresh, { upstream: to, awaitingFirstUse: true }), routeFor('user002', old, { upstream: to })], {}, home)
    const call = async (key: string) => (await fetch(`${url}/api/v2/select`, { headers: { 'X-API-Key': key } })).status
    expect([await call(fresh), await call(fresh), await call(fresh), await call(old)]).toEqual([404, 200, 200, 200])
    const { seen } = await startController(home, (response) => response.writeHead(204).end())
    const first = await waitFor(() => seen[0], 'the report')
    expect([first.request.method, first.request.url]).toEqual(['POST', '/internal/first-use'])
    expect(JSON.parse(first.body.toString())).toEqual({ tenant: 'user001', at: expect.stringMatching(/^\d{4}-/) })
    expect(first.request.headers['x-tenantry-public']).toBeUndefined()
    await call(fresh)
    await fetch(`${url}/page`)
    expect(seen.map(({ request }) => request.url)).toEqual(['/internal/first-use', '/page'])
  })
})
