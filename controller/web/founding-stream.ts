/**
 * The claimed places as server-sent events: what stands now at once, then every change, to every page that is open. Changes that come close
 * together are one event. Holds nothing but the open answers; the numbers come from the catalog.
 */
import type { ServerResponse } from 'node:http'
import type { FastifyPluginAsync } from 'fastify'
import { addressOf, siteOf } from './client-network.ts'
import { HttpProblem } from './http-problem.ts'

export interface FoundingStreamOptions {
  /** What to tell; undefined where there is no founding offer. */
  readonly progress: () => object | undefined
  /** Calls back whenever the numbers may be others. Returns how to stop. */
  readonly onChange: (look: () => void) => () => void
  readonly most?: number
}

const MOST = 10_000
/** Of those that one network may hold: everybody in an office, and no more than a part of all. */
const SHARE_OF_NETWORK = 0.25
/** Between two events. */
const PAUSE_MS = 150
/** So that proxies between do not take the connection for dead. */
const KEEP_ALIVE_MS = 20_000
/** Of a reader that does not read: it is let go, and comes back by itself. */
const MOST_UNREAD_BYTES = 16 * 1024
const HEADERS = { 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-store', 'x-accel-buffering': 'no', 'x-content-type-options': 'nosniff' }

export function createFoundingStream({ progress, onChange, most = MOST }: FoundingStreamOptions): FastifyPluginAsync {
  const open = new Map<ServerResponse, string>()
  const networks = new Map<string, number>()
  let told = ''
  let timer: NodeJS.Timeout | undefined

  function broadcast(text: string): void {
    for (const response of open.keys()) {
      if (response.writableLength > MOST_UNREAD_BYTES) response.destroy()
      else response.write(text)
    }
  }

  function tell(): void {
    timer = undefined
    const text = eventOf(progress())
    if (text === told) return
    told = text
    broadcast(text)
  }

  function look(): void {
    if (open.size > 0) timer ??= setTimeout(tell, PAUSE_MS)
  }

  function admit(response: ServerResponse, network: string): void {
    const here = networks.get(network) ?? 0
    if (open.size >= most || here >= most * SHARE_OF_NETWORK) {
      throw new HttpProblem({ status: 503, code: 'too-many-streams', title: 'Too many open pages', detail: 'Too many pages follow the number at once. Ask /api/founding-progress now and then instead.', retryAfterSeconds: 30 })
    }
    open.set(response, network)
    networks.set(network, here + 1)
    response.on('close', () => {
      open.delete(response)
      const left = networks.get(network)! - 1
      if (left === 0) networks.delete(network)
      else networks.set(network, left)
    })
  }

  return async (app) => {
    const stop = onChange(look)
    const keepAlive = setInterval(() => broadcast(':\n\n'), KEEP_ALIVE_MS).unref()
    app.addHook('preClose', async () => {
      stop()
      clearInterval(keepAlive)
      clearTimeout(timer)
      for (const response of open.keys()) response.end()
    })
    app.get('/api/founding-progress/stream', (request, reply) => {
      const now = progress()
      if (now === undefined) throw new HttpProblem({ status: 404, code: 'no-founding-plan', title: 'No founding offer', detail: 'No plan has slots.' })
      admit(reply.raw, siteOf(addressOf(request)))
      reply.hijack()
      reply.raw.writeHead(200, HEADERS)
      reply.raw.write(`retry: 2000\n${eventOf(now)}`)
      // Where others read along, the last event is what they know, and this one may know more.
      if (open.size === 1) told = eventOf(now)
    })
  }
}

function eventOf(progress: object | undefined): string {
  return progress === undefined ? ':\n\n' : `data: ${JSON.stringify(progress)}\n\n`
}
