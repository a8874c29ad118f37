/** A gateway on a temporary home with routes to write, raw HTTP to speak, and upstream servers that do exactly what a test says. */
import { createHash, randomBytes } from 'node:crypto'
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { onTestFinished } from 'vitest'
import type { HeaderFacts } from '../../controller/core/header-facts.ts'
import { formatKey } from '../../controller/core/key-format.ts'
import type { Route } from '../../controller/core/route.ts'
import type { TenantId } from '../../controller/core/specs.ts'
import { startGateway, type Gateway } from '../../controller/gateway/gateway.ts'
import type { Links } from '../../controller/gateway/route-log.ts'
import { createRouteWriter, type RouteWriter } from '../../controller/gateway/route-writer.ts'
import type { GatewaySettings } from '../../controller/gateway/settings.ts'
import { routesFolder } from '../../controller/gateway/sockets.ts'
import { startWorker } from '../../controller/gateway/worker.ts'
import { tempFolder } from '../support/temp.ts'
import { waitFor } from '../support/wait.ts'

export const LINKS: Links = { payment: 'https://pay.example/now', support: 'https://help.example', upgrade: 'https://more.example' }

export function makeKey(): string {
  return formatKey(randomBytes(16).toString('hex'))
}

export function digestOf(key: string): string {
  return createHash('sha256').update(key).digest('hex')
}

export interface RouteOptions extends Partial<Omit<Route, 'keys' | 'tenant'>> {
  readonly expiresAt?: string
}

export function routeFor(tenant: string, key: string, { expiresAt, ...route }: RouteOptions = {}): Route {
  const keys = [{ id: 'k1', digest: digestOf(key), ...(expiresAt !== undefined && { expiresAt }) }]
  return { tenant: tenant as TenantId, product: 'sq', plan: 'sq-founder', state: 'active', keys, api: '/api/v2/', limits: {}, ...route }
}

export interface Fixture {
  readonly home: string
  readonly gateway: Gateway
  readonly writer: RouteWriter
  readonly url: string
  readonly log: string[]
}

export function recordingLog(lines: string[]) {
  const write = (level: string) => (...parts: unknown[]) => void lines.push(`${level} ${JSON.stringify(parts)}`)
  return { debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') } as never
}

/** Ends with the test. */
export async function startFixture(routes: readonly Route[], settings: Partial<GatewaySettings> = {}, home = tempFolder('gateway'), now = (): Date => new Date(), facts: Partial<HeaderFacts> = {}, workers = 0, port = 0, steadyMs = (): number => performance.now()): Promise<Fixture> {
  const writer = createRouteWriter(routesFolder(home), { facts: () => ({ links: LINKS, ...facts }), now: () => new Date() })
  await writer.load()
  await writer.replaceAll(routes)
  const log: string[] = []
  const gateway = await startGateway({
    home,
    host: '127.0.0.1',
    port,
    ...(workers === 0 ? { workers: 1, serveHere: startWorker } : { workers }),
    pid: process.pid,
    version: '1-test',
    idPrefix: 'test',
    settings: { drainMs: 500, ...settings },
    now,
    steadyMs,
    log: recordingLog(log),
    onStop: () => undefined,
  })
  onTestFinished(async () => {
    await gateway.stop()
    await writer.close()
  })
  return { home, gateway, writer, url: `http://127.0.0.1:${gateway.port}`, log }
}

/** Writes `text` and collects what comes until the other side closes, or until `enough` says so. */
export async function rawExchange(port: number, text: string | Buffer, options: { halfClose?: boolean; enough?: (received: string) => boolean; limitMs?: number } = {}) {
  const socket = connect(port, '127.0.0.1')
  let received = ''
  let closed = false
  socket.on('data', (bytes: Buffer) => (received += bytes.toString('latin1')))
  socket.on('close', () => (closed = true)).on('error', () => undefined)
  if (options.halfClose === true) socket.end(text)
  else socket.write(text)
  await waitFor(() => closed || options.enough?.(received) === true, `an answer or a close; so far ${JSON.stringify(received.slice(0, 200))}`, options.limitMs ?? 5_000)
  socket.destroy()
  return { received, closed, statuses: [...received.matchAll(/HTTP\/1\.1 (\d{3})/g)].map((match) => Number(match[1])) }
}

export interface RawUpstream {
  readonly port: number
  /** Everything that each connection sent. */
  readonly requests: string[]
  readonly sockets: Set<Socket>
  close(): Promise<void>
}

/** A server that calls `answer` when a request is complete by its Content-Length. Ends with the test. */
export async function startUpstream(answer: (socket: Socket, request: string) => void, port = 0): Promise<RawUpstream> {
  const requests: string[] = []
  const sockets = new Set<Socket>()
  const server: Server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => undefined).on('close', () => sockets.delete(socket))
    let text = ''
    let answered = false
    socket.on('data', (bytes: Buffer) => {
      text += bytes.toString('latin1')
      if (answered || !isComplete(text)) return
      answered = true
      requests.push(text)
      answer(socket, text)
    })
  })
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(port, '127.0.0.1', resolve))
  const close = async (): Promise<void> => {
    if (!server.listening) return
    const closed = new Promise((resolve) => server.close(resolve))
    for (const socket of sockets) socket.resetAndDestroy()
    await closed
  }
  onTestFinished(close)
  return { port: (server.address() as AddressInfo).port, requests, sockets, close }
}

function isComplete(text: string): boolean {
  const head = text.indexOf('\r\n\r\n')
  const length = Number(/content-length: (\d+)/i.exec(text)?.[1] ?? 0)
  return head !== -1 && text.length >= head + 4 + length
}

/** As SQ answers: no type, no date, one request a connection. */
export function sqLike(body: string): (socket: Socket) => void {
  return (socket) => socket.end(`HTTP/1.1 200 OK\r\nAccess-Control-Allow-Origin: *\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`)
}

export async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}
