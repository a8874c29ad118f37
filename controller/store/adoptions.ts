/**
 * Data folders of an SQ installation that were taken over: noted by the digests of the keys that open them before the tenants' files are
 * committed, so that whoever dies in between leaves nothing that could give one customer's data to another. Put in place by the
 * controller; the rows stay until the data is destroyed.
 */
import { transaction, type Store } from './db.ts'
import type { TenantId, Timestamp } from '../core/specs.ts'

/** `noted`: not in place yet. `linked`: the tenant's folder is a link to it. `moved`: it is the tenant's folder now, and nothing of ours is left where it was. */
export type AdoptionState = 'noted' | 'linked' | 'moved'

export interface Adoption {
  /** Where the data lay before, absolute and without links on the way. */
  readonly folder: string
  readonly state: AdoptionState
  /** Undefined until it is in place. */
  readonly tenant: TenantId | undefined
}

export interface Adoptions {
  /** Durable when it returns. What is in place already stays as it is. */
  note(folders: readonly { readonly folder: string; readonly digests: readonly string[] }[], at: Timestamp): void
  /** By any of a tenant's keys. */
  byKeys(digests: readonly string[]): Adoption | undefined
  byTenant(tenant: TenantId): Adoption | undefined
  /** Digests of the keys whose data is not in place yet. */
  noted(): ReadonlySet<string>
  /** Digests of the keys for which a folder was noted, or to whose tenant it is linked. */
  keysOf(folder: string): readonly string[]
  placed(tenant: TenantId, folder: string, state: 'linked' | 'moved'): void
  forget(tenant: TenantId): void
}

interface Row {
  readonly folder: string
  readonly state: AdoptionState
  readonly tenant: TenantId | null
}

export function createAdoptions(db: Store): Adoptions {
  const note = db.prepare("INSERT INTO adoptions (digest, folder, state, noted_at) VALUES (?, ?, 'noted', ?) ON CONFLICT (digest) DO UPDATE SET folder = excluded.folder WHERE state = 'noted'")
  const byKey = db.prepare('SELECT folder, state, tenant FROM adoptions WHERE digest = ?')
  const byTenant = db.prepare('SELECT folder, state, tenant FROM adoptions WHERE tenant = ? LIMIT 1')
  const noted = db.prepare("SELECT digest FROM adoptions WHERE state = 'noted'")
  const keysOf = db.prepare("SELECT digest FROM adoptions WHERE folder = ? AND state <> 'moved'")
  const placed = db.prepare("UPDATE adoptions SET tenant = ?, state = ? WHERE folder = ? AND (tenant IS NULL OR tenant = ?1) AND state <> 'moved'")
  const forget = db.prepare('DELETE FROM adoptions WHERE tenant = ?')
  const adoption = (row: Row | undefined): Adoption | undefined => row && { folder: row.folder, state: row.state, tenant: row.tenant ?? undefined }
  return {
    note: (folders, at) => transaction(db, () => folders.forEach(({ folder, digests }) => digests.forEach((digest) => note.run(digest, folder, at)))),
    byKeys(digests) {
      for (const digest of digests) {
        const row = byKey.get(digest) as Row | undefined
        if (row !== undefined) return adoption(row)
      }
      return undefined
    },
    byTenant: (tenant) => adoption(byTenant.get(tenant) as Row | undefined),
    noted: () => new Set(digestsIn(noted.all())),
    keysOf: (folder) => digestsIn(keysOf.all(folder)),
    placed: (tenant, folder, state) => void placed.run(tenant, state, folder),
    forget: (tenant) => void forget.run(tenant),
  }
}

function digestsIn(rows: unknown): string[] {
  return (rows as { digest: string }[]).map(({ digest }) => digest)
}
