/** Where a customer's request begins: whose key it is, what it may not do, and on it goes. What the gateway answers by itself ends here. */
import { hash } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { decideAccess, isUnder, type AccessContext, type Identity } from './access.ts'
import type { ControlPlane } from './control-plane.ts'
import { createClientAddress } from './client-address.ts'
import type { Identify } from './identify.ts'
import { createKeyCalls, isKeyCall } from './key-calls.ts'
import type { Log } from './log.ts'
import { createMcpEndpoint, MCP_PATH, type McpParts } from './mcp/mcp-endpoint.ts'
import { withOffer } from './offers.ts'
import { createOwnRequests } from './own-request.ts'
import { createPassage, type PassageParts } from './passage.ts'
import { answerRefusal, CORS_ORIGIN, REFUSALS, type Refusal } from './refusal.ts'
import type { Target } from './request-target.ts'
import { SQ_API } from '../core/phext-scope.ts'
import type { TableKey } from './route-table.ts'
import type { Tarpit } from './tarpit.ts'
import { createTransfers, EXPORT_PATH, IMPORT_PATH, type TransferParts } from './transfer/transfers.ts'
import type { Turns } from './turns.ts'
import { speaksSq } from './upstream-head.ts'

/** Paths that are customers' whatever products there are, so that a page never answers where an API is expected. */
const ALWAYS = ['/api/v2/', '/api/v1/']
const USAGE = '/api/usage'
const NO_PRODUCT = 'none'
/** All whose key is unknown take turns together, as if they were one tenant. */
const NOBODY = ''
/** Refusals that a client can have as many of as it likes. */
const FLOODS: ReadonlySet<number> = new Set([401, 429, 503])
const PREFLIGHT = [
  ...CORS_ORIGIN,
  ...['Access-Control-Allow-Methods', 'GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS'],
  ...['Access-Control-Allow-Headers', 'Authorization, Content-Type, If-None-Match, X-API-Key, X-SQ-API-Key, MCP-Protocol-Version, Mcp-Method, Mcp-Name'],
  ...['Access-Control-Max-Age', '86400'],
]

export interface DataPathParts extends PassageParts, Omit<TransferParts & McpParts, 'admitOwn' | 'refuse'> {
  readonly identify: Identify
  readonly tarpit: Tarpit
  readonly turns: Turns
  readonly controlPlane: ControlPlane
  readonly usageReport: (entry: TableKey) => Promise<object>
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
  const { routes, metrics, metering } = parts
  const addressOf = createClientAddress(parts.settings.trustedProxies)
  const pass = createPassage(parts, refuse)
  const admitOwn = createOwnRequests(parts, refuse)
  const transfers = createTransfers({ ...parts, admitOwn, refuse })
  const keyCalls = createKeyCalls(parts, refuse)
  const mcp = createMcpEndpoint({ ...parts, admitOwn, refuse })

  function refuse({ request, response, requestId, expectsContinue }: Incoming, plain: Refusal, entry?: TableKey): void {
    const refusal = withOffer(plain, entry?.route, routes.facts)
    metrics.refusal(refusal.code)
    metrics.request(entry?.route.product ?? NO_PRODUCT, refusal.status)
    metering.refused(requestId, refusal, entry)
    if (response.destroyed) return
    // A client that waits for leave may or may not send its body after a refusal: only a new connection is clear.
    if (expectsContinue) response.shouldKeepAlive = false
    const answer = (): void => void answerRefusal(response, refusal, requestId)
    if (FLOODS.has(refusal.status)) parts.tarpit.hold(entry?.route.tenant ?? addressOf(request), response, answer)
    else answer()
  }

  function handle(incoming: Incoming): void {
    const { request, response, requestId } = incoming
    if (request.method === 'OPTIONS') {
      response.writeHead(204, [...PREFLIGHT, 'X-Request-Id', requestId]).end()
      return
    }
    const { table, facts } = routes
    if (table === undefined) return refuse(incoming, REFUSALS.routesMissing)
    const context: AccessContext = { table, facts, nowMs: parts.now().getTime(), digestOf }
    const asking = { rawHeaders: request.rawHeaders, host: request.headers.host, address: addressOf(request) }
    parts.identify(asking, context, (identity) => {
      const inTurn = parts.turns.take(identity.entry?.route.tenant ?? NOBODY, () => begin(incoming, identity, context))
      if (!inTurn) refuse(incoming, REFUSALS.queueFull, identity.entry)
    })
  }

  function begin(incoming: Incoming, identity: Identity, context: AccessContext): void {
    const { response, requestId } = incoming
    try {
      if (response.destroyed) metrics.request(NO_PRODUCT, 0)
      else serve(incoming, identity, context)
    } catch (error) {
      parts.log.error({ err: error, requestId }, 'a request failed inside the gateway')
      if (response.headersSent) response.destroy()
      else refuse(incoming, REFUSALS.internal)
    }
  }

  function serve(incoming: Incoming, identity: Identity, context: AccessContext): void {
    const { request, target } = incoming
    if (identity.kind === 'refused') return refuse(incoming, identity.refusal, identity.entry)
    if (target.path === USAGE) return answerUsage(incoming, identity.entry)
    if (isKeyCall(target.path)) return keyCalls(incoming, identity.entry)
    // MCP is another way to what SQ's interface gives.
    const access = decideAccess(identity, { method: request.method!, target: target.full, path: target.path === MCP_PATH ? SQ_API : target.path }, context)
    if (access.kind === 'refused') refuse(incoming, access.refusal, access.entry)
    else if (target.path === MCP_PATH) mcp.handle(incoming, access)
    else if (isTransfer(target.path) && speaksSq(access.entry.route.api)) transfers.handle(incoming, access)
    else pass(incoming, access)
  }

  /** In every state of the account, and never counted. */
  function answerUsage(incoming: Incoming, entry: TableKey): void {
    const { request, response, requestId } = incoming
    if (request.method !== 'GET' && request.method !== 'HEAD') return refuse(incoming, REFUSALS.getOnly, entry)
    parts.usageReport(entry).then(
      (report) => {
        const body = JSON.stringify(report)
        const headers = ['Content-Type', 'application/json', 'Content-Length', String(Buffer.byteLength(body)), 'Cache-Control', 'no-store', 'X-Request-Id', requestId]
        response.writeHead(200, [...headers, ...CORS_ORIGIN]).end(request.method === 'HEAD' ? undefined : body)
        metrics.request(entry.route.product, 200)
      },
      (error: unknown) => {
        parts.log.error({ err: error, requestId }, 'the usage report failed')
        refuse(incoming, REFUSALS.internal, entry)
      },
    )
  }

  const owns = (path: string): boolean =>
    ALWAYS.some((api) => isUnder(path, api)) || path === USAGE || path === MCP_PATH || isKeyCall(path) || (routes.table?.apis.some((api) => isUnder(path, api)) ?? false)

  return { owns, handle }
}

const isTransfer = (path: string): boolean => path === EXPORT_PATH || path === IMPORT_PATH

function digestOf(key: string): string {
  return hash('sha256', key, 'hex')
}
