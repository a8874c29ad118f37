import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createCatalog, type Catalog } from '../../controller/core/catalog.ts'
import { parseImportFile } from '../../controller/core/import-file.ts'
import { planImport, type ImportInputs, type ImportKey, type ImportPlan } from '../../controller/core/import-plan.ts'
import type { AnySpec, TenantId } from '../../controller/core/specs.ts'
import { digest, NOW, plan, platform, put, sharedProduct, tenant, userId } from '../support/specs.ts'

const PRODUCT = sharedProduct()
const STANDARD = plan('standard')
const FOUNDER = plan('founder', { slots: 3, successor: 'standard' })

function catalogOf(...specs: readonly AnySpec[]): Catalog {
  const catalog = createCatalog()
  catalog.apply([platform(), PRODUCT, STANDARD, FOUNDER, ...specs].map((spec) => put(spec)))
  return catalog
}

interface Row {
  readonly name: string
  readonly token?: string
  readonly folder?: string
  readonly more?: object
}

function keysOf(rows: readonly Row[]): ImportKey[] {
  const tenants = rows.map(({ name, token, folder, more }) => ({ token: token ?? `key of ${name}`.replaceAll(' ', '-'), name, data_dir: folder ?? `/data/${name}`, ...more }))
  const { entries, faults } = parseImportFile({ tenants })!
  expect(faults).toEqual([])
  return entries.map((entry) => ({ entry, digest: digest(entry.token), folder: entry.dataDir! }))
}

function planned(catalog: Catalog, rows: readonly Row[], inputs: Partial<ImportInputs> = {}): ImportPlan {
  const keys = keysOf(rows)
  const owners = new Map([...catalog.tenants()].flatMap(({ metadata, spec }) => spec.keys.flatMap((key) => (key.digest === undefined ? [] : [[key.digest, metadata.name] as const]))))
  return planImport(catalog, keys, {
    product: PRODUCT,
    plan: STANDARD,
    ownerOf: (key) => owners.get(key),
    keptFor: () => undefined,
    keysOfFolder: () => [],
    wasGiven: () => false,
    highestNumber: 0,
    now: NOW,
    nonces: keys.map((_, index) => String(index).padStart(32, '0')),
    masterVersion: 1,
    ...inputs,
  })
}

const idsOf = ({ tenants, clashes }: ImportPlan) => {
  expect(clashes).toEqual([])
  return tenants.map(({ name, tenant: { metadata } }) => `${name} ${metadata.name}`)
}
const clashesOf = ({ clashes, tenants }: ImportPlan) => {
  expect(tenants).toEqual([])
  return clashes.map(({ at, message }) => `${at}: ${message}`)
}

describe('ids', () => {
  it('are kept where they fit and are free; others are given in order, and the old name stays as user name', () => {
    const plan = planned(catalogOf(tenant('user002')), [{ name: 'user001' }, { name: 'Ada Lovelace' }, { name: 'user002' }, { name: 'user7' }, { name: 'user010' }])
    expect(idsOf(plan)).toEqual(['user001 user001', 'Ada Lovelace user011', 'user002 user012', 'user7 user013', 'user010 user010'])
    expect(plan.tenants.map(({ tenant: { spec } }) => spec.owner.username)).toEqual([undefined, 'ada-lovelace', 'user002', 'user7', undefined])
    expect(plan.tenants[1]!.path).toBe('tenants/sq/000/user011.yaml')
  })

  it('that were ever anybody’s are not used again', () => {
    const given = new Set(['user001', 'user004'])
    expect(idsOf(planned(catalogOf(), [{ name: 'user001' }, { name: 'ada' }], { wasGiven: (id) => given.has(id), highestNumber: 3 }))).toEqual(['user001 user005', 'ada user006'])
  })

  it('with a number far above all others are not kept, or nobody after it could have one', () => {
    expect(idsOf(planned(catalogOf(), [{ name: 'user999999999' }, { name: 'user10000' }]))).toEqual(['user999999999 user10001', 'user10000 user10000'])
  })

  it('property: no two are alike, none was given before, and equal inputs give equal ids', () => {
    const names = fc.uniqueArray(fc.oneof(fc.integer({ min: 1, max: 40 }).map(userId), fc.stringMatching(/^[a-z]{3,8}$/)), { minLength: 1, maxLength: 30, selector: (name) => name.toLowerCase() })
    fc.assert(
      fc.property(names, fc.uniqueArray(fc.integer({ min: 1, max: 40 })), (olds, given) => {
        const wasGiven = (id: TenantId): boolean => given.some((number) => userId(number) === id)
        const rows = olds.map((name) => ({ name }))
        const ids = planned(catalogOf(), rows, { wasGiven }).tenants.map(({ tenant: { metadata } }) => metadata.name)
        expect(new Set(ids).size).toBe(olds.length)
        expect(ids.filter(wasGiven)).toEqual([])
        expect(planned(catalogOf(), rows, { wasGiven }).tenants.map(({ tenant: { metadata } }) => metadata.name)).toEqual(ids)
        for (const [index, name] of olds.entries()) if (/^user\d/.test(name) && !wasGiven(name as TenantId)) expect(ids[index]).toBe(name)
      }),
    )
  })
})

