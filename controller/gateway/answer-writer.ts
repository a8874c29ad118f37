/**
 * Passes an instance's answer on to the client: headers of the connection removed, missing ones added, small answers in one write.
 * A slow client's answer is kept in memory within bounds, then the instance is paused. The connection to the client lives on.
 */
import type { ServerResponse } from 'node:http'
import type { AnswerHead } from './answer-parser.ts'
import type { ByteBudget } from './byte-budget.ts'
import type { AnswerWriter, Destination } from './destination.ts'
import { connectionNames, isHopByHop } from './header-rules.ts'
import { CORS_ORIGIN } from './refusal.ts'

/** Up to here an answer goes out as one string together with its head: one write instead of two. */
const ONE_WRITE_BYTES = 16 * 1024

export interface AnswerWriterOptions {
  readonly response: ServerResponse
  readonly requestId: string
  /** The gateway's own, in place of the instance's of the same name. */
  readonly limitHeaders: readonly string[]
  /** The client asked with HEAD, the instance was asked with GET. */
  readonly discardBody: boolean
  readonly budget: ByteBudget
  readonly bufferBytes: number
}

export function toClient(options: AnswerWriterOptions): Destination {
  const { response } = options
  return {
    writer: () => createAnswerWriter(options),
    onRoom: (resume) => void response.once('drain', resume),
    onGone: (gone) => void response.on('close', gone),
    cutOff: () => void response.destroy(),
  }
}

export function createAnswerWriter({ response, requestId, limitHeaders, discardBody, budget, bufferBytes }: AnswerWriterOptions): AnswerWriter {
  let answer: AnswerHead | undefined
  let sent = false
  let bodyBytes = 0

  function sendHead(length: number | undefined): void {
    sent = true
    response.writeHead(answer!.status, [...outgoingHeaders(answer!, length, limitHeaders), ...limitHeaders, 'X-Request-Id', requestId])
  }

  function write(bytes: Buffer): boolean {
    const kept = budget.tryTake(bytes.length)
    const flushed = response.write(Buffer.from(bytes), () => kept && budget.give(bytes.length))
    return flushed || (kept && response.writableLength < bufferBytes)
  }

  function end(bytes: Buffer): void {
    if (!sent) sendHead(answer!.length ?? (discardBody || !hasBody(answer!.status) ? undefined : bytes.length))
    if (bytes.length === 0 || discardBody) response.end()
    else if (bytes.length <= ONE_WRITE_BYTES) response.end(bytes.toString('latin1'), 'latin1')
    else response.end(Buffer.from(bytes))
  }

  return {
    head(head) {
      answer = head
    },
    body(bytes, last) {
      bodyBytes += bytes.length
      if (last) {
        end(bytes)
        return true
      }
      if (discardBody) return true
      if (!sent) sendHead(answer!.length)
      return write(bytes)
    },
    get status() {
      return answer?.status ?? 0
    },
    get bodyBytes() {
      return bodyBytes
    },
  }
}

function hasBody(status: number): boolean {
  return status !== 204 && status !== 304
}

/** All but those of one request alone. `Date` is added by Node where the instance sent none. */
export function outgoingHeaders({ status, headers }: AnswerHead, length: number | undefined, limitHeaders: readonly string[]): string[] {
  const named = connectionNames(headers)
  const outgoing: string[] = []
  let typed = !hasBody(status)
  let cors = false
  for (let i = 0; i < headers.length; i += 2) {
    const lower = headers[i]!.toLowerCase()
    if (lower === 'content-length' || lower === 'x-request-id' || isHopByHop(lower, named)) continue
    if (limitHeaders.length > 0 && (lower === 'ratelimit' || lower === 'ratelimit-policy')) continue
    if (lower === 'content-type') typed = true
    if (lower === 'access-control-allow-origin') cors = true
    outgoing.push(headers[i]!, headers[i + 1]!)
  }
  // SQ names no type. What is stored is text of a customer's own making, so no browser may guess another one.
  if (!typed) outgoing.push('Content-Type', 'text/plain; charset=utf-8', 'X-Content-Type-Options', 'nosniff')
  if (!cors) outgoing.push(...CORS_ORIGIN)
  if (length !== undefined && status !== 204) outgoing.push('Content-Length', String(length))
  return outgoing
}
