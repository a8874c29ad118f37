/** A tenant's data folder on its shard: made empty, or where an existing installation's data was taken over, that data put in its place; and removed in the end. */
import { ReconcileError } from '../core/outcome.ts'
import type { ShardName } from '../core/placement.ts'
import type { Product, TenantId } from '../core/specs.ts'
import { placeData, removeData } from '../sq/adopted-data.ts'
import type { Adoption } from '../store/adoptions.ts'
import type { ReconcileDependencies } from './ports.ts'

/** Of a tenant that is not served: what was taken over for it is its own all the same, and ends with it. */
export async function adoptTenantData(deps: ReconcileDependencies, tenant: TenantId, shard: ShardName, product: Product): Promise<void> {
  if (adoptionOf(deps, tenant) !== undefined) await placeTenantData(deps, tenant, shard, product)
}

/** Those of `tenants` whose data was taken over and is not in place yet. */
export function awaitingData({ adoptions, catalog }: ReconcileDependencies, tenants: Iterable<TenantId>): ReadonlySet<TenantId> {
  const noted = adoptions.noted()
  if (noted.size === 0) return new Set()
  return new Set([...tenants].filter((id) => catalog.tenant(id)?.spec.keys.some(({ digest }) => digest !== undefined && noted.has(digest))))
}

export async function placeTenantData(deps: ReconcileDependencies, tenant: TenantId, shard: ShardName, { spec: { run } }: Product): Promise<void> {
  const adoption = adoptionOf(deps, tenant)
  const placed = await placeData(deps.folders.data(shard, tenant), adoption, run.kind === 'shared-sq' ? run.engine : 'process')
  if (placed === undefined || (adoption!.state === placed && adoption!.tenant === tenant)) return
  deps.adoptions.placed(tenant, adoption!.folder, placed)
  deps.audit.add({ at: deps.now().toISOString(), actor: 'controller', action: 'adopt-data', tenant, detail: placed === 'linked' ? 'linked to the folder that it was imported with' : 'the folder that it was imported with was moved in' })
}

/**
 * What was noted for any of its imported keys, revoked ones as well.
 * @throws ReconcileError, stalled, where it is another tenant's: that is never served, and nothing is in its place.
 */
function adoptionOf({ adoptions, catalog }: ReconcileDependencies, tenant: TenantId): Adoption | undefined {
  const digests = catalog.tenant(tenant)?.spec.keys.flatMap(({ digest }) => digest ?? []) ?? []
  const adoption = digests.length === 0 ? undefined : adoptions.byKeys(digests)
  const owner = adoption?.tenant ?? tenant
  if (owner !== tenant) throw new ReconcileError({ kind: 'stalled' }, 'DataFolderTaken', `The data that came with its imported keys is kept for ${owner}. Bring the file of ${owner} back, or remove these keys from ${tenant}.`)
  return adoption
}

/** Idempotent. Where it throws, the data is there still, and so is what is known of it. */
export async function removeTenantData(deps: ReconcileDependencies, tenant: TenantId, shard: ShardName): Promise<void> {
  await removeData(deps.folders.data(shard, tenant), deps.adoptions.byTenant(tenant))
  deps.adoptions.forget(tenant)
}
