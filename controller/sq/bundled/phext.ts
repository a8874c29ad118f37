/**
 * The phext format: plain text whose nine break characters move to other coordinates. Parses, serialises and orders, as libphext 0.3.3 does it.
 * Pure. A loaded phext is a map from a coordinate's key to its scroll; keys order as their coordinates do.
 */

/** Library, shelf, series, collection, volume, book, chapter, section, scroll. */
export type Coordinate = readonly number[]

export type Phext = Map<string, string>

const DIMENSIONS = 9
/** libphext does not count further when it reads: more breaks stay on 999. */
export const LARGEST_NUMBER = 999

/** From library to scroll: a break restarts all that come after it at 1. */
const BREAKS = ['\x01', '\x1f', '\x1e', '\x1d', '\x1c', '\x1a', '\x19', '\x18', '\x17'] as const

const LEVELS = new Int8Array(0x20).fill(-1)
BREAKS.forEach((character, level) => (LEVELS[character.charCodeAt(0)] = level))

const levelOf = (code: number): number => (code < 0x20 ? LEVELS[code]! : -1)

const origin = (): number[] => new Array<number>(DIMENSIONS).fill(1)

/** Nine characters, one for each number. A coordinate that no phext can hold gets a longer key, which is never found. */
export function keyOf(coordinate: Coordinate): string {
  return isStorable(coordinate) ? String.fromCharCode(...coordinate) : coordinate.join('.')
}

export const coordinateOf = (key: string): Coordinate => Array.from(key, (character) => character.charCodeAt(0))

/** Whether a phext can hold it: 0 is one of libphext's oddities, above 999 would not be read back. */
export const isStorable = (coordinate: Coordinate): boolean => coordinate.every((number) => number <= LARGEST_NUMBER)

export function compareCoordinates(left: Coordinate, right: Coordinate): number {
  const level = left.findIndex((number, at) => number !== right[at])
  return level < 0 ? 0 : left[level]! - right[level]!
}

export function displayCoordinate(coordinate: Coordinate): string {
  return [0, 3, 6].map((arm) => coordinate.slice(arm, arm + 3).join('.')).join('/')
}

/** As libphext's own `to_string`: nothing for a coordinate with a number outside 1 to 1000. */
export function canonicalCoordinate(coordinate: Coordinate): string {
  return coordinate.every((number) => number >= 1 && number <= 1000) ? displayCoordinate(coordinate) : ''
}

/**
 * Takes anything, as libphext does: `.`, `/` and `;` all separate, other characters than digits are passed over, separators before the first
 * digit do not count, the last number is always the scroll, a part without digits is 0, numbers wrap at 32 bits.
 */
export function parseCoordinate(text: string): Coordinate {
  const result = origin()
  let part = -1
  let value = 0
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code === 0x2e || code === 0x2f || code === 0x3b) {
      if (part >= 0 && part < DIMENSIONS - 1) result[part++] = value
      value = 0
    } else if (code >= 0x30 && code <= 0x39) {
      value = (value * 10 + code - 0x30) % 2 ** 32
      if (part < 0) part = 0
    }
  }
  if (part >= 0) result[DIMENSIONS - 1] = value
  return result
}

function applyBreak(walker: number[], level: number): void {
  if (walker[level]! < LARGEST_NUMBER) walker[level]!++
  walker.fill(1, level + 1)
}

/** Visits the scrolls from first to last. A text of breaks alone, or what follows the last scroll, is one empty scroll, as in libphext. */
export function forEachScroll(text: string, visit: (key: string, scroll: string) => void): void {
  const walker = origin()
  let at = 0
  do {
    let key = keyOf(walker)
    let start = -1
    let end = text.length
    while (at < text.length) {
      const level = levelOf(text.charCodeAt(at++))
      if (level >= 0) {
        applyBreak(walker, level)
        if (start < 0) continue
        end = at - 1
        break
      }
      if (start < 0) {
        start = at - 1
        key = keyOf(walker)
      }
    }
    visit(key, start < 0 ? '' : text.slice(start, end))
  } while (at < text.length)
}

/** An upper bound of the scrolls in a text, without making them. */
export function countScrolls(text: string): number {
  let count = 1
  let inText = false
  for (let at = 0; at < text.length; at++) {
    const isBreak = levelOf(text.charCodeAt(at)) >= 0
    if (isBreak && inText) count++
    inText = !isBreak
  }
  return count
}

export function parsePhext(text: string): Phext {
  const phext: Phext = new Map()
  forEachScroll(text, (key, scroll) => phext.set(key, scroll))
  return phext
}

/** The breaks that lead from one coordinate to a later one. Numbers of 0 need none, so their scrolls land elsewhere when read: as in SQ. */
function breaksBetween(from: Coordinate, to: Coordinate): string {
  const level = from.findIndex((number, at) => number !== to[at])
  if (level < 0) return ''
  const steps = to.slice(level).map((number, at) => BREAKS[level + at]!.repeat(Math.max(0, number - (at === 0 ? from[level]! : 1))))
  return steps.join('')
}

/** The file's text. Empty scrolls are left out. */
export function serialisePhext(phext: Phext): string {
  const parts: string[] = []
  let last: Coordinate = origin()
  for (const key of [...phext.keys()].sort()) {
    const scroll = phext.get(key)!
    if (scroll === '') continue
    const coordinate = coordinateOf(key)
    parts.push(breaksBetween(last, coordinate), scroll)
    last = coordinate
  }
  return parts.join('')
}

/** The breaks that libphext's `implode` writes: unlike SQ's own, it stops where the walk has passed the goal. */
function breaksOfImplode(from: Coordinate, to: Coordinate): string {
  const walker = [...from]
  let breaks = ''
  for (let level = 0; level < DIMENSIONS && compareCoordinates(walker, to) < 0; level++) {
    const steps = to[level]! - walker[level]!
    if (steps <= 0) continue
    breaks += BREAKS[level]!.repeat(steps)
    walker[level] = to[level]!
    walker.fill(1, level + 1)
  }
  return breaks
}

/** What `delta` answers with: like the file's text, but an empty scroll swallows the breaks that lead to it, as in libphext's `implode`. */
export function implodePhext(phext: Phext): string {
  const parts: string[] = []
  let last: Coordinate = origin()
  for (const key of [...phext.keys()].sort()) {
    const scroll = phext.get(key)!
    const coordinate = coordinateOf(key)
    if (scroll !== '') parts.push(breaksOfImplode(last, coordinate), scroll)
    last = coordinate
  }
  return parts.join('')
}

/** The table of contents: each scroll with its first line. */
export function tableOfContents(text: string): string {
  const rows: string[] = []
  forEachScroll(text, (key, scroll) => {
    const end = scroll.indexOf('\n')
    rows.push(`* ${canonicalCoordinate(coordinateOf(key))}: ${end < 0 ? scroll : `${scroll.slice(0, end)}...`}\n`)
  })
  return rows.join('')
}
