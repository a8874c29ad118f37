/** A first start: tenants that nothing was done for are taken in all at once, and each as its own run would have left it. */
import { existsSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import type { TenantId } from '../../controller/core/specs.ts'
import { createExecutor } from '../../controller/reconcile/executor.ts'
import { startUp, type StartUp } from '../../controller/reconcile/start-up.ts'
import { containerProduct, plan, put, tenant, userId } from '../support/specs.ts'
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
