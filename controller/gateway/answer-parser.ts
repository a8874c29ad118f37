/**
 * Reads an HTTP/1 answer from the bytes of a raw connection: bodies by Content-Length, chunked, or up to the close. Strict, because
 * what two programs read differently is how answers are smuggled. Knows nothing of sockets; throws MalformedAnswer.
 */
import { createChunkDecoder, type ChunkDecoder } from './chunk-decoder.ts'

export class MalformedAnswer extends Error {
  override readonly name = 'MalformedAnswer'
}

export interface AnswerHead {
  readonly status: number
  /** Names and values in turn, as they came. */
  readonly headers: readonly string[]
  /** Absent where only the end of the body tells its length. */
  readonly length: number | undefined
}

export interface AnswerSink {
  head(head: AnswerHead): void
  /** `bytes` is only valid during the call. Called with `last` exactly once, for an empty body too. False: stop reading for now. */
  body(bytes: Buffer, last: boolean): boolean
}

export interface AnswerParser {
  /** Whether to go on reading, to pause, or that the answer is complete and what follows is of no interest. */
  feed(bytes: Buffer): 'more' | 'pause' | 'complete'
  /** The connection was closed by the other side. */
  end(): 'complete' | 'cut' | 'nothing'
}

const MAX_HEAD_BYTES = 64 * 1024
const HEAD_END = Buffer.from('\r\n\r\n')
const EMPTY = Buffer.alloc(0)
const STATUS_LINE = /^HTTP\/1\.[01] ([1-5][0-9][0-9])(?: |$)/
const NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/
const VALUE = /^[\t\x20-\x7e\x80-\xff]*$/

type Body = { readonly kind: 'length'; left: number } | { readonly kind: 'chunked'; readonly decoder: ChunkDecoder } | { readonly kind: 'close' }

/** `bodyless`: the answer to a HEAD, which has no body whatever its headers say. */
export function createAnswerParser(bodyless: boolean, sink: AnswerSink): AnswerParser {
  let pending: Buffer = EMPTY
  let body: Body | undefined
  let complete = false

  function last(bytes: Buffer): 'complete' {
    complete = true
    sink.body(bytes, true)
    return 'complete'
  }

  function feedHead(bytes: Buffer): 'more' | 'pause' | 'complete' {
    const all = pending.length === 0 ? bytes : Buffer.concat([pending, bytes])
    const end = all.indexOf(HEAD_END)
    if (end > MAX_HEAD_BYTES || (end === -1 && all.length > MAX_HEAD_BYTES)) throw new MalformedAnswer('the headers are larger than 64 KiB')
    if (end === -1) {
      pending = all === bytes ? Buffer.from(all) : all
      return 'more'
    }
    pending = EMPTY
    const rest = all.subarray(end + HEAD_END.length)
    const { status, headers } = parseHead(all.toString('latin1', 0, end))
    if (status === 101) throw new MalformedAnswer('it switches protocols without being asked')
    if (status < 200) return rest.length === 0 ? 'more' : feedHead(rest)
    return begin(status, headers, rest)
  }

  function begin(status: number, headers: readonly string[], rest: Buffer): 'more' | 'pause' | 'complete' {
    const { chunked, length } = framing(headers)
    const empty = bodyless || status === 204 || status === 304
    sink.head({ status, headers, length: empty || !chunked ? length : undefined })
    if (empty) return last(EMPTY)
    body = chunked ? { kind: 'chunked', decoder: createChunkDecoder() } : length === undefined ? { kind: 'close' } : { kind: 'length', left: length }
    return length === 0 && !chunked ? last(EMPTY) : rest.length === 0 ? 'more' : feedBody(body, rest)
  }

  function feedBody(body: Body, bytes: Buffer): 'more' | 'pause' | 'complete' {
    switch (body.kind) {
      case 'close':
        return sink.body(bytes, false) ? 'more' : 'pause'
      case 'length':
        if (bytes.length >= body.left) return last(bytes.length === body.left ? bytes : bytes.subarray(0, body.left))
        body.left -= bytes.length
        return sink.body(bytes, false) ? 'more' : 'pause'
      case 'chunked':
        return feedChunked(body.decoder, bytes)
    }
  }

  function feedChunked(decoder: ChunkDecoder, bytes: Buffer): 'more' | 'pause' | 'complete' {
    let goOn = true
    const result = decoder.decode(bytes, (piece) => {
      goOn = sink.body(piece, false)
    })
    if (result === 'malformed') throw new MalformedAnswer('its chunks are not well formed')
    return result === 'complete' ? last(EMPTY) : goOn ? 'more' : 'pause'
  }

  return {
    feed: (bytes) => (complete ? 'complete' : body === undefined ? feedHead(bytes) : feedBody(body, bytes)),
    end() {
      if (complete) return 'complete'
      if (body?.kind === 'close') return last(EMPTY)
      return body === undefined && pending.length === 0 ? 'nothing' : 'cut'
    },
  }
}

function parseHead(text: string): { status: number; headers: string[] } {
  const lines = text.split('\r\n')
  const status = STATUS_LINE.exec(lines[0]!)
  if (status === null) throw new MalformedAnswer('its first line is no HTTP/1 status line')
  const headers: string[] = []
  for (let i = 1; i < lines.length; i++) {
    const line = lines[i]!
    const colon = line.indexOf(':')
    const name = line.slice(0, colon)
    const value = line.slice(colon + 1).trim()
    if (colon === -1 || !NAME.test(name) || !VALUE.test(value)) throw new MalformedAnswer('a header line is not well formed')
    headers.push(name, value)
  }
  return { status: Number(status[1]), headers }
}

function framing(headers: readonly string[]): { chunked: boolean; length: number | undefined } {
  let chunked = false
  let length: number | undefined
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i]!
    if (name.length === 14 && name.toLowerCase() === 'content-length') {
      const value = headers[i + 1]!
      if (!/^[0-9]{1,15}$/.test(value) || (length !== undefined && length !== Number(value))) throw new MalformedAnswer('its Content-Length is not one number')
      length = Number(value)
    } else if (name.length === 17 && name.toLowerCase() === 'transfer-encoding') {
      if (chunked || headers[i + 1]!.toLowerCase() !== 'chunked') throw new MalformedAnswer('its Transfer-Encoding is not "chunked"')
      chunked = true
    }
  }
  if (chunked && length !== undefined) throw new MalformedAnswer('it has both Content-Length and Transfer-Encoding')
  return { chunked, length }
}
