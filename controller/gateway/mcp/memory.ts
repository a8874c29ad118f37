/**
 * What an agent remembers: texts under names, in a phext. Names are coordinates made of words, so that what is remembered here is read over
 * HTTP under the same name, and the other way round; nine numbers are the coordinate itself. Knows nothing of MCP.
 */
import { checkCoordinate } from '../../core/coordinate.ts'
import { namesPhext, ownerOf, textPhext } from '../../core/named-scroll.ts'
import type { Refusal } from '../refusal.ts'
import type { SqCaller, SqReply } from '../sq-caller.ts'
import { readFirstLines, readScrolls, type Reading, type Scroll } from './phext-reader.ts'

export interface Memory {
  remember(phext: string, name: string, text: string, how: 'replace' | 'append'): Promise<Refused | { readonly kind: 'remembered'; readonly bytes: number }>
  recall(phext: string, name: string): Promise<Refused | { readonly kind: 'recalled'; readonly text: string } | Nothing>
  forget(phext: string, name: string): Promise<Refused | { readonly kind: 'forgotten' } | Nothing>
  list(phext: string, prefix: string, page: Page): Promise<Refused | { readonly kind: 'listed'; readonly entries: readonly Entry[]; readonly next: string | undefined }>
  search(phext: string, query: string, page: Page): Promise<Refused | { readonly kind: 'found'; readonly matches: readonly Entry[]; readonly next: string | undefined }>
}

export interface Refused {
  readonly kind: 'refused'
  readonly refusal: Refusal
}

export interface Nothing {
  readonly kind: 'nothing'
}

export interface Page {
  readonly limit: number
  /** Where the page before it ended, as it said. */
  readonly cursor: string | undefined
}

export interface Entry {
  readonly name: string
  /** The first line, or what is around the match. */
  readonly preview: string
}

export interface MemoryParts extends Reading {
  /** A call that understands names in `c`. */
  readonly named: SqCaller['call']
}

const NOTHING: Nothing = { kind: 'nothing' }
const NAME_UNKNOWN = 404
/** What one search looks at before it answers with what it has, and where to go on. */
const SEARCHED_BYTES = 16 * 1024 * 1024
const SEARCHED_PAGES = 50
/** More names than this cannot be listed at once. */
const DIRECTORY_PAGES = 50
const PREVIEW = 160

export function createMemory(parts: MemoryParts): Memory {
  const { named, access, options } = parts
  const call = (command: string, phext: string, name: string, body?: Buffer): Promise<SqReply> =>
    named(access, { method: body === undefined ? 'GET' : 'POST', target: `/api/v2/${command}?p=${encodeURIComponent(phext)}&c=${encodeURIComponent(name)}`, ...(body && { body }) }, options)

  return {
    async remember(phext, name, text, how) {
      const body = Buffer.from(text)
      const reply = await call(how === 'append' ? 'insert' : 'update', phext, name, body)
      return refusalIn(reply) ?? { kind: 'remembered', bytes: body.length }
    },
    async recall(phext, name) {
      const reply = await call('select', phext, name)
      if (isNothing(reply)) return NOTHING
      return refusalIn(reply) ?? { kind: 'recalled', text: bodyOf(reply) }
    },
    async forget(phext, name) {
      const reply = await call('delete', phext, name)
      if (isNothing(reply)) return NOTHING
      return refusalIn(reply) ?? (bodyOf(reply) === 'Removed 0 bytes' ? NOTHING : { kind: 'forgotten' })
    },
    list: (phext, prefix, page) => list(parts, phext, prefix, page),
    search: (phext, query, page) => search(parts, phext, query, page),
  }
}

function isNothing(reply: SqReply): boolean {
  if (reply.kind === 'refused') return reply.refusal.status === NAME_UNKNOWN
  return reply.status === NAME_UNKNOWN || (reply.status === 200 && reply.body.length === 0)
}

const bodyOf = (reply: SqReply): string => (reply.kind === 'answered' ? reply.body.toString('utf8') : '')

function refusalIn(reply: SqReply): Refused | undefined {
  if (reply.kind === 'refused') return reply
  if (reply.status === 200) return undefined
  return { kind: 'refused', refusal: { status: reply.status, code: 'instance-refused', title: 'The instance refused it', detail: reply.body.toString('utf8').slice(0, 500) } }
}

/** Names by the coordinate at which directory and text have them. */
async function readDirectory(parts: MemoryParts, phext: string): Promise<Refused | { readonly kind: 'names'; readonly names: Map<string, string> }> {
  const names = new Map<string, string>()
  let after: string | undefined
  for (let pages = 0; pages < DIRECTORY_PAGES; pages++) {
    const page = await readScrolls(parts, namesPhext(phext), after)
    if (page.kind === 'refused') return page
    for (const { coordinate, text } of page.scrolls) {
      const owner = ownerOf(text)
      if (owner !== undefined) names.set(coordinate, owner)
    }
    if (page.next === undefined) break
    after = page.next
  }
  return { kind: 'names', names }
}

