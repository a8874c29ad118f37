/**
 * Writes an archive as a stream: one phext at a time is taken whole out of SQ, hashed, and passed on as fast as the reader reads. A reader
 * that is slow or goes away holds up nobody.
 */
import { pipeline } from 'node:stream/promises'
import { pack, type Pack } from 'tar-stream'
import { ARCHIVE_FORMAT, inArchiveOrder, isAfter, MANIFEST, pathOfPhext, SUM_PREFIX, SUM_RECORD, sumLine, SUMS, type ArchivedPhext, type Manifest } from './archive.ts'
import type { Spooled } from './spool.ts'

export interface PhextSource {
  readonly names: () => Promise<Iterable<string>>
  /** Calls `use` with the whole text; what it was kept in is gone afterwards. */
  readonly read: (name: string, use: (text: Spooled) => Promise<void>) => Promise<PhextRead>
}

export type PhextRead =
  | { readonly kind: 'read' }
  /** One that cannot be read does not keep the others from being exported: it stands in the manifest. */
  | { readonly kind: 'unreadable'; readonly reason: string }

export interface ArchiveOptions {
  readonly tenant: string
  /** Begin behind this name. */
  readonly after: string | undefined
  readonly now: () => Date
  readonly onEnd?: (manifest: Manifest) => void
}

/** The stream fails where the source fails in the middle of a phext, or as a whole. Destroy it to end early. */
export function writeArchive(source: PhextSource, options: ArchiveOptions): Pack {
  const archive = pack()
  fill(archive, source, options).catch((error: unknown) => archive.destroy(error as Error))
  return archive
}

async function fill(archive: Pack, source: PhextSource, { tenant, after, now, onEnd }: ArchiveOptions): Promise<void> {
  const phexts: ArchivedPhext[] = []
  const failed: { name: string; reason: string }[] = []
  for (const name of inArchiveOrder(await source.names())) {
    if (archive.destroyed) return
    if (after !== undefined && !isAfter(name, after)) continue
    const read = await source.read(name, async (text) => {
      const phext = { name, bytes: text.bytes, sha256: text.sha256 }
      await addPhext(archive, phext, text, now())
      phexts.push(phext)
    })
    if (read.kind === 'unreadable') failed.push({ name, reason: read.reason })
  }
  const manifest: Manifest = { format: ARCHIVE_FORMAT, tenant, exportedAt: now().toISOString(), ...(after !== undefined && { after }), phexts, failed }
  archive.entry({ name: SUMS, mtime: now(), mode: 0o600 }, phexts.map(sumLine).join(''))
  archive.entry({ name: MANIFEST, mtime: now(), mode: 0o600 }, `${JSON.stringify(manifest, null, 1)}\n`)
  archive.finalize()
  onEnd?.(manifest)
}

/** Resolves when the reader has taken it. */
async function addPhext(archive: Pack, { name, bytes, sha256 }: ArchivedPhext, text: Spooled, mtime: Date): Promise<void> {
  const header = { name: pathOfPhext(name), size: bytes, mtime, mode: 0o600, type: 'file', pax: { [SUM_RECORD]: `${SUM_PREFIX}${sha256}` } } as const
  await pipeline(text.chunks(), archive.entry(header))
}
