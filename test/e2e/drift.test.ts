/**
 * What is changed behind Tenantry's back is put right (real SQ where there is one, otherwise the bundled one), and where nothing
 * is wrong nothing is written at all.
 */
import { chmodSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { Repair } from '../../controller/core/status.ts'
import { makeInstallation, tenantsJsonPath } from '../support/installation.ts'
import { tempFolder } from '../support/temp.ts'
import { waitFor } from '../support/wait.ts'
import { fetchBack, statusOf, store } from './requests.ts'

const installation = makeInstallation(path.join(tempFolder(), 'home'), { TENANTRY_RESYNC_SECONDS: '1' }, afterAll)
let key: string
const config = (): string => tenantsJsonPath(installation.home)
const repaired = (action: string): Promise<number> => installation.metric(`tenantry_drift_repaired_total{action="${action}"}`).then((count) => count ?? 0)

/** The newest repair that any tenant's status shows. */
async function lastRepair(): Promise<Repair | undefined> {
  const reports = await Promise.all(['user001', 'user002', 'user004'].map((tenant) => installation.tenant(tenant)))
  return reports.flatMap((report) => report?.status.repairs ?? []).sort((a, b) => (a.at < b.at ? 1 : -1))[0]
}

async function heals(action: string, damage: () => unknown): Promise<Repair | undefined> {
  const before = await repaired(action)
  await damage()
  await waitFor(async () => (await repaired(action)) > before, `${action} is counted`)
  await waitFor(async () => (await statusOf(installation.run.localUrl, key)) === 200, 'the key works')
  return lastRepair()
}

beforeAll(async () => {
  await installation.start()
  key = installation.keysOf('user001')[0]!
  await waitFor(async () => (await store(installation.run.localUrl, key, 'outlives it all')).status === 200, 'the tenant is served', 30_000)
})

it('an SQ that was killed is started again on its port, with its data', async () => {
  const [sq] = await installation.sqs()
  const repair = await heals('sq-started', () => process.kill(sq!.pid, 'SIGKILL'))
  expect(repair).toMatchObject({ action: 'sq-started', drift: [{ field: 'sq/sq-000/process', wanted: 'running', found: 'ended' }] })
  const [again, ...others] = await installation.sqs()
  expect([again?.port, others]).toEqual([sq!.port, []])
  expect((await fetchBack(installation.run.localUrl, key)).text).toBe('outlives it all')
})

it('a tenants.json that was edited, deleted or opened to others is written again', async () => {
  const text = readFileSync(config(), 'utf8')
  const healed = (): boolean => readFileSync(config(), 'utf8') === text && (statSync(config()).mode & 0o777) === 0o600
  const field = 'sq/sq-000/tenants.json'
  expect(await heals('file-written', () => writeFileSync(config(), text.replace(key, 'pmb-v1-mallory')))).toMatchObject({ drift: [{ field, found: 'changed by hand' }] })
  expect(healed()).toBe(true)
  expect(await heals('file-written', () => rmSync(config()))).toMatchObject({ drift: [{ field, found: 'deleted' }] })
  expect(healed()).toBe(true)
  expect(await heals('file-written', () => chmodSync(config(), 0o644))).toMatchObject({ drift: [{ field, wanted: 'as rendered, mode 600', found: 'mode 644' }] })
  expect(healed()).toBe(true)
  const shown = await installation.cli('status', 'user001')
  expect(shown.stdout).toContain(`${field}: wanted as rendered, mode 600, found mode 644`)
})

it('a gateway that was killed comes back at the same address', async () => {
  const { localUrl } = installation.run
  const pid = Number(JSON.parse(readFileSync(path.join(installation.home, 'gateway/gateway.log'), 'utf8').split('\n')[0]!).pid)
  process.kill(pid, 'SIGKILL')
  await expect(statusOf(localUrl, key)).rejects.toThrow()
  await waitFor(async () => (await statusOf(localUrl, key)) === 200, 'it answers again')
  await waitFor(() => installation.log().includes('the gateway had ended and was started again'), 'the log says so')
})

it('looking again where nothing is wrong repairs nothing and writes no file', async () => {
  const passes = (): Promise<number | undefined> => installation.metric('tenantry_pass_total{result="unchanged"}')
  const repairs = async (): Promise<number[]> => Promise.all(['sq-started', 'file-written', 'sq-adopted'].map(repaired))
  const before = { files: everyFile(installation.home), repairs: await repairs(), reloads: await installation.metric('tenantry_sq_reload_seconds_count') }
  const first = (await passes())!
  await waitFor(async () => (await passes())! >= first + 3, 'three more looks')
  expect({ files: everyFile(installation.home), repairs: await repairs(), reloads: await installation.metric('tenantry_sq_reload_seconds_count') }).toEqual(before)
})

/** Each file's place, inode, size and time of change; logs and the stores are written as the program sees fit. */
function everyFile(home: string): string[] {
  return readdirSync(home, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !/\.log$|^(store|usage)\.db/.test(entry.name))
    .map((entry) => {
      const file = path.join(entry.parentPath, entry.name)
      const { ino, size, mtimeNs, mode } = statSync(file, { bigint: true })
      return `${path.relative(home, file)} ${ino} ${size} ${mtimeNs} ${mode}`
    })
    .sort()
}
