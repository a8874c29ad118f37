/**
 * Which tenants the file of standing tenants (standing-file.ts) no longer speaks for, and which file that is. Triggers note every
 * tenant whose row changes, in the transaction of the change itself, so that none can be forgotten whatever crashes.
 */
import type { TenantId } from '../core/specs.ts'
import { transaction, type Store } from './db.ts'
import type { Meta } from './meta.ts'

/** A file of standing tenants: its name, and the digest of its bytes. */
export interface StandingMark {
  readonly file: string
  readonly digest: string
}

export interface LooseTenants {
  ids(): TenantId[]
  count(): number
  /** The file in force; undefined where there is none. */
  readonly mark: StandingMark | undefined
  /** A new file is begun: changes from now on are later than what it says. */
  begin(): number
  /** The file of that round is in force from now on; it does not speak for `except`. */
  finish(round: number, mark: StandingMark, except: Iterable<TenantId>): void
}

/** The triggers look for it: without one there is nothing to note. */
const ROUND = 'standing-round'
const MARK = 'standing'

export function createLooseTenants(db: Store, meta: Meta): LooseTenants {
  const all = db.prepare('SELECT tenant FROM loose')
  const count = db.prepare('SELECT count(*) AS n FROM loose')
  const put = db.prepare('INSERT OR IGNORE INTO loose (tenant, round) VALUES (?, ?)')
  const forget = db.prepare('DELETE FROM loose WHERE round < ?')
  return {
    ids: () => (all.all() as { tenant: TenantId }[]).map(({ tenant }) => tenant),
    count: () => (count.get() as { n: number }).n,
    get mark() {
      const [file, digest] = meta.get(MARK)?.split(' ') ?? []
      return file === undefined || digest === undefined ? undefined : { file, digest }
    },
    begin() {
      const round = Number(meta.get(ROUND) ?? 0) + 1
      meta.set(ROUND, String(round))
      return round
    },
    finish: (round, { file, digest }, except) =>
      transaction(db, () => {
        forget.run(round)
        for (const id of except) put.run(id, round)
        meta.set(MARK, `${file} ${digest}`)
      }),
  }
}
