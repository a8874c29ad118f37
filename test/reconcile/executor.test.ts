/** One tenant's run: what is done in which order, what the status says, when it runs again, and what being killed half-way leaves. */
import { existsSync, mkdirSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { ReconcileError } from '../../controller/core/outcome.ts'
import type { AnySpec, Tenant, TenantId } from '../../controller/core/specs.ts'
import { createExecutor, type Executor, type Requeue } from '../../controller/reconcile/executor.ts'
import { destroyExpired } from '../../controller/reconcile/retire.ts'
import { CONTAINER, containerProduct, plan, put, putBad, remove, tenant, userId } from '../support/specs.ts'
import { createCore, dataFolder, rev, SHARED, shard, type Core } from './support.ts'

const ONE = userId(1)
const DED = 'ded001' as TenantId
const DEDICATED: readonly AnySpec[] = [containerProduct({ api: { path: '/api/v2/' }, run: CONTAINER }), plan('dedicated', { product: 'dedicated' })]
const dedicated = (spec: Partial<Tenant['spec']> = {}): Tenant => tenant(DED, { product: 'dedicated', plan: 'dedicated', ...spec })
const until = (days: number): string => new Date(Date.parse('2026-03-01T12:00:00.000Z') + days * 86_400_000).toISOString()

let core: Core
let executor: Executor
beforeEach(() => {
  core = createCore({ files: [...SHARED, ...DEDICATED.map((spec) => put(spec))] })
  executor = createExecutor(core.deps)
  core.fakes.calls.length = 0
})

/** Takes the file in and runs its tenant, as the loop would. */
function apply(spec: Tenant, n = 1): Promise<Requeue> {
  const [change] = core.take([put(spec)], rev(n))
  return executor.run(spec.metadata.name, rev(n), change)
}

function removeFile(spec: Tenant, n = 2): Promise<Requeue> {
  const [change] = core.take([remove(spec)], rev(n))
  return executor.run(spec.metadata.name, rev(n), change)
}

/** An SQ or a product's own server that answers every health check. */
async function healthyContainer(status = 200): Promise<void> {
  const server = createServer((_request, response) => response.writeHead(status).end())
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void server.close())
  core.fakes.containerPort = (server.address() as AddressInfo).port
}

const record = (id: TenantId) => core.stores.records.get(id)!
const auditOf = (id: TenantId): string[] => core.stores.audit.list({ tenant: id, limit: 100 }).map(({ action }) => action).reverse()

