/** What a process before this one had in force: the spec that a tenant's record names, from the catalog or from the cache of parsed specs. */
import type { Catalog } from '../core/catalog.ts'
import type { BlobId, Tenant, TenantId } from '../core/specs.ts'
import type { SpecCache } from '../store/spec-cache.ts'
import type { TenantRecords } from '../store/tenant-records.ts'

export type LastApplied = (id: TenantId) => { readonly spec: Tenant } | undefined

/** Whose data is kept under an id that is out of service. */
export type FormerTenant = (id: TenantId) => Tenant | undefined

interface Stored {
  readonly records: TenantRecords
  readonly cache: SpecCache
}

/** Undefined where nothing is kept under the id. */
export function createFormerTenant({ records, cache }: Stored): FormerTenant {
  return (id) => {
    const record = records.get(id)
    return record === undefined || record.removedAt === null || record.appliedBlob === null ? undefined : specOf(cache, record.appliedBlob)
  }
}

function specOf(cache: SpecCache, blob: BlobId): Tenant | undefined {
  const spec = cache.getMany([blob]).get(blob)
  return spec?.kind === 'Tenant' ? spec : undefined
}

/** One that is out of service has none, unless its file says so itself: back again, it begins anew. */
export function createLastApplied({ records, cache }: Stored, catalog: Catalog): LastApplied {
  return (id) => {
    const record = records.get(id)
    const good = catalog.entry(id)?.good
    if (record === undefined || record.appliedBlob === null) return undefined
    if (record.removedAt !== null && good?.spec.spec.state !== 'ended') return undefined
    if (good?.blob === record.appliedBlob) return { spec: good.spec }
    const spec = specOf(cache, record.appliedBlob)
    return spec && { spec }
  }
}
