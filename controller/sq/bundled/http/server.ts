/**
 * The sockets: one request a connection, an answer, and the end. Limits what a peer can hold: connections, silence, memory.
 * Whatever a peer sends, it may cost that connection only. `node:http` is not used: SQ answers requests that it refuses.
 */
import { createServer, type Server, type Socket } from 'node:net'
import type { Caller, Service } from '../service.ts'
import { answerBytes, type Answer } from './answer.ts'
import { createBudget, createRequestReader, type Budget, type Progress } from './request.ts'

const MAX_CONNECTIONS = 512
const SILENCE_MS = 30_000
/** What a peer may still send, or leave open, after its answer. */
const CLOSING_MS = 2_000
/** Requests being read and answers being sent, all together. */
const MAX_BUFFERED_BYTES = 512 * 1024 * 1024

export interface ServerOptions {
  readonly service: Service
  readonly log: (line: string) => void
}

const busy: Answer = { status: 503, text: 'Service Unavailable: too many large requests at once' }
const broken: Answer = { status: 500, text: 'Internal Server Error' }

const isLoopback = (address: string | undefined): boolean => address !== undefined && (/^(::ffff:)?127\./.test(address) || address === '::1')

/** Sends and closes. Goes on reading, to nobody, because closing over unread bytes would take the answer from the peer. */
function finish(socket: Socket, answer: Answer | undefined, budget: Budget): void {
  const bytes = answer && answerBytes(answer)
  if (!bytes || !budget.reserve(bytes.length)) {
    socket.destroy()
    return
  }
  socket.once('close', () => budget.release(bytes.length))
  socket.removeAllListeners('data').resume()
  socket.end(bytes, () => {
    if (socket.readableEnded) {
      socket.destroy()
      return
    }
    const timer = setTimeout(() => socket.destroy(), CLOSING_MS)
    socket.once('close', () => clearTimeout(timer))
  })
}

function serve(socket: Socket, caller: Caller, service: Service, budget: Budget, log: (line: string) => void): void {
  const reader = createRequestReader(budget)
  let done = false

  function answerTo(progress: Progress): Answer | undefined {
    if (progress.kind === 'request') return service.answer(progress.request, caller)
    if (progress.kind === 'rejected') return service.rejected(progress.message)
    return progress.kind === 'busy' ? busy : service.unfinished
  }

  function handle(progress: Progress): void {
    if (done || progress.kind === 'more') return
    done = true
    let answer: Answer | undefined
    try {
      answer = answerTo(progress)
    } catch (error) {
      // Only the error's kind: its message could quote what a customer stored.
      log(`a request failed: ${error instanceof Error ? error.name : 'unknown'}`)
      answer = broken
    }
    reader.close()
    finish(socket, answer, budget)
  }

  socket.setTimeout(SILENCE_MS)
  socket.on('timeout', () => (done ? socket.destroy() : handle({ kind: 'ended' })))
  socket.on('data', (bytes: Buffer) => {
    if (!done) handle(reader.push(bytes))
  })
  socket.on('end', () => {
    if (!done) handle(reader.end())
    else if (socket.writableFinished) socket.destroy()
  })
  socket.on('close', () => {
    if (!done) reader.close()
    done = true
  })
}

export function createSqServer({ service, log }: ServerOptions): Server {
  const budget = createBudget(MAX_BUFFERED_BYTES)
  let open = 0
  let connection = 0
  return createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    // A peer that resets is nothing to report; without a listener it would end the program.
    socket.on('error', () => socket.destroy())
    if (open >= MAX_CONNECTIONS) {
      finish(socket, service.full, budget)
      return
    }
    open++
    connection++
    socket.on('close', () => open--)
    serve(socket, { isLoopback: isLoopback(socket.remoteAddress), connection }, service, budget, log)
  })
}