/** Names in the order of the alphabet, then scrolls at numbers in theirs. */
async function list(parts: MemoryParts, phext: string, prefix: string, { limit, cursor }: Page): ReturnType<Memory['list']> {
  const directory = await readDirectory(parts, phext)
  if (directory.kind === 'refused') return directory
  const texts = await readFirstLines(parts, textPhext(phext))
  if (texts.kind === 'refused') return texts
  const scrolls = await readFirstLines(parts, phext)
  if (scrolls.kind === 'refused') return scrolls
  // Without the first lines nobody can tell which of the names hold nothing any more.
  const named = [...directory.names].filter(([coordinate]) => texts.lines?.has(coordinate) ?? true).map(([coordinate, name]) => ({ name, preview: cut(texts.lines?.get(coordinate) ?? '') }))
  named.sort((left, right) => (left.name < right.name ? -1 : 1))
  const numbered = [...(scrolls.lines ?? [])].map(([name, line]) => ({ name, preview: cut(line) }))
  const all = [...named, ...numbered].filter(({ name }) => name.startsWith(prefix))
  const before = cursor === undefined ? -1 : all.findIndex(({ name }) => name === cursor)
  // Gone meanwhile: names go on where it would be.
  const from = cursor !== undefined && before === -1 ? all.findIndex(({ name }) => name > cursor || isNumbers(name)) : before + 1
  const entries = from === -1 ? [] : all.slice(from, from + limit)
  const more = from !== -1 && from + limit < all.length
  return { kind: 'listed', entries, next: more ? entries.at(-1)!.name : undefined }
}

const isNumbers = (name: string): boolean => checkCoordinate(name).kind === 'numbers'

type Part = 'texts' | 'scrolls'

/** Texts with names first, then scrolls at numbers. All words of the query have to be there, in the text or the name. */
async function search(parts: MemoryParts, phext: string, query: string, { limit, cursor }: Page): ReturnType<Memory['search']> {
  const words = query.toLowerCase().split(/\s+/).filter((word) => word !== '')
  const directory = await readDirectory(parts, phext)
  if (directory.kind === 'refused') return directory
  const start = readCursor(cursor)
  let [part, after] = [start.part, start.after]
  const matches: Entry[] = []
  let searchedBytes = 0
  for (let pages = 0; pages < SEARCHED_PAGES && searchedBytes < SEARCHED_BYTES; pages++) {
    const page = await readScrolls(parts, part === 'texts' ? textPhext(phext) : phext, after)
    if (page.kind === 'refused') return page
    for (const scroll of page.scrolls) {
      searchedBytes += scroll.text.length
      const name = part === 'texts' ? directory.names.get(scroll.coordinate) : scroll.coordinate
      const match = name === undefined ? undefined : matchOf(name, scroll, words)
      if (match === undefined) continue
      matches.push(match)
      if (matches.length === limit) return { kind: 'found', matches, next: writeCursor(part, scroll.coordinate) }
    }
    after = page.next
    if (after !== undefined) continue
    if (part === 'scrolls') return { kind: 'found', matches, next: undefined }
    part = 'scrolls'
  }
  return { kind: 'found', matches, next: writeCursor(part, after) }
}

function matchOf(name: string, { text }: Scroll, words: readonly string[]): Entry | undefined {
  const lower = text.toLowerCase()
  const lowerName = name.toLowerCase()
  if (!words.every((word) => lower.includes(word) || lowerName.includes(word))) return undefined
  const at = Math.max(0, Math.min(...words.map((word) => lower.indexOf(word)).filter((found) => found !== -1), lower.length))
  return { name, preview: around(text, at === lower.length ? 0 : at) }
}

function around(text: string, at: number): string {
  const start = Math.max(0, at - PREVIEW / 4)
  const shown = text.slice(start, start + PREVIEW).replace(/\s+/g, ' ').trim()
  return `${start > 0 ? '…' : ''}${shown}${start + PREVIEW < text.length ? '…' : ''}`
}

const cut = (line: string): string => (line.length > PREVIEW ? `${line.slice(0, PREVIEW)}…` : line)

function writeCursor(part: Part, after: string | undefined): string {
  return `${part}:${after ?? ''}`
}

/** One that is none begins anew. */
function readCursor(cursor: string | undefined): { part: Part; after: string | undefined } {
  const match = /^(texts|scrolls):([0-9./]*)$/.exec(cursor ?? '')
  if (match === null || (match[2] !== '' && !isNumbers(match[2]!))) return { part: 'texts', after: undefined }
  return { part: match[1] as Part, after: match[2] === '' ? undefined : match[2] }
}
