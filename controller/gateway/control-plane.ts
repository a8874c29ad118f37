/**
 * Passes everything that is not the data path to the controller's socket as a stream: site, webhooks, account calls. Bytes are not
 * changed, so that signatures verify. When the controller is away, says so; the data path does not come through here.
 */
import { request as httpRequest, type ClientRequest, type IncomingMessage, type ServerResponse } from 'node:http'
import { createClientAddress } from './client-address.ts'
import { connectionNames, isCredential, isHopByHop, isIdentity } from './header-rules.ts'
import type { Log } from './log.ts'
import { answerRefusal, REFUSALS, type Refusal } from './refusal.ts'
import type { Target } from './request-target.ts'

export interface ControlPlaneParts {
  readonly socketPath: string
  /** Addresses and networks of reverse proxies, whose `X-Forwarded-For` is believed. */
  readonly trustedProxies: readonly string[]
  readonly answerTimeoutMs: number
  readonly log: Log
  /** For counting: status 0 where the connection broke off. */
  readonly onAnswer: (status: number) => void
  readonly onRefusal: (refusal: Refusal) => void
}

export interface Asker {
  readonly tenant: string
  readonly key: string
}

export interface ControlPlane {
  /** `asker` is whose key the request carries, where that was found here: then the key itself stays here. */
  pass(request: IncomingMessage, response: ServerResponse, target: Target, requestId: string, asker?: Asker): void
  /** Ends the answers that would never end by themselves: events for a page that stays open. */
  endStreams(): void
}

export function createControlPlane({ socketPath, trustedProxies, answerTimeoutMs, log, onAnswer, onRefusal }: ControlPlaneParts): ControlPlane {
  const streams = new Set<ServerResponse>()
  const addressOf = createClientAddress(trustedProxies)

  function answer(upstream: IncomingMessage, response: ServerResponse, requestId: string): void {
    const isStream = upstream.headers['content-type']?.startsWith('text/event-stream') === true
    if (isStream) {
      streams.add(response)
      response.on('close', () => streams.delete(response))
    }
    response.writeHead(upstream.statusCode!, [...crossing(upstream.rawHeaders, () => false), 'X-Request-Id', requestId])
    response.flushHeaders()
    upstream.pipe(response)
    upstream.on('error', () => response.destroy())
    upstream.on('aborted', () => response.destroy())
    onAnswer(upstream.statusCode!)
  }

  function refuse(response: ServerResponse, refusal: Refusal, requestId: string): void {
    if (response.headersSent) {
      response.destroy()
      return
    }
    onRefusal(refusal)
    answerRefusal(response, refusal, requestId)
  }

  function pass(request: IncomingMessage, response: ServerResponse, target: Target, requestId: string, asker?: Asker): void {
    let timer: NodeJS.Timeout | undefined
    const outgoing: ClientRequest = httpRequest(
      { socketPath, method: request.method, path: target.full, headers: outgoingHeaders(request, { address: addressOf(request), requestId, asker }), agent: false, setDefaultHeaders: false },
      (upstream) => {
        clearTimeout(timer)
        answer(upstream, response, requestId)
      },
    )
    outgoing.on('error', (error: NodeJS.ErrnoException) => {
      clearTimeout(timer)
      request.unpipe(outgoing)
      request.resume()
      if (response.destroyed) return
      log.warn({ requestId, code: error.code }, 'the controller did not answer')
      refuse(response, error.message === TOO_SLOW ? REFUSALS.controlPlaneSlow : REFUSALS.controlPlaneDown, requestId)
    })
    response.on('close', () => {
      clearTimeout(timer)
      outgoing.destroy()
    })
    // From the end of the request: a slow upload is the client's time, not the controller's.
    request.on('end', () => (timer = setTimeout(() => outgoing.destroy(new Error(TOO_SLOW)), answerTimeoutMs)))
    request.pipe(outgoing)
  }

  return {
    pass,
    endStreams: () => {
      for (const response of streams) response.end()
    },
  }
}

const TOO_SLOW = 'no answer in time'

/** The client's headers, what the gateway knows of the client, and that it came from outside: `/internal/…` is not for such requests. */
function outgoingHeaders(request: IncomingMessage, { address, requestId, asker }: { readonly address: string; readonly requestId: string; readonly asker: Asker | undefined }): string[] {
  const framing = request.headers['transfer-encoding'] === undefined ? [] : ['Transfer-Encoding', 'chunked']
  const known = ['X-Forwarded-For', address, 'X-Forwarded-Proto', 'http', 'X-Request-Id', requestId, 'X-Tenantry-Public', '1']
  const host = request.headers.host === undefined ? [] : ['X-Forwarded-Host', request.headers.host]
  const who = asker === undefined ? [] : ['X-Tenantry-Tenant', asker.tenant, 'X-Tenantry-Key', asker.key]
  const without = (lower: string): boolean => lower === 'content-length' || (asker !== undefined && isCredential(lower))
  return [...crossing(request.rawHeaders, without), ...contentLength(request), ...framing, ...known, ...host, ...who]
}

function contentLength(request: IncomingMessage): string[] {
  const length = request.headers['content-length']
  return length === undefined ? [] : ['Content-Length', length]
}

function crossing(headers: readonly string[], without: (lower: string) => boolean): string[] {
  const named = connectionNames(headers)
  const kept: string[] = []
  for (let i = 0; i < headers.length; i += 2) {
    const lower = headers[i]!.toLowerCase()
    if (!isHopByHop(lower, named) && !isIdentity(lower) && !without(lower)) kept.push(headers[i]!, headers[i + 1]!)
  }
  return kept
}
