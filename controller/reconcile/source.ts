/**
 * Keeps the catalog at the branch's tip: finds what changed between the tree that was taken in last and the new one, reads
 * and parses only those blobs, and hands them to the catalog. Any failure leaves the catalog as it was: an error never reads
 * as "nothing is there". Level-triggered and serialised: whoever needs the present tip calls `sync`.
 */
import type { Catalog, FileDelta } from '../core/catalog.ts'
import { ReconcileError } from '../core/outcome.ts'
import type { ParsedSpec, SpecFile } from '../core/parsed.ts'
import type { AnySpec, BlobId, CommitId, TenantId } from '../core/specs.ts'
import type { GitRepository, TreeEntry } from '../git/port.ts'
import { isSpecPath, kindOfPath, pathRefusal } from '../specs/paths.ts'
import { MAX_SPEC_BYTES, refusedEntry, type SpecParser } from '../specs/parse.ts'
import type { Meta } from '../store/meta.ts'
import type { SpecCache } from '../store/spec-cache.ts'
import type { TenantRecord, TenantRecords } from '../store/tenant-records.ts'
import type { GivenNumbers } from './given-numbers.ts'
import { SHARED_PREFIX, type Standing, type StandingStore } from './standing.ts'

export interface Source {
  /**
   * Brings the catalog to the tip, writes down which numbers were given, and answers which commit that is. Throws ReconcileError,
   * or git's error; the catalog then stands whole at `revision`, and the next call goes on from there.
   */
  sync(): Promise<CommitId>
  /** The tenants that syncs have touched since the last call. */
  drain(): Set<TenantId>
  /** Calls back with the tenants that each change of the catalog touches, at once. Returns how to stop. */
  onTouched(listener: (ids: Iterable<TenantId>) => void): () => void
  /** What the catalog began with, where it did not read everything. */
  readonly standing: Standing | undefined
  readonly revision: CommitId | undefined
}

export interface SourceOptions {
  readonly repository: GitRepository
  readonly parser: SpecParser
  readonly cache: SpecCache
  readonly records: TenantRecords
  readonly meta: Meta
  readonly catalog: Catalog
  readonly givenNumbers: GivenNumbers
  readonly standing?: StandingStore
  readonly onProgress?: (read: number, total: number) => void
}

const PLAIN_FILE = '100644'
const FILE_MODES = new Set([PLAIN_FILE, '100755'])
const CACHE_CHUNK = 5_000
/** Above this many blobs the cache is read as a whole, which is faster than asking for each. */
const WHOLE_CACHE_FROM = 2_000