describe('a customer', () => {
  it('has its keys by digest alone, and one besides that can be shown', () => {
    const plan = planned(catalogOf(), [{ name: 'ada', token: 'first', folder: '/d' }, { name: 'ada', token: 'second', folder: '/d' }], { masterVersion: 2 })
    const [{ tenant: made, digests }] = plan.tenants as [ImportPlan['tenants'][number]]
    expect(made.spec.keys).toEqual([
      { id: 'k1', nonce: '0'.repeat(32), master: 2, createdAt: NOW },
      { id: 'k2', digest: digest('first'), name: 'imported', createdAt: NOW },
      { id: 'k3', digest: digest('second'), name: 'imported', createdAt: NOW },
    ])
    expect(digests).toEqual([digest('first'), digest('second')])
    expect(JSON.stringify(plan)).not.toMatch(/"(first|second)"/)
  })

  it('keeps address, quota, state and age', () => {
    const more = { email: 'ada@example.com', quota_mb: 50, enabled: false, created_at: '2026-02-12T13:15:00.123Z' }
    const { spec } = planned(catalogOf(), [{ name: 'ada', more }]).tenants[0]!.tenant
    expect(spec).toMatchObject({ owner: { email: 'ada@example.com' }, limits: { storageMb: 50 }, state: 'suspended', keys: [{}, { createdAt: '2026-02-12T13:15:00Z' }] })
    const plain = planned(catalogOf(), [{ name: 'ada', more: { quota_mb: 1000, created_at: '2030-01-01T00:00:00Z' } }]).tenants[0]!.tenant
    expect(plain.spec).toMatchObject({ owner: { email: 'user001@imported.invalid' }, state: 'active', keys: [{}, { createdAt: NOW }] })
    expect(plain.spec.limits).toBeUndefined()
  })

  it('with one key switched off goes on with the other', () => {
    const rows = [{ name: 'ada', token: 'first', folder: '/d', more: { enabled: false } }, { name: 'ada', token: 'second', folder: '/d' }]
    const { spec } = planned(catalogOf(), rows).tenants[0]!.tenant
    expect([spec.state, ...spec.keys.map(({ revokedAt }) => revokedAt)]).toEqual(['active', undefined, NOW, undefined])
  })

  it('gets the plan of its tier where none is named', () => {
    const plan = planned(catalogOf(), [{ name: 'ada', more: { tier: 'founder' } }, { name: 'bob', more: { tier: 'standard' } }], { plan: undefined })
    expect(plan.tenants.map(({ tenant: { spec } }) => spec.plan)).toEqual(['founder', 'standard'])
    expect(clashesOf(planned(catalogOf(), [{ name: 'ada', more: { tier: 'gold' } }, { name: 'bob' }], { plan: undefined }))).toEqual(['entry 1 (ada): no single plan of sq has the tier gold', 'entry 2 (bob): nothing says which plan it has'])
  })

  it('that is a tenant already is left as it is', () => {
    const keys = [{ id: 'k1', digest: digest('old'), createdAt: NOW }]
    const plan = planned(catalogOf(tenant('user001', { keys, owner: { email: 'a@b.c', username: 'ada' } })), [{ name: 'ada', token: 'old' }, { name: 'bob' }])
    expect(idsOf(plan)).toEqual(['bob user002'])
    expect(plan.already).toMatchObject([{ name: 'ada', tenant: 'user001' }])
  })
})

