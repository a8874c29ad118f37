/**
 * Beginnings and ends of the controller (real SQ where there is one, otherwise the bundled one): it can leave and come back
 * without a customer noticing, and stops all of it when a person says so.
 */
import { readFileSync, statSync } from 'node:fs'
import path from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { makeInstallation, tenantsJsonPath } from '../support/installation.ts'
import { tempFolder } from '../support/temp.ts'
import { waitFor } from '../support/wait.ts'
import { fetchBack, statusOf, store } from './requests.ts'

const installation = makeInstallation(path.join(tempFolder(), 'home'), {}, afterAll)
const gatewayLog = (): string => readFileSync(path.join(installation.home, 'gateway/gateway.log'), 'utf8')
let key: string
let publicUrl: string

/** Inode and time of change of what is rendered. */
function rendered(): unknown[] {
  return [tenantsJsonPath(installation.home), path.join(installation.home, 'gateway/snapshot')].map((file) => {
    const { ino, mtimeNs } = statSync(file, { bigint: true })
    return [ino, mtimeNs]
  })
}

beforeAll(async () => {
  await installation.start()
  publicUrl = installation.run.localUrl
  key = installation.keysOf('user001')[0]!
  await waitFor(async () => (await store(publicUrl, key, 'always there')).status === 200, 'the tenant is served', 30_000)
  await waitFor(async () => (await installation.metric('tenantry_workqueue_depth')) === 0, 'nothing is left to do')
})

it('SIGTERM ends the controller within ten seconds; customers are served on, and Stripe is asked to come again', async () => {
  const statuses: number[] = []
  let ended = false
  const customer = (async () => {
    while (!ended) statuses.push((await fetchBack(publicUrl, key)).status)
  })()
  const { controller } = installation
  const startedAt = performance.now()
  await installation.kill('SIGTERM')
  expect(performance.now() - startedAt).toBeLessThan(10_000)
  expect([controller?.exitCode, controller?.signalCode]).toEqual([0, null])
  const served = statuses.length
  await waitFor(() => statuses.length > served + 20, 'requests after the end')
  ended = true
  await customer
  expect(statuses.filter((status) => status !== 200)).toEqual([])
  const webhook = await fetch(`${publicUrl}/api/stripe/webhook`, { method: 'POST', body: '{}' })
  expect([webhook.status, Number(webhook.headers.get('retry-after'))]).toEqual([503, expect.any(Number)])
  expect(Number(webhook.headers.get('retry-after'))).toBeGreaterThan(0)
  expect((await installation.cli('status')).stdout).toContain('not running')
})

it('a controller that comes back adopts what runs, reloads nothing and writes nothing', async () => {
  const before = { sqs: await installation.sqs(), files: rendered(), gateway: gatewayLog(), sqLog: statSync(path.join(installation.home, 'sq/sq-000/sq.log')).ino }
  await installation.start()
  await waitFor(async () => (await installation.metric('tenantry_workqueue_depth')) === 0, 'nothing is left to do')
  expect({ sqs: await installation.sqs(), files: rendered(), gateway: gatewayLog(), sqLog: statSync(path.join(installation.home, 'sq/sq-000/sq.log')).ino }).toEqual(before)
  expect(await installation.metric('tenantry_sq_reload_seconds_count')).toBe(0)
  expect(installation.run.localUrl).toBe(publicUrl)
  expect((await fetchBack(publicUrl, key)).text).toBe('always there')
})

it('adopts after kill -9 as well', async () => {
  const before = { sqs: await installation.sqs(), files: rendered() }
  await installation.kill('SIGKILL')
  expect(await statusOf(publicUrl, key)).toBe(200)
  await installation.start()
  expect({ sqs: await installation.sqs(), files: rendered() }).toEqual(before)
})

it('a second controller on the same HOME is refused and harms nothing', async () => {
  const second = await installation.cli('up')
  expect(second.code).toBe(1)
  expect(second.stderr).toContain(`A controller runs on ${installation.home} already`)
  expect(await statusOf(publicUrl, key)).toBe(200)
  expect((await fetch(`${installation.run.adminUrl}/readyz`)).status).toBe(200)
  expect(installation.run.pid).toBe(installation.controller?.pid)
})

it('down, and Ctrl-C, stop everything', async () => {
  const { ended } = await installation.json<{ ended: string[] }>('down')
  expect(ended).toEqual(['controller', 'gateway', expect.stringMatching(/^SQ \d+$/)])
  expect(await installation.sqs()).toEqual([])
  await expect(statusOf(publicUrl, key)).rejects.toThrow()

  await installation.start()
  const again = installation.run.localUrl
  await waitFor(async () => (await fetchBack(again, key)).text === 'always there', 'served again')
  await installation.kill('SIGINT')
  expect(await installation.sqs()).toEqual([])
  await expect(statusOf(again, key)).rejects.toThrow()
  expect((await installation.json<{ ended: string[] }>('down')).ended).toEqual([])
})
