/**
 * Of each tenant the digest of the line that stands for it in the routes' files. What an earlier process kept of them is not copied:
 * only what is other than that is held here.
 */
import type { TenantId } from '../core/specs.ts'

/** As an earlier process left them. */
export interface KeptLines {
  readonly size: number
  digestOf(tenant: TenantId): string | undefined
  digests(): Iterable<readonly [TenantId, string]>
}

export interface StandingLines {
  /** Begins anew with these. */
  begin(kept?: KeptLines): void
  get(tenant: TenantId): string | undefined
  set(tenant: TenantId, digest: string): void
  delete(tenant: TenantId): void
  entries(): Iterable<readonly [TenantId, string]>
  readonly size: number
}

const NONE: KeptLines = { size: 0, digestOf: () => undefined, digests: () => [] }

export function createStandingLines(): StandingLines {
  let kept = NONE
  let size = 0
  /** undefined: gone, although it is among those kept. */
  const own = new Map<TenantId, string | undefined>()
  const get = (tenant: TenantId): string | undefined => (own.has(tenant) ? own.get(tenant) : kept.digestOf(tenant))
  return {
    begin(lines = NONE) {
      kept = lines
      size = lines.size
      own.clear()
    },
    get,
    set(tenant, digest) {
      if (get(tenant) === undefined) size++
      own.set(tenant, digest)
    },
    delete(tenant) {
      if (get(tenant) === undefined) return
      size--
      if (kept.digestOf(tenant) === undefined) own.delete(tenant)
      else own.set(tenant, undefined)
    },
    *entries() {
      for (const entry of kept.digests()) if (!own.has(entry[0])) yield entry
      for (const [tenant, digest] of own) if (digest !== undefined) yield [tenant, digest]
    },
    get size() {
      return size
    },
  }
}
