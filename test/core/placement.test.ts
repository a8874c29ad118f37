import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { placementFindings, shardIds, shardName, shardOf } from '../../controller/core/placement.ts'
import type { Product, TenantId } from '../../controller/core/specs.ts'
import { tenantId } from '../../controller/core/tenant-id.ts'
import { containerProduct, sharedProduct } from '../support/specs.ts'

const product = (tenantsPerShard: number, digits = 3): Product => sharedProduct({ tenantId: { prefix: 'user', digits }, run: { kind: 'shared-sq', engine: 'process', tenantsPerShard } })
const size = fc.integer({ min: 1, max: 700 })

describe('the shard of a tenant', () => {
  it('is a function of product and id alone, and one of the ids that the shard holds', () => {
    fc.assert(
      fc.property(size, fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 20_000 }), (perShard, digits, n) => {
        const sq = product(perShard, digits)
        const id = tenantId(sq, n)
        const { name, index } = shardOf(sq, id)!
        expect(name).toBe(shardName('sq', index))
        const members = [...shardIds(sq, index)]
        expect(members).toContain(id)
        expect(members).toHaveLength(perShard)
        for (const member of members) expect(shardOf(sq, member)).toEqual({ name, index })
      }),
      { numRuns: 50 },
    )
  })

  it('never holds more than the product allows, whoever there is', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 20 }), fc.uniqueArray(fc.integer({ min: 1, max: 500 })), (perShard, numbers) => {
        const sq = product(perShard)
        const counts = new Map<string, number>()
        for (const n of numbers) {
          const { name } = shardOf(sq, tenantId(sq, n))!
          counts.set(name, (counts.get(name) ?? 0) + 1)
        }
        expect(Math.max(0, ...counts.values())).toBeLessThanOrEqual(perShard)
      }),
    )
  })

  it('is none for ids that the product would never give, and for products without shards', () => {
    for (const id of ['user000', 'user1', 'user0001', 'ctx001', 'user', 'user00a', 'user001/..', '']) expect(shardOf(product(500), id as TenantId)).toBeUndefined()
    expect(shardOf(containerProduct(), 'ded001' as TenantId)).toBeUndefined()
    expect([...shardIds(containerProduct(), 0)]).toEqual([])
  })

  it('is named so that names sort', () => {
    expect([shardName('sq', 0), shardName('sq', 12), shardName('sq', 1234)]).toEqual(['sq-000', 'sq-012', 'sq-1234'])
  })
})

describe('a product in use', () => {
  const used = (): boolean => true
  it('keeps what decides where data lies', () => {
    expect(placementFindings(product(500), product(10), 'f', used)).toMatchObject([{ field: 'spec.run.tenantsPerShard', message: expect.stringContaining('it is 500') as string }])
    expect(placementFindings(product(500), product(500, 4), 'f', used)).toMatchObject([{ field: 'spec.tenantId.digits' }])
    expect(placementFindings(sharedProduct(), containerProduct({ tenantId: { prefix: 'user', digits: 3 } }, 'sq'), 'f', used).map(({ field }) => field)).toEqual(['spec.run.kind', 'spec.run.tenantsPerShard'])
  })

  it('may change all else, and everything while nobody has it', () => {
    expect(placementFindings(product(500), sharedProduct({ title: 'other', run: { kind: 'shared-sq', engine: 'docker', tenantsPerShard: 500, image: 'i' } }), 'f', used)).toEqual([])
    expect(placementFindings(product(500), product(10), 'f', () => false)).toEqual([])
  })
})
