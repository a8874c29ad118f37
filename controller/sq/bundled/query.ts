/**
 * The coordinate query: `from` and `to`, a set of coordinates, or both. Checks what was asked, and picks from a loaded phext.
 * Pure. Unlike every other command it takes only well-formed coordinates.
 */
import { canonicalCoordinate, compareCoordinates, coordinateOf, keyOf, parseCoordinate, type Coordinate, type Phext } from './phext.ts'
import { parseUsize, trim } from './rust-text.ts'

export interface Query {
  readonly range: { readonly from: Coordinate; readonly to: Coordinate } | undefined
  /** Each coordinate once, by key. */
  readonly set: ReadonlyMap<string, Coordinate>
  readonly limit: bigint | undefined
}

export type ParsedQuery = { readonly kind: 'query'; readonly query: Query } | { readonly kind: 'invalid'; readonly message: string }

/** Refused above this: the real one takes 64 MiB of coordinates, a few million, and ours would keep everybody waiting for them. */
const MAX_SET = 500_000

const invalid = (message: string): ParsedQuery => ({ kind: 'invalid', message })

function parseStrictly(text: string): Coordinate | undefined {
  const arms = text.split('/', 4).map((arm) => arm.split('.', 4))
  const wellFormed = arms.length === 3 && arms.every((arm) => arm.length === 3 && arm.every((number) => (parseUsize(number) ?? 0n) >= 1n))
  return wellFormed ? parseCoordinate(text) : undefined
}

/** Absent and blank are the same. */
const given = (text: string | undefined): string | undefined => trim(text ?? '') || undefined

function* itemsOf(set: string): Generator<string> {
  const item = /[^,;\n]+/g
  for (let match = item.exec(set); match; match = item.exec(set)) {
    const trimmed = trim(match[0])
    if (trimmed !== '') yield trimmed
  }
}

type ParsedRange = { readonly range: Query['range'] } | { readonly problem: string }

function parseRange(from: string | undefined, to: string | undefined): ParsedRange {
  if (from === undefined && to === undefined) return { range: undefined }
  if (from === undefined || to === undefined) return { problem: "a range needs both 'from' and 'to'" }
  const start = parseStrictly(from)
  if (!start) return { problem: `invalid 'from' coordinate: ${from}` }
  const end = parseStrictly(to)
  if (!end) return { problem: `invalid 'to' coordinate: ${to}` }
  if (compareCoordinates(start, end) > 0) return { problem: `'from' (${from}) is after 'to' (${to})` }
  return { range: { from: start, to: end } }
}

/** `set` is the parameter, or else the body. */
export function parseQuery(parameters: ReadonlyMap<string, string>): ParsedQuery {
  const parsed = parseRange(given(parameters.get('from')), given(parameters.get('to')))
  if ('problem' in parsed) return invalid(parsed.problem)

  const set = new Map<string, Coordinate>()
  let count = 0
  for (const item of itemsOf(parameters.get('set') ?? parameters.get('content') ?? '')) {
    const coordinate = parseStrictly(item)
    if (!coordinate) return invalid(`invalid coordinate in set: ${item}`)
    set.set(keyOf(coordinate), coordinate)
    if (++count > MAX_SET) return invalid(`a set holds at most ${MAX_SET} coordinates: ask in parts`)
  }
  if (!parsed.range && set.size === 0) return invalid('query needs a range (from + to) or a set of coordinates')

  const limit = given(parameters.get('limit'))
  if (limit !== undefined && parseUsize(limit) === undefined) return invalid(`invalid limit: ${limit}`)
  return { kind: 'query', query: { range: parsed.range, set, limit: limit === undefined ? undefined : parseUsize(limit) } }
}

/** A JSON array in the coordinates' order: of the range what is not empty, of the set all. */
export function runQuery(phext: Phext, query: Query): string {
  const picked = new Map(query.set)
  if (query.range) {
    for (const [key, scroll] of phext) {
      const coordinate = coordinateOf(key)
      if (scroll === '' || compareCoordinates(coordinate, query.range.from) < 0 || compareCoordinates(coordinate, query.range.to) > 0) continue
      picked.set(key, coordinate)
    }
  }
  const ordered = [...picked].sort(([, left], [, right]) => compareCoordinates(left, right))
  const limited = query.limit === undefined || query.limit >= BigInt(ordered.length) ? ordered : ordered.slice(0, Number(query.limit))
  return JSON.stringify(limited.map(([key, coordinate]) => ({ coordinate: canonicalCoordinate(coordinate), scroll: phext.get(key) ?? '' })))
}
