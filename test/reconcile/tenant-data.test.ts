/** Data that lay elsewhere before its tenant came: put in place by the tenant's own run, kept through its end, removed with it, and never another's. */
import { existsSync, lstatSync, mkdirSync, readdirSync, readlinkSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { beforeEach, describe, expect, test } from 'vitest'
import type { Tenant, TenantId } from '../../controller/core/specs.ts'
import { createExecutor, type Requeue } from '../../controller/reconcile/executor.ts'
import { destroyExpired } from '../../controller/reconcile/retire.ts'
import { startUp } from '../../controller/reconcile/start-up.ts'
import { digest, keySpec, NOW, put, remove, sharedProduct, tenant, userId } from '../support/specs.ts'
import { tempFolder } from '../support/temp.ts'
import { createCore, dataFolder, rev, type Core } from './support.ts'

const ONE = userId(1)
const TWO = userId(2)
const imported = (id: TenantId, key = id, spec: Partial<Tenant['spec']> = {}): Tenant => tenant(id, { keys: [keySpec(), { id: 'k2', digest: digest(key), createdAt: NOW }], ...spec })

let core: Core
let old: string
beforeEach(() => {
  core = createCore()
  old = path.join(tempFolder('old'), 'ada')
  mkdirSync(old)
  writeFileSync(path.join(old, 'notes.phext'), 'hello')
  core.stores.adoptions.note([{ folder: old, digests: [digest(ONE)] }], NOW)
})

function apply(spec: Tenant, n = 1): Promise<Requeue> {
  const [change] = core.take([put(spec)], rev(n))
  return createExecutor(core.deps).run(spec.metadata.name, rev(n), change)
}

async function removeFile(spec: Tenant): Promise<void> {
  const [change] = core.take([remove(spec)], rev(9))
  await createExecutor(core.deps).run(spec.metadata.name, rev(9), change)
}

const place = (id: TenantId = ONE): string => dataFolder(core, id)
const auditOf = (id: TenantId): string[] => core.stores.audit.list({ tenant: id, limit: 100 }).map(({ action }) => action).reverse()
const reasonOf = (id: TenantId): string | undefined => core.condition(id, 'Ready')?.reason

describe('adopted data', () => {
  test('is in place before SQ is asked to serve it, and noted once', async () => {
    core.fakes.afterCall = (call) => {
      if (call.startsWith('shards.sync')) expect(readlinkSync(place())).toBe(old)
    }
    await apply(imported(ONE))
    await createExecutor(core.deps).run(ONE, rev(1), undefined)
    expect([reasonOf(ONE), auditOf(ONE).filter((action) => action === 'adopt-data')]).toEqual(['Serving', ['adopt-data']])
    expect(core.stores.adoptions.byTenant(ONE)).toEqual({ folder: old, state: 'linked', tenant: ONE })
  })

  test('is found by a first start, which leaves such tenants to their own runs', async () => {
    core.catalog.apply([put(imported(ONE)), put(tenant(TWO))])
    const { changes, work } = await startUp(core.deps, new Set([ONE, TWO]), rev(7), core.at.toISOString())
    expect([work, changes.map((change) => change.tenant), existsSync(place())]).toEqual([[ONE], [ONE], false])
  })

  test('comes with the key, whatever id the tenant was given in the end', async () => {
    await apply(imported(TWO, ONE))
    expect(readlinkSync(place(TWO))).toBe(old)
    await apply(tenant(ONE))
    expect(lstatSync(place()).isSymbolicLink()).toBe(false)
  })

  test('is moved in where SQ runs in a container', async () => {
    core.take([put(sharedProduct({ run: { kind: 'shared-sq', engine: 'docker', image: 'x', tenantsPerShard: 500 } }))], rev(0))
    await apply(imported(ONE))
    expect([existsSync(old), readdirSync(place()), core.stores.adoptions.byTenant(ONE)?.state]).toEqual([false, ['notes.phext'], 'moved'])
  })

  test('belongs to a tenant that is suspended from the beginning', async () => {
    await apply(imported(ONE, ONE, { state: 'suspended' }))
    expect([core.fakes.calls.slice(-2), readlinkSync(place())]).toEqual([['routes.put user001 down', 'shards.sync sq-000'], old])
  })

  test('that is not there stalls its tenant alone, which is served when it is back', async () => {
    rmSync(old, { recursive: true })
    await apply(imported(ONE))
    await apply(tenant(TWO), 2)
    expect([reasonOf(ONE), reasonOf(TWO), core.fakes.routes.has(ONE)]).toEqual(['DataFolderMissing', 'Serving', false])
    mkdirSync(old)
    await createExecutor(core.deps).run(ONE, rev(2), undefined)
    expect(reasonOf(ONE)).toBe('Serving')
  })

  test('that is kept for a removed tenant is not given to another, nor is an empty folder in its place', async () => {
    await apply(imported(ONE))
    await removeFile(imported(ONE))
    await apply(imported(TWO, ONE), 10)
    expect([reasonOf(TWO), existsSync(place(TWO)), readlinkSync(place())]).toEqual(['DataFolderTaken', false, old])
  })

  test('is kept for the retention period, comes back with the file, and goes with the tenant in the end', async () => {
    writeFileSync(path.join(path.dirname(old), 'beside.phext'), 'another’s')
    await apply(imported(ONE))
    await removeFile(imported(ONE))
    expect(readdirSync(old)).toEqual(['notes.phext'])
    await apply(imported(ONE), 10)
    expect(readlinkSync(place())).toBe(old)
    await removeFile(imported(ONE))
    core.at = new Date(Date.parse(NOW) + 31 * 86_400_000)
    expect(await destroyExpired(core.deps)).toBe(1)
    expect([existsSync(place()), existsSync(old), readdirSync(path.dirname(old))]).toEqual([false, false, ['beside.phext']])
    expect([core.stores.adoptions.byTenant(ONE), core.stores.adoptions.byKeys([digest(ONE)])]).toEqual([undefined, undefined])
  })
})
