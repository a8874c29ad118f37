import { describe, expect, test } from 'vitest'
import type { Target } from '../../controller/reconcile/target.ts'
import type { AnySpec, TenantId } from '../../controller/core/specs.ts'
import { newRecord } from '../../controller/store/tenant-records.ts'
import { keySpec, plan, platform, put, putBad, remove, sharedProduct, tenant, userId } from '../support/specs.ts'
import { blobOf, createCore, remembered, rev, SHARED, type Core } from './support.ts'

const ONE = userId(1)
const NOW = '2026-03-01T12:00:00.000Z'
const later = (hours: number): string => new Date(Date.parse(NOW) + hours * 3_600_000).toISOString()
const target = <K extends Target['kind']>(core: Core, id: TenantId, kind: K): Extract<Target, { kind: K }> => {
  const found = core.deps.world.target(id)
  expect(found?.kind).toBe(kind)
  return found as Extract<Target, { kind: K }>
}
const actions = (changes: readonly { tenant: string; action: string }[]): string[] => changes.map(({ tenant: id, action }) => `${action} ${id}`)
const tenants = (from: number, to: number): AnySpec[] => Array.from({ length: to - from + 1 }, (_, index) => tenant(userId(from + index)))

/** A record as an earlier process left it. */
function record(core: Core, spec: AnySpec): void {
  core.stores.records.put({ ...newRecord(spec.metadata.name as TenantId, 'sq', `tenants/${spec.metadata.name}.yaml`), appliedBlob: blobOf(spec), appliedRevision: rev(0), attemptedRevision: rev(0) })
}

describe('what is wanted of a tenant', () => {
  test('a good file is followed, and only what differs is a change', () => {
    const core = createCore()
    expect(actions(core.take([put(tenant('user001'))]))).toEqual(['create user001'])
    expect(target(core, ONE, 'follow')).toMatchObject({ findings: [], heldBy: undefined, desired: { state: 'active', limits: { storageMb: 1000 } } })
    expect(core.take([put(tenant('user001'))])).toEqual([])
    expect(actions(core.take([put(tenant('user001', { state: 'suspended' }))]))).toEqual(['suspend user001'])
  })

  test('a file that never was good leaves nothing to do but say why', () => {
    const core = createCore()
    expect(core.take([putBad('Tenant', 'user001')])).toEqual([])
    expect(target(core, ONE, 'invalid').findings).toHaveLength(1)
    expect(core.deps.world.counts).toMatchObject({ invalid: 1, tenants: 0 })
  })

  test('a file that went bad is followed at its last good spec', () => {
    const core = createCore({ files: [...SHARED, put(tenant('user001'))] })
    expect(core.take([putBad('Tenant', 'user001')])).toEqual([])
    expect(target(core, ONE, 'follow')).toMatchObject({ heldBy: 'BadFile', blob: blobOf(tenant('user001')) })
  })

  test('a bad plan or product holds its tenants at the last good one', () => {
    const core = createCore({ files: [...SHARED, put(tenant('user001'))] })
    core.take([putBad('Plan', 'standard')])
    expect(target(core, ONE, 'follow')).toMatchObject({ heldBy: 'BadPlan', desired: { limits: { storageMb: 1000 } } })
    core.take([put(plan('standard', { limits: { storageMb: 2000 } })), putBad('Product', 'sq')])
    expect(target(core, ONE, 'follow')).toMatchObject({ heldBy: 'BadProduct', desired: { limits: { storageMb: 2000 } } })
    core.take([put(sharedProduct())])
    expect(target(core, ONE, 'follow').heldBy).toBeUndefined()
  })

  test('a tenant in service is not taken out because product and plan cannot be read after a restart', () => {
    const core = createCore({ files: [] })
    const spec = remembered(core, tenant('user001'))
    record(core, tenant('user001'))
    expect(core.take([putBad('Platform', 'sample'), putBad('Product', 'sq'), putBad('Plan', 'standard'), spec])).toEqual([])
    expect(core.deps.world.target(ONE)?.kind).toBe('invalid')
  })

  test('a removed file stops the tenant; once that is done nothing is wanted of it', () => {
    const core = createCore({ files: [...SHARED, put(tenant('user001'))] })
    expect(actions(core.take([remove(tenant('user001'))]))).toEqual(['remove user001'])
    expect(target(core, ONE, 'retire').desired?.tenant).toBe(ONE)
    expect(core.deps.world.desired(ONE)).toBeUndefined()
    core.deps.world.retired(ONE)
    expect(core.deps.world.target(ONE)).toBeUndefined()
  })

  test('a file that comes back while its tenant is being stopped is followed', () => {
    const core = createCore({ files: [...SHARED, put(tenant('user001'))] })
    core.take([remove(tenant('user001'))])
    core.take([put(tenant('user001'))])
    core.deps.world.retired(ONE)
    expect(target(core, ONE, 'follow').desired.state).toBe('active')
    expect(core.deps.world.desired(ONE)).toBeDefined()
  })

  test('at start-up a tenant that only the records know is stopped', () => {
    const core = createCore({ files: [] })
    remembered(core, tenant('user001'))
    record(core, tenant('user001'))
    core.take([...SHARED, put(tenant('user002'))])
    expect(actions(core.deps.world.advance([ONE], rev(1), NOW))).toEqual(['remove user001'])
  })

  test('at start-up nothing is a change where the records say the same as the files', () => {
    const core = createCore({ files: [] })
    const spec = tenant('user001')
    remembered(core, spec)
    record(core, spec)
    expect(core.take([...SHARED, put(spec)])).toEqual([])
  })
})

