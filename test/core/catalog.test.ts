import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createCatalog, type Catalog, type FileDelta } from '../../controller/core/catalog.ts'
import type { Good } from '../../controller/core/catalog-entry.ts'
import type { AnySpec, Tenant, TenantId } from '../../controller/core/specs.ts'
import { uniqueKeys } from '../../controller/core/tenant-index.ts'
import { containerProduct, pathOf, plan, platform, put, putBad, remove, sharedProduct, tenant, userId } from '../support/specs.ts'
import { standingTenants } from '../support/standing.ts'

const FOUNDER = plan('founder', { slots: 2, successor: 'standard' })
const SHARED: readonly AnySpec[] = [platform(), sharedProduct(), plan('standard'), FOUNDER]

function catalogOf(specs: readonly AnySpec[], shared: readonly AnySpec[] = SHARED): Catalog {
  const catalog = createCatalog()
  catalog.apply([...shared, ...specs].map((spec) => put(spec)))
  return catalog
}

const named = (id: string, username: string, spec: Partial<Tenant['spec']> = {}): Tenant => tenant(id, { owner: { email: 'a@example.com', username }, ...spec })
const fields = (catalog: Catalog): string[] => catalog.findings().map(({ file, field }) => `${file} ${field}`).sort()
const inForce = (catalog: Catalog): Record<string, Tenant> => Object.fromEntries([...catalog.tenants()].sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1)).map((spec) => [spec.metadata.name, spec]))
const planOf = (catalog: Catalog, n: number): string | undefined => catalog.tenant(userId(n))?.spec.plan
const founders = (catalog: Catalog): string[] => Object.values(inForce(catalog)).filter(({ spec }) => spec.plan === 'founder' && spec.state !== 'ended').map(({ metadata }) => metadata.name)

describe('a bad tenant file', () => {
  it('holds that tenant at its last good spec, says why, and changes nobody else', () => {
    const catalog = catalogOf([tenant('user001'), tenant('user002')])
    const before = inForce(catalog)
    expect([...catalog.apply([putBad('Tenant', 'user001')]).tenants]).toEqual(['user001'])
    expect(inForce(catalog)).toEqual(before)
    expect(catalog.entry(userId(1))!.findings).toMatchObject([{ file: 'tenants/user001.yaml', line: 3, message: 'this is no YAML' }])
    expect(catalog.entry(userId(2))!.findings).toEqual([])
    catalog.apply([put(tenant('user001', { state: 'suspended' }))])
    expect(catalog.tenant(userId(1))!.spec.state).toBe('suspended')
    expect(catalog.findings()).toEqual([])
  })

  it('never becomes a tenant by itself', () => {
    const catalog = catalogOf([])
    catalog.apply([putBad('Tenant', 'user001')])
    expect(catalog.tenant(userId(1))).toBeUndefined()
    expect(catalog.entry(userId(1))).toMatchObject({ good: undefined, claims: [{ path: 'tenants/user001.yaml' }] })
  })

  it('is no removal where its name can no longer be read', () => {
    const path = 'tenants/of-ada.yaml'
    const catalog = createCatalog()
    catalog.apply([...SHARED.map((spec) => put(spec)), put(tenant('user007'), path)])
    catalog.apply([putBad('Tenant', 'of-ada', path)])
    expect(catalog.entry(userId(7))).toMatchObject({ good: { spec: { metadata: { name: 'user007' } } }, claims: [{ path }] })
    expect(catalog.entry('of-ada' as TenantId)).toBeUndefined()
    catalog.apply([put(tenant('user008'), path)])
    expect(Object.keys(inForce(catalog))).toEqual(['user008'])
  })

  it('costs no newcomer the name or slot that it wanted', () => {
    const wrong = { endedAt: '2026-01-01T00:00:00Z' } // not ended, so wrong in itself
    const catalog = catalogOf([named('user001', 'ada', wrong), named('user002', 'ada'), tenant('user003', { plan: 'founder', ...wrong }), tenant('user004', { plan: 'founder' }), tenant('user005', { plan: 'founder' })])
    expect(Object.keys(inForce(catalog))).toEqual(['user002', 'user004', 'user005'])
    expect(new Set(catalog.findings().map(({ file }) => file))).toEqual(new Set(['tenants/user001.yaml', 'tenants/user003.yaml']))
  })
})

