/** The loop over a fake repository: what a look does, what a failed one leaves, and what time, hints and approvals bring. */
import { describe, expect, onTestFinished, test } from 'vitest'
import type { FileDelta } from '../../controller/core/catalog.ts'
import type { CommitId, TenantId } from '../../controller/core/specs.ts'
import { createExecutor } from '../../controller/reconcile/executor.ts'
import { createLoop, type Loop } from '../../controller/reconcile/loop.ts'
import { containerProduct, keySpec, plan, put, putBad, remove, tenant, userId } from '../support/specs.ts'
import { waitFor } from '../support/wait.ts'
import { createCore, remembered, rev, SHARED, shard, type Core, type CoreOptions } from './support.ts'

const ONE = userId(1)

interface Repository {
  /** Puts files in as one commit. */
  push(...deltas: FileDelta[]): CommitId
  /** Every sync throws this. */
  fault: Error | undefined
  readonly syncs: () => number
}

interface Running extends Core {
  readonly loop: Loop
  readonly repository: Repository
  readonly passes: string[]
  readonly revisions: string[]
}

function running(options: CoreOptions & { readonly resyncMs?: number } = {}): Running {
  const core = createCore({ files: [], ...options })
  let number = 0
  let syncs = 0
  let touched = new Set<TenantId>()
  const repository: Repository = {
    push(...deltas) {
      for (const id of core.catalog.apply(deltas).tenants) touched.add(id)
      return rev(++number)
    },
    fault: undefined,
    syncs: () => syncs,
  }
  const source = {
    sync() {
      syncs++
      return repository.fault === undefined ? Promise.resolve(rev(number)) : Promise.reject(repository.fault)
    },
    drain() {
      const drained = touched
      touched = new Set()
      return drained
    },
    onTouched: () => () => undefined,
    standing: undefined,
    get revision() {
      return rev(number)
    },
  }
  const passes: string[] = []
  const revisions: string[] = []
  const loop = createLoop({
    deps: core.deps,
    source,
    executor: createExecutor(core.deps),
    concurrency: 4,
    resyncMs: options.resyncMs ?? 3_600_000,
    onPass: (result) => void passes.push(result),
    onRevision: (revision) => void revisions.push(revision),
    onResync: () => undefined,
  })
  onTestFinished(() => loop.close())
  repository.push(...(options.files ?? SHARED))
  return Object.assign(core, { loop, repository, passes, revisions })
}

/** What was done since the last call. */
const done = ({ fakes }: Core): string[] => fakes.calls.splice(0)

describe('a look', () => {
  test('brings what changed into force, and a look without a change does nothing at all', async () => {
    const core = running()
    await core.loop.settle()
    core.repository.push(put(tenant('user001')))
    await core.loop.settle()
    expect(done(core)).toEqual(['shards.invalidate sq-000', 'shards.sync sq-000', 'routes.put user001 up'])
    const before = core.writes()
    await core.loop.settle()
    expect(done(core)).toEqual([])
    expect(core.writes()).toBe(before)
    expect(core.passes).toEqual(['unchanged', 'changed', 'unchanged'])
    expect(core.revisions).toEqual([rev(1), rev(2)])
    expect(core.loop.state).toMatchObject({ ready: true, applied: rev(2), attempted: rev(2), lastSuccessAt: core.at, lastError: undefined, queueDepth: 0 })
  })

  test('stops before it starts', async () => {
    const core = running({ files: [...SHARED, put(tenant('user002'))] })
    await core.loop.settle()
    done(core)
    core.repository.push(put(tenant('user001')), put(tenant('user002', { state: 'suspended' })))
    await core.loop.settle()
    const calls = done(core)
    expect(calls.indexOf('routes.put user002 down')).toBeLessThan(calls.indexOf('routes.put user001 up'))
  })

  test('that fails changes nothing that runs, is tried again soon, and loses nothing', async () => {
    const core = running({ files: [...SHARED, put(tenant('user001'))] })
    await core.loop.settle()
    done(core)
    core.repository.push(put(tenant('user002')), remove(tenant('user001')))
    core.repository.fault = new Error('the repository is gone')
    await core.loop.settle()
    expect(done(core)).toEqual([])
    expect(core.loop.state).toMatchObject({ applied: rev(1), lastError: 'the repository is gone', ready: true })
    const before = core.repository.syncs()
    await waitFor(() => core.repository.syncs() > before, 'it is tried again by itself')
    core.repository.fault = undefined
    await waitFor(() => core.fakes.routes.has(userId(2)) && !core.fakes.routes.has(ONE), 'the change is in force')
    expect(core.loop.state.lastError).toBeUndefined()
  })

  test('that fails after it took over what changed loses none of it', async () => {
    const core = running({ files: [...SHARED, put(tenant('user001')), put(tenant('user002')), put(tenant('user003'))] })
    await core.loop.settle()
    const { hold } = core.stores.deletions
    const deletions = core.deps.deletions as { hold: typeof hold }
    deletions.hold = () => {
      throw new Error('the disk is full')
    }
    core.repository.push(remove(tenant('user001')), remove(tenant('user002')), remove(tenant('user003')), put(tenant('user004')))
    await core.loop.settle()
    expect(core.loop.state.lastError).toBe('the disk is full')
    deletions.hold = hold
    await core.loop.settle()
    expect(core.fakes.routes.has(userId(4))).toBe(true)
    expect(core.deps.world.counts.awaitingApproval).toBe(3)
  })

  test('corrects a failing tenant at once, although its own fields stay as they are', async () => {
    const dedicated = tenant('ded001', { product: 'dedicated', plan: 'dedicated', state: 'suspended' })
    const core = running({ files: [...SHARED, put(containerProduct()), put(plan('dedicated', { product: 'dedicated' }))] })
    await core.loop.settle()
    core.fakes.faults.set('runtime.remove', Object.assign(new Error('ill')))
    core.repository.push(put(dedicated))
    await core.loop.settle()
    expect(core.stores.records.get(dedicated.metadata.name)?.status.failures).toBe(1)
    core.fakes.faults.clear()
    done(core)
    core.repository.push(put(containerProduct({ title: 'another title' })))
    await core.loop.settle()
    expect(done(core)).toContain('runtime.remove ded001')
  })

  test('goes on where what became of one tenant cannot be written down', async () => {
    const core = running()
    await core.loop.settle()
    const records = core.deps.records as { put: typeof core.deps.records.put }
    const { put: write } = records
    records.put = (record) => {
      if (record.tenant === ONE) throw new Error('the disk is full')
      write(record)
    }
    core.repository.push(put(tenant('user001')), put(tenant('user002')))
    await core.loop.settle()
    expect(core.stores.records.get(userId(2))?.appliedBlob).not.toBeNull()
  })
})