describe('a hold', () => {
  const hold = { until: later(2), reason: 'audit', by: 'op' }

  test('leaves the tenant as it was until its time, and then follows the file', () => {
    const core = createCore({ files: [...SHARED, put(tenant('user001'))] })
    expect(core.take([put(tenant('user001', { state: 'suspended', hold }))])).toEqual([])
    expect(target(core, ONE, 'leave')).toMatchObject({ reason: 'OnHold', desired: { state: 'active' } })
    expect(target(core, ONE, 'leave').message).toContain('audit')
    expect(core.deps.world.nextDue()).toBe(hold.until)
    expect(core.deps.world.counts.held).toBe(1)
    expect(core.deps.world.due(later(1.9))).toEqual([])
    expect(core.deps.world.due(hold.until)).toEqual([ONE])
    expect(actions(core.deps.world.advance([ONE], rev(2), hold.until))).toEqual(['suspend user001'])
    expect(core.deps.world.nextDue()).toBeUndefined()
  })

  test('of a tenant that was never made makes nothing until it ends', () => {
    const core = createCore()
    expect(core.take([put(tenant('user001', { hold }))])).toEqual([])
    expect(target(core, ONE, 'leave').desired).toBeUndefined()
    expect(core.deps.world.desired(ONE)).toBeUndefined()
    expect(actions(core.deps.world.advance([ONE], rev(2), later(3)))).toEqual(['create user001'])
  })
})

describe('time', () => {
  test('an expiring key is due then and gone after it', () => {
    const core = createCore({ files: [...SHARED, put(tenant('user001', { keys: [keySpec('k1', { expiresAt: later(1) }), keySpec('k2')] }))] })
    expect(core.deps.world.nextDue()).toBe(later(1))
    expect(core.deps.world.due(later(0.5))).toEqual([])
    const [change] = core.deps.world.advance(core.deps.world.due(later(1)), rev(1), later(1))
    expect(change).toMatchObject({ action: 'change', fields: [{ field: 'keys' }] })
    expect(core.deps.world.desired(ONE)?.keys.map(({ id }) => id)).toEqual(['k2'])
    expect(core.deps.world.nextDue()).toBeUndefined()
  })

  test('nothing is due for a tenant that waits for a person or is stopped', () => {
    const expiring = (id: string): AnySpec => tenant(id, { keys: [keySpec('k1', { expiresAt: later(1) })] })
    const core = createCore({ files: [...SHARED, ...['user001', 'user002', 'user003', 'user004'].map((id) => put(expiring(id)))] })
    core.take(['user001', 'user002', 'user003'].map((id) => remove(expiring(id))))
    expect(target(core, ONE, 'leave').reason).toBe('AwaitingApproval')
    expect(core.deps.world.due(later(1))).toEqual([userId(4)])
    core.take([remove(expiring('user004'))], rev(2))
    target(core, userId(4), 'retire')
    expect(core.deps.world.nextDue()).toBeUndefined()
  })
})

describe('an id that was somebody else\'s', () => {
  const owned = (email: string) => tenant('user001', { owner: { email } })
  const retired = (core: Core): void => {
    core.stores.records.put({ ...newRecord(ONE, 'sq', 'tenants/user001.yaml'), appliedBlob: blobOf(owned('ada@example.com')), removedAt: NOW, dataUntil: '2027-01-01T00:00:00Z' })
    core.stores.cache.putMany([{ blob: blobOf(owned('ada@example.com')), spec: owned('ada@example.com') }])
  }

  test('is not given the data that is kept under it', () => {
    const core = createCore({ files: SHARED })
    retired(core)
    expect(core.take([put(owned('eve@example.com'))])).toEqual([])
    expect(target(core, ONE, 'leave')).toMatchObject({ reason: 'IdUsedBefore', desired: undefined })
    expect(core.deps.world.desired(ONE)).toBeUndefined()
  })

  test('is its owner\'s again, data and all, when the owner comes back', () => {
    const core = createCore({ files: SHARED })
    retired(core)
    expect(actions(core.take([put(owned('Ada@Example.com'))]))).toEqual(['create user001'])
  })
})

