/**
 * Takes an archive into a tenant: what is there already is passed over, what is new is written, what is there with another text stays as it
 * is unless it was asked to be replaced. Every phext is compared after it was written. Knows nothing of HTTP.
 */
import { coordinateOf, parsePhext } from '../../sq/bundled/phext.ts'
import type { Refusal } from '../refusal.ts'
import { readArchive, type RejectedReason } from './archive-reader.ts'
import type { Done, PhextStore } from './phext-store.ts'
import type { OpenSpool, Spooled } from './spool.ts'

export interface ImportReport {
  readonly imported: string[]
  /** There already, byte for byte. */
  readonly unchanged: string[]
  readonly replaced: string[]
  /** There with another text. */
  readonly different: string[]
  readonly rejected: { readonly name: string; readonly reason: RejectedReason | ReplaceFault }[]
  /** Where the archive's end was seen. */
  complete: boolean
  /** Nothing was written after it. */
  stoppedBy?: Refusal
}

export type ReplaceFault = 'replace-too-costly' | 'changed-meanwhile'

export interface ImportOptions {
  readonly openSpool: OpenSpool
  readonly largestBytes: number
  readonly replace: boolean
  /** Phexts outside what the key may touch are rejected. */
  readonly mayWrite: (name: string) => boolean
}

/** SQ rewrites the whole phext for each scroll that changes: above this a phext is not replaced scroll by scroll. */
const REPLACE_BYTES = 4 * 1024 * 1024 * 1024
const LARGEST_REPLACED_BYTES = 64 * 1024 * 1024

/** Rejects with ArchiveFault where the bytes are none; `report` then holds what was done until then. */
export async function importArchive(bytes: AsyncIterable<Uint8Array>, store: PhextStore, options: ImportOptions, report: ImportReport): Promise<void> {
  const end = await readArchive(bytes, options, async (arrived) => {
    const { name } = arrived
    if (arrived.kind === 'rejected') return void report.rejected.push({ name, reason: arrived.reason })
    if (!options.mayWrite(name)) return void report.rejected.push({ name, reason: 'name-unusable' })
    const took = await takePhext(store, name, arrived.text, options.replace)
    if (took.kind === 'refused') {
      report.stoppedBy = took.refusal
      throw new Stopped()
    }
    if (took.kind === 'rejected') report.rejected.push({ name, reason: took.reason })
    else report[took.kind].push(name)
  }).catch((error: unknown) => {
    if (error instanceof Stopped) return { complete: false }
    throw error
  })
  report.complete = end.complete
}

/** Ends the reading: what comes after it is of no use. */
class Stopped extends Error {
  override readonly name = 'Stopped'
}

export const newReport = (): ImportReport => ({ imported: [], unchanged: [], replaced: [], different: [], rejected: [], complete: false })

type Took =
  | { readonly kind: 'imported' | 'unchanged' | 'replaced' | 'different' }
  | { readonly kind: 'rejected'; readonly reason: ReplaceFault }
  | { readonly kind: 'refused'; readonly refusal: Refusal }

async function takePhext(store: PhextStore, name: string, wanted: Spooled, replace: boolean): Promise<Took> {
  const there = await lookAt(store, name, wanted, replace)
  if (there.kind === 'refused') return there
  if (there.kind === 'same') {
    // Whoever was stopped between writing and loading comes by here again: SQ may hold the text as one scroll still.
    const loaded = await store.load(name)
    return loaded.kind === 'refused' ? loaded : { kind: 'unchanged' }
  }
  if (there.kind === 'other') {
    if (!replace) return { kind: 'different' }
    if (there.text === undefined) return { kind: 'rejected', reason: 'replace-too-costly' }
    const replaced = await replaceScrolls(store, name, there.text, wanted)
    if (replaced.kind === 'rejected') return replaced
    return replaced.kind === 'done' ? verify(store, name, wanted, 'replaced') : refusedOr(replaced)
  }
  const filled = await store.fill(name, wanted)
  return filled.kind === 'done' ? verify(store, name, wanted, 'imported') : refusedOr(filled)
}

type There =
  | { readonly kind: 'empty' | 'same' }
  /** `text` where it is wanted and can be taken apart. */
  | { readonly kind: 'other'; readonly text: string | undefined }
  | { readonly kind: 'refused'; readonly refusal: Refusal }

async function lookAt(store: PhextStore, name: string, wanted: Spooled, forReplacing: boolean): Promise<There> {
  let there: There = { kind: 'other', text: undefined }
  const read = await store.read(name, async (text) => {
    if (text.sha256 === wanted.sha256) there = { kind: 'same' }
    else if (text.bytes === 0) there = { kind: 'empty' }
    else if (forReplacing && text.bytes <= LARGEST_REPLACED_BYTES) there = { kind: 'other', text: (await text.at(0, text.bytes)).toString() }
  })
  return read.kind === 'refused' ? read : there
}

async function verify(store: PhextStore, name: string, wanted: Spooled, as: 'imported' | 'replaced'): Promise<Took> {
  let same = false
  const read = await store.read(name, (text) => {
    same = text.sha256 === wanted.sha256
    return Promise.resolve()
  })
  if (read.kind === 'refused') return read
  return same ? { kind: as } : { kind: 'rejected', reason: 'changed-meanwhile' }
}

const refusedOr = (done: Done): Took => (done.kind === 'refused' ? done : { kind: 'rejected', reason: 'changed-meanwhile' })

/** The scrolls that go, then those that differ: SQ has no call that empties a phext. */
async function replaceScrolls(store: PhextStore, name: string, present: string, wanted: Spooled): Promise<Done | Extract<Took, { kind: 'rejected' }>> {
  if (wanted.bytes > LARGEST_REPLACED_BYTES) return { kind: 'rejected', reason: 'replace-too-costly' }
  const before = parsePhext(present)
  const after = parsePhext((await wanted.at(0, wanted.bytes)).toString())
  const gone = [...before.keys()].filter((key) => before.get(key) !== '' && (after.get(key) ?? '') === '')
  const changed = [...after.keys()].filter((key) => after.get(key) !== '' && after.get(key) !== before.get(key))
  if ((gone.length + changed.length) * Math.max(present.length, wanted.bytes) > REPLACE_BYTES) return { kind: 'rejected', reason: 'replace-too-costly' }
  for (const key of gone) {
    const removed = await store.remove(name, coordinateOf(key))
    if (removed.kind !== 'done') return removed
  }
  for (const key of changed) {
    const updated = await store.update(name, coordinateOf(key), after.get(key)!)
    if (updated.kind !== 'done') return updated
  }
  return { kind: 'done' }
}