describe('steps', () => {
  test('a tenant of a shared SQ: its folder, then its shard, and last its route', async () => {
    core.fakes.afterCall = (call) => {
      if (call.startsWith('shards.sync')) expect(existsSync(dataFolder(core, ONE))).toBe(true)
    }
    expect(await apply(tenant('user001'))).toEqual({ afterMs: undefined })
    expect(core.fakes.calls).toEqual(['shards.sync sq-000', 'routes.put user001 up'])
    expect(core.fakes.routes.get(ONE)).toMatchObject({ state: 'active', upstream: { host: '127.0.0.1', port: 11_000 }, keys: [{ id: 'k1' }] })
  })

  test('a suspended tenant: first its route says so, then SQ', async () => {
    await apply(tenant('user001'))
    core.fakes.calls.length = 0
    await apply(tenant('user001', { state: 'suspended', stateReason: 'unpaid' }), 2)
    expect(core.fakes.calls).toEqual(['routes.put user001 down', 'shards.sync sq-000'])
    expect(core.fakes.routes.get(ONE)).toMatchObject({ state: 'suspended', stateReason: 'unpaid', keys: [{ id: 'k1' }] })
    expect(core.condition(ONE, 'Ready')).toMatchObject({ status: false, reason: 'Suspended', message: 'unpaid' })
  })

  test('a removed tenant: first its route is gone, then SQ forgets it; its data stays', async () => {
    await apply(tenant('user001'))
    core.fakes.calls.length = 0
    await removeFile(tenant('user001'))
    expect(core.fakes.calls).toEqual(['routes.drop user001', 'shards.sync sq-000'])
    expect(existsSync(dataFolder(core, ONE))).toBe(true)
    expect(record(ONE)).toMatchObject({ removedRevision: rev(2), dataUntil: until(30) })
    expect(core.condition(ONE, 'DataKept')).toMatchObject({ status: true, reason: 'Retention' })
    expect(core.deps.world.target(ONE)).toBeUndefined()
  })

  test('a tenant with a container: the container, its health, and last its route', async () => {
    await healthyContainer()
    await apply(dedicated())
    expect(core.fakes.calls).toEqual(['runtime.ensure ded001', 'routes.put ded001 up'])
    core.fakes.calls.length = 0
    await apply(dedicated({ state: 'suspended' }), 2)
    expect(core.fakes.calls).toEqual(['routes.put ded001 down', 'runtime.remove ded001'])
    core.fakes.calls.length = 0
    await removeFile(dedicated({ state: 'suspended' }), 3)
    expect(core.fakes.calls).toEqual(['routes.drop ded001', 'runtime.remove ded001'])
  })

  test('a dedicated SQ counts as healthy only with the key of exactly its rendered file, and is reloaded for it', async () => {
    let reloaded = false
    const keys: string[] = []
    const server = createServer((request, response) => {
      keys.push(request.headers.authorization ?? '')
      response.writeHead(reloaded ? 200 : 401).end()
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    onTestFinished(() => void server.close())
    core.fakes.containerPort = (server.address() as AddressInfo).port
    core.fakes.afterCall = (call) => void (call === 'runtime.exec ded001' && (reloaded = true))
    core.take([put(containerProduct({ run: { ...CONTAINER, files: [{ name: 'tenants.json', content: 'sq-config' }], reload: ['reload'] } }))])
    await apply(dedicated())
    expect(core.fakes.calls).toEqual(['runtime.ensure ded001', 'runtime.exec ded001', 'routes.put ded001 up'])
    expect(new Set(keys).size).toBe(1)
    expect(keys[0]).toMatch(/^Bearer pmb-v1-[0-9a-f]{40}$/)
  })
})

describe('what is left alone', () => {
  test('a tenant on hold: only its status says so', async () => {
    await apply(tenant('user001'))
    core.fakes.calls.length = 0
    await apply(tenant('user001', { state: 'suspended', hold: { until: until(1), reason: 'audit', by: 'op' } }), 2)
    expect(core.fakes.calls).toEqual([])
    expect(core.condition(ONE, 'Held')).toMatchObject({ status: true, reason: 'OnHold' })
    expect(core.condition(ONE, 'Ready')).toMatchObject({ status: true })
    expect(core.outcomes.at(-1)).toBe('left')
    await apply(tenant('user001'), 3)
    expect(core.condition(ONE, 'Held')).toBeUndefined()
  })

  test('a file that never was valid: its status names file, line and what to do', async () => {
    core.take([putBad('Tenant', 'user001')])
    await executor.run(ONE, rev(1), undefined)
    expect(core.fakes.calls).toEqual([])
    expect(core.condition(ONE, 'Ready')).toMatchObject({ status: false, reason: 'NeverValid' })
    expect(core.condition(ONE, 'SpecValid')).toMatchObject({ status: false, reason: 'BadFile', message: 'tenants/user001.yaml:3:5 this is no YAML. Correct it.' })
    core.take([remove('tenants/user001.yaml')], rev(2))
    await executor.run(ONE, rev(2), undefined)
    expect(core.stores.records.get(ONE)).toBeUndefined()
  })

  test('a file that went bad: served on, and the status says which file', async () => {
    await apply(tenant('user001'))
    core.take([putBad('Tenant', 'user001')], rev(2))
    await executor.run(ONE, rev(2), undefined)
    expect(core.condition(ONE, 'Ready')).toMatchObject({ status: true, reason: 'Serving' })
    expect(core.condition(ONE, 'SpecValid')).toMatchObject({ status: false, reason: 'BadFile' })
    core.take([putBad('Plan', 'standard'), put(tenant('user001'))], rev(3))
    await executor.run(ONE, rev(3), undefined)
    expect(core.condition(ONE, 'SpecValid')).toMatchObject({ status: false, reason: 'BadPlan' })
  })
})

describe('errors', () => {
  const failing = (error: Error): void => void core.fakes.faults.set('shards.sync', error)

  test.each([
    ['stalled', new ReconcileError({ kind: 'stalled' }, 'ImageMissing', 'no image'), 60_000, 'stalled', 'ImageMissing'],
    ['waiting for an event', new ReconcileError({ kind: 'waiting' }, 'EngineMissing', 'no engine'), 5_000, 'waiting', 'EngineMissing'],
    ['waiting until a time', new ReconcileError({ kind: 'waiting', until: '2026-03-01T12:00:07Z' }, 'SqCrashLoop', 'wait'), 7_000, 'waiting', 'SqCrashLoop'],
    ['waiting until a time that is over', new ReconcileError({ kind: 'waiting', until: '2026-03-01T11:00:00Z' }, 'SqCrashLoop', 'wait'), 0, 'waiting', 'SqCrashLoop'],
    ['transient', new ReconcileError({ kind: 'transient' }, 'NotHealthy', 'ill'), 125, 'failed', 'NotHealthy'],
    ['unknown', new Error('connection refused'), 125, 'failed', 'Failed'],
  ])('%s becomes status and the next run', async (_name, error, afterMs, outcome, reason) => {
    failing(error)
    expect(await apply(tenant('user001'))).toEqual({ afterMs })
    expect(record(ONE)).toMatchObject({ appliedRevision: null, attemptedRevision: rev(1), product: 'sq', path: 'tenants/user001.yaml', status: { failures: 1, nextAttemptAt: new Date(core.at.getTime() + afterMs).toISOString() } })
    expect(core.condition(ONE, 'Ready')).toMatchObject({ status: false, reason, message: error.message })
    expect(core.condition(ONE, 'SpecValid')?.status).toBe(true)
    expect(core.outcomes).toEqual([outcome])
  })

  test('waits longer after each failure, and starts anew after a success', async () => {
    failing(new Error('ill'))
    const [change] = core.take([put(tenant('user001'))])
    const waits: (number | undefined)[] = []
    for (let n = 0; n < 4; n++) waits.push((await executor.run(ONE, rev(1), change)).afterMs)
    expect(waits).toEqual([125, 250, 500, 1000])
    core.fakes.faults.clear()
    expect(await executor.run(ONE, rev(1), change)).toEqual({ afterMs: undefined })
    expect(record(ONE).status).toMatchObject({ failures: 0 })
    expect(record(ONE).status.nextAttemptAt).toBeUndefined()
    expect(auditOf(ONE)).toEqual(['create'])
    failing(new Error('ill'))
    expect(await executor.run(ONE, rev(1), undefined)).toEqual({ afterMs: 125 })
  })

  test('a failure keeps what is in force apart from what was tried; success after it joins them', async () => {
    await apply(tenant('user001'))
    failing(new Error('ill'))
    await apply(tenant('user001', { limits: { storageMb: 5 } }), 2)
    expect(record(ONE)).toMatchObject({ appliedRevision: rev(1), attemptedRevision: rev(2) })
    core.fakes.faults.clear()
    await apply(tenant('user001'), 3)
    expect(record(ONE)).toMatchObject({ appliedRevision: rev(3), attemptedRevision: rev(3) })
  })

  test('a customer whose container has no engine is told what the instance waits for', async () => {
    core.fakes.faults.set('runtime.ensure', new ReconcileError({ kind: 'waiting' }, 'WaitingForEngine', 'no engine'))
    await apply(dedicated())
    expect(core.fakes.calls).toEqual(['runtime.ensure ded001', 'routes.put ded001 WaitingForEngine'])
  })

  test('without its product a tenant waits for a person', async () => {
    const { deps } = core
    const without = createExecutor({ ...deps, catalog: { ...deps.catalog, productInForce: () => undefined } })
    core.take([put(tenant('user001'))])
    expect(await without.run(ONE, rev(1), undefined)).toEqual({ afterMs: 60_000 })
    expect(core.condition(ONE, 'Ready')?.reason).toBe('ProductMissing')
  })
})

describe('a second run', () => {
  test.each([
    ['active', tenant('user001')],
    ['suspended', tenant('user001', { state: 'suspended' })],
    ['ended', tenant('user001', { state: 'ended', endedAt: until(0) })],
    ['on hold', tenant('user001', { hold: { until: until(1), reason: 'audit', by: 'op' } })],
  ])('writes nothing: %s', async (_name, spec) => {
    await apply(tenant('user001'), 0)
    await apply(spec)
    const before = core.writes()
    core.at = new Date(core.at.getTime() + 5_000)
    await executor.run(ONE, rev(1), undefined)
    expect(core.writes()).toBe(before)
  })

  test('writes nothing: never valid', async () => {
    core.take([putBad('Tenant', 'user001')])
    await executor.run(ONE, rev(1), undefined)
    const before = core.writes()
    await executor.run(ONE, rev(1), undefined)
    expect(core.writes()).toBe(before)
  })
})

describe('repairs', () => {
  test('name each field, in status, audit trail and metrics; a change of ours is none', async () => {
    core.fakes.repairs = [{ action: 'file-written', drift: [] }, { action: 'sq-started', drift: [] }]
    await apply(tenant('user001'))
    expect(record(ONE).status.repairs).toEqual([])
    core.fakes.repairs = [{ action: 'sq-started', drift: [{ field: 'sq/sq-000/process', wanted: 'running', found: 'ended' }] }]
    for (let n = 0; n < 7; n++) await executor.run(ONE, rev(1), undefined)
    expect(record(ONE).status.repairs).toHaveLength(5)
    expect(core.stores.audit.list({ tenant: ONE, limit: 1 })[0]).toMatchObject({ action: 'repair: sq-started', detail: 'sq/sq-000/process: wanted running, found ended' })
    expect(core.outcomes).toContain('repaired user001 sq-started')
  })
})

describe('a purchase', () => {
  test('is seen and ready once, and its time is measured once', async () => {
    const { timeline } = core.stores
    timeline.mark({ trace: 't1', step: 'webhook-received', at: until(0) })
    timeline.mark({ trace: 't1', step: 'committed', at: until(0), tenant: ONE })
    await apply(tenant('user001'))
    await executor.run(ONE, rev(1), undefined)
    expect(timeline.of(ONE).map(({ step }) => step).sort()).toEqual(['committed', 'ready', 'seen', 'webhook-received'])
    expect(core.outcomes.filter((outcome) => outcome === 'purchase ready')).toHaveLength(1)
    expect(core.fakes.routes.get(ONE)?.awaitingFirstUse).toBe(true)
  })
})

describe('killed after any step', () => {
  const ended = tenant('user001', { state: 'ended', endedAt: until(0) })
  const cases: readonly (readonly [string, AnySpec | undefined])[] = [
    ['create', tenant('user001')],
    ['suspend', tenant('user001', { state: 'suspended' })],
    ['end', ended],
    ['remove', undefined],
  ]

  test.each(cases)('%s ends in the same state when it is run again', async (name, next) => {
    const states: unknown[] = []
    for (let killAt = 1; killAt <= 4; killAt++) {
      core = createCore({ files: [...SHARED] })
      executor = createExecutor(core.deps)
      if (name !== 'create') await apply(tenant('user001'), 0)
      let calls = 0
      core.fakes.afterCall = () => {
        if (++calls === killAt) throw new Error('killed')
      }
      const run = (): Promise<Requeue> => (next === undefined ? removeFile(tenant('user001'), 1) : apply(next as Tenant, 1))
      await run()
      core.fakes.afterCall = () => undefined
      await executor.run(ONE, rev(1), undefined)
      const { status, ...rest } = record(ONE)
      states.push({ ...rest, ready: core.condition(ONE, 'Ready')?.reason, failures: status.failures, route: core.fakes.routes.get(ONE), target: core.deps.world.target(ONE)?.kind, retained: core.stores.records.retained().length })
    }
    for (const state of states) expect(state).toEqual(states[0])
  })
})

describe('data', () => {
  beforeEach(async () => {
    await apply(tenant('user001'))
    mkdirSync(dataFolder(core, userId(2)), { recursive: true })
  })
  const after = (days: number): void => void (core.at = new Date(until(days)))

  test('of a removed tenant is destroyed once its retention is over, not before, and only its own', async () => {
    await removeFile(tenant('user001'))
    after(29.9)
    expect(await destroyExpired(core.deps)).toBe(0)
    expect(existsSync(dataFolder(core, ONE))).toBe(true)
    after(30)
    expect(await destroyExpired(core.deps)).toBe(1)
    expect(existsSync(dataFolder(core, ONE))).toBe(false)
    expect(existsSync(dataFolder(core, userId(2)))).toBe(true)
    expect(core.stores.records.get(ONE)).toBeUndefined()
    expect(auditOf(ONE)).toEqual(['create', 'stop', 'destroy-data'])
    expect(await destroyExpired(core.deps)).toBe(0)
  })

  test('of an ended tenant is destroyed once, and its file goes without a second time', async () => {
    const ended = tenant('user001', { state: 'ended', endedAt: until(0) })
    await apply(ended, 2)
    after(31)
    expect(await destroyExpired(core.deps)).toBe(1)
    expect(core.condition(ONE, 'DataKept')).toMatchObject({ status: false, reason: 'DataDestroyed' })
    await executor.run(ONE, rev(2), undefined)
    expect(await destroyExpired(core.deps)).toBe(0)
    expect(core.condition(ONE, 'DataKept')).toMatchObject({ status: false, reason: 'DataDestroyed' })
    await removeFile(ended, 3)
    expect(await destroyExpired(core.deps)).toBe(0)
    expect(auditOf(ONE).filter((action) => action === 'destroy-data')).toHaveLength(1)
    expect(core.stores.records.get(ONE)).toBeUndefined()
  })

  test('of a tenant that came back is kept, and its clock begins anew with the next removal', async () => {
    await removeFile(tenant('user001'))
    after(20)
    await apply(tenant('user001'), 3)
    expect(record(ONE)).toMatchObject({ removedAt: null, dataUntil: null })
    expect(core.condition(ONE, 'DataKept')).toBeUndefined()
    after(40)
    expect(await destroyExpired(core.deps)).toBe(0)
    await removeFile(tenant('user001'), 4)
    expect(record(ONE).dataUntil).toBe(until(70))
  })

  test('of a tenant that is wanted in any way is never destroyed, whatever the record says', async () => {
    await removeFile(tenant('user001'))
    after(31)
    for (const file of [put(tenant('user001')), put(tenant('user001', { state: 'suspended' })), put(tenant('user001', { hold: { until: until(99), reason: 'x', by: 'op' } })), putBad('Tenant', 'user001')]) {
      core.take([file], rev(3))
      expect(await destroyExpired(core.deps)).toBe(0)
    }
    expect(existsSync(dataFolder(core, ONE))).toBe(true)
  })

  test('that cannot be removed keeps no other from it', async () => {
    await healthyContainer()
    await apply(dedicated())
    await removeFile(dedicated())
    await removeFile(tenant('user001'))
    after(31)
    core.fakes.faults.set('runtime.destroyVolumes', new Error('engine is gone'))
    expect(await destroyExpired(core.deps)).toBe(1)
    expect(existsSync(dataFolder(core, ONE))).toBe(false)
    expect(core.stores.records.get(DED)).toBeDefined()
    core.fakes.faults.clear()
    expect(await destroyExpired(core.deps)).toBe(1)
  })

  test('is kept for long where no platform says for how long', async () => {
    const { deps } = core
    const without = createExecutor({ ...deps, catalog: { ...deps.catalog, platform: undefined } })
    const [change] = core.take([remove(tenant('user001'))], rev(2))
    await without.run(ONE, rev(2), change)
    expect(record(ONE).dataUntil).toBe(until(365))
    expect(core.fakes.ports.get(shard())).toBeDefined()
  })
})