describe('files', () => {
  it('may be renamed without anything changing', () => {
    const catalog = catalogOf([named('user001', 'ada'), tenant('user002')])
    const before = inForce(catalog)
    const delta = catalog.apply([remove('tenants/user001.yaml'), put(before['user001']!, 'tenants/sq/000/user001.yaml')])
    expect([...delta.tenants]).toEqual(['user001'])
    expect(inForce(catalog)).toEqual(before)
    expect(catalog.findings()).toEqual([])
    expect(catalog.pathOf(userId(1))).toBe('tenants/sq/000/user001.yaml')
    expect(catalog.apply([remove('plans/standard.yaml'), put(plan('standard'), 'plans/other.yaml')]).tenants.size).toBe(0)
  })

  it('of one name hold it at the last good spec until one is left', () => {
    const catalog = catalogOf([tenant('user001'), tenant('user002')])
    catalog.apply([put(tenant('user001', { state: 'suspended' }), 'tenants/copy.yaml')])
    expect(catalog.tenant(userId(1))!.spec.state).toBe('active')
    expect(fields(catalog)).toEqual(['tenants/copy.yaml metadata.name', 'tenants/user001.yaml metadata.name'])
    catalog.apply([remove('tenants/user001.yaml')])
    expect(catalog.tenant(userId(1))!.spec.state).toBe('suspended')
    expect(catalog.findings()).toEqual([])
  })

  it('that are removed take their tenant with them and free what it held', () => {
    const catalog = catalogOf([named('user001', 'ada', { plan: 'founder' })])
    expect([...catalog.apply([remove('tenants/user001.yaml')]).tenants]).toEqual(['user001'])
    expect(catalog.entry(userId(1))).toBeUndefined()
    expect([catalog.tenantByUsername('sq', 'ada'), catalog.slotsTaken('founder'), catalog.highestNumber('sq')]).toEqual([undefined, 0, 1])
  })

  it('are counted', () => {
    const catalog = catalogOf([tenant('user001')])
    catalog.apply([putBad('Tenant', 'user002')])
    expect(catalog.fileCount).toBe(SHARED.length + 2)
  })
})

