/**
 * What is held back on purpose (real SQ where there is one, otherwise the bundled one): removals above the deletion limit until
 * a person approves exactly that revision's, a tenant on hold until its time, and data until its retention is over.
 */
import { existsSync } from 'node:fs'
import path from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { openStore } from '../../controller/store/db.ts'
import { makeInstallation } from '../support/installation.ts'
import { cloneRepository, type Clone } from '../support/repository.ts'
import { tempFolder } from '../support/temp.ts'
import { waitFor } from '../support/wait.ts'
import { fetchBack, statusOf, store } from './requests.ts'

const installation = makeInstallation(path.join(tempFolder(), 'home'), {}, afterAll)
let clone: Clone
/** The tenants' keys while they are all served. */
let keys: Record<string, string>
const file = (tenant: string): string => `tenants/sq/000/${tenant}.yaml`
const dataFolder = (tenant: string): string => path.join(installation.home, 'sq/sq-000/data', tenant)
const served = (tenant: string): Promise<number> => statusOf(installation.run.localUrl, keys[tenant]!)
const quotaOf = (tenant: string): number | null | undefined => Object.values(installation.tenantsJson().tenants).find(({ name }) => name === tenant)?.quota_mb

beforeAll(async () => {
  await installation.start()
  clone = cloneRepository(path.join(installation.home, 'tenants.git'))
  keys = Object.fromEntries(['user001', 'user002', 'user004'].map((tenant) => [tenant, installation.keysOf(tenant)[0]!]))
  for (const key of Object.values(keys)) await waitFor(async () => (await store(installation.run.localUrl, key, `of ${key}`)).status === 200, 'all are served', 30_000)
})

it('a revision that removes more tenants than the limit stops none of them until it is approved; a smaller one goes through at once', async () => {
  clone.remove(file('user001'))
  clone.remove(file('user002'))
  const large = clone.push('two at once')
  await installation.takenIn(large)
  expect([await served('user001'), await served('user002')]).toEqual([200, 200])
  const { code, stdout } = await installation.cli('status')
  expect(code).toBe(4)
  expect(stdout).toContain(`tenantry approve ${large.slice(0, 12)}`)
  expect(await installation.metric('tenantry_removals_awaiting_approval')).toBe(2)
  expect((await installation.tenant('user001'))?.status.conditions).toContainEqual(expect.objectContaining({ type: 'Held', status: true, reason: 'AwaitingApproval' }))

  clone.remove(file('user004'))
  const small = clone.push('one alone')
  await waitFor(async () => (await served('user004')) === 401, 'a removal below the limit goes through')
  expect(await served('user001')).toBe(200)
  const refused = await installation.cli('approve', small)
  expect([refused.code, refused.stderr]).toEqual([2, expect.stringContaining('No removals wait for revision')])

  const approved = await installation.json<{ tenants: string[] }>('approve', large.slice(0, 12))
  expect(approved.tenants).toEqual(['user001', 'user002'])
  await waitFor(async () => (await served('user001')) === 401 && (await served('user002')) === 401, 'what was approved is stopped')
  expect((await installation.cli('status')).code).toBe(0)
  expect(await installation.metric('tenantry_removals_awaiting_approval')).toBe(0)
  expect(['user001', 'user002', 'user004'].map((tenant) => existsSync(dataFolder(tenant)))).toEqual([true, true, true])
})

it('a revert within the retention period brings tenants back with their data', async () => {
  clone.git('revert', '--no-edit', 'HEAD', 'HEAD~1')
  clone.git('push', '--quiet')
  for (const [tenant, key] of Object.entries(keys)) {
    await waitFor(async () => (await fetchBack(installation.run.localUrl, key)).text === `of ${key}`, `${tenant} is back with its data`)
  }
  await waitFor(async () => (await installation.tenant('user001'))?.removedAt === null, 'its record says so')
  expect((await installation.tenant('user001'))?.status.conditions.map(({ type }) => type)).not.toContain('DataKept')
})

it('data is removed when its retention is over, as an audited step of its own', async () => {
  clone.remove(file('user004'))
  await installation.takenIn(clone.push('gone for good'))
  await waitFor(async () => (await installation.tenant('user004'))?.dataUntil !== null, 'the retention has begun')
  const db = openStore(path.join(installation.home, 'store.db'), 'rebuildable')
  db.prepare("UPDATE tenants SET data_until = '2026-01-01T00:00:00.000Z' WHERE tenant = 'user004'").run()
  db.close()
  await waitFor(() => !existsSync(dataFolder('user004')), 'the data is removed')
  await waitFor(async () => (await installation.tenant('user004')) === undefined, 'nothing is known of the tenant any more')
  expect(existsSync(dataFolder('user001'))).toBe(true)
  expect(installation.keysOf('user001')).toEqual([keys['user001']])
  const entries = openStore(path.join(installation.home, 'store.db'), 'rebuildable')
  const actions = entries.prepare("SELECT action FROM audit WHERE tenant = 'user004' ORDER BY id").all().map((row) => row['action'])
  entries.close()
  expect(actions.slice(-2)).toEqual(['stop', 'destroy-data'])
})

it('a tenant on hold is left alone, shown and counted, while others change; the hold ends by itself', async () => {
  const until = new Date(Date.now() + 6_000).toISOString().replace(/\.\d+Z$/, 'Z')
  clone.edit(file('user001'), (text) => text.replace('storageMb: 5000', 'storageMb: 6000').replace('state: active', `state: suspended\n  stateReason: a dispute\n  hold:\n    until: ${until}\n    reason: "incident 12"\n    by: grace`))
  clone.edit(file('user002'), (text) => text.replace('state: active', 'state: active\n  limits:\n    storageMb: 1234'))
  clone.push('a hold')
  await waitFor(() => quotaOf('user002') === 1234, 'others change')
  const held = await waitFor(async () => (await installation.tenant('user001'))?.status.conditions.find(({ type, status }) => type === 'Held' && status), 'status shows the hold')
  expect(held).toMatchObject({ reason: 'OnHold', message: `on hold until ${until} by grace: incident 12` })
  const observed = [quotaOf('user001'), await served('user001'), await installation.metric('tenantry_tenants_on_hold')]
  expect(Date.now()).toBeLessThan(Date.parse(until))
  expect(observed).toEqual([5000, 200, 1])
  await waitFor(async () => (await served('user001')) === 402, 'the hold ends by itself', 15_000)
  expect(Date.now()).toBeGreaterThanOrEqual(Date.parse(until))
  await waitFor(async () => (await installation.tenant('user001'))?.status.conditions.every(({ type }) => type !== 'Held'), 'status no longer shows it')
  expect(await installation.metric('tenantry_tenants_on_hold')).toBe(0)
})