describe('clashes', () => {
  const knows = catalogOf(tenant('user001', { owner: { email: 'a@b.c', username: 'ada' }, keys: [{ id: 'k1', digest: digest('known'), createdAt: NOW }] }))

  it.each<[string, readonly Row[], readonly string[]]>([
    ['a key twice', [{ name: 'a', token: 'same' }, { name: 'b', token: 'same' }], ['entry 2 (b): it has the same key as entry 1 (a)']],
    ['a name twice', [{ name: 'a', folder: '/1' }, { name: 'a', token: 'x', folder: '/2' }], ['entry 2 (a): entry 1 (a) has the same name and another data folder']],
    ['one folder for two', [{ name: 'a', folder: '/1' }, { name: 'b', folder: '/1' }], ['entry 1 (a): its data folder is also that of b']],
    ['a folder in another', [{ name: 'a', folder: '/1/2' }, { name: 'b', folder: '/1' }, { name: 'c', folder: '/1-2' }], ['entry 1 (a): its data folder lies inside that of entry 2 (b)']],
    ['a user name of a tenant', [{ name: 'Ada' }], ['entry 1 (Ada): the user name ada belongs to user001 already']],
    ['names that become one', [{ name: 'b c', token: 'x' }, { name: 'b-c', token: 'y' }], ['entry 2 (b-c): the user name b-c belongs to entry 1 (b c) already']],
    ['a new key for a tenant’s data', [{ name: 'a', token: 'known', folder: '/1' }, { name: 'a', token: 'new', folder: '/1' }], ['entry 1 (a): some of its keys belong to user001 already, and others are new']],
    ['a bad address', [{ name: 'a', more: { email: 'nowhere' } }], ['entry 1 (a): `email` is no address']],
  ])('%s', (_name, rows, clashes) => {
    expect(clashesOf(planned(knows, rows))).toEqual(clashes)
  })

  it('a folder that was taken over for somebody', () => {
    expect(clashesOf(planned(knows, [{ name: 'b', folder: '/1' }], { keysOfFolder: (folder) => (folder === '/1' ? [digest('known')] : []) }))).toEqual(['entry 1 (b): its data folder was taken over for user001 already'])
    expect(idsOf(planned(knows, [{ name: 'b', folder: '/1' }], { keysOfFolder: () => [digest('nobody’s')] }))).toEqual(['b user002'])
  })

  it('a tenant whose file was removed, while its data is kept', () => {
    expect(clashesOf(planned(knows, [{ name: 'b', token: 'kept' }, { name: 'c' }], { keptFor: (key) => (key === digest('kept') ? userId(7) : undefined) }))).toEqual(['entry 1 (b): it is user007, whose file was removed and whose data is still kept'])
  })

  it('slots: a plan is never oversold, and who holds one before keeps it', () => {
    const rows = ['a', 'b', 'c'].map((name) => ({ name }))
    expect(idsOf(planned(catalogOf(), rows, { plan: FOUNDER }))).toHaveLength(3)
    expect(clashesOf(planned(catalogOf(tenant('user001', { plan: 'founder' })), rows, { plan: FOUNDER }))).toEqual(['plan founder: 3 slots are needed, and 2 of 3 are left'])
    expect(idsOf(planned(catalogOf(tenant('user001', { plan: 'founder', state: 'ended', endedAt: NOW })), rows, { plan: FOUNDER }))).toHaveLength(3)
  })

  it('are all told at once', () => {
    const rows = [{ name: 'ada' }, { name: 'b', token: 'same', folder: '/1' }, { name: 'c', token: 'same', folder: '/1/2' }, { name: 'd', more: { email: 'x' } }]
    expect(clashesOf(planned(knows, rows))).toHaveLength(4)
  })
})