describe('names', () => {
  it('may be swapped in one commit', () => {
    const catalog = catalogOf([named('user001', 'ada'), named('user002', 'bob')])
    catalog.apply([put(named('user001', 'bob')), put(named('user002', 'ada'))])
    expect(catalog.findings()).toEqual([])
    expect([catalog.tenantByUsername('sq', 'ada'), catalog.tenantByUsername('sq', 'bob')]).toEqual(['user002', 'user001'])
  })

  it('may be swapped also while somebody else, who is wrong anyway, wants one of them', () => {
    const catalog = catalogOf([named('user005', 'ada'), named('user006', 'bob')])
    catalog.apply([put(named('user005', 'bob')), put(named('user006', 'ada')), put(named('user001', 'bob', { endedAt: '2026-01-01T00:00:00Z' }))])
    expect(catalog.tenantByUsername('sq', 'ada')).toBe('user006')
  })

  it('stay with both where one side of a swap is bad', () => {
    const catalog = catalogOf([named('user001', 'ada'), named('user002', 'bob')])
    catalog.apply([put(named('user001', 'bob')), putBad('Tenant', 'user002')])
    expect(inForce(catalog)).toMatchObject({ user001: { spec: { owner: { username: 'ada' } } }, user002: { spec: { owner: { username: 'bob' } } } })
  })

  it('stay with who holds them, also against a lower id; the newcomer gets in once they are free', () => {
    const catalog = catalogOf([named('user005', 'ada')])
    catalog.apply([put(named('user001', 'ada'))])
    expect(fields(catalog)).toEqual(['tenants/user001.yaml spec.owner.username'])
    expect([...catalog.apply([put(named('user005', 'eva'))]).tenants].sort()).toEqual(['user001', 'user005'])
    expect(catalog.findings()).toEqual([])
  })

  it('go to the lowest id among newcomers, by number', () => {
    const specs = [named('user1000', 'ada'), named('user999', 'ada')]
    for (const order of [specs, specs.toReversed()]) expect(Object.keys(inForce(catalogOf(order)))).toEqual(['user999'])
  })

  it('are free in another product', () => {
    const dedicated = plan('own', { product: 'dedicated' })
    expect(catalogOf([named('user001', 'ada'), named('ded001', 'ada', { product: 'dedicated', plan: 'own' })], [...SHARED, containerProduct(), dedicated]).findings()).toEqual([])
  })

  it('let a newcomer in who lost to one that falls itself', () => {
    // user001 wants ada and loses its slot; user002 wants ada too.
    const catalog = catalogOf([tenant('user008', { plan: 'founder' }), tenant('user009', { plan: 'founder' })])
    catalog.apply([put(named('user001', 'ada', { plan: 'founder' })), put(named('user002', 'ada'))])
    expect(Object.keys(inForce(catalog))).toEqual(['user002', 'user008', 'user009'])
  })
})

describe('slots', () => {
  const founder = (n: number, spec: Partial<Tenant['spec']> = {}): Tenant => tenant(userId(n), { plan: 'founder', ...spec })

  it('stay with who holds them; among newcomers the lowest id wins', () => {
    const catalog = catalogOf([founder(5)])
    catalog.apply([put(founder(3)), put(founder(2))])
    expect(founders(catalog)).toEqual(['user002', 'user005'])
    expect(catalog.findings()).toMatchObject([{ file: 'tenants/user003.yaml', field: 'spec.plan', fix: 'Use its successor standard.' }])
  })

  it('are free again when somebody ends, changes plan or goes', () => {
    for (const leave of [put(founder(1, { state: 'ended', endedAt: '2026-01-01T00:00:00Z' })), put(tenant('user001')), remove('tenants/user001.yaml')]) {
      const catalog = catalogOf([founder(1), founder(2)])
      catalog.apply([put(founder(3))])
      expect(founders(catalog)).toEqual(['user001', 'user002'])
      catalog.apply([leave])
      expect(founders(catalog)).toEqual(['user002', 'user003'])
    }
  })

  it('stay with all who hold one when a plan gets fewer, who can still change', () => {
    const catalog = catalogOf([founder(1), founder(2)])
    catalog.apply([put(plan('founder', { slots: 1, successor: 'standard' })), put(founder(2, { limits: { storageMb: 7 } })), put(founder(3))])
    expect(founders(catalog)).toEqual(['user001', 'user002'])
    expect(catalog.tenant(userId(2))!.spec.limits).toEqual({ storageMb: 7 })
    expect(fields(catalog)).toEqual(['tenants/user003.yaml spec.plan'])
  })

  it('are not freed by one whose move falls through', () => {
    const catalog = catalogOf([founder(1), founder(2), named('user009', 'ada')])
    catalog.apply([put(named('user001', 'ada', { plan: 'standard' })), put(founder(3))])
    expect(founders(catalog)).toEqual(['user001', 'user002'])
  })
})

