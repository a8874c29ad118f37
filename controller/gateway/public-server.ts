/**
 * The public port: Node's HTTP server with its limits set, and what it could not parse answered in words. Decides only between the
 * data path and the control plane. A request that fails here fails alone.
 */
import { createServer, STATUS_CODES, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import type { ControlPlane } from './control-plane.ts'
import type { DataPath } from './data-path.ts'
import type { Log } from './log.ts'
import type { Metrics } from './metrics.ts'
import { answerRefusal, rawRefusal, REFUSALS, type Refusal } from './refusal.ts'
import { isInternal, parseTarget } from './request-target.ts'
import type { GatewaySettings } from './settings.ts'
import type { Patience } from './transfer/upload.ts'

const TIMEOUT_CHECK_MS = 1_000
const DRAIN_CHECK_MS = 50

export interface PublicServerParts {
  readonly dataPath: DataPath
  readonly controlPlane: ControlPlane
  readonly metrics: Metrics
  readonly settings: GatewaySettings
  /** Connections whose request may take its time. */
  readonly patience: Patience
  readonly nextRequestId: () => string
  readonly now: () => Date
  readonly log: Log
}

export interface PublicServer {
  /** Resolves with the port in use. `beside`: others may listen on the same one, and the system shares connections out. */
  listen(host: string, port: number, beside: boolean): Promise<number>
  /** Takes no new connections, lets requests in flight end, cuts what is left after the limit. */
  drain(): Promise<void>
}

export function createPublicServer(parts: PublicServerParts): PublicServer {
  const { settings, log } = parts
  const unanswered = createUnanswered()
  let draining = false

  function onRequest(request: IncomingMessage, response: ServerResponse, expectsContinue: boolean): void {
    const requestId = parts.nextRequestId()
    unanswered.add(request, response)
    if (draining) response.shouldKeepAlive = false
    try {
      dispatch(parts, request, response, requestId, expectsContinue)
    } catch (error) {
      log.error({ err: error, requestId }, 'a request failed inside the gateway')
      if (response.headersSent) response.destroy()
      else answerRefusal(response, REFUSALS.internal, requestId)
    }
  }

  function onClientError(error: NodeJS.ErrnoException, socket: Duplex): void {
    // Node says so once for a request, and goes on with it where nobody ends it.
    if (error.code === 'ERR_HTTP_REQUEST_TIMEOUT' && parts.patience.has(socket)) return
    if (!socket.writable || !unanswered.mayAnswer(socket) || error.code === 'ECONNRESET') {
      socket.destroy()
      return
    }
    const refusal = clientErrorRefusal(error.code)
    parts.metrics.refusal(refusal.code)
    socket.end(rawRefusal(refusal, STATUS_CODES[refusal.status]!, parts.nextRequestId(), parts.now().toUTCString()))
    // What the client still sends is thrown away, so that it reads the answer and not a reset; not for ever.
    socket.resume()
    setTimeout(() => socket.destroy(), TIMEOUT_CHECK_MS).unref()
  }

  const server = createServer({
    headersTimeout: settings.headersTimeoutMs,
    requestTimeout: settings.requestTimeoutMs,
    keepAliveTimeout: settings.keepAliveTimeoutMs,
    maxHeaderSize: settings.maxHeaderBytes,
    connectionsCheckingInterval: Math.min(TIMEOUT_CHECK_MS, settings.headersTimeoutMs),
    noDelay: true,
  })
  server.on('request', (request: IncomingMessage, response: ServerResponse) => onRequest(request, response, false))
  server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => onRequest(request, response, true))
  server.on('clientError', onClientError)
  // Offers to change the protocol are not taken: without a listener such a request would be an ordinary one, with CONNECT cut off.
  server.on('connect', (_request, socket: Duplex) => onClientError(new Error('CONNECT'), socket))

  return {
    listen: (host, port, beside) => listenOn(server, host, port, beside),
    async drain() {
      draining = true
      parts.controlPlane.endStreams()
      await drainServer(server, settings.drainMs)
    },
  }
}

interface Unanswered {
  add(request: IncomingMessage, response: ServerResponse): void
  mayAnswer(socket: Duplex): boolean
}

/**
 * What is under way on each connection. An error may be answered in words where nothing is, or one request that has not come
 * completely and has no answer yet: anywhere else the words would land in, or stand for, the answer of another request.
 */
function createUnanswered(): Unanswered {
  const bySocket = new WeakMap<Duplex, Map<ServerResponse, IncomingMessage>>()
  return {
    add(request, response) {
      const { socket } = request
      const open = bySocket.get(socket) ?? new Map<ServerResponse, IncomingMessage>()
      bySocket.set(socket, open.set(response, request))
      response.on('close', () => open.delete(response))
    },
    mayAnswer(socket) {
      const open = [...(bySocket.get(socket) ?? [])]
      return open.length === 0 || (open.length === 1 && !open[0]![0].headersSent && !open[0]![1].complete)
    },
  }
}

function dispatch(parts: PublicServerParts, request: IncomingMessage, response: ServerResponse, requestId: string, expectsContinue: boolean): void {
  const { dataPath, controlPlane, metrics } = parts
  const target = parseTarget(request.url ?? '')
  const refuse = (refusal: Refusal): void => {
    metrics.refusal(refusal.code)
    answerRefusal(response, refusal, requestId)
  }
  if (target === undefined) return refuse(REFUSALS.badTarget)
  if (dataPath.owns(target.path)) return dataPath.handle({ request, response, target, requestId, expectsContinue })
  if (isInternal(target.path)) return refuse(REFUSALS.notFound)
  if (expectsContinue) response.writeContinue()
  controlPlane.pass(request, response, target, requestId)
}

function clientErrorRefusal(code: string | undefined): Refusal {
  if (code === 'HPE_HEADER_OVERFLOW') return REFUSALS.headersTooLarge
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return REFUSALS.tooSlow
  return REFUSALS.badRequest
}

function listenOn(server: Server, host: string, port: number, reusePort: boolean): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen({ host, port, reusePort, backlog: 1024 }, () => {
      server.off('error', reject)
      const address = server.address()
      resolve(typeof address === 'object' && address !== null ? address.port : port)
    })
  })
}

export async function drainServer(server: Server, limitMs: number): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()))
  const idle = setInterval(() => server.closeIdleConnections(), DRAIN_CHECK_MS)
  const limit = setTimeout(() => server.closeAllConnections(), limitMs)
  await closed
  clearInterval(idle)
  clearTimeout(limit)
}

