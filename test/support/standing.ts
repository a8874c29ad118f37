/** Standing tenants in memory, looked up in the plainest way. */
import type { Good } from '../../controller/core/catalog-entry.ts'
import type { ShardName } from '../../controller/core/placement.ts'
import type { Tenant, TenantId } from '../../controller/core/specs.ts'
import type { StandingTenants, TenantSummary } from '../../controller/core/standing.ts'
import { ownerKey, uniqueKeys } from '../../controller/core/tenant-index.ts'

export function standingTenants(goods: readonly Good<Tenant>[], shardOf: (id: TenantId) => ShardName | undefined = () => undefined): StandingTenants {
  const summary = ({ spec: { metadata, spec } }: Good<Tenant>): TenantSummary => {
    const shard = shardOf(metadata.name)
    return { tenant: metadata.name, product: spec.product, plan: spec.plan, state: spec.state, ...(shard !== undefined && { shard }) }
  }
  const find = (fits: (good: Good<Tenant>) => boolean): Good<Tenant> | undefined => structuredClone(goods.find(fits))
  return {
    size: goods.length,
    has: (id) => goods.some(({ spec }) => spec.metadata.name === id),
    summary: (id) => goods.filter(({ spec }) => spec.metadata.name === id).map(summary)[0],
    good: (id) => find(({ spec }) => spec.metadata.name === id),
    atPath: (path) => find((good) => good.path === path)?.spec.metadata.name,
    holder: (field, key) => find(({ spec }) => uniqueKeys(spec).some(([name, value]) => name === field && value === key))?.spec.metadata.name,
    ownedBy: (key) => goods.filter(({ spec }) => ownerKey(spec.spec.owner.email) === key).map(({ spec }) => spec.metadata.name),
    goods: () => structuredClone(goods),
    summaries: () => goods.map(summary),
  }
}