describe('plans, products and the platform', () => {
  it('that are bad hold their own tenants only', () => {
    const other = containerProduct()
    const own = plan('own', { product: 'dedicated' })
    const catalog = catalogOf([tenant('user001'), tenant('ded001', { product: 'dedicated', plan: 'own' })], [...SHARED, other, own])
    expect([...catalog.apply([putBad('Plan', 'own'), putBad('Product', 'dedicated')]).tenants]).toEqual(['ded001'])
    expect([catalog.isHeld('Plan', 'own'), catalog.isHeld('Product', 'dedicated'), catalog.isHeld('Plan', 'standard')]).toEqual([true, true, false])
    expect([catalog.planInForce('own'), catalog.productInForce('dedicated')]).toEqual([own, other])
    catalog.apply([put(tenant('user001', { state: 'suspended' }))])
    expect(catalog.tenant(userId(1))!.spec.state).toBe('suspended')
  })

  it('keep their tenants at the last good one when they are removed, and take nobody new', () => {
    const catalog = catalogOf([tenant('user001')])
    catalog.apply([remove(plan('standard')), put(plan('founder', { slots: 2 }))])
    expect(catalog.planInForce('standard')).toEqual(plan('standard'))
    expect(catalog.plan('standard')).toBeUndefined()
    expect(catalog.tenant(userId(1))).toEqual(tenant('user001'))
    catalog.apply([put(tenant('user002'))])
    expect(catalog.tenant(userId(2))).toBeUndefined()
    catalog.apply([put(plan('standard', { tier: 'back' }))])
    expect([planOf(catalog, 2), catalog.findings()]).toEqual(['standard', []])
  })

  it('may refer to each other in one commit, in any order', () => {
    const chain = [plan('a', { slots: 1, successor: 'b' }), plan('b', { slots: 1, successor: 'c' }), plan('c'), sharedProduct(), platform()]
    fc.assert(
      fc.property(fc.shuffledSubarray(chain, { minLength: chain.length }), (order) => {
        const catalog = createCatalog()
        catalog.apply(order.map((spec) => put(spec)))
        expect(catalog.findings()).toEqual([])
        expect([...catalog.plans()]).toHaveLength(3)
      }),
    )
  })

  it('keep what is theirs against a newcomer that would take it, whatever the names', () => {
    for (const name of ['a', 'z']) {
      const catalog = catalogOf([tenant('user001')])
      catalog.apply([put(sharedProduct({}, name)), put(sharedProduct({ title: 'changed' }))])
      expect(fields(catalog)).toEqual([`products/${name}.yaml spec.tenantId.prefix`])
      expect(catalog.product('sq')!.spec.title).toBe('changed')
      expect([catalog.product(name), catalog.isHeld('Product', 'sq')]).toEqual([undefined, false])
    }
  })

  it('cannot move the data of tenants that they have', () => {
    const fewer = sharedProduct({ run: { kind: 'shared-sq', engine: 'process', tenantsPerShard: 10 } })
    const catalog = catalogOf([tenant('user001')])
    catalog.apply([put(fewer)])
    expect(fields(catalog)).toEqual(['products/sq.yaml spec.run.tenantsPerShard'])
    expect(catalog.productInForce('sq')).toEqual(sharedProduct())
    const unused = catalogOf([])
    unused.apply([put(fewer)])
    expect(unused.findings()).toEqual([])
  })

  it('change with their file alone: a renamed platform is the new one', () => {
    const catalog = catalogOf([])
    catalog.apply([put(platform({ retentionDays: 90 }, 'renamed'))])
    expect(catalog.platform!.spec.retentionDays).toBe(90)
    catalog.apply([putBad('Platform', 'platform')])
    expect(catalog.platform!.spec.retentionDays).toBe(90)
    catalog.apply([remove('platform.yaml')])
    expect(catalog.platform!.spec.retentionDays).toBe(90)
  })

  it('tell all tenants that they are about, and no other', () => {
    const catalog = catalogOf([tenant('user001', { plan: 'founder' }), tenant('user002')])
    expect([...catalog.apply([put(plan('standard', { tier: 'gold' }))]).tenants]).toEqual(['user002'])
    expect([...catalog.apply([put(platform({ retentionDays: 7 }))]).tenants].sort()).toEqual(['user001', 'user002'])
    expect(catalog.apply([put(plan('unused'))]).tenants.size).toBe(0)
  })
})

