/** What a process before this one had in force: the spec that a tenant's record names, from the catalog or from the cache of parsed specs. */
import type { Catalog } from '../core/catalog.ts'
import type { Tenant, TenantId } from '../core/specs.ts'
import type { SpecCache } from '../store/spec-cache.ts'
import type { TenantRecords } from '../store/tenant-records.ts'

export type LastApplied = (id: TenantId) => { readonly spec: Tenant } | undefined

/** One that is out of service has none, unless its file says so itself: back again, it begins anew. */
export function createLastApplied({ records, cache }: { readonly records: TenantRecords; readonly cache: SpecCache }, catalog: Catalog): LastApplied {
  return (id) => {
    const record = records.get(id)
    const good = catalog.entry(id)?.good
    if (record === undefined || record.appliedBlob === null) return undefined
    if (record.removedAt !== null && good?.spec.spec.state !== 'ended') return undefined
    if (good?.blob === record.appliedBlob) return { spec: good.spec }
    const spec = cache.getMany([record.appliedBlob]).get(record.appliedBlob)
    return spec?.kind === 'Tenant' ? { spec } : undefined
  }
}
