/** HTTP/1.1 on bare sockets, for requests that no client library would send: whole answers are read, and how the connection ended is told. */
import { connect } from 'node:net'

export interface RawAnswer {
  readonly status: number
  readonly version: string
  /** Names in lower case and values, in the order in which they came. */
  readonly headers: readonly (readonly [string, string])[]
  readonly body: Buffer
}

export interface Conversation {
  /** Without interim answers. */
  readonly answers: readonly RawAnswer[]
  /** `open`: all that was wanted is there and the connection lives. */
  readonly end: 'open' | 'closed' | 'reset'
  /** What came after the last whole answer. */
  readonly rest: Buffer
}

export interface SayOptions {
  readonly bytes: Buffer | string
  /** Tell that no more comes, without closing. */
  readonly halfClose?: boolean
  /** So many answers are enough; otherwise until the other side closes. */
  readonly answers?: number
  /** Answers to HEAD have no body, whatever their length says. */
  readonly head?: boolean
  readonly limitMs?: number
}

/** Rejects where neither enough answers nor the end came in time. */
export function say(port: number, { bytes, halfClose = false, answers = Infinity, head = false, limitMs = 20_000 }: SayOptions): Promise<Conversation> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true })
    let received: Buffer = Buffer.alloc(0)
    let done = false
    const finish = (end: Conversation['end']): void => {
      if (done) return
      done = true
      clearTimeout(timer)
      socket.destroy()
      const { whole, rest } = readAnswers(received, head, end !== 'open')
      resolve({ answers: whole, end, rest })
    }
    const timer = setTimeout(() => {
      done = true
      socket.destroy()
      reject(new Error(`no end within ${limitMs} ms to ${JSON.stringify(bytes.toString('latin1').slice(0, 300))}; came: ${JSON.stringify(received.toString('latin1').slice(0, 300))}`))
    }, limitMs)
    socket.on('data', (part: Buffer) => {
      received = Buffer.concat([received, part])
      if (answers !== Infinity && readAnswers(received, head, false).whole.length >= answers) finish('open')
    })
    socket.on('error', () => finish('reset')).on('close', () => finish('closed'))
    if (halfClose) socket.end(bytes)
    else socket.write(bytes)
  })
}

function readAnswers(bytes: Buffer, head: boolean, closed: boolean): { whole: RawAnswer[]; rest: Buffer } {
  const whole: RawAnswer[] = []
  let rest = bytes
  for (;;) {
    const read = readAnswer(rest, head, closed)
    if (read === undefined) return { whole, rest }
    if (read.answer.status >= 200) whole.push(read.answer)
    rest = rest.subarray(read.bytes)
  }
}

function readAnswer(bytes: Buffer, head: boolean, closed: boolean): { answer: RawAnswer; bytes: number } | undefined {
  const end = bytes.indexOf('\r\n\r\n')
  if (end === -1) return undefined
  const [line, ...lines] = bytes.subarray(0, end).toString('latin1').split('\r\n')
  const start = /^(HTTP\/1\.[01]) (\d{3}) /.exec(`${line} `)
  if (start === null) return undefined
  const headers = lines.map((each): [string, string] => {
    const colon = each.indexOf(':')
    return [each.slice(0, colon).toLowerCase(), each.slice(colon + 1).trim()]
  })
  const answer = (body: Buffer): RawAnswer => ({ status: Number(start[2]), version: start[1]!, headers, body })
  const from = end + 4
  const status = Number(start[2])
  if (head || status < 200 || status === 204 || status === 304) return { answer: answer(Buffer.alloc(0)), bytes: from }
  const valueOf = (name: string): string | undefined => headers.find(([each]) => each === name)?.[1]
  if (valueOf('transfer-encoding') === 'chunked') {
    const body = readChunks(bytes, from)
    return body && { answer: answer(body.bytes), bytes: body.end }
  }
  const length = valueOf('content-length')
  if (length === undefined) return closed ? { answer: answer(bytes.subarray(from)), bytes: bytes.length } : undefined
  return bytes.length < from + Number(length) ? undefined : { answer: answer(bytes.subarray(from, from + Number(length))), bytes: from + Number(length) }
}

function readChunks(bytes: Buffer, from: number): { bytes: Buffer; end: number } | undefined {
  const parts: Buffer[] = []
  for (let at = from; ; ) {
    const lineEnd = bytes.indexOf('\r\n', at)
    if (lineEnd === -1) return undefined
    const size = Number.parseInt(bytes.toString('latin1', at, lineEnd), 16)
    if (bytes.length < lineEnd + 2 + size + 2) return undefined
    if (size === 0) return { bytes: Buffer.concat(parts), end: lineEnd + 4 }
    parts.push(bytes.subarray(lineEnd + 2, lineEnd + 2 + size))
    at = lineEnd + 2 + size + 2
  }
}

export const headerOf = ({ headers }: RawAnswer, name: string): string | undefined => headers.find(([each]) => each === name)?.[1]

/** The stable code of a refusal that the gateway made itself; undefined for what an instance answered. */
export function refusalCode(answer: RawAnswer): string | undefined {
  return headerOf(answer, 'content-type') === 'application/problem+json' ? (JSON.parse(answer.body.toString()) as { code: string }).code : undefined
}
