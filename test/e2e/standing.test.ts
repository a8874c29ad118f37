/**
 * A start that goes by what an earlier process left in force (real SQ where there is one, otherwise the bundled one): it comes to
 * what a start comes to that reads everything, sees what was changed behind its back, and does without a file that is not to be
 * trusted.
 */
import { createReadStream, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { RouteRecord } from '../../controller/core/route.ts'
import type { Overview } from '../../controller/web/status-reader.ts'
import { openStore } from '../../controller/store/db.ts'
import { createLooseTenants } from '../../controller/store/loose-tenants.ts'
import { createMeta } from '../../controller/store/meta.ts'
import { makeInstallation, tenantsJsonPath } from '../support/installation.ts'
import { cloneRepository } from '../support/repository.ts'
import { tempFolder } from '../support/temp.ts'
import { waitFor } from '../support/wait.ts'
import { statusOf } from './requests.ts'

const installation = makeInstallation(path.join(tempFolder(), 'home'), { TENANTRY_RESYNC_SECONDS: '1', LOG_LEVEL: 'debug' }, afterAll)
const gateway = path.join(installation.home, 'gateway')
const folder = path.join(installation.home, 'standing')
const said = (text: string): number => installation.log().split(text).length - 1
const TAKEN_OVER = 'standing tenants are taken over'
const IGNORED = 'standing tenants are not used'

/** What all customers meet: each tenant's route as it stands in the files, what SQ reads, and what people are told. */
async function everything(): Promise<{ routes: Record<string, unknown>; keys: string; overview: Overview['tenants'] }> {
  const routes: Record<string, unknown> = {}
  const snapshot = path.join(gateway, 'snapshot')
  const { log } = JSON.parse(readFileSync(snapshot, 'utf8').split('\n')[0]!) as { log: string }
  for (const file of [snapshot, path.join(gateway, log)]) {
    for await (const line of createInterface(createReadStream(file))) {
      const record = JSON.parse(line) as RouteRecord
      if ('put' in record) routes[record.put.tenant] = record.put
      if ('drop' in record) delete routes[record.drop]
    }
  }
  return { routes, keys: readFileSync(tenantsJsonPath(installation.home), 'utf8'), overview: (await installation.overview()).tenants }
}

async function startAgain(): Promise<void> {
  await installation.start()
  await idle()
}

async function idle(): Promise<void> {
  await waitFor(async () => (await installation.metric('tenantry_workqueue_depth')) === 0, 'nothing is left to do')
}

/** The file in force. It is written while nothing else is to be done, so a moment after the start. */
async function writtenDown(): Promise<string> {
  const store = openStore(path.join(installation.home, 'store.db'), 'rebuildable')
  try {
    const loose = createLooseTenants(store, createMeta(store))
    await waitFor(() => existsSync(path.join(folder, loose.mark?.file ?? 'none')), 'the standing tenants are written down', 20_000)
    return path.join(folder, loose.mark!.file)
  } finally {
    store.close()
  }
}

beforeAll(async () => {
  await installation.start()
  await writtenDown()
})

it('goes by what stood, and comes to what a start comes to that reads everything', async () => {
  const before = await everything()
  await installation.kill('SIGTERM')
  await startAgain()
  expect([said(TAKEN_OVER), said(IGNORED)]).toEqual([1, 0])
  expect(await everything()).toEqual(before)

  const clone = cloneRepository(path.join(installation.home, 'tenants.git'))
  await installation.kill('SIGKILL')
  clone.edit('tenants/sq/000/user002.yaml', (text) => text.replace('state: active', 'state: suspended\n  stateReason: unpaid'))
  clone.remove('tenants/sq/000/user004.yaml')
  clone.write('tenants/sq/000/user001.yaml', 'kind: [')
  const revision = clone.push('one suspended, one gone, one bad, while nobody looked')
  await startAgain()
  await installation.takenIn(revision)
  const changed = await everything()
  expect(said(TAKEN_OVER)).toBe(2)
  expect(changed.routes).toMatchObject({ user001: { state: 'active' }, user002: { state: 'suspended', stateReason: 'unpaid' } })
  expect(changed.routes).not.toHaveProperty('user004')

  await installation.kill('SIGKILL')
  rmSync(folder, { recursive: true })
  await startAgain()
  expect(said(IGNORED)).toBe(1)
  expect(await everything()).toEqual(changed)
})

it('sees what was changed behind its back meanwhile', async () => {
  await writtenDown()
  const before = await everything()
  const key = installation.keysOf('user003')[0]
  for (const damage of [
    () => writeFileSync(tenantsJsonPath(installation.home), readFileSync(tenantsJsonPath(installation.home), 'utf8').replace(/pmb-v1-[0-9a-f]{40}/, 'pmb-v1-mallory')),
    () => rmSync(tenantsJsonPath(installation.home)),
    () => writeFileSync(path.join(gateway, 'snapshot'), readFileSync(path.join(gateway, 'snapshot'), 'utf8').replace('"state":"active"', '"state":"ended"')),
    () => rmSync(path.join(gateway, 'snapshot')),
  ]) {
    await installation.kill('SIGTERM')
    damage()
    const takenOver = said(TAKEN_OVER)
    await startAgain()
    expect(said(TAKEN_OVER)).toBe(takenOver + 1)
    expect(await everything()).toEqual(before)
    if (key !== undefined) await waitFor(async () => (await statusOf(installation.run.localUrl, key)) === 200, 'the key works')
  }
})

it.each([
  ['damaged', (file: string) => writeFileSync(file, Buffer.from(readFileSync(file)).fill(7, 100, 200))],
  ['cut off', (file: string) => writeFileSync(file, readFileSync(file).subarray(0, -9))],
  ['gone', (file: string) => rmSync(file)],
])('does without a file that is %s, and writes it anew', async (_name, damage) => {
  await writtenDown()
  const before = await everything()
  await installation.kill('SIGTERM')
  const ignored = said(IGNORED)
  const file = await writtenDown()
  damage(file)
  await startAgain()
  expect(said(IGNORED)).toBe(ignored + 1)
  expect(await everything()).toEqual(before)
  await waitFor(async () => (await writtenDown()) !== file, 'another file is in force', 20_000)
})

it('does without it under another master secret, and with another plan', async () => {
  await installation.kill('SIGTERM')
  const ignored = said(IGNORED)
  const clone = cloneRepository(path.join(installation.home, 'tenants.git'))
  clone.edit('plans/sq-founder.yaml', (text) => text.replace('storageMb: 1000', 'storageMb: 900'))
  clone.push('a smaller plan')
  await startAgain()
  expect(said(IGNORED)).toBe(ignored + 1)
  expect((await everything()).keys).toContain('"default_quota_mb": 900')
  await writtenDown()
  await installation.kill('SIGTERM')
  const master = readFileSync(path.join(installation.home, 'master.key'), 'utf8').trim()
  await installation.start({ TENANTRY_MASTER_KEY: `2:${'ab'.repeat(32)},${master}` })
  expect(said(IGNORED)).toBe(ignored + 2)
})
