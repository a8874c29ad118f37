/**
 * A request to SQ's interface read exactly as SQ 0.6.0 reads it: commands by the beginning of the path, parameters decoded after
 * splitting, the last of equal ones wins. What SQ would read otherwise than the gateway is how a limit is slipped past. Pure.
 */

export type SqCommand = (typeof SQ_COMMANDS)[number]

/** None begins another one. */
const SQ_COMMANDS = ['load', 'select', 'insert', 'update', 'where', 'delete', 'status', 'checksum', 'toc', 'get', 'delta', 'version', 'json-export', 'query'] as const
const BY_POST: ReadonlySet<SqCommand> = new Set(['insert', 'update', 'where', 'delta', 'query'])
const DELETE_CALL = '/api/v2/delete'
const NOT_BY_GET: ReadonlySet<SqCommand> = new Set(['where'])
const SQ_API = '/api/v2/'

export interface SqCall {
  readonly command: SqCommand
  /** `p`: the file's name without its ending; empty where absent. */
  readonly phext: string
  /** `c`, decoded. */
  readonly coordinate: string | undefined
  /** What SQ takes for the text where the body is empty: `content` for POST, otherwise `s`. Decoded. */
  readonly text: string
}

/** `target`: path and query as they came, a character for each byte. Undefined for what SQ answers with 400 or 404 by itself. */
export function readSqCall(method: string, target: string): SqCall | undefined {
  if (isDeletion(method, target)) return readSqCall('GET', target)
  const post = method === 'POST'
  if (!post && method !== 'GET' && method !== 'HEAD') return undefined
  if (!target.startsWith(SQ_API)) return undefined
  const command = SQ_COMMANDS.find((name) => target.startsWith(name, SQ_API.length))
  if (command === undefined || (post ? !BY_POST.has(command) : NOT_BY_GET.has(command))) return undefined
  const { p = '', c, s = '', content } = readParameters(target)
  return { command, phext: p, coordinate: c, text: (post ? content : undefined) ?? s }
}

/** Clients in the field delete with DELETE or POST, which SQ does not know: both mean what GET means to it. */
export function isDeletion(method: string, target: string): boolean {
  return (method === 'DELETE' || method === 'POST') && (target === DELETE_CALL || target.startsWith(`${DELETE_CALL}?`))
}

type Parameters = Partial<Record<'p' | 'c' | 's' | 'content', string>>

/** Without splitting: this is done for every request. */
function readParameters(target: string): Parameters {
  const parameters: Parameters = {}
  for (let at = target.indexOf('?'); at !== -1; ) {
    const next = target.indexOf('&', at + 1)
    const end = next === -1 ? target.length : next
    const equals = target.indexOf('=', at + 1)
    if (equals !== -1 && equals < end) {
      const name = decode(target.slice(at + 1, equals))
      if (name === 'p' || name === 'c' || name === 's' || name === 'content') parameters[name] = decode(target.slice(equals + 1, end))
    }
    at = next
  }
  return parameters
}

const PLAIN = /^[^%+\x80-\xff]*$/
const LOSSY = new TextDecoder('utf-8', { ignoreBOM: true })

/** SQ reads the head as UTF-8 and then the escapes as UTF-8, replacing what is none; an escape that is no escape stays as it is. */
function decode(text: string): string {
  if (PLAIN.test(text)) return text
  const head = LOSSY.decode(bytesOf(text))
  const bytes = new TextEncoder().encode(head.replaceAll('+', ' '))
  const decoded = new Uint8Array(bytes.length)
  let length = 0
  for (let at = 0; at < bytes.length; at++) {
    const escaped = bytes[at] === 0x25 ? hexAt(bytes, at + 1) : -1
    decoded[length++] = escaped === -1 ? bytes[at]! : escaped
    if (escaped !== -1) at += 2
  }
  return LOSSY.decode(decoded.subarray(0, length))
}

function bytesOf(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0))
}

function hexAt(bytes: Uint8Array, at: number): number {
  const high = hexDigit(bytes[at])
  const low = hexDigit(bytes[at + 1])
  return high === -1 || low === -1 ? -1 : high * 16 + low
}

function hexDigit(code: number | undefined): number {
  if (code === undefined) return -1
  if (code >= 0x30 && code <= 0x39) return code - 0x30
  const lower = code | 0x20
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1
}

/** SQ answers these with 403 and touches no file. */
export function isForbiddenPhext(name: string): boolean {
  return name.includes('..') || name.includes('/') || name.includes('\\')
}

/** A longer name, or one with a NUL, cannot be a file: SQ would keep the text in memory alone, lose it at its next start, and answer 200. */
export const LONGEST_PHEXT_NAME_BYTES = 200

export function isStorablePhext(name: string): boolean {
  return !name.includes('\0') && (name.length <= LONGEST_PHEXT_NAME_BYTES / 3 || new TextEncoder().encode(name).length <= LONGEST_PHEXT_NAME_BYTES)
}
