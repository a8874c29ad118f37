/**
 * Answers to reads, kept until the next write to what they were read from. Exact, since the gateway is the only way to SQ's data: an
 * answer is kept when no write was under way before it was asked for and none began until it was there, and it is given out while
 * that is still so, over all threads. What is kept belongs to the route as it stood: any change of it drops the tenant's answers.
 */
import { createKeptEntries } from './kept-entries.ts'
import type { TableRoute } from './route-table.ts'
import type { PhextPlace, PhextVersions } from './shared/phext-versions.ts'

/** An answer with everything that is the same each time it is given. */
export interface KeptAnswer {
  /** One character for each byte. */
  readonly body: string
  /** Strong: of the body's bytes. */
  readonly etag: string
  /** Names and values in turn, all but what belongs to one request. */
  readonly headers: readonly string[]
}

export interface ReadCache {
  /** `target`: path and query as they came, which is all that SQ reads of a request to read. */
  find(route: TableRoute, target: string): KeptAnswer | undefined
  /** Before SQ is asked. Undefined where the answer is not to be kept, because a write is under way or nothing is kept at all. */
  expect(route: TableRoute, target: string, phexts: readonly string[]): Expected | undefined
  readonly bytes: number
  readonly evictions: number
}

export interface Expected {
  /** Does nothing where a write began in the meantime. */
  keep(answer: KeptAnswer): void
}

export interface ReadCacheOptions {
  /** 0 keeps nothing. */
  readonly bytes: number
  readonly versions: PhextVersions
}

interface Kept {
  readonly answer: KeptAnswer
  readonly places: readonly PhextPlace[]
  readonly version: number
}

/** What an answer takes beside its texts: the objects and their places in the maps. */
const OVERHEAD_BYTES = 600
const NOTHING: ReadCache = { find: () => undefined, expect: () => undefined, bytes: 0, evictions: 0 }

export function createReadCache({ bytes, versions }: ReadCacheOptions): ReadCache {
  if (bytes <= 0) return NOTHING
  const entries = createKeptEntries<Kept>(bytes)

  /** Versions only grow, so that an equal sum means that each is equal. */
  const versionOf = (places: readonly PhextPlace[]): number => {
    let sum = 0
    for (const place of places) sum = (sum + versions.versionAt(place)) | 0
    return sum
  }

  return {
    find(route, target) {
      const kept = entries.find(route, route.tenant, target)
      if (kept === undefined) return undefined
      if (versionOf(kept.places) === kept.version) return kept.answer
      entries.remove(route.tenant, target)
      return undefined
    },
    expect(route, target, phexts) {
      const places = phexts.map((phext) => versions.placeOf(route.tenant, phext))
      // In this order: a write counts as under way before it raises the version.
      const version = versionOf(places)
      if (!places.every((place) => versions.isQuietAt(place))) return undefined
      return {
        keep(answer) {
          if (versionOf(places) === version) entries.put(route, route.tenant, target, { answer, places, version }, sizeOf(target, answer))
        },
      }
    },
    get bytes() {
      return entries.bytes
    },
    get evictions() {
      return entries.evictions
    },
  }
}

function sizeOf(target: string, { body, etag, headers }: KeptAnswer): number {
  return headers.reduce((sum, text) => sum + text.length, OVERHEAD_BYTES + target.length + body.length + etag.length)
}
