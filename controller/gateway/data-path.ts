/** A customer's request on its way: key, tenant, body, instance, answer, count. Joins the parts; each decision is made in its own file. */
import { hash } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { decideAccess, findCredentials, isUnder, type Access } from './access.ts'
import type { ByteBudget } from './byte-budget.ts'
import type { FirstUse } from './first-use.ts'
import type { ForwardJob, ForwardOutcome } from './forward.ts'
import type { Log } from './log.ts'
import type { Metrics } from './metrics.ts'
import { answerRefusal, CORS_ORIGIN, REFUSALS, type Refusal } from './refusal.ts'
import { hasBody, readBody } from './request-body.ts'
import type { Target } from './request-target.ts'
import type { RouteReader } from './route-reader.ts'
import type { TableRoute } from './route-table.ts'
import type { GatewaySettings } from './settings.ts'
import { containerHead, isSafe, speaksSq, sqHead, type OutgoingRequest } from './upstream-head.ts'

/** Paths that are customers' whatever products there are, so that a page never answers where an API is expected. */
const ALWAYS = ['/api/v2/', '/api/v1/']
const NO_PRODUCT = 'none'
const PREFLIGHT = [
  ...CORS_ORIGIN,
  ...['Access-Control-Allow-Methods', 'GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS'],
  ...['Access-Control-Allow-Headers', 'Authorization, Content-Type, X-API-Key, X-SQ-API-Key'],
  ...['Access-Control-Max-Age', '86400'],
]

export interface DataPathParts {
  readonly routes: RouteReader
  readonly forward: (job: ForwardJob) => void
  readonly budget: ByteBudget
  readonly firstUse: FirstUse
  readonly metrics: Metrics
  readonly settings: GatewaySettings
  readonly log: Log
  readonly now: () => Date
}

export interface Incoming {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly target: Target
  readonly requestId: string
  /** The client waits for leave to send its body. */
  readonly expectsContinue: boolean
}

export interface DataPath {
  owns(path: string): boolean
  handle(incoming: Incoming): void
}

export function createDataPath(parts: DataPathParts): DataPath {
  const { routes, metrics, settings, budget } = parts

  function refuse({ response, requestId, expectsContinue }: Incoming, refusal: Refusal, product = NO_PRODUCT): void {
    metrics.refusal(refusal.code)
    metrics.request(product, refusal.status)
    if (response.destroyed) return
    // A client that waits for leave may or may not send its body after a refusal: only a new connection is clear.
    if (expectsContinue) response.shouldKeepAlive = false
    answerRefusal(response, refusal, requestId)
  }

  function handle(incoming: Incoming): void {
    const { request, response, target, requestId } = incoming
    if (request.method === 'OPTIONS') {
      response.writeHead(204, [...PREFLIGHT, 'X-Request-Id', requestId]).end()
      return
    }
    const { table, links } = routes
    if (table === undefined) return refuse(incoming, REFUSALS.routesMissing)
    const access = decideAccess(findCredentials(request.rawHeaders), target.path, { table, links, nowMs: parts.now().getTime(), digestOf })
    if (access.kind === 'refused') return refuse(incoming, access.refusal, access.product)
    const { route } = access.entry
    const sq = speaksSq(route.api)
    if (sq && request.method === 'HEAD' && !isSafe('HEAD', target.path, true)) return refuse(incoming, REFUSALS.readOnlyMethod, route.product)
    if (!hasBody(request)) return send(incoming, access, [], 0)
    receive(incoming, access)
  }

  function receive(incoming: Incoming, access: Granted): void {
    const { request, response, expectsContinue } = incoming
    const { route } = access.entry
    const maxMb = bodyLimitMb(route, settings)
    readBody(request, maxMb * 1024 * 1024, budget, (end) => {
      if (end.kind === 'too-large') return refuse(incoming, bodyTooLarge(maxMb), route.product)
      if (end.kind === 'no-memory') return refuse(incoming, REFUSALS.memoryFull, route.product)
      send(incoming, access, end.pieces, end.bytes, end.release)
    })
    if (expectsContinue && !response.writableEnded) response.writeContinue()
  }

  function send(incoming: Incoming, access: Granted, body: readonly Buffer[], bodyBytes: number, release?: () => void): void {
    const { request, response, target, requestId } = incoming
    const { key, entry, upstream } = access
    const { route } = entry
    const method = request.method!
    const sq = speaksSq(route.api)
    const outgoing: OutgoingRequest = {
      method,
      target: target.full,
      rawHeaders: request.rawHeaders,
      bodyBytes,
      requestId,
      clientAddress: request.socket.remoteAddress ?? '',
      host: request.headers.host ?? '',
    }
    parts.forward({
      response,
      requestId,
      tenant: route.tenant,
      upstream,
      head: sq ? sqHead(outgoing, key) : containerHead(outgoing, route.tenant, entry.id),
      body,
      safe: isSafe(method, target.path, sq),
      method,
      sq,
      done(outcome) {
        release?.()
        record(incoming, route, bodyBytes, outcome)
      },
    })
  }

  function record(incoming: Incoming, route: TableRoute, bytesIn: number, outcome: ForwardOutcome): void {
    if (outcome.kind !== 'answered' && outcome.upstreamError) metrics.upstreamError(route.product)
    if (outcome.kind === 'refused') return refuse(incoming, outcome.refusal, route.product)
    const answered = outcome.kind === 'answered'
    metrics.request(route.product, answered ? outcome.status : 0)
    metrics.bytes(route.product, bytesIn, answered ? outcome.bytesOut : 0)
    if (answered && outcome.status >= 200 && outcome.status < 300 && route.awaitingFirstUse) parts.firstUse.succeeded(route.tenant)
  }

  const owns = (path: string): boolean =>
    ALWAYS.some((api) => isUnder(path, api)) || (routes.table?.apis.some((api) => isUnder(path, api)) ?? false)

  return { owns, handle }
}

type Granted = Extract<Access, { kind: 'granted' }>

function digestOf(key: string): string {
  return hash('sha256', key, 'hex')
}

function bodyLimitMb({ limits: { bodyMb } }: TableRoute, { defaultBodyMb }: GatewaySettings): number {
  return typeof bodyMb === 'number' ? bodyMb : defaultBodyMb
}

function bodyTooLarge(maxMb: number): Refusal {
  return { status: 413, code: 'body-too-large', title: 'The body is too large', detail: `A request may hold ${maxMb} MB. Send it in smaller parts.` }
}
