/**
 * What can be seen of the system (real SQ where there is one, otherwise the bundled one): a purchase's way step by step, metrics,
 * health; and what can be seen nowhere: keys and secrets.
 */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import path from 'node:path'
import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { TimelineEntry } from '../../controller/store/timeline.ts'
import { makeInstallation } from '../support/installation.ts'
import { cloneRepository, gitIn } from '../support/repository.ts'
import { openShop, type Shop } from '../support/stripe.ts'
import { tempFolder } from '../support/temp.ts'
import { waitFor } from '../support/wait.ts'
import { statusOf, store } from './requests.ts'

const folder = tempFolder()
const home = path.join(folder, 'home')
const repository = path.join(folder, 'tenants.git')
const master = randomBytes(32).toString('hex')
const installation = makeInstallation(home, { TENANTRY_REPOSITORY: repository, TENANTRY_MASTER_KEY: `1:${master}` }, afterAll)
let shop: Shop

beforeAll(async () => {
  shop = await openShop(() => `${installation.run.localUrl}/api/stripe/webhook`, { retryMs: [50] }, () => undefined)
  return () => shop.double.close()
})

it('is healthy but not ready until the repository was taken in once', async () => {
  gitIn(folder, 'init', '--bare', '--quiet', '--initial-branch=main', repository)
  const started = installation.start(shop.environment)
  started.catch(() => undefined) // awaited below, where the reason is thrown
  const { adminUrl } = await waitFor(() => existsSync(path.join(home, 'run.json')) && installation.run, 'it listens', 30_000)
  const ready = await fetch(`${adminUrl}/readyz`)
  expect([ready.status, Number(ready.headers.get('retry-after'))]).toEqual([503, 1])
  await waitFor(async () => (await (await fetch(`${adminUrl}/readyz`)).text()).includes('branch'), 'it says what stands in the way')
  expect((await fetch(`${adminUrl}/healthz`)).status).toBe(200)
  expect(await installation.metric('tenantry_ready')).toBe(0)

  const sample = path.join(tempFolder(), 'sample.git')
  await installation.cli('init', sample)
  cloneRepository(sample).git('push', '--quiet', repository, 'main')
  await started
  expect(await installation.metric('tenantry_ready')).toBe(1)
})

it('a purchase shows its whole way under one trace, to the first request with its key', async () => {
  const session = await shop.buy({ plan: 'sq-founder', username: 'lovelace' })
  const tenant = 'user006'
  await waitFor(async () => (await installation.tenant(tenant))?.status.conditions.some(({ type, status }) => type === 'Ready' && status), 'the tenant is served')
  expect(gitIn(repository, 'show', `main:tenants/sq/000/${tenant}.yaml`)).toContain(session)
  expect(await installation.metric('tenantry_purchase_to_ready_seconds_count')).toBe(1)
  const steps = (timeline: readonly TimelineEntry[]): string[] => timeline.map(({ step }) => step)
  const { timeline } = (await installation.tenant(tenant))!
  expect(steps(timeline)).toEqual(['webhook-received', 'webhook-stored', 'committed', 'seen', 'ready'])
  expect(new Set(timeline.map(({ trace }) => trace)).size).toBe(1)
  expect(timeline.map(({ at }) => at)).toEqual(timeline.map(({ at }) => at).sort())

  const [key] = installation.keysOf(tenant)
  await waitFor(async () => (await store(installation.run.localUrl, key!, 'first words')).status === 200, 'the key works')
  await waitFor(async () => steps((await installation.tenant(tenant))!.timeline).at(-1) === 'first-use', 'the first use is noted')
  const { stdout } = await installation.cli('status', tenant)
  expect(stdout).toMatch(/timeline\s+trace [0-9a-f]{32}/)
  expect(stdout).toMatch(/first-use\s+\+\d+ ms/)
})

it('metrics name no tenant', async () => {
  const text = await (await fetch(`${installation.run.adminUrl}/metrics`)).text()
  expect(text).toMatch(/^tenantry_tenants\{product="sq",state="active"\} \d+$/m)
  expect(text).not.toMatch(/user\d{3}|ctx\d{3}|sqd\d{3}|spoq\d{3}|lovelace|example\.com/)
})

it('keys stand in tenants.json alone, instance keys in the routes as well, and secrets nowhere', async () => {
  const rotated = await installation.json<{ key: string }>('key', 'rotate', 'user006')
  await waitFor(async () => (await statusOf(installation.run.localUrl, rotated.key)) === 200, 'the new key works')
  await installation.json('suspend', 'user002')
  await fetch(`${installation.run.adminUrl}/api/tenants`, { headers: { authorization: `Bearer ${rotated.key}` } })
  const entries = Object.entries(installation.tenantsJson().tenants as Record<string, { key_id?: string }>)
  const keys = entries.map(([key]) => key)
  const instanceKeys = new Set(entries.filter(([, { key_id }]) => key_id === 'INSTANCE').map(([key]) => key))
  expect(instanceKeys.size).toBeGreaterThan(2)
  expect(keys.length - instanceKeys.size).toBeGreaterThan(2)
  const secrets = [...keys, master, readFileSync(path.join(home, 'admin-token'), 'utf8').trim(), ...Object.entries(shop.environment).flatMap(([name, value]) => (name === 'STRIPE_API_BASE' ? [] : [value]))]
  const isRoutes = (where: string): boolean => /^gateway\/(snapshot|log-[^/]+)$/.test(where) && (statSync(path.join(home, where)).mode & 0o077) === 0
  const found = (where: string, text: string): string[] => secrets.flatMap((secret, index) => (text.includes(secret) && !(instanceKeys.has(secret) && isRoutes(where)) ? [`${where} holds secret ${index} of ${keys.length} keys and others`] : []))

  const places = [
    ...filesUnder(home).flatMap((file) => found(path.relative(home, file), readFileSync(file, 'latin1'))),
    ...found('git', gitIn(repository, 'cat-file', '--batch-all-objects', '--batch', '--buffer')),
    ...found('the log', installation.log()),
    ...processes().flatMap(({ pid, args, environment }) => [...found(`the arguments of ${pid}`, args), ...(pid === String(installation.controller?.pid) ? [] : found(`the environment of ${pid} (${args})`, environment))]),
  ]
  expect(places).toEqual([])
})

function filesUnder(home: string): string[] {
  return readdirSync(home, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !['admin-token', 'tenants.json'].includes(entry.name))
    .map((entry) => path.join(entry.parentPath, entry.name))
}

/** Programs of this installation, and all others' arguments. */
function processes(): { pid: string; args: string; environment: string }[] {
  const read = (file: string): string => {
    try {
      return readFileSync(file, 'latin1')
    } catch {
      return ''
    }
  }
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((pid) => ({ pid, args: read(`/proc/${pid}/cmdline`).replaceAll('\0', ' '), environment: read(`/proc/${pid}/environ`) }))
    .map((process) => (process.args.includes(home) ? process : { ...process, environment: '' }))
}
