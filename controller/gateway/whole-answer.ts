/**
 * Answers to reads that are small enough to be held before they are sent: they get a strong `ETag`, are not sent again to who has them,
 * and can be kept. A larger one, or one that is not a plain 200, passes through as it comes.
 */
import { hash } from 'node:crypto'
import type { ServerResponse } from 'node:http'
import type { AnswerHead } from './answer-parser.ts'
import { outgoingHeaders, toClient, type AnswerWriterOptions } from './answer-writer.ts'
import type { AnswerWriter, Destination } from './destination.ts'
import type { KeptAnswer } from './read-cache.ts'
import { CORS_ORIGIN } from './refusal.ts'

export const LARGEST_WHOLE_BYTES = 128 * 1024

/** May be stored by who asked, never be used again unasked: the next read has to see what was written since. */
const CACHING = ['Cache-Control', 'private, no-cache']
/** What SQ sends, and what may come with it one day without a meaning of its own. Anything else says that there is more to an answer. */
const PLAIN = new Set(['access-control-allow-origin', 'content-length', 'content-type', 'connection', 'server'])

/** What a client that read before says it has. */
export interface Asking {
  readonly method: string
  readonly ifNoneMatch: string | undefined
  readonly requestId: string
  readonly limitHeaders: readonly string[]
}

export interface Answered {
  readonly status: number
  readonly bytesOut: number
}

export function answerWhole(response: ServerResponse, { body, etag, headers }: KeptAnswer, { method, ifNoneMatch, requestId, limitHeaders }: Asking): Answered {
  if (ifNoneMatch !== undefined && matches(ifNoneMatch, etag)) {
    response.writeHead(304, ['ETag', etag, ...CACHING, ...CORS_ORIGIN, ...limitHeaders, 'X-Request-Id', requestId])
    response.end()
    return { status: 304, bytesOut: 0 }
  }
  const all = headers.slice()
  for (const each of limitHeaders) all.push(each)
  all.push('X-Request-Id', requestId)
  response.writeHead(200, all)
  if (method === 'HEAD' || body === '') response.end()
  else response.end(body, 'latin1')
  return { status: 200, bytesOut: method === 'HEAD' ? 0 : body.length }
}

/** RFC 9110, 13.1.2: compared weakly, `*` is whatever there is. */
export function matches(ifNoneMatch: string, etag: string): boolean {
  if (ifNoneMatch.trim() === '*') return true
  for (const [tag] of ifNoneMatch.matchAll(/"[^"]*"/g)) if (tag === etag) return true
  return false
}

export interface WhenWhole {
  readonly keep: (answer: KeptAnswer) => void
  /** Answers in place of an empty body. */
  readonly nothing?: () => Answered
}

/** A client whose answer is held until it is whole, where that is possible. */
export function toClientWhole(options: AnswerWriterOptions, asking: Asking, when: WhenWhole): Destination {
  const direct = toClient(options)
  return { ...direct, writer: () => createWholeWriter(options.response, direct.writer(), asking, when) }
}

function createWholeWriter(response: ServerResponse, direct: AnswerWriter, asking: Asking, { keep, nothing }: WhenWhole): AnswerWriter {
  let held: AnswerHead | undefined
  let text = ''
  let answered: Answered | undefined
  return {
    head(head) {
      if (isPlain(head)) held = head
      else direct.head(head)
    },
    body(bytes, last) {
      if (held === undefined) return direct.body(bytes, last)
      text += bytes.toString('latin1')
      if (!last) return true
      if (text === '' && nothing !== undefined) {
        answered = nothing()
        return true
      }
      const whole = wholeAnswer(held, text)
      keep(whole)
      answered = answerWhole(response, whole, asking)
      return true
    },
    get status() {
      return held === undefined ? direct.status : (answered?.status ?? 0)
    },
    get bodyBytes() {
      return held === undefined ? direct.bodyBytes : (answered?.bytesOut ?? 0)
    },
  }
}

function isPlain({ status, headers, length }: AnswerHead): boolean {
  if (status !== 200 || length === undefined || length > LARGEST_WHOLE_BYTES) return false
  for (let at = 0; at < headers.length; at += 2) if (!PLAIN.has(headers[at]!.toLowerCase())) return false
  return true
}

/** As if SQ had answered so. */
export function textAnswer(body: Buffer): KeptAnswer {
  return wholeAnswer({ status: 200, headers: CORS_ORIGIN, length: body.length }, body.toString('latin1'))
}

function wholeAnswer(head: AnswerHead, body: string): KeptAnswer {
  const etag = `"${hash('sha256', Buffer.from(body, 'latin1'), 'base64url').slice(0, 27)}"`
  return { body, etag, headers: [...outgoingHeaders(head, body.length, NO_HEADERS), 'ETag', etag, ...CACHING] }
}

const NO_HEADERS: readonly string[] = []
