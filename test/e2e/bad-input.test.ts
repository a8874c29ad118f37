/**
 * What is wrong in the repository, or with it, stops nobody who is served (real SQ where there is one, otherwise the bundled
 * one): bad files hold their own tenants at the last good spec, and a repository that cannot be read changes nothing.
 */
import { readFileSync, renameSync, statSync, symlinkSync } from 'node:fs'
import path from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { makeInstallation, tenantsJsonPath } from '../support/installation.ts'
import { cloneRepository, gitIn, type Clone } from '../support/repository.ts'
import { tempFolder } from '../support/temp.ts'
import { waitFor } from '../support/wait.ts'
import { statusOf } from './requests.ts'

const installation = makeInstallation(path.join(tempFolder(), 'home'), { TENANTRY_RESYNC_SECONDS: '1' }, afterAll)
let clone: Clone
let key: string
const repository = (): string => path.join(installation.home, 'tenants.git')
const file = (tenant: string): string => `tenants/sq/000/${tenant}.yaml`
const quotaOf = (tenant: string): number | null | undefined => Object.values(installation.tenantsJson().tenants).find(({ name }) => name === tenant)?.quota_mb
const specOf = async (tenant: string): Promise<{ reason: string; message: string } | undefined> => (await installation.tenant(tenant))?.status.conditions.find(({ type }) => type === 'SpecValid')

/** All that serves customers: an equal value later means that nothing was touched. */
async function whatRuns(): Promise<unknown> {
  const { ino, mtimeNs } = statSync(tenantsJsonPath(installation.home), { bigint: true })
  const repairs = (await installation.metric('tenantry_drift_repaired_total{action="file-written"}')) ?? 0
  return { sqs: await installation.sqs(), file: [ino, mtimeNs, readFileSync(tenantsJsonPath(installation.home), 'utf8')], repairs, served: await statusOf(installation.run.localUrl, key) }
}

/** Resolves after looks at the repository that failed, or that found nothing new, and that began after this call. */
async function looks(result: 'failed' | 'unchanged', n = 2): Promise<void> {
  const passes = async (): Promise<number> => (await installation.metric(`tenantry_pass_total{result="${result}"}`)) ?? 0
  const before = await passes()
  await waitFor(async () => (await passes()) >= before + n, `${n} ${result} looks`, 20_000)
}

beforeAll(async () => {
  await installation.start()
  clone = cloneRepository(repository())
  key = installation.keysOf('user001')[0]!
  await waitFor(async () => (await statusOf(installation.run.localUrl, key)) === 200, 'the tenant is served', 30_000)
})

it('a bad tenant file holds that tenant at its last good spec; others go on changing', async () => {
  clone.edit(file('user001'), (text) => text.replace('storageMb: 5000', 'storageMB: 1'))
  clone.edit(file('user004'), (text) => text.replace('state: active', 'state: active\n  limits:\n    storageMb: 4001'))
  await installation.takenIn(clone.push('a typing error'))
  expect([quotaOf('user001'), quotaOf('user004'), await statusOf(installation.run.localUrl, key)]).toEqual([5000, 4001, 200])
  const condition = await specOf('user001')
  expect(condition).toMatchObject({ status: false, reason: 'BadFile' })
  expect(condition?.message).toMatch(/user001\.yaml:\d+:\d+ spec\.limits\.storageMB: .*Did you mean `storageMb`/)
  expect(await installation.metric('tenantry_spec_problems')).toBe(1)
  clone.git('revert', '--no-edit', 'HEAD')
  clone.git('push', '--quiet')
  await waitFor(async () => (await specOf('user001'))?.reason === 'InForce', 'the file is good again')
})

it('a bad plan holds its own tenants only', async () => {
  clone.edit('plans/sq-founder.yaml', (text) => text.replace('storageMb: 1000', 'storageMb: lots'))
  clone.edit('plans/sq-enterprise.yaml', (text) => text.replace('storageMb: 5000', 'storageMb: 5001'))
  await installation.takenIn(clone.push('one plan bad, one changed'))
  expect([quotaOf('user002'), quotaOf('user004')]).toEqual([1000, 5001])
  expect(await specOf('user002')).toMatchObject({ status: false, reason: 'BadPlan' })
  expect(await specOf('user004')).toMatchObject({ status: true })
  clone.edit('plans/sq-founder.yaml', (text) => text.replace('storageMb: lots', 'storageMb: 1000'))
  await installation.takenIn(clone.push('the plan is good again'))
  expect(await specOf('user002')).toMatchObject({ status: true })
})