export function createSource(options: SourceOptions): Source {
  const { repository, catalog } = options
  let revision: CommitId | undefined
  /** Whether what the catalog holds now was written down: a sync that could not do so is finished by the next. */
  let noted = false
  let touched = new Set<TenantId>()
  let standing: Standing | undefined
  const listeners = new Set<(ids: Iterable<TenantId>) => void>()
  let queue: Promise<unknown> = Promise.resolve()

  async function syncNow(): Promise<CommitId> {
    await repository.refresh()
    const tip = await repository.tip()
    if (tip === undefined) throw new ReconcileError({ kind: 'transient' }, 'BranchMissing', 'The branch of the tenant repository does not exist. Nothing is changed until it is back.')
    if (tip !== revision) await takeIn(tip)
    if (!noted) {
      rememberShared(options)
      await options.givenNumbers.note(catalog)
      noted = true
    }
    return tip
  }

  /** The catalog and `revision` move together, or neither does. */
  async function takeIn(tip: CommitId): Promise<void> {
    const deltas = revision === undefined ? await begin(tip) : await readChanges(options, revision, tip)
    const { tenants } = catalog.apply(deltas)
    for (const id of tenants) touched.add(id)
    for (const listener of listeners) listener(tenants)
    revision = tip
    noted = false
  }

  /** All that a catalog without anything in it is to take in. */
  async function begin(tip: CommitId): Promise<FileDelta[]> {
    const found = await options.standing?.open(tip)
    if (found !== undefined) {
      const deltas = await readSince(options, found)
      catalog.begin(found.tenants, found.loose, found.head.highest)
      standing = found
      return seedCatalog(options, deltas, inForce(options, [...found.loose].flatMap((id) => options.records.get(id) ?? [])))
    }
    const deltas = await readWhole(options, tip)
    pruneCache(options, deltas)
    return seedCatalog(options, deltas, inForce(options, options.records.blobs()))
  }

  return {
    sync() {
      const result = queue.then(syncNow)
      queue = result.catch(() => undefined)
      return result
    },
    drain() {
      const drained = touched
      touched = new Set()
      return drained
    },
    onTouched(listener) {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
    get standing() {
      return standing
    },
    get revision() {
      return revision
    },
  }
}

async function readWhole(options: SourceOptions, tip: CommitId): Promise<FileDelta[]> {
  const entries: TreeEntry[] = []
  for await (const entry of options.repository.list(tip)) if (isSpecPath(entry.path)) entries.push(entry)
  if (entries.length === 0) throw new ReconcileError({ kind: 'transient' }, 'RepositoryEmpty', 'The tenant repository holds no platform.yaml, product, plan or tenant. Nothing is changed.')
  return readEntries(options, entries)
}

/** Files of tenants that do not stand any more, those that never did, and what has changed since. */
async function readSince(options: SourceOptions, { head, tenants, loose, changes }: Standing): Promise<FileDelta[]> {
  const entries = new Map<string, TreeEntry>()
  for (const id of loose) {
    const good = tenants.good(id)
    if (good !== undefined) entries.set(good.path, { path: good.path, blob: good.blob, mode: PLAIN_FILE })
  }
  for (const entry of head.others) entries.set(entry.path, entry)
  const removed: FileDelta[] = []
  for (const change of changes) {
    if (change.kind === 'put') entries.set(change.entry.path, change.entry)
    else if (!entries.delete(change.path)) removed.push({ path: change.path })
  }
  return [...removed, ...(await readEntries(options, [...entries.values()]))]
}

async function readChanges(options: SourceOptions, from: CommitId, to: CommitId): Promise<FileDelta[]> {
  const changes = (await options.repository.changes(from, to)).filter((change) => isSpecPath(change.kind === 'put' ? change.entry.path : change.path))
  const removed = changes.flatMap((change) => (change.kind === 'removed' ? [{ path: change.path }] : []))
  if (removed.length > 0 && removed.length >= options.catalog.fileCount && changes.length === removed.length) {
    throw new ReconcileError({ kind: 'transient' }, 'RepositoryEmpty', 'The new revision removes every file of the tenant repository. Nothing is changed.')
  }
  return [...removed, ...(await readEntries(options, changes.flatMap((change) => (change.kind === 'put' ? [change.entry] : []))))]
}

/** Turns tree entries into parsed files: from the cache where the blob is known, otherwise from git. */
async function readEntries(options: SourceOptions, entries: readonly TreeEntry[]): Promise<FileDelta[]> {
  const deltas: FileDelta[] = []
  const put = (entry: TreeEntry, parsed: ParsedSpec): void => void deltas.push({ path: entry.path, file: { path: entry.path, blob: entry.blob, parsed, ...(!FILE_MODES.has(entry.mode) && { mode: entry.mode }) } satisfies SpecFile })
  const files = entries.filter((entry) => {
    if (FILE_MODES.has(entry.mode)) return true
    put(entry, refusedEntry(entry.path, entry.mode === '120000' ? 'symlink' : 'submodule'))
    return false
  })
  const cached = lookUp(options.cache, files)
  const unknown = files.filter((entry) => {
    const spec = cached.get(entry.blob)
    // The same text in another place is another file: which kind may lie where is the parser's to say.
    if (spec === undefined || kindOfPath(entry.path) !== spec.kind || pathRefusal(entry.path, spec.kind) !== undefined) return true
    put(entry, { kind: 'ok', spec })
    return false
  })
  await readUnknown(options, unknown, put)
  return deltas
}

function lookUp(cache: SpecCache, files: readonly TreeEntry[]): Map<BlobId, AnySpec> {
  if (files.length < WHOLE_CACHE_FROM) return cache.getMany(files.map(({ blob }) => blob))
  const wanted = new Set(files.map(({ blob }) => blob))
  const found = new Map<BlobId, AnySpec>()
  for (const { blob, spec } of cache.all()) if (wanted.has(blob)) found.set(blob, spec)
  return found
}

async function readUnknown({ repository, parser, cache, onProgress }: SourceOptions, unknown: readonly TreeEntry[], put: (entry: TreeEntry, parsed: ParsedSpec) => void): Promise<void> {
  let read = 0
  let fresh: { blob: BlobId; spec: AnySpec }[] = []
  for await (const blob of repository.read(unknown.map((entry) => entry.blob), MAX_SPEC_BYTES)) {
    const entry = unknown[read++]!
    const parsed = blob.text === undefined ? refusedEntry(entry.path, 'oversized') : detached(parser.parse(entry.path, blob.text))
    put(entry, parsed)
    if (parsed.kind === 'ok') fresh.push({ blob: blob.id, spec: parsed.spec })
    if (fresh.length >= CACHE_CHUNK) {
      cache.putMany(fresh)
      fresh = []
      onProgress?.(read, unknown.length)
    }
  }
  cache.putMany(fresh)
}

/** Texts of its own: those that are cut out of a file would keep the whole file in memory. */
function detached(parsed: ParsedSpec): ParsedSpec {
  return parsed.kind === 'ok' ? { kind: 'ok', spec: JSON.parse(JSON.stringify(parsed.spec)) as AnySpec } : parsed
}

/** Tells the catalog what was in force before a restart, so that a file that is bad now is held there; answers the files with those marked that still are. */
function seedCatalog(options: SourceOptions, deltas: FileDelta[], before: Iterable<InForce>): FileDelta[] {
  const { catalog } = options
  const byPath = new Map(deltas.map((delta) => [delta.path, delta]))
  const missing: { path: string; blob: BlobId }[] = []
  for (const { path, blob } of before) {
    const delta = byPath.get(path)
    if (delta?.file?.blob === blob && delta.file.parsed.kind === 'ok') byPath.set(delta.path, { ...delta, standing: true })
    else missing.push({ path, blob })
  }
  const cached = options.cache.getMany(missing.map(({ blob }) => blob))
  for (const { path, blob } of missing) {
    const spec = cached.get(blob)
    if (spec !== undefined) catalog.seed(spec.kind, spec.metadata.name, { spec, path, blob })
  }
  return [...byPath.values()]
}

interface InForce {
  readonly path: string
  readonly blob: BlobId
}

function* inForce({ meta }: SourceOptions, records: Iterable<Pick<TenantRecord, 'path' | 'appliedBlob' | 'removedAt'>>): Generator<InForce> {
  for (const { value } of meta.startingWith(SHARED_PREFIX)) yield { path: value.slice(value.indexOf(' ') + 1), blob: value.slice(0, value.indexOf(' ')) as BlobId }
  for (const { path, appliedBlob, removedAt } of records) if (appliedBlob !== null && removedAt === null) yield { path, blob: appliedBlob }
}

/** Once a start, and only where most of the cache is of files that are gone. */
function pruneCache({ cache, records, meta }: SourceOptions, deltas: readonly FileDelta[]): void {
  if (cache.count() < 2 * deltas.length + CACHE_CHUNK) return
  const keep = new Set(deltas.map(({ file }) => file?.blob))
  for (const { appliedBlob } of records.blobs()) if (appliedBlob !== null) keep.add(appliedBlob)
  for (const { value } of meta.startingWith(SHARED_PREFIX)) keep.add(value.slice(0, value.indexOf(' ')) as BlobId)
  cache.prune((blob) => keep.has(blob))
}

/** Keeps which blobs of platform, products and plans are in force; tenants' are in their records. */
function rememberShared({ catalog, meta }: SourceOptions): void {
  for (const kind of ['Platform', 'Product', 'Plan'] as const) {
    for (const { name, good } of catalog.entries(kind)) if (good !== undefined) meta.set(`${SHARED_PREFIX}${kind}/${name}`, `${good.blob} ${good.path}`)
  }
}
