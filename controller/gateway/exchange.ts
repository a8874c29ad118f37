/**
 * One request to one instance over a connection of its own: SQ takes one request a connection, and a raw socket costs half of what
 * an HTTP client does. Dialled only when the request is complete, since an idle connection holds up SQ. Reports exactly one end.
 */
import { connect, type Socket } from 'node:net'
import { createAnswerParser, type AnswerSink } from './answer-parser.ts'
import type { Upstream } from './route-table.ts'

/** One buffer for all connections: the kernel's bytes are in it only during the callback that reads them. */
const READ_BUFFER = Buffer.allocUnsafeSlow(64 * 1024)

export interface ExchangeRequest {
  readonly upstream: Upstream
  readonly head: string
  readonly body: readonly Buffer[]
  /** The answer has no body whatever its headers say. */
  readonly bodyless: boolean
  /** End with a reset once the answer is complete: cheaper, and SQ does not mind. */
  readonly reset: boolean
  /** Silence, while connecting as well. */
  readonly answerTimeoutMs: number
}

export type ExchangeEnd =
  | { readonly kind: 'complete' }
  /** The instance never saw the request. */
  | { readonly kind: 'not-delivered'; readonly reason: string }
  /** Closed or reset before the first byte of an answer: it may have taken effect. */
  | { readonly kind: 'no-answer'; readonly reason: string }
  | { readonly kind: 'timeout' }
  | { readonly kind: 'malformed'; readonly reason: string }
  /** Closed in the middle of the answer. */
  | { readonly kind: 'cut' }

export interface Exchange {
  resume(): void
  /** The client went away: nothing is reported any more. */
  abort(): void
}

export function startExchange(request: ExchangeRequest, sink: AnswerSink, done: (end: ExchangeEnd) => void): Exchange {
  const parser = createAnswerParser(request.bodyless, sink)
  let connected = false
  let answering = false
  let over = false

  function finish(end: ExchangeEnd): void {
    if (over) return
    over = true
    if (request.reset) socket.resetAndDestroy()
    else socket.destroy()
    done(end)
  }

  function onRead(length: number): boolean {
    if (over) return true
    answering = true
    try {
      const next = parser.feed(READ_BUFFER.subarray(0, length))
      if (next === 'complete') finish({ kind: 'complete' })
      return next !== 'pause'
    } catch (error) {
      finish({ kind: 'malformed', reason: (error as Error).message })
      return true
    }
  }

  function onEnd(): void {
    const end = parser.end()
    finish(end === 'complete' ? { kind: 'complete' } : end === 'cut' ? { kind: 'cut' } : { kind: 'no-answer', reason: 'closed' })
  }

  function onError(error: NodeJS.ErrnoException): void {
    const reason = error.code ?? error.message
    finish(!connected ? { kind: 'not-delivered', reason } : answering ? { kind: 'cut' } : { kind: 'no-answer', reason })
  }

  const socket: Socket = connect({
    host: request.upstream.host,
    port: request.upstream.port,
    onread: { buffer: READ_BUFFER, callback: onRead },
  })
  socket.setTimeout(request.answerTimeoutMs, () => finish(connected ? { kind: 'timeout' } : { kind: 'not-delivered', reason: 'no connection in time' }))
  socket.on('connect', () => (connected = true))
  socket.on('end', onEnd).on('error', onError).on('close', onEnd)
  // Before there is a connection: Node keeps head and body and then sends them together.
  socket.write(request.head, 'latin1')
  for (const piece of request.body) socket.write(piece)

  return {
    resume: () => void socket.resume(),
    abort() {
      over = true
      socket.destroy()
    },
  }
}