describe('the deletion limit', () => {
  const four = [...SHARED, ...tenants(1, 4).map((spec) => put(spec))]

  test('lets through what it allows', () => {
    const core = createCore({ files: four })
    expect(actions(core.take(tenants(1, 2).map((spec) => remove(spec))))).toEqual(['remove user001', 'remove user002'])
    expect(core.stores.deletions.all()).toEqual([])
  })

  test('holds a whole revision that takes out too many, removed and ended together, and does the rest of it', () => {
    const core = createCore({ files: four })
    const changes = core.take([remove(tenant('user001')), remove(tenant('user002')), put(tenant('user003', { state: 'ended', endedAt: NOW })), put(tenant('user004', { state: 'suspended' }))])
    expect(actions(changes)).toEqual(['suspend user004'])
    for (const n of [1, 2, 3]) expect(target(core, userId(n), 'leave')).toMatchObject({ reason: 'AwaitingApproval', desired: { state: 'active' } })
    expect(target(core, ONE, 'leave').message).toContain(`tenantry approve ${rev(1).slice(0, 12)}`)
    expect(core.stores.deletions.all().map(({ tenant: id }) => id)).toEqual(['user001', 'user002', 'user003'])
    expect(core.deps.world.counts.awaitingApproval).toBe(3)
  })

  test('stays held over later looks, and lets exactly the approved set through', () => {
    const core = createCore({ files: four })
    const three = tenants(1, 3)
    core.take(three.map((spec) => remove(spec)))
    expect(core.deps.world.advance([ONE], rev(2), NOW)).toEqual([])
    expect(core.stores.deletions.approve(rev(2), 'ada', NOW)).toEqual([])
    expect(core.stores.deletions.approve(rev(1).slice(0, 12), 'ada', NOW)).toHaveLength(3)
    expect(actions(core.deps.world.advance([userId(1), userId(2), userId(3)], rev(2), NOW))).toEqual(['remove user001', 'remove user002', 'remove user003'])
  })

  test('is the one before the revision where the revision itself raises it', () => {
    const core = createCore({ files: four })
    const raised = platform({ deletionLimit: { count: 1_000, sharePercent: 100 } })
    expect(core.take([put(raised), ...tenants(1, 3).map((spec) => remove(spec))])).toEqual([])
    expect(core.deps.world.counts.awaitingApproval).toBe(3)
    expect(actions(core.take([remove(tenant('user004'))], rev(2)))).toEqual(['remove user004'])
  })

  test('forgets a removal that was taken back', () => {
    const core = createCore({ files: four })
    core.take(tenants(1, 3).map((spec) => remove(spec)))
    core.take([put(tenant('user002'))], rev(2))
    expect(core.stores.deletions.all().map(({ tenant: id }) => id)).toEqual(['user001', 'user003'])
    expect(target(core, userId(2), 'follow').desired.state).toBe('active')
    core.take([remove(tenant('user002'))], rev(3))
    expect(target(core, userId(2), 'retire').kind).toBe('retire')
  })

  test('is zero while no platform can be read', () => {
    const core = createCore({ files: [put(sharedProduct()), put(plan('standard')), ...tenants(1, 2).map((spec) => put(spec))] })
    expect(core.take([remove(tenant('user001'))])).toEqual([])
    expect(core.deps.world.counts.awaitingApproval).toBe(1)
  })

  test('that a bad platform file leaves behind is the last good one', () => {
    const core = createCore({ files: four })
    core.take([putBad('Platform', 'sample')])
    expect(core.take(tenants(1, 3).map((spec) => remove(spec)))).toEqual([])
    expect(actions(core.take([remove(tenant('user004')), put(platform())], rev(2)))).toEqual(['remove user004'])
  })
})

test('no bad file, of whatever kind, ever takes a tenant out of service', () => {
  const all = [...tenants(1, 3)]
  const core = createCore({ files: [...SHARED, ...all.map((spec) => put(spec))] })
  const changes = core.take([putBad('Platform', 'sample'), putBad('Product', 'sq'), putBad('Plan', 'standard'), ...all.map((spec) => putBad('Tenant', spec.metadata.name))])
  expect(changes).toEqual([])
  for (const n of [1, 2, 3]) expect(target(core, userId(n), 'follow').desired.state).toBe('active')
})