describe('a restart', () => {
  const seeded = (specs: readonly AnySpec[]): Catalog => {
    const catalog = createCatalog()
    for (const spec of specs) catalog.seed(spec.kind, spec.metadata.name, { spec, path: pathOf(spec), blob: put(spec).file!.blob })
    return catalog
  }

  it('keeps the last good spec of a file that became bad meanwhile', () => {
    const catalog = seeded([...SHARED, tenant('user001')])
    catalog.apply([...SHARED.map((spec) => put(spec)), putBad('Tenant', 'user001')])
    expect(catalog.tenant(userId(1))).toEqual(tenant('user001'))
    expect(catalog.entry(userId(1))!.findings).toHaveLength(1)
  })

  it('sees a tenant whose file went meanwhile as removed', () => {
    const catalog = seeded([...SHARED, tenant('user001', { plan: 'founder' }), tenant('user002')])
    const { tenants } = catalog.apply([...SHARED, tenant('user002')].map((spec) => put(spec)))
    expect(tenants).toContain('user001')
    expect([catalog.entry(userId(1)), catalog.slotsTaken('founder'), catalog.highestNumber('sq')]).toEqual([undefined, 0, 2])
  })

  it('sees no removal where the name can no longer be read', () => {
    const catalog = createCatalog()
    const path = 'tenants/of-ada.yaml'
    catalog.seed('Tenant', 'user007', { spec: tenant('user007'), path, blob: put(tenant('user007')).file!.blob })
    catalog.apply([...SHARED.map((spec) => put(spec)), putBad('Tenant', 'of-ada', path)])
    expect(catalog.entry(userId(7))!.good).toBeDefined()
  })

  it('leaves slots and names with who had them', () => {
    const holders = [tenant('user008', { plan: 'founder' }), tenant('user009', { plan: 'founder' })]
    const catalog = seeded([...SHARED, ...holders])
    catalog.apply([...SHARED, ...holders, tenant('user001', { plan: 'founder' })].map((spec) => put(spec)))
    expect(founders(catalog)).toEqual(['user008', 'user009'])
  })

  it('takes a file that nobody touched as what was seeded of it', () => {
    const standing = (spec: AnySpec): FileDelta => ({ ...put(spec), standing: true })
    const holders = [tenant('user008', { plan: 'founder' }), tenant('user009', { plan: 'founder' })]
    const catalog = createCatalog()
    catalog.apply([put(tenant('user001', { plan: 'founder' })), ...[...SHARED, ...holders].map(standing)])
    expect(founders(catalog)).toEqual(['user008', 'user009'])
    expect(catalog.entry(userId(1))!.findings).toHaveLength(1)
  })
})

const IDS = [1, 2, 3, 4, 5]
const NAMES = ['ada', 'bob', 'eva']

const spec: fc.Arbitrary<Tenant> = fc
  .record({
    n: fc.constantFrom(...IDS),
    username: fc.option(fc.constantFrom(...NAMES), { nil: undefined }),
    checkout: fc.option(fc.constantFrom('cs_1', 'cs_2'), { nil: undefined }),
    subscription: fc.option(fc.constantFrom('sub_1', 'sub_2'), { nil: undefined }),
    plan: fc.constantFrom('founder', 'standard', 'gone'),
    state: fc.constantFrom('active', 'suspended', 'ended'),
  })
  .map(({ n, username, checkout, subscription, plan: chosen, state }) =>
    tenant(userId(n), {
      plan: chosen,
      state,
      owner: { email: 'a@example.com', ...(username !== undefined && { username }) },
      billing: { ...(checkout !== undefined && { checkout }), ...(subscription !== undefined && { subscription }) },
      ...(state === 'ended' && { endedAt: '2026-01-01T00:00:00Z' }),
    }),
  )