it('without platform.yaml everything goes on as it was', async () => {
  const text = clone.read('platform.yaml')
  clone.remove('platform.yaml')
  clone.edit(file('user004'), (old) => old.replace('state: active', 'state: active\n  limits:\n    storageMb: 4002'))
  await installation.takenIn(clone.push('no platform'))
  expect([quotaOf('user001'), quotaOf('user004'), await statusOf(installation.run.localUrl, key)]).toEqual([5000, 4002, 200])
  clone.write('platform.yaml', text)
  await installation.takenIn(clone.push('the platform is back'))
})

it('links, submodules and huge files are refused, each said by name', async () => {
  const spec = clone.read(file('user002'))
  clone.remove(file('user002'))
  symlinkSync('user001.yaml', path.join(clone.folder, file('user002')))
  clone.edit(file('user004'), (text) => `${text}# ${'x'.repeat(200_000)}\n`)
  clone.git('update-index', '--add', '--cacheinfo', `160000,${clone.git('rev-parse', 'HEAD')},tenants/sq/000/user099.yaml`)
  clone.git('add', '--', file('user002'), file('user004'))
  clone.git('commit', '--quiet', '--message', 'odd entries')
  clone.git('push', '--quiet')
  await installation.takenIn(clone.git('rev-parse', 'HEAD'))
  expect([await statusOf(installation.run.localUrl, installation.keysOf('user002')[0]!), quotaOf('user004')]).toEqual([200, 4002])
  expect((await specOf('user002'))?.message).toMatch(/symbolic link|symlink/i)
  expect((await specOf('user004'))?.message).toMatch(/larger|too large|KiB|bytes/i)
  expect((await installation.tenant('user099'))?.status.conditions.find(({ type }) => type === 'SpecValid')?.message).toMatch(/submodule/i)
  expect((await installation.overview()).attention.map(({ tenant }) => tenant)).toEqual(expect.arrayContaining(['user002', 'user004', 'user099']))
  clone.git('rm', '--quiet', '--cached', 'tenants/sq/000/user099.yaml')
  clone.remove(file('user002'))
  clone.write(file('user002'), spec)
  clone.edit(file('user004'), (text) => text.replace(/# x+\n/, ''))
  await installation.takenIn(clone.push('even again'))
  expect(await installation.metric('tenantry_spec_problems')).toBe(0)
})

it('a file that is renamed is no change', async () => {
  const before = await whatRuns()
  clone.git('mv', file('user001'), 'tenants/sq/ada.yaml')
  await installation.takenIn(clone.push('another name'))
  expect(await whatRuns()).toEqual(before)
  await waitFor(async () => (await installation.tenant('user001'))?.path === 'tenants/sq/ada.yaml', 'status names the new path')
  const { history } = (await installation.tenant('user001'))!
  expect(history.filter(({ action }) => action !== 'create' && action !== 'change')).toEqual([])
})

it('a revision that removes every file changes nothing', async () => {
  const before = await whatRuns()
  clone.git('rm', '--quiet', '-r', '.')
  clone.write('README.md', 'nothing\n')
  clone.push('all gone')
  await looks('failed')
  expect(await whatRuns()).toEqual(before)
  expect(installation.log().includes('removes every file')).toBe(true)
  clone.git('revert', '--no-edit', 'HEAD')
  clone.git('push', '--quiet')
  await installation.takenIn(clone.git('rev-parse', 'HEAD'))
  expect(await whatRuns()).toEqual(before)
})

it('a branch that vanished, and a repository that moved away, change nothing while they are gone', async () => {
  const before = await whatRuns()
  const tip = gitIn(repository(), 'rev-parse', 'main')
  gitIn(repository(), 'update-ref', '-d', 'refs/heads/main')
  await looks('failed')
  expect(await whatRuns()).toEqual(before)
  gitIn(repository(), 'update-ref', 'refs/heads/main', tip)
  await looks('unchanged')

  renameSync(repository(), `${repository()}.away`)
  await looks('failed')
  expect(await whatRuns()).toEqual(before)
  expect((await fetch(`${installation.run.adminUrl}/readyz`)).status).toBe(200)
  renameSync(`${repository()}.away`, repository())
  await looks('unchanged')
  expect(await whatRuns()).toEqual(before)
  clone.edit('tenants/sq/ada.yaml', (text) => text.replace('storageMb: 5000', 'storageMb: 5005'))
  await installation.takenIn(clone.push('it is followed again'))
  expect(quotaOf('user001')).toBe(5005)
})

it('an unrelated history with the same files, pushed by force, changes nothing', async () => {
  const before = await whatRuns()
  clone.git('checkout', '--quiet', '--orphan', 'rewritten')
  clone.git('commit', '--quiet', '--message', 'history is rewritten')
  clone.git('push', '--quiet', '--force', 'origin', 'rewritten:main')
  await installation.takenIn(clone.git('rev-parse', 'HEAD'))
  await looks('unchanged')
  expect(await whatRuns()).toEqual(before)
})
