/**
 * `POST /mcp`: the Model Context Protocol over Streamable HTTP, without sessions. The key opens it like any request; what is wrong before MCP
 * is an HTTP problem, what a tool is refused is the tool's answer. One HTTP request is one message and counts once.
 */
import type { CommonBudget } from '../byte-budget.ts'
import type { Incoming } from '../data-path.ts'
import { bodyTooLarge } from '../limit-refusals.ts'
import type { Log } from '../log.ts'
import type { HasPhext } from '../names/has-phext.ts'
import type { AdmitOwn, OwnRequest } from '../own-request.ts'
import type { Granted, Refuse } from '../passage.ts'
import { CORS_ORIGIN, REFUSALS, type Refusal } from '../refusal.ts'
import { readBody } from '../request-body.ts'
import type { RouteReader } from '../route-reader.ts'
import { phextRefusal } from '../scope.ts'
import type { SqCaller } from '../sq-caller.ts'
import { createMemory } from './memory.ts'
import type { McpRequest, McpSession } from './mcp-server.ts'

export const MCP_PATH = '/mcp'

export interface McpParts {
  readonly admitOwn: AdmitOwn
  readonly refuse: Refuse
  readonly caller: SqCaller
  readonly named: SqCaller['call']
  readonly hasPhext: HasPhext
  readonly routes: RouteReader
  readonly budget: CommonBudget
  readonly version: string
  readonly log: Log
}

export interface McpEndpoint {
  handle(incoming: Incoming, access: Granted): void
}

/** JSON of this size is parsed in a blink; a larger text is written over HTTP. */
const BODY_MB = 8

export function createMcpEndpoint(parts: McpParts): McpEndpoint {
  const { refuse, routes, budget } = parts
  return {
    handle(incoming, access) {
      const { request, response, expectsContinue } = incoming
      if (request.method !== 'POST') return refuse(incoming, POST_ONLY, access.entry)
      const own = parts.admitOwn(incoming, access)
      if (own === undefined) return
      readBody(request, BODY_MB * 1024 * 1024, budget.of(access.entry.route.tenant), (end) => {
        if (end.kind === 'too-large') return own.takeBack(bodyTooLarge(BODY_MB, false, routes.links))
        if (end.kind === 'no-memory') return own.takeBack(REFUSALS.memoryFull)
        const body = end.pieces.length === 1 ? end.pieces[0]! : Buffer.concat(end.pieces)
        answer(parts, own, body)
          .catch((error: unknown) => {
            parts.log.error({ err: error, requestId: incoming.requestId }, 'an MCP request failed')
            if (response.headersSent || response.destroyed) own.ended(0, body.length, 0)
            else own.refuse(REFUSALS.internal, body.length)
          })
          .finally(end.release)
      })
      if (expectsContinue && !response.writableEnded) response.writeContinue()
    },
  }
}

async function answer(parts: McpParts, own: OwnRequest, body: Buffer): Promise<void> {
  const { request, response, requestId } = own.incoming
  const parsed = parse(body)
  if (Array.isArray(parsed)) return own.refuse(NO_BATCHES, body.length)
  const stop = new AbortController()
  response.on('close', () => stop.abort())
  // The SDK takes a tenth of a second to load and more memory than all of the gateway: only where somebody uses it.
  const { answerMcp } = await import('./mcp-server.ts')
  const asked: McpRequest = { headers: headersOf(request.rawHeaders), body, parsed, signal: stop.signal }
  const answered = await answerMcp(sessionOf(parts, own, stop.signal), asked, (error) => parts.log.debug({ err: error, requestId }, 'an MCP request was refused'))
  const text = Buffer.from(await answered.arrayBuffer())
  if (response.destroyed) return own.ended(0, body.length, 0)
  const type = answered.headers.get('content-type')
  const headers = [...(type === null ? [] : ['Content-Type', type]), 'Content-Length', String(text.length), 'Cache-Control', 'no-store', ...CORS_ORIGIN, ...own.limitHeaders, 'X-Request-Id', requestId]
  response.writeHead(answered.status, headers).end(text)
  own.ended(answered.status, body.length, text.length)
}

function sessionOf({ caller, named, hasPhext, version }: McpParts, { access, incoming: { requestId } }: OwnRequest, signal: AbortSignal): McpSession {
  const memory = createMemory({ caller, named, hasPhext, access, options: { signal, requestId } })
  const { narrower } = access.entry
  return { memory, version, requestId, phexts: narrower?.phexts, readOnly: narrower?.readOnly === true, refusePhext: (phext) => phextRefusal(access.entry, phext) }
}

function parse(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8')) as unknown
  } catch {
    // The SDK says so in the protocol's own words.
    return undefined
  }
}

/** Without the key: nothing behind this needs it. */
function headersOf(rawHeaders: readonly string[]): Headers {
  const headers = new Headers()
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at]!.toLowerCase()
    if (name === 'accept' || name === 'content-type' || name.startsWith('mcp-')) headers.append(name, rawHeaders[at + 1]!)
  }
  return headers
}

const POST_ONLY: Refusal = {
  status: 405,
  code: 'method-not-allowed',
  title: 'Only POST is answered here',
  detail: 'This is an MCP endpoint without sessions: there is no stream to open with GET and no session to end with DELETE. Send each message with POST.',
  headers: ['Allow', 'POST'],
}

const NO_BATCHES: Refusal = { status: 400, code: 'batch-not-supported', title: 'One message at a time', detail: 'A request to /mcp carries one JSON-RPC message, not a list of them.' }