const change: fc.Arbitrary<FileDelta> = fc.oneof(
  { weight: 8, arbitrary: spec.map((one) => put(one)) },
  { weight: 1, arbitrary: spec.map((one) => put(one, 'tenants/copy.yaml')) },
  { weight: 2, arbitrary: fc.constantFrom(...IDS).map((n) => putBad('Tenant', userId(n))) },
  { weight: 2, arbitrary: fc.constantFrom(...IDS.map((n) => `tenants/${userId(n)}.yaml`), 'tenants/copy.yaml').map((path) => remove(path)) },
  { weight: 1, arbitrary: fc.constantFrom<FileDelta>(putBad('Plan', 'founder'), put(FOUNDER), put(plan('standard', { tier: 'gold' })), remove('plans/standard.yaml'), put(plan('standard'))) },
)

/** Commits: what several changes of one path come to is the last. */
const commits = fc.array(fc.array(change, { minLength: 1, maxLength: 6 }).map((deltas) => [...new Map(deltas.map((delta) => [delta.path, delta])).values()]), { minLength: 1, maxLength: 12 })

const start = (): Catalog => catalogOf([])

describe('whatever is committed', () => {
  it('never oversells slots and never gives two tenants one name, checkout or subscription', () => {
    fc.assert(
      fc.property(commits, (history) => {
        const catalog = start()
        for (const commit of history) {
          catalog.apply(commit)
          const specs = [...catalog.tenants()]
          expect(founders(catalog).length).toBeLessThanOrEqual(FOUNDER.spec.slots!)
          const keys = specs.flatMap((one) => uniqueKeys(one).map((pair) => pair.join(' ')))
          expect(new Set(keys).size).toBe(keys.length)
          expect(catalog.slotsTaken('founder')).toBe(founders(catalog).length)
        }
      }),
      { numRuns: 400 },
    )
  })

  it('touches only the tenants that it names', () => {
    fc.assert(
      fc.property(commits, (history) => {
        const catalog = start()
        for (const commit of history) {
          const before = new Map(IDS.map((n) => [n, JSON.stringify(catalog.entry(userId(n)))]))
          const { tenants } = catalog.apply(commit)
          for (const n of IDS) if (!tenants.has(userId(n))) expect(JSON.stringify(catalog.entry(userId(n)))).toBe(before.get(n))
        }
      }),
    )
  })

  it('gives the catalog of the files alone, once all of them are good', () => {
    const good = fc.uniqueArray(spec, { selector: ({ metadata }) => metadata.name, maxLength: IDS.length })
    fc.assert(
      fc.property(commits, good, (history, files) => {
        const scratch = catalogOf(files)
        fc.pre(scratch.findings().length === 0)
        const catalog = start()
        for (const commit of history) catalog.apply(commit)
        catalog.apply([...IDS.map((n) => `tenants/${userId(n)}.yaml`), 'tenants/copy.yaml'].filter((path) => !files.some((one) => pathOf(one) === path)).map((path) => remove(path)))
        for (const one of [...SHARED, ...files]) catalog.apply([put(one)])
        expect(catalog.findings()).toEqual([])
        expect(inForce(catalog)).toEqual(inForce(scratch))
        for (const name of NAMES) expect(catalog.tenantByUsername('sq', name)).toBe(scratch.tenantByUsername('sq', name))
        expect(catalog.fileCount).toBe(scratch.fileCount)
      }),
      { numRuns: 300 },
    )
  })

  it('does not depend on the order of the files in a commit', () => {
    fc.assert(
      fc.property(commits, fc.infiniteStream(fc.nat()), (history, chance) => {
        const one = start()
        const other = start()
        for (const commit of history) {
          one.apply(commit)
          const ranks = new Map(commit.map((delta) => [delta, chance.next().value as number]))
          other.apply(commit.toSorted((a, b) => ranks.get(a)! - ranks.get(b)!))
          expect(inForce(other)).toEqual(inForce(one))
          expect(fields(other)).toEqual(fields(one))
        }
      }),
    )
  })

  it('keeps every tenant whose file is there and was good once', () => {
    fc.assert(
      fc.property(commits, (history) => {
        const catalog = start()
        for (const commit of history) {
          const before = new Set([...catalog.tenants()].map(({ metadata }) => metadata.name))
          catalog.apply(commit)
          for (const id of before) if (catalog.entry(id) !== undefined) expect(catalog.tenant(id)).toBeDefined()
        }
      }),
    )
  })
})