describe('the first look', () => {
  const specs = [tenant('user001'), tenant('user002', { state: 'suspended' }), tenant('user501')]

  /** A HOME on which all of it was in force, and a process that starts on it. */
  async function restarted(change: (core: Core) => readonly FileDelta[] = () => []): Promise<Running> {
    const before = running({ files: [...SHARED, ...specs.map((spec) => put(spec))] })
    for (const spec of specs) remembered(before, spec)
    await before.loop.settle()
    await before.loop.close()
    const changed = new Map([...SHARED, ...specs.map((spec) => put(spec)), ...change(before)].map((delta) => [delta.path, delta]))
    return running({ home: before.home, files: [...changed.values()] })
  }

  test('adopts what runs: shards once, routes in one go, no write, no work', async () => {
    const core = await restarted()
    const before = core.writes()
    await core.loop.settle()
    expect(done(core)).toEqual(['shards.sync sq-000', 'shards.sync sq-001', 'routes.put user001 up', 'routes.put user002 down', 'routes.put user501 up'])
    expect(core.writes()).toBe(before)
    expect(core.passes).toEqual(['unchanged'])
    expect(core.outcomes).toEqual([])
  })

  test('works on what changed meanwhile, and stops what is gone', async () => {
    const core = await restarted(() => [remove(tenant('user501')), put(tenant('user001', { limits: { storageMb: 7 } })), put(tenant('user003'))])
    await core.loop.settle()
    expect(core.fakes.routes.get(ONE)?.limits.storageMb).toBe(7)
    expect(core.stores.records.get(userId(501))?.removedAt).not.toBeNull()
    expect([...core.fakes.routes.keys()].sort()).toEqual(['user001', 'user002', 'user003'])
  })

  test('leaves the routes of a shard that does not come up as they are, and its members say why', async () => {
    const core = await restarted()
    core.fakes.ports.delete(shard(0))
    await core.loop.settle()
    expect(done(core).filter((call) => call.startsWith('routes.put'))).toEqual(['routes.put user002 down', 'routes.put user501 up'])
    expect(core.condition(ONE, 'Ready')).toMatchObject({ status: false, reason: 'SqDoesNotStart' })
  })

  test('works on a tenant whose record tells of trouble that is over', async () => {
    const core = await restarted((before) => {
      before.catalog.apply([putBad('Tenant', 'user001')])
      const record = before.stores.records.get(ONE)!
      before.stores.records.put({ ...record, status: { ...record.status, failures: 3, conditions: record.status.conditions.map((condition) => ({ ...condition, status: false })) } })
      return []
    })
    await core.loop.settle()
    expect(core.condition(ONE, 'Ready')?.status).toBe(true)
    expect(core.condition(ONE, 'SpecValid')?.status).toBe(true)
    expect(core.stores.records.get(ONE)?.status.failures).toBe(0)
  })

  test('that fails half-way is made again as a whole', async () => {
    const core = running({ files: [...SHARED, put(tenant('user001'))] })
    const { world } = core.deps
    const { advance } = world
    Object.assign(world, {
      advance: () => {
        throw new Error('the disk is full')
      },
    })
    await core.loop.settle()
    expect(core.loop.state).toMatchObject({ ready: false, lastError: 'the disk is full' })
    Object.assign(world, { advance })
    await core.loop.settle()
    expect(core.loop.state.ready).toBe(true)
    expect(core.fakes.routes.has(ONE)).toBe(true)
  })

  test('hints before it are not acted on', async () => {
    const core = running({ files: [...SHARED, put(tenant('user001'))] })
    core.loop.hint(ONE)
    core.loop.hint(shard())
    expect(core.loop.state.queueDepth).toBe(0)
    await core.loop.settle()
  })
})

