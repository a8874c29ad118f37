/** Which tenants a shard renders: found by its place's ids, so that a change looks at one shard's worth of tenants and no more. */
import type { CatalogView } from '../core/catalog-view.ts'
import type { DesiredTenant } from '../core/desired.ts'
import { shardIds, type ShardName } from '../core/placement.ts'
import type { Product } from '../core/specs.ts'
import type { World } from '../reconcile/world.ts'

interface ProductsInForce extends CatalogView {
  productInForce(name: string): Product | undefined
}

/** The product and place that a shard's name stands for. */
export function shardProduct(catalog: ProductsInForce, shard: ShardName): { readonly product: Product; readonly index: number } {
  const [, name = '', index] = /^(.+)-(\d+)$/.exec(shard) ?? []
  const product = catalog.productInForce(name)
  if (product === undefined) throw new Error(`shard ${shard} belongs to no product`)
  return { product, index: Number(index) }
}

/** The members in the order of their numbers. */
export function* shardMembers(world: Pick<World, 'desired'>, product: Product, index: number): Generator<DesiredTenant> {
  for (const id of shardIds(product, index)) {
    const desired = world.desired(id)
    if (desired !== undefined) yield desired
  }
}
