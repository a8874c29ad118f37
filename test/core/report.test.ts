import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createCatalog, type Catalog } from '../../controller/core/catalog.ts'
import { compare, desiredOf, sideOf, type Report, type Side } from '../../controller/core/report.ts'
import type { AnySpec, Tenant } from '../../controller/core/specs.ts'
import { containerProduct, keySpec, NOW, plan, platform, put, putBad, sharedProduct, tenant, userId } from '../support/specs.ts'

const SHARED: readonly AnySpec[] = [
  platform(),
  sharedProduct(),
  plan('standard'),
  plan('yearly', { prices: { year: { amount: 10_000, currency: 'eur' } } }),
  plan('free', { prices: {} }),
  containerProduct(),
  plan('own', { product: 'dedicated', limits: { memoryMb: 512 } }),
]

function catalogOf(specs: readonly AnySpec[]): Catalog {
  const catalog = createCatalog()
  catalog.apply([...SHARED, ...specs].map((spec) => put(spec)))
  return catalog
}

const side = (...specs: AnySpec[]): Side => sideOf(catalogOf(specs), NOW)
const kinds = ({ risks }: Report): string[] => risks.map(({ kind, tenant: id }) => `${kind} ${id ?? ''}`.trim())
const many = (count: number): Tenant[] => Array.from({ length: count }, (_, i) => tenant(userId(i + 1)))

describe('a comparison of two revisions', () => {
  it('is empty for equal ones', () => {
    const spec = fc.record({ n: fc.integer({ min: 1, max: 9 }), state: fc.constantFrom('active', 'suspended') })
    fc.assert(
      fc.property(fc.uniqueArray(spec, { selector: ({ n }) => n }), (all) => {
        const specs = all.map(({ n, state }) => tenant(userId(n), { state }))
        const report = compare(side(...specs), side(...structuredClone(specs)))
        expect(report).toMatchObject({ changes: [], risks: [], approvalNeeded: false })
        expect(report.after).toEqual(report.before)
      }),
    )
  })

  it('names what changes, stops first', () => {
    const report = compare(side(tenant('user001'), tenant('user002')), side(tenant('user002', { state: 'suspended' }), tenant('user003')))
    expect(report.changes.map(({ action, tenant: id }) => `${action} ${id}`)).toEqual(['remove user001', 'suspend user002', 'create user003'])
    expect(kinds(report)).toEqual(['stops-serving user001', 'stops-serving user002'])
  })

  it('has no change for a tenant whose file became bad', () => {
    const catalog = catalogOf([tenant('user001')])
    const before = sideOf(catalog, NOW)
    catalog.apply([putBad('Tenant', 'user001')])
    expect(compare(before, sideOf(catalog, NOW)).changes).toEqual([])
  })

  it('asks for approval above the deletion limit, as the loop does', () => {
    const all = many(100)
    expect(compare(side(...all), side(...all.slice(5))).approvalNeeded).toBe(false)
    const report = compare(side(...all), side(...all.slice(6)))
    expect(report.approvalNeeded).toBe(true)
    expect(report.risks[0]).toEqual({ kind: 'approval-needed', tenant: undefined, message: '6 tenants would be taken out of service; 5 a revision are let through without approval' })
  })

  it('warns of keys that end, of lowered limits and of data left behind', () => {
    const base = side(tenant('user001', { keys: [keySpec('k1'), keySpec('k2'), keySpec('k3')], limits: { documents: 'unlimited', requestsPerDay: 5 } }))
    const head = tenant('user001', { keys: [keySpec('k1', { revokedAt: NOW }), keySpec('k2', { nonce: 'f'.repeat(32) }), keySpec('k3', { name: 'phone' })], limits: { documents: 5, requestsPerDay: 6, tokensPerQuery: 7, storageMb: 999 } })
    const report = compare(base, side(head))
    expect(report.risks.map(({ message }) => message)).toEqual([
      'key k1 of user001 stops working',
      'key k2 of user001 stops working',
      'limits.storageMb of user001 is lowered from 1000 to 999',
      'limits.documents of user001 is lowered from unlimited to 5',
      'limits.tokensPerQuery of user001 is lowered from (none) to 7',
    ])
  })
})

describe('a key that comes back', () => {
  it.each(['revokedAt', 'expiresAt'] as const)('by the removal of %s is a risk of its own; a new one is none', (end) => {
    const base = side(tenant('user001', { keys: [keySpec('k1', { [end]: '2026-02-20T00:00:00Z' }), keySpec('k2')] }))
    const head = side(tenant('user001', { keys: [keySpec('k1'), keySpec('k2'), keySpec('k3')] }))
    expect(compare(base, head).risks).toEqual([{ kind: 'key-returns', tenant: 'user001', message: 'key k1 of user001, which had been revoked or had expired, works again for whoever has it' }])
  })
})

describe('the totals of a revision', () => {
  it('count what is sold, what runs and what comes in a month, without ended tenants', () => {
    const { totals } = side(
      tenant('user001'),
      tenant('user002', { plan: 'yearly', limits: { storageMb: 500 } }),
      tenant('user003', { plan: 'free', limits: { storageMb: 'unlimited' } }),
      tenant('user004', { state: 'ended', endedAt: NOW }),
      tenant('ded001', { product: 'dedicated', plan: 'own' }),
      tenant('ded002', { product: 'dedicated', plan: 'own', state: 'suspended' }),
    )
    expect(totals).toEqual({ tenants: 5, storageMb: 1500, memoryMb: 512, cpus: 0.5, monthly: { usd: 3000, eur: 833 } })
  })

  it('are of everything that is desired', () => {
    expect([...desiredOf(catalogOf(many(3)), NOW).keys()]).toEqual(['user001', 'user002', 'user003'])
  })
})
