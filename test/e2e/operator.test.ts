/**
 * An operator's day on a running installation (real SQ where there is one, otherwise the bundled one): quotas by commit and by
 * command, suspending, ending, keys.
 */
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { makeInstallation } from '../support/installation.ts'
import { cloneRepository, gitIn, type Clone } from '../support/repository.ts'
import { tempFolder } from '../support/temp.ts'
import { waitFor } from '../support/wait.ts'
import { fetchBack, statusOf, store } from './requests.ts'

const installation = makeInstallation(path.join(tempFolder(), 'home'), {}, afterAll)
let clone: Clone
const publicUrl = (): string => installation.run.localUrl
const sqUrl = async (): Promise<string> => `http://127.0.0.1:${(await installation.sqs())[0]!.port}`
const quotaOf = (tenant: string): number | null | undefined => Object.values(installation.tenantsJson().tenants).find(({ name }) => name === tenant)?.quota_mb
const file = (tenant: string): string => `tenants/sq/000/${tenant}.yaml`

interface Changed {
  readonly tenant: string
  readonly revision: string | null
}

interface ShownKey {
  readonly id: string
  readonly key: string
  readonly state: string
}

/** The last word on a tenant in the files that the gateway starts from. */
function routeOf(tenant: string): { readonly limits: { readonly storageMb?: number }; readonly state: string } | undefined {
  const folder = path.join(installation.home, 'gateway')
  const snapshot = readFileSync(path.join(folder, 'snapshot'), 'utf8')
  const log = readFileSync(path.join(folder, (JSON.parse(snapshot.split('\n')[0]!) as { log: string }).log), 'utf8')
  const records = `${snapshot}${log}`.split('\n').filter((line) => line.includes('"put"')).map((line) => (JSON.parse(line) as { put: { tenant: string; limits: { storageMb?: number }; state: string } }).put)
  return records.findLast((put) => put.tenant === tenant)
}

beforeAll(async () => {
  await installation.start()
  clone = cloneRepository(path.join(installation.home, 'tenants.git'))
})

it('a pushed change of a quota is in force in SQ, in the gateway and in the status', async () => {
  clone.edit(file('user001'), (text) => text.replace('storageMb: 5000', 'storageMb: 7000'))
  const revision = clone.push('more room for ada')
  await waitFor(() => quotaOf('user001') === 7000, 'tenants.json has the new quota')
  await waitFor(() => routeOf('user001')?.limits.storageMb === 7000, 'the gateway has it')
  await waitFor(async () => (await installation.tenant('user001'))?.appliedRevision === revision, 'status names the revision')
  expect((await installation.tenant('user001'))?.history[0]).toMatchObject({ action: 'change', detail: expect.stringContaining('limits.storageMb: 5000 -> 7000') as string })
})

it('set is a commit that says who and why, and nothing where nothing differs', async () => {
  const { revision } = await installation.json<Changed>('set', 'user001', 'limits.storageMb=8000', '--reason', 'asked for by mail')
  await waitFor(() => quotaOf('user001') === 8000, 'tenants.json has the new quota')
  const message = gitIn(path.join(installation.home, 'tenants.git'), 'log', '-1', '--format=%H %an%n%B', 'main')
  expect(message).toContain(revision)
  expect(message).toContain('asked for by mail')
  expect(message).toMatch(/^By: /m)
  expect(await installation.json<Changed>('set', 'user001', 'limits.storageMb=8000')).toMatchObject({ revision: null })
  const outOfBounds = await installation.cli('set', 'user001', 'limits.storageMb=-1')
  expect([outOfBounds.code, outOfBounds.stderr]).toEqual([2, expect.stringContaining('storageMb')])
  const [notSettable, nobody] = await Promise.all([installation.cli('set', 'user001', 'keys=none'), installation.cli('set', 'user999', 'limits.storageMb=1')])
  expect(notSettable.code).toBe(2)
  expect(nobody.stderr).toContain('There is no tenant user999')
})

it('suspend answers 402 and takes the tenant out of SQ; resume brings it back with its data', async () => {
  const [key] = installation.keysOf('user001')
  expect((await store(publicUrl(), key!, 'kept')).status).toBe(200)
  const port = await sqUrl()
  await installation.json<Changed>('suspend', 'user001', '--reason', 'unpaid since March')
  await waitFor(async () => (await statusOf(publicUrl(), key!)) === 402, 'the gateway refuses')
  await waitFor(async () => (await statusOf(port, key!)) === 401, 'SQ itself refuses')
  expect(installation.keysOf('user001')).toEqual([])
  await waitFor(async () => (await installation.tenant('user001'))?.status.conditions.some(({ type, reason, message }) => type === 'Ready' && reason === 'Suspended' && message === 'unpaid since March'), 'status says why')
  await installation.json<Changed>('resume', 'user001')
  await waitFor(async () => (await fetchBack(publicUrl(), key!)).text === 'kept', 'served again')
  expect(installation.keysOf('user001')).toEqual([key])
})

it('a rotated key and its successor both work; a revoked one is refused within a second by the gateway and by SQ itself', async () => {
  const [before] = installation.keysOf('user004')
  const { key, id } = await installation.json<ShownKey>('key', 'rotate', 'user004')
  await waitFor(async () => (await statusOf(publicUrl(), key)) === 200 && (await statusOf(await sqUrl(), key)) === 200, 'the new key works')
  expect([await statusOf(publicUrl(), before!), await statusOf(await sqUrl(), before!)]).toEqual([200, 200])
  const { keys } = await installation.json<{ keys: ShownKey[] }>('key', 'list', 'user004')
  expect(keys.map((each) => [each.id, each.state])).toEqual([['k1', 'expiring'], [id, 'live']])
  expect(JSON.stringify(keys)).not.toContain(key)
  expect((await installation.json<ShownKey>('key', 'show', 'user004')).key).toBe(key)

  const port = await sqUrl()
  await installation.json('key', 'revoke', 'user004', 'k1', '--reason', 'lost laptop')
  await waitFor(async () => (await statusOf(publicUrl(), before!)) === 401 && (await statusOf(port, before!)) === 401, 'refused within a second', 1_000)
  expect(await statusOf(publicUrl(), key)).toBe(200)
  expect((await installation.cli('key', 'revoke', 'user004', 'k9')).stderr).toContain('user004 has no key k9; it has k1, k2')
})

it('end stops a tenant and keeps its data', async () => {
  const [key] = installation.keysOf('user002')
  await installation.json('end', 'user002', '--reason', 'left')
  await waitFor(async () => (await statusOf(publicUrl(), key!)) >= 400, 'no longer served')
  const record = await waitFor(async () => {
    const found = await installation.tenant('user002')
    return found?.dataUntil !== null && found
  }, 'the retention has begun')
  expect(record.status.conditions.map(({ type, reason }) => `${type} ${reason}`)).toEqual(expect.arrayContaining(['Ready Ended', 'DataKept Retention']))
  expect(Date.parse(record.dataUntil!) - Date.now()).toBeGreaterThan(29 * 24 * 3600 * 1000)
})
