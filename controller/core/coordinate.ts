/**
 * Coordinates as SQ 0.6.0 takes them, and which of them may reach it. SQ takes anything: a number is stored as that many break
 * characters, numbers above 999 are not read back (a `delta` with 1000 never ends), 0 and words land on other scrolls. Pure.
 */

/** Nine numbers, from library to scroll. */
export type Coordinate = readonly number[]

export const DIMENSIONS = ['library', 'shelf', 'series', 'collection', 'volume', 'book', 'chapter', 'section', 'scroll'] as const
export type Dimension = (typeof DIMENSIONS)[number]

export const LARGEST_NUMBER = 999

export type CoordinateCheck =
  /** SQ takes the origin. */
  | { readonly kind: 'absent' }
  | { readonly kind: 'numbers'; readonly coordinate: Coordinate }
  | { readonly kind: 'outside'; readonly dimension: Dimension; readonly number: string }
  /** Not nine numbers: words, or too few or too many parts. */
  | { readonly kind: 'words' }

const ORIGIN: Coordinate = [1, 1, 1, 1, 1, 1, 1, 1, 1]
const WHOLE_NUMBER = /^[+-]?[0-9]+$/

/** `text` as it stands decoded in `c`. SQ separates at `.`, `/` and `;` alike. */
export function checkCoordinate(text: string | undefined): CoordinateCheck {
  const trimmed = text?.trim() ?? ''
  if (trimmed === '') return { kind: 'absent' }
  const plain = readPlain(trimmed)
  return plain === undefined ? checkSlowly(trimmed) : { kind: 'numbers', coordinate: plain }
}

/** The nine numbers where all is well, as it is with nearly every request. */
function readPlain(text: string): Coordinate | undefined {
  const numbers: number[] = []
  let value = 0
  let digits = 0
  for (let at = 0; at <= text.length; at++) {
    const code = at === text.length ? 0x2f : text.charCodeAt(at)
    if (code >= 0x30 && code <= 0x39 && ++digits <= 3) value = value * 10 + code - 0x30
    else if ((code === 0x2e || code === 0x2f || code === 0x3b) && digits > 0 && isInside(value)) {
      numbers.push(value)
      value = digits = 0
    } else return undefined
  }
  return numbers.length === DIMENSIONS.length ? numbers : undefined
}

function checkSlowly(trimmed: string): CoordinateCheck {
  const parts = trimmed.split(/[./;]/)
  if (parts.length !== DIMENSIONS.length || !parts.every((part) => WHOLE_NUMBER.test(part))) return { kind: 'words' }
  const coordinate = parts.map(Number)
  const outside = parts.findIndex((part, at) => !/^[0-9]/.test(part) || !isInside(coordinate[at]!))
  if (outside !== -1) return { kind: 'outside', dimension: DIMENSIONS[outside]!, number: parts[outside]!.slice(0, 24) }
  return { kind: 'numbers', coordinate }
}

/** Bytes of breaks that a scroll at this coordinate can need: in an empty phext all of them, beside others fewer. */
export function breakBytes(coordinate: Coordinate): number {
  return coordinate.reduce((sum, number) => sum + number - 1, 0)
}

export const ORIGIN_BREAK_BYTES = breakBytes(ORIGIN)

function isInside(number: number): boolean {
  return number >= 1 && number <= LARGEST_NUMBER
}

export interface DeltaFault {
  /** Counted from 1. */
  readonly line: number
  readonly dimension: Dimension
  readonly number: number
}

const NEWLINE = 0x0a
const COLON = 0x3a
const SPACE = 0x20

/**
 * The first line of a `delta` body whose coordinate lies outside 1 to 999, read exactly as SQ reads it: what stands before the first
 * ": ", with everything passed over that is neither digit nor separator. Lines without ": " mean nothing to SQ.
 */
export function findDeltaFault(body: Uint8Array): DeltaFault | undefined {
  const numbers = [...ORIGIN]
  for (let at = 0, line = 1; at < body.length; line++) {
    const newline = body.indexOf(NEWLINE, at)
    const end = newline === -1 ? body.length : newline
    const colon = findColon(body, at, end)
    if (colon !== -1) {
      readAsSq(body, at, colon, numbers)
      const outside = numbers.findIndex((number) => !isInside(number))
      if (outside !== -1) return { line, dimension: DIMENSIONS[outside]!, number: numbers[outside]! }
    }
    at = end + 1
  }
  return undefined
}

function findColon(body: Uint8Array, start: number, end: number): number {
  for (let at = start; at + 1 < end; at++) if (body[at] === COLON && body[at + 1] === SPACE) return at
  return -1
}

/** Separators before the first digit do not count, the last number is the scroll, numbers wrap at 32 bits. */
function readAsSq(bytes: Uint8Array, start: number, end: number, into: number[]): void {
  into.fill(1)
  let part = -1
  let value = 0
  for (let at = start; at < end; at++) {
    const code = bytes[at]!
    if (code === 0x2e || code === 0x2f || code === 0x3b) {
      if (part >= 0 && part < DIMENSIONS.length - 1) into[part++] = value
      value = 0
    } else if (code >= 0x30 && code <= 0x39) {
      value = (value * 10 + code - 0x30) >>> 0
      if (part === -1) part = 0
    }
  }
  if (part >= 0) into[DIMENSIONS.length - 1] = value
}