describe('an owner', () => {
  const owned = (id: string, email: string, spec: Partial<Tenant['spec']> = {}): Tenant => tenant(id, { owner: { email }, ...spec })

  it('has the tenants that carry the address, in whatever letters, ended ones as well, and no longer those that were given away', () => {
    const catalog = catalogOf([owned('user001', 'ada@example.com'), owned('user002', 'Ada@Example.com', { state: 'ended', endedAt: '2026-01-01T00:00:00Z' }), owned('user003', 'eve@example.com')])
    expect(catalog.ownedBy('ADA@example.com').toSorted()).toEqual(['user001', 'user002'])
    catalog.apply([put(owned('user001', 'eve@example.com'))])
    expect(catalog.ownedBy('ada@example.com')).toEqual(['user002'])
    expect(catalog.ownedBy('eve@example.com').toSorted()).toEqual(['user001', 'user003'])
    catalog.apply([remove(owned('user003', 'eve@example.com'))])
    expect(catalog.ownedBy('eve@example.com')).toEqual(['user001'])
  })
})

/** As a start takes files in: `stands` tells which of the tenants that nothing is wrong with are not read. */
function restarted(before: Catalog, stands: (name: string) => boolean): Catalog {
  const standing = new Map<TenantId, Good<Tenant>>()
  for (const { name, good, claims, findings } of before.entries('Tenant')) {
    const plain = claims.length === 1 && findings.length === 0 && good?.blob === claims[0]!.blob && good.path === claims[0]!.path
    if (plain && stands(name)) standing.set(name as TenantId, good as Good<Tenant>)
  }
  const catalog = createCatalog()
  catalog.begin(standingTenants([...standing.values()]), [], [])
  const deltas = new Map([...before.filesBeside(standing)].map((file): [string, FileDelta] => [file.path, { path: file.path, file }]))
  for (const kind of ['Platform', 'Product', 'Plan', 'Tenant'] as const) {
    for (const { name, good } of before.entries(kind)) {
      if (good === undefined || standing.has(name as TenantId)) continue
      const delta = deltas.get(good.path)
      if (delta?.file?.blob === good.blob && delta.file.parsed.kind === 'ok') deltas.set(good.path, { ...delta, standing: true })
      else catalog.seed(kind, name, good)
    }
  }
  catalog.apply([...deltas.values()])
  return catalog
}