describe('without a commit', () => {
  test('everything that runs is looked at again after a while, one member for each shard', async () => {
    const core = running({ files: [...SHARED, put(tenant('user001')), put(tenant('user002')), put(tenant('user501')), put(tenant('user502', { state: 'suspended' }))], resyncMs: 30 })
    await core.loop.settle()
    done(core)
    const before = core.writes()
    await waitFor(() => core.fakes.calls.filter((call) => call === 'shards.sync sq-001').length >= 2, 'two rounds')
    const calls = done(core)
    expect(calls).toContain('shards.distrust sq-000')
    expect(calls).toContain('routes.put user001 up')
    expect(calls.filter((call) => call.includes('user002') || call.includes('user502'))).toEqual([])
    expect(core.writes()).toBe(before)
  })

  test('a hint looks at exactly that tenant, or at one member of that shard', async () => {
    const core = running({ files: [...SHARED, put(tenant('user001')), put(tenant('user002'))] })
    await core.loop.settle()
    done(core)
    core.loop.hint(userId(2))
    await waitFor(() => core.loop.state.queueDepth === 0, 'it is done')
    expect(done(core)).toEqual(['shards.sync sq-000', 'routes.put user002 up'])
    core.loop.hint(shard(0))
    core.loop.hint('nobody' as TenantId)
    await waitFor(() => core.loop.state.queueDepth === 0, 'it is done')
    expect(done(core)).toEqual(['shards.distrust sq-000', 'shards.sync sq-000', 'routes.put user001 up'])
  })

  test('a shard that moved has the routes of all its members written anew', async () => {
    const core = running({ files: [...SHARED, put(tenant('user001')), put(tenant('user002')), put(tenant('user501'))] })
    await core.loop.settle()
    done(core)
    core.fakes.ports.set(shard(0), 12_000)
    core.loop.moved(shard(0))
    await waitFor(() => core.loop.state.queueDepth === 0, 'it is done')
    expect([1, 2].map((n) => core.fakes.routes.get(userId(n))?.upstream?.port)).toEqual([12_000, 12_000])
    expect(done(core).filter((call) => call.includes('user501'))).toEqual([])
  })

  test('a key that expires is gone from the route by itself', async () => {
    const core = running()
    await core.loop.settle()
    core.at = new Date()
    const expiresAt = new Date(Date.now() + 100).toISOString()
    core.repository.push(put(tenant('user001', { keys: [keySpec('k1', { expiresAt }), keySpec('k2')] })))
    await core.loop.settle()
    expect(core.fakes.routes.get(ONE)?.keys.map(({ id }) => id)).toEqual(['k1', 'k2'])
    core.at = new Date(Date.parse(expiresAt) + 1)
    await waitFor(() => core.fakes.routes.get(ONE)?.keys.length === 1, 'the route has one key')
  })

  test('an approval is acted on at the next look', async () => {
    const core = running({ files: [...SHARED, ...[1, 2, 3].map((n) => put(tenant(userId(n))))] })
    await core.loop.settle()
    const revision = core.repository.push(...[1, 2, 3].map((n) => remove(tenant(userId(n)))))
    await core.loop.settle()
    expect(core.fakes.routes.size).toBe(3)
    expect(core.condition(ONE, 'Held')).toMatchObject({ status: true, reason: 'AwaitingApproval' })
    core.stores.deletions.approve(revision, 'ada', core.at.toISOString())
    await core.loop.settle()
    expect(core.fakes.routes.size).toBe(0)
    expect(core.stores.deletions.all()).toEqual([])
    expect(core.stores.records.retained()).toHaveLength(3)
  })
})

test('close lets what runs end and looks no more', async () => {
  const core = running({ resyncMs: 20 })
  core.loop.poke()
  await core.loop.close()
  const before = core.repository.syncs()
  core.loop.poke()
  await core.loop.settle()
  expect(core.repository.syncs()).toBe(before)
})
