/**
 * Which shard of a shared SQ a tenant lives on: a function of its number alone, so that it never moves when others come or go,
 * and no shard ever holds more than the product allows. What decides where data lies can't change while a product is in use.
 */
import type { Finding } from './problem.ts'
import type { Product, TenantId } from './specs.ts'
import { parseTenantNumber, tenantId } from './tenant-id.ts'

/** A shard's name: `PRODUCT-000`. Also its folder under HOME/sq. */
export type ShardName = string & { readonly __brand: 'ShardName' }

export function shardName(product: string, index: number): ShardName {
  return `${product}-${String(index).padStart(3, '0')}` as ShardName
}

/** The shard of a tenant whose product runs as a shared SQ; undefined where the id is not of this product. */
export function shardOf(product: Product, id: TenantId): { readonly name: ShardName; readonly index: number } | undefined {
  const number = parseTenantNumber(product, id)
  if (number === undefined || product.spec.run.kind !== 'shared-sq') return undefined
  const index = Math.floor((number - 1) / product.spec.run.tenantsPerShard)
  return { name: shardName(product.metadata.name, index), index }
}

/** Every id that the shard's place can hold, in order. */
export function* shardIds(product: Product, index: number): Generator<TenantId> {
  if (product.spec.run.kind !== 'shared-sq') return
  const { tenantsPerShard } = product.spec.run
  for (let n = index * tenantsPerShard + 1; n <= (index + 1) * tenantsPerShard; n++) yield tenantId(product, n)
}

/** A product in use cannot change what decides where its tenants' data lies: they would be served without their data. */
export function placementFindings(before: Product, after: Product, file: string, inUse: (product: string) => boolean): Finding[] {
  const then = fixedFields(before)
  const moved = Object.entries(fixedFields(after)).filter(([field, value]) => then[field] !== value)
  if (moved.length === 0 || !inUse(after.metadata.name)) return []
  return moved.map(([field]) => ({
    file,
    field,
    message: `it is ${then[field] ?? 'not set'} for the tenants that ${after.metadata.name} has, and their data lies accordingly`,
    fix: 'Put it back, or add a product under another name.',
  }))
}

function fixedFields({ spec }: Product): Record<string, string | number | undefined> {
  return {
    'spec.tenantId.prefix': spec.tenantId.prefix,
    'spec.tenantId.digits': spec.tenantId.digits,
    'spec.run.kind': spec.run.kind,
    'spec.run.tenantsPerShard': spec.run.kind === 'shared-sq' ? spec.run.tenantsPerShard : undefined,
  }
}
