/**
 * From bytes to a request, as SQ reads them: the head up to its empty line, then as many bytes as Content-Length says.
 * No socket here: bytes are pushed in as they come.
 */
import { decodeLossy, decodeUrl, lines, parseUsize } from '../rust-text.ts'

export const MAX_HEADER_BYTES = 64 * 1024
export const MAX_BODY_BYTES = 64 * 1024 * 1024

/** SQ reads this much at a time. What arrives in the same piece as the head's end is body, whatever Content-Length says. */
const PIECE_BYTES = 1024

export interface HttpRequest {
  readonly header: string
  readonly body: Buffer
}

export type Progress =
  | { readonly kind: 'more' }
  | { readonly kind: 'request'; readonly request: HttpRequest }
  | { readonly kind: 'rejected'; readonly message: string }
  /** The peer ended before the head did. */
  | { readonly kind: 'ended' }
  /** There is no memory left for this request beside the others. */
  | { readonly kind: 'busy' }

/** Memory for bytes, shared by all connections. `reserve` answers whether there was enough. */
export interface Budget {
  reserve(bytes: number): boolean
  release(bytes: number): void
}

export function createBudget(limit: number): Budget {
  let free = limit
  return {
    reserve(bytes) {
      if (bytes > free) return false
      free -= bytes
      return true
    },
    release(bytes) {
      free += bytes
    },
  }
}

export interface RequestReader {
  push(bytes: Buffer): Progress
  /** The peer sends no more: a body that is too short is taken as it is. */
  end(): Progress
  /** Gives the memory back; the reader and its request are not to be used after. */
  close(): void
}

function contentLengthOf(header: string): bigint {
  for (const line of lines(header)) {
    if (/^content-length:/i.test(line)) return parseUsize((line.split(':', 2)[1] ?? '').trim()) ?? 0n
  }
  return 0n
}

export function createRequestReader(budget: Budget): RequestReader {
  let buffer = Buffer.alloc(0)
  let length = 0
  let head: { text: string; end: number; requestEnd: number } | undefined

  function append(bytes: Buffer): boolean {
    const needed = length + bytes.length
    if (needed > buffer.length) {
      const capacity = Math.max(needed, Math.min(2 * buffer.length, head?.requestEnd ?? Infinity))
      if (!budget.reserve(capacity - buffer.length)) return false
      const larger = Buffer.alloc(capacity)
      buffer.copy(larger, 0, 0, length)
      buffer = larger
    }
    bytes.copy(buffer, length)
    length = needed
    return true
  }

  const request = (end: number): Progress => ({ kind: 'request', request: { header: head!.text, body: buffer.subarray(head!.end, end) } })

  function readHead(searchFrom: number): Progress | undefined {
    const found = buffer.subarray(0, length).indexOf('\r\n\r\n', searchFrom)
    const end = found + 4
    if (found < 0 || end > MAX_HEADER_BYTES + PIECE_BYTES) return length > MAX_HEADER_BYTES ? { kind: 'rejected', message: 'header too large' } : { kind: 'more' }
    const text = decodeLossy(buffer.subarray(0, end))
    const contentLength = contentLengthOf(text)
    if (contentLength > MAX_BODY_BYTES) return { kind: 'rejected', message: `body too large: ${contentLength} bytes (max ${MAX_BODY_BYTES})` }
    const pieceEnd = Math.min(length, Math.ceil(end / PIECE_BYTES) * PIECE_BYTES)
    head = { text, end, requestEnd: Math.max(pieceEnd, end + Number(contentLength)) }
    return undefined
  }

  return {
    push(bytes) {
      const searchFrom = Math.max(0, length - 3)
      if (!append(bytes)) return { kind: 'busy' }
      const early = head ? undefined : readHead(searchFrom)
      if (early) return early
      return length >= head!.requestEnd ? request(head!.requestEnd) : { kind: 'more' }
    },
    end() {
      return head ? request(Math.min(length, head.requestEnd)) : { kind: 'ended' }
    },
    close() {
      budget.release(buffer.length)
      buffer = Buffer.alloc(0)
      head = undefined
    },
  }
}

/** The value of a header's line: what is between its first and its second colon. */
export const headerValue = (line: string): string => line.split(':', 2)[1] ?? ''

/** The query's parameters, the last of equal names, and the body as `content` unless it is empty. Undefined for a browser's icon. */
export function parseParameters({ header, body }: HttpRequest): Map<string, string> | undefined {
  const parameters = new Map<string, string>()
  const line = header.slice(0, header.indexOf('\r\n'))
  const mark = line.indexOf('?')
  if (mark >= 0) {
    if (line.slice(0, mark).includes('favicon.ico')) return undefined
    const query = line.slice(mark + 1)
    for (const pair of (query.endsWith(' HTTP/1.1') ? query.slice(0, -' HTTP/1.1'.length) : query).split('&')) {
      const equals = pair.indexOf('=')
      if (equals >= 0) parameters.set(decodeUrl(pair.slice(0, equals)), decodeUrl(pair.slice(equals + 1)))
    }
  }
  if (body.length > 0) parameters.set('content', decodeLossy(body))
  return parameters
}
