/**
 * Which scroll a name has, and how it gets one: exactly, for all threads and across any crash, because SQ itself decides. A name is
 * appended to the first free scroll of the list, and whose line is first there has that scroll. Whoever lost goes on to the next one;
 * since everybody goes upwards from where the list ended, and looks at each owner on the way, no name ever gets two. A name without a
 * text is all that a crash can leave. Names are never taken away, so what is known of one stays true.
 */
import type { Coordinate } from '../../core/coordinate.ts'
import { claimOf, coordinateOfPlace, findNameFault, MOST_NAMES, namesPhext, ownerOf, textPhext } from '../../core/named-scroll.ts'
import { writeCoordinate } from '../../core/phext-walk.ts'
import { coordinateOf, displayCoordinate, forEachScroll } from '../../sq/bundled/phext.ts'
import { createKeptEntries } from '../kept-entries.ts'
import type { Granted } from '../access.ts'
import type { Refusal } from '../refusal.ts'
import type { PhextVersions } from '../shared/phext-versions.ts'
import type { SqCaller, SqCallOptions, SqReply } from '../sq-caller.ts'
import { readDirectory, type Directory } from './directory.ts'
import type { HasPhext } from './has-phext.ts'
import { nameFault, NAMES_FULL, unexpected } from './name-refusals.ts'

/** Where the text of a name is: an ordinary scroll of an ordinary phext. */
export interface NamedScroll {
  readonly phext: string
  readonly coordinate: Coordinate
}

export interface NamedText extends NamedScroll {
  readonly name: string
  readonly text: string
}

export interface Refused {
  readonly kind: 'refused'
  readonly refusal: Refusal
}

export type Resolved = { readonly kind: 'found'; readonly scroll: NamedScroll } | { readonly kind: 'unknown' } | Refused
export type Allocated = { readonly kind: 'found'; readonly scroll: NamedScroll } | Refused
export type Listed = { readonly kind: 'listed'; readonly names: readonly NamedText[] } | Refused

export interface Names {
  resolve(access: Granted, phext: string, name: string, options?: SqCallOptions): Promise<Resolved>
  /** The name's scroll, a new one where it had none. */
  allocate(access: Granted, phext: string, name: string, options?: SqCallOptions): Promise<Allocated>
  /** Those that have a text, in the order in which they were first written. */
  list(access: Granted, phext: string, prefix?: string, options?: SqCallOptions): Promise<Listed>
  /** False where the phext certainly has no names: finding out would make SQ begin a list. */
  mayHaveAny(access: Granted, phext: string): Promise<boolean>
}

export interface NamesParts {
  readonly caller: SqCaller
  readonly versions: PhextVersions
  readonly hasPhext: HasPhext
}

const MEMORY_BYTES = 16 * 1024 * 1024

interface KnownDirectory {
  readonly directory: Directory
  readonly version: number
}

type Found<T> = { readonly kind: 'found'; readonly value: T } | Refused

