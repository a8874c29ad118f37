/** One named thing of the repository: the files that are about it, the spec in force, and the one that its files want. */
import type { SpecFile } from './parsed.ts'
import type { Finding } from './problem.ts'
import type { AnySpec, BlobId, Kind, Tenant, TenantId } from './specs.ts'
import type { StandingLayer } from './standing.ts'

/** A spec that is in force, and the file it stands in. */
export interface Good<T extends AnySpec = AnySpec> {
  readonly spec: T
  readonly path: string
  readonly blob: BlobId
}

/** Everything known about one named thing. `good` is the last spec that was right in itself and in its context. */
export interface Entry<T extends AnySpec = AnySpec> {
  readonly name: string
  readonly good: Good<T> | undefined
  /** The files that are about it now: none where it was removed, several where they clash. */
  readonly claims: readonly SpecFile[]
  /** Why the present file is not in force; empty when it is. */
  readonly findings: readonly Finding[]
}

/** An entry as the catalog itself changes it. */
export interface MutableEntry {
  name: string
  good: Good | undefined
  claims: SpecFile[]
  findings: readonly Finding[]
}

/** The things of one kind, by name. */
export interface EntryMap {
  /** To look at. */
  get(name: string): Entry | undefined
  /** To change; made where there is none yet. */
  open(name: string): MutableEntry
  delete(name: string): void
  values(): Iterable<Entry>
  /** Those that something was found out about in this process: all of which anything may be wrong. */
  own(): Iterable<MutableEntry>
}

export type Entries = Record<Kind, EntryMap>

export const NO_FINDINGS: readonly Finding[] = []

export function createEntryMap(): EntryMap {
  const own = new Map<string, MutableEntry>()
  return {
    get: (name) => own.get(name),
    open(name) {
      let entry = own.get(name)
      if (entry === undefined) own.set(name, (entry = { name, good: undefined, claims: [], findings: NO_FINDINGS }))
      return entry
    },
    delete: (name) => void own.delete(name),
    values: () => own.values(),
    own: () => own.values(),
  }
}

/** Tenants' entries over those that stand. `onOpen` is told of each that leaves the layer below because it is to be changed. */
export function createTenantEntries(standing: StandingLayer, onOpen: (good: Good<Tenant>) => void): EntryMap {
  const map = createEntryMap()
  return {
    ...map,
    get(name) {
      const entry = map.get(name)
      if (entry !== undefined) return entry
      const good = standing.good(name as TenantId)
      return good && standingEntry(good)
    },
    open(name) {
      const good = map.get(name) === undefined ? standing.take(name as TenantId) : undefined
      const entry = map.open(name)
      if (good !== undefined) {
        Object.assign(entry, standingEntry(good))
        onOpen(good)
      }
      return entry
    },
    *values() {
      yield* map.values()
      for (const good of standing.goods()) yield standingEntry(good)
    },
  }
}

function standingEntry(good: Good<Tenant>): MutableEntry {
  const { spec, path, blob } = good
  return { name: spec.metadata.name, good, claims: [{ path, blob, parsed: { kind: 'ok', spec } }], findings: NO_FINDINGS }
}

export interface Candidate {
  /** Absent where the thing has no file, a bad one, or several. */
  readonly good?: Good
  readonly findings: readonly Finding[]
}

/** What the files about one thing come to: the spec that wants to be in force, or why there is none. */
export function candidateOf(entry: MutableEntry): Candidate {
  const [claim, ...others] = entry.claims
  if (claim === undefined) return { findings: NO_FINDINGS }
  if (others.length > 0) return { findings: duplicateFindings(entry) }
  if (claim.parsed.kind === 'bad') return { findings: claim.parsed.problems }
  const { good } = entry
  if (good?.blob === claim.blob && good.path === claim.path) return { good, findings: NO_FINDINGS }
  return { good: { spec: claim.parsed.spec, path: claim.path, blob: claim.blob }, findings: NO_FINDINGS }
}

const SHOWN_DUPLICATES = 3

function others(shown: readonly string[], path: string, all: number): string {
  const named = shown.filter((other) => other !== path).slice(0, SHOWN_DUPLICATES)
  const more = all - 1 - named.length
  return `${named.join(', ')}${more > 0 ? ` and ${more} more` : ''}`
}

function duplicateFindings(entry: MutableEntry): Finding[] {
  const paths = entry.claims.map(({ path }) => path).sort()
  // A few of the others are enough to find them all, and a thousand files of one name must not make a thousand times a thousand.
  const shown = paths.slice(0, SHOWN_DUPLICATES + 1)
  return paths.map((path) => ({
    file: path,
    field: 'metadata.name',
    message: `"${entry.name}" is also the name in ${others(shown, path, paths.length)}; a name belongs to one file`,
    fix: 'Rename or remove all but one; until then the last good one stays in force.',
  }))
}
