/**
 * Reads an archive as it comes: each phext is kept whole on disk and checked against its checksum before anybody sees it. What comes may be
 * anything: sizes are bounded, folders, links and other files are passed over, a damaged phext does not spoil the next.
 */
import { pipeline } from 'node:stream/promises'
import { isUtf8 } from 'node:buffer'
import { extract, type Extract } from 'tar-stream'
import { isForbiddenPhext, isStorablePhext } from '../../core/sq-call.ts'
import { wholeCharacters } from '../../core/phext-walk.ts'
import { MANIFEST, phextOfPath, readSums, SUM_PREFIX, SUM_RECORD, SUMS } from './archive.ts'
import type { OpenSpool, Spooled } from './spool.ts'

export type Arrived =
  | { readonly kind: 'phext'; readonly name: string; readonly text: Spooled }
  | { readonly kind: 'rejected'; readonly name: string; readonly reason: RejectedReason }

export type RejectedReason = 'checksum-differs' | 'checksum-missing' | 'too-large' | 'not-text' | 'name-unusable'

export interface ArchiveEnd {
  /** The manifest came, which stands last: nothing is missing at the end. */
  readonly complete: boolean
}

export interface ReadOptions {
  readonly openSpool: OpenSpool
  readonly largestBytes: number
}

const LARGEST_SUMS_BYTES = 32 * 1024 * 1024

/** The bytes are no archive, or end in the middle. */
export class ArchiveFault extends Error {
  override readonly name = 'ArchiveFault'
}

/** Calls `take` with one phext after the other and waits for it. Rejects with ArchiveFault, or with what `take` rejects with. */
export async function readArchive(bytes: AsyncIterable<Uint8Array>, options: ReadOptions, take: (arrived: Arrived) => Promise<void>): Promise<ArchiveEnd> {
  let failed: { readonly error: unknown } | undefined
  const taking = async (arrived: Arrived): Promise<void> => {
    await take(arrived).catch((error: unknown) => {
      failed = { error }
      throw error
    })
  }
  try {
    return await readEntries(bytes, options, taking)
  } catch (error) {
    // The disk's own errors are no fault of the archive.
    if ((error as NodeJS.ErrnoException).syscall !== undefined) throw error
    throw failed === undefined ? new ArchiveFault('the bytes are no archive, or end in the middle', { cause: error }) : failed.error
  }
}

async function readEntries(bytes: AsyncIterable<Uint8Array>, options: ReadOptions, take: (arrived: Arrived) => Promise<void>): Promise<ArchiveEnd> {
  const archive = extract()
  const feeding = pipeline(bytes, archive)
  // Heard below; until then it is nobody's.
  feeding.catch(() => undefined)
  let sums: ReadonlyMap<string, string> = new Map()
  let complete = false
  for await (const entry of archive) {
    const { name: path, type, size, pax } = entry.header
    const plain = path.replace(/^(\.\/)+/, '')
    const name = phextOfPath(path)
    if (type !== 'file' && type !== 'contiguous-file') entry.resume()
    else if (name !== undefined) await takePhext(entry, name, sumIn(pax) ?? sums.get(plain), options, take)
    else if (plain === SUMS && size <= LARGEST_SUMS_BYTES) sums = readSums(await textOf(entry))
    else {
      if (plain === MANIFEST) complete = true
      entry.resume()
    }
  }
  await feeding
  return { complete }
}

type Entry = Extract extends AsyncIterable<infer E> ? E : never

function sumIn(pax: unknown): string | undefined {
  const record = (pax as Readonly<Record<string, string>> | null | undefined)?.[SUM_RECORD]
  return record?.startsWith(SUM_PREFIX) === true ? record.slice(SUM_PREFIX.length) : undefined
}

async function takePhext(entry: Entry, name: string, sum: string | undefined, { openSpool, largestBytes }: ReadOptions, take: (arrived: Arrived) => Promise<void>): Promise<void> {
  const reject = async (reason: RejectedReason): Promise<void> => {
    entry.resume()
    await take({ kind: 'rejected', name, reason })
  }
  if (isForbiddenPhext(name) || !isStorablePhext(name)) return reject('name-unusable')
  if (sum === undefined) return reject('checksum-missing')
  if ((entry.header.size) > largestBytes) return reject('too-large')
  const spool = await openSpool()
  try {
    const utf8 = createUtf8Check()
    for await (const piece of entry as AsyncIterable<Buffer>) {
      utf8.feed(piece)
      await spool.write(piece)
    }
    const text = spool.finish()
    if (text.sha256 !== sum) return await take({ kind: 'rejected', name, reason: 'checksum-differs' })
    if (!utf8.end()) return await take({ kind: 'rejected', name, reason: 'not-text' })
    await take({ kind: 'phext', name, text })
  } finally {
    await spool.close()
  }
}

async function textOf(entry: Entry): Promise<string> {
  const pieces: Buffer[] = []
  for await (const piece of entry as AsyncIterable<Buffer>) pieces.push(piece)
  return Buffer.concat(pieces).toString('utf8')
}

/** SQ would store something else for bytes that are no UTF-8. */
function createUtf8Check(): { feed(piece: Buffer): void; end(): boolean } {
  let valid = true
  let rest: Buffer = Buffer.alloc(0)
  return {
    feed(piece) {
      if (!valid) return
      const bytes = rest.length === 0 ? piece : Buffer.concat([rest, piece])
      const whole = wholeCharacters(bytes)
      valid = isUtf8(bytes.subarray(0, whole))
      rest = bytes.subarray(whole)
    },
    end: () => valid && rest.length === 0,
  }
}