export function createNames({ caller, versions, hasPhext }: NamesParts): Names {
  const known = createKeptEntries<KnownDirectory>(MEMORY_BYTES)
  const claiming = new Map<string, Promise<unknown>>()

  async function ask(access: Granted, method: 'GET' | 'POST', target: string, options: SqCallOptions, body?: string): Promise<Found<string>> {
    const reply: SqReply = await caller.call(access, { method, target, ...(body !== undefined && { body: Buffer.from(body) }) }, options)
    if (reply.kind === 'refused') return reply
    return reply.status === 200 ? { kind: 'found', value: reply.body.toString() } : { kind: 'refused', refusal: unexpected(reply.status) }
  }

  async function directoryOf(access: Granted, phext: string, options: SqCallOptions): Promise<Found<Directory>> {
    const { route } = access.entry
    const list = namesPhext(phext)
    const before = versions.read(route.tenant, list)
    const kept = known.find(route, route.tenant, list)
    if (kept?.version === before.version) return { kind: 'found', value: kept.directory }
    const text = await ask(access, 'GET', targetOf('get', list), options)
    if (text.kind === 'refused') return text
    const directory = readDirectory(text.value)
    if (before.quiet && versions.read(route.tenant, list).version === before.version) known.put(route, route.tenant, list, { directory, version: before.version }, directory.bytes)
    return { kind: 'found', value: directory }
  }

  async function resolve(access: Granted, phext: string, name: string, options: SqCallOptions = {}): Promise<Resolved> {
    const fault = findNameFault(phext, name)
    if (fault !== undefined) return { kind: 'refused', refusal: nameFault(fault, phext) }
    const found = await directoryOf(access, phext, options)
    if (found.kind === 'refused') return found
    const place = found.value.placeOf(name)
    return place === undefined ? { kind: 'unknown' } : scrollAt(phext, place)
  }

  async function claim(access: Granted, phext: string, name: string, options: SqCallOptions): Promise<Allocated> {
    const found = await directoryOf(access, phext, options)
    if (found.kind === 'refused') return found
    const known = found.value.placeOf(name)
    if (known !== undefined) return scrollAt(phext, known)
    for (let place = found.value.next; place < MOST_NAMES; place++) {
      const text = await ask(access, 'GET', targetOf('select', textPhext(phext), coordinateOfPlace(place)), options)
      if (text.kind === 'refused') return text
      // A text that nobody has a name for, after a crash of SQ took the end of the list: it is kept, under a name of its own.
      if (text.value !== '') {
        const kept = await ask(access, 'POST', targetOf('insert', namesPhext(phext), coordinateOfPlace(place)), options, claimOf(`~lost.${place}`))
        if (kept.kind === 'refused') return kept
        continue
      }
      const appended = await ask(access, 'POST', targetOf('insert', namesPhext(phext), coordinateOfPlace(place)), options, claimOf(name))
      if (appended.kind === 'refused') return appended
      const scroll = await ask(access, 'GET', targetOf('select', namesPhext(phext), coordinateOfPlace(place)), options)
      if (scroll.kind === 'refused') return scroll
      if (ownerOf(scroll.value) === name) return scrollAt(phext, place)
    }
    return { kind: 'refused', refusal: NAMES_FULL }
  }

  return {
    resolve,
    async allocate(access, phext, name, options = {}) {
      const resolved = await resolve(access, phext, name, options)
      if (resolved.kind !== 'unknown') return resolved
      // One after the other here, so that only other threads can be in each other's way.
      const line = `${access.entry.route.tenant}\0${phext}`
      const claimed = (claiming.get(line) ?? Promise.resolve()).then(() => claim(access, phext, name, options))
      claiming.set(line, claimed)
      return claimed.finally(() => claiming.get(line) === claimed && claiming.delete(line))
    },
    async list(access, phext, prefix = '', options = {}) {
      const found = await directoryOf(access, phext, options)
      if (found.kind === 'refused') return found
      if (found.value.next === 0) return { kind: 'listed', names: [] }
      const texts = await ask(access, 'GET', targetOf('get', textPhext(phext)), options)
      return texts.kind === 'refused' ? texts : { kind: 'listed', names: namedTexts(phext, found.value, texts.value, prefix) }
    },
    async mayHaveAny(access, phext) {
      const { route } = access.entry
      const list = namesPhext(phext)
      const kept = known.find(route, route.tenant, list)
      if (kept !== undefined && kept.version === versions.read(route.tenant, list).version) return kept.directory.next > 0
      return (await hasPhext(access, list)) ?? true
    },
  }
}

function scrollAt(phext: string, place: number): Extract<Allocated, { kind: 'found' }> {
  return { kind: 'found', scroll: { phext: textPhext(phext), coordinate: coordinateOfPlace(place) } }
}

function targetOf(command: string, phext: string, coordinate?: Coordinate): string {
  return `/api/v2/${command}?p=${encodeURIComponent(phext)}${coordinate === undefined ? '' : `&c=${writeCoordinate(coordinate)}`}`
}

function namedTexts(phext: string, directory: Directory, all: string, prefix: string): NamedText[] {
  const texts = new Map<string, string>()
  forEachScroll(all, (key, scroll) => scroll !== '' && texts.set(displayCoordinate(coordinateOf(key)), scroll))
  const named: NamedText[] = []
  for (const [name, place] of directory.names) {
    const { scroll } = scrollAt(phext, place)
    const text = name.startsWith(prefix) ? texts.get(writeCoordinate(scroll.coordinate)) : undefined
    if (text !== undefined) named.push({ ...scroll, name, text })
  }
  return named
}
