/** A first start: tenants that nothing was done for are taken in all at once, and each as its own run would have left it. */
import { existsSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import type { TenantId } from '../../controller/core/specs.ts'
import type { FileDelta } from '../../controller/core/catalog.ts'
import { createExecutor } from '../../controller/reconcile/executor.ts'
import type { StandingStart } from '../../controller/reconcile/ports.ts'
import { startUp, type StartUp } from '../../controller/reconcile/start-up.ts'
import { containerProduct, plan, put, tenant, userId } from '../support/specs.ts'
import { standingTenants } from '../support/standing.ts'
import { createCore, dataFolder, rev, shard, SHARED, type Core } from './support.ts'

const ONE = userId(1)
const OTHER = userId(501)

function first(core: Core, ids: readonly TenantId[]): Promise<StartUp> {
  return startUp(core.deps, new Set(ids), rev(7), core.at.toISOString())
}

function withTenants(...ids: readonly TenantId[]): Core {
  const core = createCore()
  core.catalog.apply(ids.map((id) => put(tenant(id))))
  return core
}

describe('a first start', () => {
  test('takes new tenants in: folder, shard, route, record and audit entry, and leaves no work', async () => {
    const core = withTenants(ONE, OTHER)
    expect(await first(core, [ONE, OTHER])).toEqual({ changes: [], work: [] })
    expect(core.fakes.calls).toEqual(['shards.sync sq-000', 'shards.sync sq-001', 'routes.put user001 up', 'routes.put user501 up'])
    expect(existsSync(dataFolder(core, OTHER, shard(1)))).toBe(true)
    expect(core.stores.audit.list({ limit: 9 }).map(({ action, tenant: id, detail }) => [action, id, detail])).toEqual([
      ['create', OTHER, `revision ${rev(7)}`],
      ['create', ONE, `revision ${rev(7)}`],
    ])
  })

  test('leaves the record and the route that a run of its own leaves', async () => {
    const together = withTenants(ONE)
    await first(together, [ONE])
    const alone = withTenants(ONE)
    const [change] = alone.deps.world.advance([ONE], rev(7), alone.at.toISOString())
    await createExecutor(alone.deps).run(ONE, rev(7), change)
    expect(together.stores.records.get(ONE)).toEqual(alone.stores.records.get(ONE))
    expect(together.fakes.routes.get(ONE)).toEqual(alone.fakes.routes.get(ONE))
  })

  test('leaves tenants of a shard that does not come up to their own runs', async () => {
    const core = withTenants(ONE, OTHER)
    core.fakes.ports.delete(shard(1))
    const { changes } = await first(core, [ONE, OTHER])
    expect(changes).toMatchObject([{ tenant: OTHER, action: 'create' }])
    expect(core.stores.records.get(OTHER)).toBeUndefined()
    expect(core.fakes.routes.has(OTHER)).toBe(false)
  })

  test('works one by one on those with a container, those that do not serve, and purchases under way', async () => {
    const core = createCore({ files: [...SHARED, put(containerProduct()), put(plan('own', { product: 'dedicated' }))] })
    const dedicated = 'ded001' as TenantId
    core.catalog.apply([put(tenant(ONE)), put(tenant(userId(2), { state: 'suspended' })), put(tenant(dedicated, { product: 'dedicated', plan: 'own' }))])
    core.stores.timeline.mark({ trace: 'a', step: 'committed', tenant: ONE, at: core.at.toISOString() })
    const { changes, work } = await first(core, [ONE, userId(2), dedicated])
    expect(new Set([...work, ...changes.map((change) => change.tenant)])).toEqual(new Set([ONE, userId(2), dedicated]))
    expect(core.stores.records.count()).toBe(0)
  })
})

/** Two tenants that an earlier process left in force, on the ports that their shards have now. */
async function standing(changes: Partial<StandingStart> = {}): Promise<Core> {
  const core = withTenants(ONE, OTHER)
  await first(core, [ONE, OTHER])
  const goods = [ONE, OTHER].map((id) => ({ ...core.catalog.entry(id)!.good! }))
  const tenants = standingTenants(goods, (id) => (id === ONE ? shard(0) : shard(1)))
  const again = createCore({ home: core.home, files: [] })
  again.catalog.begin(tenants, changes.loose ?? [], [])
  again.catalog.apply([...SHARED.map((delta): FileDelta => ({ ...delta, standing: true })), ...[...(changes.loose ?? [])].map((id): FileDelta => ({ ...put(tenant(id)), standing: true }))])
  const shards = { [shard(0)]: { digest: '', about: '', port: 11_000 }, [shard(1)]: { digest: '', about: '', port: 11_001 } }
  const head = { madeWith: '', revision: rev(7), shared: {}, others: [], highest: [], timers: [], shards, routes: undefined }
  const start: StandingStart = { head, tenants, routes: undefined, loose: new Set(), changes: [], routesChanged: new Set(), ...changes }
  Object.assign(again.deps, { standing: () => start })
  again.fakes.calls.length = 0
  return again
}

describe('a start with tenants that stand', () => {
  test('brings their shards in step and does nothing else', async () => {
    const core = await standing()
    const writes = core.writes()
    expect(await first(core, [])).toEqual({ changes: [], work: [] })
    expect(core.fakes.calls.sort()).toEqual(['shards.sync sq-000', 'shards.sync sq-001', 'shards.trust sq-000', 'shards.trust sq-001'])
    expect(core.writes()).toBe(writes)
    expect(core.deps.world.target(OTHER)).toMatchObject({ kind: 'follow', desired: { tenant: OTHER, place: { shard: 'sq-001' } } })
    expect(core.deps.world.counts.tenants).toBe(2)
  })

  test('writes the routes of a shard that is on another port, and of those whose lines may be others', async () => {
    const moved = await standing()
    moved.fakes.ports.set(shard(1), 12_000)
    await first(moved, [])
    expect(moved.fakes.calls.filter((call) => call.startsWith('routes'))).toEqual(['routes.put user501 up'])
    const changed = await standing({ routesChanged: new Set([ONE]) })
    await first(changed, [])
    expect(changed.fakes.calls.filter((call) => call.startsWith('routes'))).toEqual(['routes.put user001 up'])
    const all = await standing({ routesChanged: 'all' })
    await first(all, [])
    expect(all.fakes.calls.filter((call) => call.startsWith('routes'))).toEqual(['routes.put user001 up', 'routes.put user501 up'])
  })

  test('leaves members of a shard that does not come up to their own runs', async () => {
    const core = await standing()
    core.fakes.ports.delete(shard(1))
    expect((await first(core, [])).work).toEqual([OTHER])
  })

  test('renders the shard of a tenant that the file does not speak for, and has a route written for nobody else', async () => {
    const core = await standing({ loose: new Set([ONE]) })
    expect(await first(core, [])).toEqual({ changes: [], work: [] })
    expect(core.fakes.calls.sort()).toEqual(['routes.put user001 up', 'shards.sync sq-000', 'shards.sync sq-001', 'shards.trust sq-001'])
  })
})