describe('a start with tenants that stand', () => {
  const all = (catalog: Catalog): unknown => ({
    inForce: inForce(catalog),
    entries: IDS.map((n) => catalog.entry(userId(n))),
    findings: catalog.findings().map((finding) => JSON.stringify(finding)).sort(),
    usernames: NAMES.map((name) => catalog.tenantByUsername('sq', name)),
    checkouts: ['cs_1', 'cs_2'].map(catalog.tenantByCheckout),
    subscriptions: ['sub_1', 'sub_2'].map(catalog.tenantBySubscription),
    owned: IDS.map((n) => catalog.ownedBy(`${userId(n)}@example.com`).toSorted()),
    slots: ['founder', 'standard'].map(catalog.slotsTaken),
    files: [...catalog.filesBeside(new Set())].map(({ path }) => path).sort(),
    count: catalog.fileCount,
  })

  it('is a start that reads everything, whoever stands and whatever is committed then', () => {
    fc.assert(
      fc.property(commits, commits, fc.subarray(IDS), (history, later, ids) => {
        const before = start()
        for (const commit of history) before.apply(commit)
        const standing = restarted(before, (name) => ids.some((n) => userId(n) === name))
        const scratch = restarted(before, () => false)
        expect(all(standing)).toEqual(all(scratch))
        for (const commit of later) {
          const { tenants } = standing.apply(commit)
          expect([...tenants].sort()).toEqual([...scratch.apply(commit).tenants].sort())
          expect(all(standing)).toEqual(all(scratch))
        }
      }),
      { numRuns: 400 },
    )
  })

  it('never asks for a spec that is not touched', () => {
    const goods = Array.from({ length: 1_000 }, (_, i) => put(named(userId(i + 1), `name-${i + 1}`)).file!).map(({ path, blob, parsed }) => ({ path, blob, spec: (parsed as { spec: Tenant }).spec }))
    const read: string[] = []
    const standing = standingTenants(goods)
    const catalog = createCatalog()
    catalog.begin({ ...standing, good: (id) => (read.push(id), standing.good(id)), goods: () => (read.push('all'), standing.goods()) }, [], ['user1000'])
    catalog.apply([...SHARED.map((one): FileDelta => ({ ...put(one), standing: true })), put(named('user777', 'new-name')), put(named('user1001', 'name-5'))])
    expect(new Set(read)).toEqual(new Set(['user777', 'user005', 'user1001']))
    expect(catalog.entry(userId(1001))!.findings).toHaveLength(1)
    expect(catalog.slotsTaken('standard')).toBe(1_000)
    expect(catalog.highestNumber('sq')).toBe(1_001)
  })
})

describe('the cost of a change', () => {
  it('is its own size among 20,000 tenants', () => {
    const catalog = catalogOf(Array.from({ length: 20_000 }, (_, i) => named(userId(i + 1), `name-${i + 1}`)))
    let read = 0
    const counted = <T extends object>(value: T): T => new Proxy(value, { get: (target, name, receiver) => (read++, Reflect.get(target, name, receiver) as unknown) })
    // Everybody else's spec counts being looked at.
    for (const entry of catalog.entries('Tenant')) (entry as { good: unknown }).good = { ...entry.good!, spec: counted(entry.good!.spec) }
    expect([...catalog.apply([put(named('user777', 'new-name'))]).tenants]).toEqual(['user777'])
    expect(catalog.apply([put(named('user20001', 'name-5'))]).tenants.size).toBe(1)
    expect(catalog.apply([remove('tenants/user123.yaml'), put(named('user20002', 'fresh'))]).tenants.size).toBe(2)
    expect(read).toBeLessThan(100)
  })
})


describe('the highest number', () => {
  it('is not pushed to its end by a bad file, but by a good one it is', () => {
    const catalog = catalogOf([tenant('user007')])
    catalog.apply([putBad('Tenant', 'user999999999999999')])
    expect(catalog.highestNumber('sq')).toBe(7)
    catalog.apply([putBad('Tenant', 'user020')])
    expect(catalog.highestNumber('sq')).toBe(20)
    catalog.apply([put(tenant('user5000'))])
    expect(catalog.highestNumber('sq')).toBe(5000)
  })
})

describe('many files of one name', () => {
  it('are each reported with a few of the others, not with all', () => {
    const catalog = catalogOf([])
    catalog.apply(Array.from({ length: 500 }, (_, n) => put(tenant('user001'), `tenants/${n}.yaml`)))
    const findings = catalog.findings()
    expect(findings).toHaveLength(500)
    expect(findings[250]!.message).toContain('and 496 more')
    expect(Math.max(...findings.map(({ message }) => message.length))).toBeLessThan(300)
  })
})
