/**
 * SQ's commands: from a loaded phext and what was asked to an outcome. Pure: it never changes the phext it is given and touches no file;
 * `library.ts` carries out what an outcome says.
 */
import { checksum } from './xxh3.ts'
import {
  canonicalCoordinate,
  coordinateOf,
  countScrolls,
  displayCoordinate,
  forEachScroll,
  implodePhext,
  isStorable,
  keyOf,
  LARGEST_NUMBER,
  parseCoordinate,
  serialisePhext,
  tableOfContents,
  type Coordinate,
  type Phext,
} from './phext.ts'
import { runQuery, type Query } from './query.ts'
import { lines } from './rust-text.ts'

/** The SQ that this one answers like. */
export const SQ_VERSION = '0.6.0'

/** More would not fit beside the other tenants' phexts in one process's memory; a phext that no command could load again is worse than a refusal. */
export const MAX_PHEXT_BYTES = 128 * 1024 * 1024
export const MAX_SCROLLS = 500_000

export type CommandName =
  | 'load'
  | 'select'
  | 'insert'
  | 'update'
  | 'where'
  | 'delete'
  | 'status'
  | 'checksum'
  | 'toc'
  | 'get'
  | 'delta'
  | 'version'
  | 'json-export'
  | 'query'

export interface Command {
  readonly name: CommandName
  /** The phext's file, as `status` and `load` show it. */
  readonly path: string
  readonly connection: number
  readonly coordinate: Coordinate
  readonly text: string
  readonly algorithm: 'xor' | 'checksum'
  /** `where` leaves out scrolls with fewer bytes. */
  readonly limit: bigint
  readonly query?: Query
}

export type Outcome =
  | { readonly kind: 'answer'; readonly text: string }
  /** The scroll at `key` becomes `scroll`, or goes; then the file is written, even if nothing changed. */
  | { readonly kind: 'change'; readonly key: string; readonly scroll: string | undefined; readonly text: string }
  /** The answer is the file as it is on disk. */
  | { readonly kind: 'file' }
  /** The answer, also written to the phext's `.json` file. */
  | { readonly kind: 'export'; readonly text: string }
  | { readonly kind: 'refused'; readonly status: 400 | 413; readonly text: string }

const answer = (text: string): Outcome => ({ kind: 'answer', text })
const bytesOf = (text: string): number => Buffer.byteLength(text)

/** Whether a phext's text is more than this program can hold. A text needs two bytes for each scroll, so small ones need no count. */
export const isTooLarge = (text: string): boolean => bytesOf(text) > MAX_PHEXT_BYTES || (text.length > 2 * MAX_SCROLLS && countScrolls(text) > MAX_SCROLLS)

/** The real one stores such a number as so many breaks, gigabytes of them, and reads it back as 999. */
const tooFar: Outcome = {
  kind: 'refused',
  status: 400,
  text: `Bad Request: a number of the coordinate is above ${LARGEST_NUMBER}: phexts are read back only up to ${LARGEST_NUMBER}`,
}

/** 64 MiB of the smallest lines or scrolls would keep everybody waiting for a minute. */
const tooManyParts: Outcome = { kind: 'refused', status: 413, text: `Payload Too Large: more than ${MAX_SCROLLS} lines or scrolls, send them in parts` }

function insert(phext: Phext, command: Command): Outcome {
  if (!isStorable(command.coordinate)) return tooFar
  const key = keyOf(command.coordinate)
  return { kind: 'change', key, scroll: (phext.get(key) ?? '') + command.text, text: `Inserted ${bytesOf(command.text)} bytes` }
}

function update(_phext: Phext, command: Command): Outcome {
  if (!isStorable(command.coordinate)) return tooFar
  return { kind: 'change', key: keyOf(command.coordinate), scroll: command.text, text: `Updated ${bytesOf(command.text)} bytes` }
}

function remove(phext: Phext, command: Command): Outcome {
  const key = keyOf(command.coordinate)
  return { kind: 'change', key, scroll: undefined, text: `Removed ${bytesOf(phext.get(key) ?? '')} bytes` }
}

function status(phext: Phext, command: Command): Outcome {
  const size = bytesOf(serialisePhext(phext))
  return answer(`Hosting: ${command.path}\nConnection ID: ${command.connection}\nPhext Size: ${size}\nScrolls: ${phext.size}`)
}

const escapeForExport = (text: string): string => text.replaceAll('"', '\\"').replaceAll('\n', '\\n')

/** The real one's order is random; ours is the coordinates'. Neither is always JSON: backslashes and control characters stay as they are. */
function jsonExport(phext: Phext): Outcome {
  const rows = [...phext.keys()].sort().map((key) => {
    return `   { "coord": "${canonicalCoordinate(coordinateOf(key))}", "scroll": "${escapeForExport(phext.get(key)!)}" }\n`
  })
  return { kind: 'export', text: `[\n${rows.join(',')}]\n` }
}

/** From lines of `coordinate: checksum` to the scrolls that differ, are new, or are missing here. */
function delta(phext: Phext, command: Command): Outcome {
  const theirs = new Map<string, string>()
  let count = 0
  for (const line of lines(command.text)) {
    if (++count > MAX_SCROLLS) return tooManyParts
    const [place, hash] = line.split(': ', 2)
    const coordinate = parseCoordinate(place!)
    if (hash === undefined || !isStorable(coordinate) || coordinate.includes(0)) continue
    theirs.set(keyOf(coordinate), hash)
  }
  const output: Phext = new Map()
  for (const [key, scroll] of phext) if (!theirs.has(key) || theirs.get(key) !== checksum(scroll)) output.set(key, scroll)
  for (const key of theirs.keys()) if (!phext.has(key)) output.set(key, '---sq:Scroll-Missing---')
  return answer(implodePhext(output))
}

function xorOfScrolls(text: string, limit: bigint): Coordinate {
  const composite = new Array<number>(9).fill(1)
  forEachScroll(text, (key, scroll) => {
    if (BigInt(bytesOf(scroll)) < limit) return
    coordinateOf(key).forEach((number, level) => (composite[level]! ^= number))
  })
  return composite
}

/** Two characters of the checksum's hex form, not its bytes, make a number: never 0. */
function coordinateOfChecksum(text: string): Coordinate {
  const hash = checksum(text)
  return Array.from({ length: 9 }, (_, level) => ((hash.charCodeAt(2 * level) << 8) | hash.charCodeAt(2 * level + 1)) % 999)
}

function where(_phext: Phext, command: Command): Outcome {
  if (isTooLarge(command.text)) return tooManyParts
  const found = command.algorithm === 'xor' ? xorOfScrolls(command.text, command.limit) : coordinateOfChecksum(command.text)
  return answer(`Calculated coordinate ${displayCoordinate(found)} for input (algo=${command.algorithm}, limit=${command.limit}).`)
}

const COMMANDS: Readonly<Record<CommandName, (phext: Phext, command: Command) => Outcome>> = {
  load: (_phext, command) => answer(`Loaded ${command.path}`),
  select: (phext, command) => answer(phext.get(keyOf(command.coordinate)) ?? ''),
  insert,
  update,
  where,
  delete: remove,
  status,
  checksum: (phext) => answer(checksum(serialisePhext(phext))),
  toc: (phext) => answer(tableOfContents(serialisePhext(phext))),
  get: () => ({ kind: 'file' }),
  delta,
  version: () => answer(SQ_VERSION),
  'json-export': jsonExport,
  query: (phext, command) => answer(runQuery(phext, command.query!)),
}

export function runCommand(phext: Phext, command: Command): Outcome {
  return COMMANDS[command.name](phext, command)
}
