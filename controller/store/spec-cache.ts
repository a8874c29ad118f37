/** Parsed specs by blob id. A blob's id is a hash of its content, so an entry is never wrong and never needs an update. */
import type { AnySpec, BlobId } from '../core/specs.ts'
import { transaction, type Store } from './db.ts'

export interface SpecCache {
  /** The specs that are known, by blob; one query for any number. */
  getMany(blobs: readonly BlobId[]): Map<BlobId, AnySpec>
  putMany(specs: readonly { readonly blob: BlobId; readonly spec: AnySpec }[]): void
  /** Every known spec, for a start with many tenants. */
  all(): Iterable<{ readonly blob: BlobId; readonly spec: AnySpec }>
  count(): number
  /** Forgets what `keep` does not name. */
  prune(keep: (blob: BlobId) => boolean): number
}

export function createSpecCache(db: Store): SpecCache {
  const one = db.prepare('SELECT spec FROM specs WHERE blob = ?')
  const put = db.prepare('INSERT OR IGNORE INTO specs (blob, spec) VALUES (?, ?)')
  const remove = db.prepare('DELETE FROM specs WHERE blob = ?')
  return {
    getMany(blobs) {
      const found = new Map<BlobId, AnySpec>()
      for (const blob of blobs) {
        const row = one.get(blob) as { spec: string } | undefined
        if (row !== undefined) found.set(blob, JSON.parse(row.spec) as AnySpec)
      }
      return found
    },
    putMany(specs) {
      if (specs.length > 0) transaction(db, () => specs.forEach(({ blob, spec }) => put.run(blob, JSON.stringify(spec))))
    },
    *all() {
      for (const row of db.prepare('SELECT blob, spec FROM specs').iterate() as Iterable<{ blob: BlobId; spec: string }>) {
        yield { blob: row.blob, spec: JSON.parse(row.spec) as AnySpec }
      }
    },
    count: () => (db.prepare('SELECT count(*) AS n FROM specs').get() as { n: number }).n,
    prune(keep) {
      const gone = (db.prepare('SELECT blob FROM specs').all() as { blob: BlobId }[]).filter(({ blob }) => !keep(blob))
      if (gone.length > 0) transaction(db, () => gone.forEach(({ blob }) => remove.run(blob)))
      return gone.length
    },
  }
}
