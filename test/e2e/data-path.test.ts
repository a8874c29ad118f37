/**
 * The data path outlives the control plane and waits for SQ (real SQ where there is one, otherwise the bundled one): nobody who
 * reads or writes sees that the controller was killed or is gone, and a restart of SQ costs readers time and nothing else.
 */
import { spawn } from 'node:child_process'
import { request } from 'node:http'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { controlGet } from '../gateway/control-client.ts'
import { makeInstallation } from '../support/installation.ts'
import { cloneRepository } from '../support/repository.ts'
import { secondMs } from '../support/machine-load.ts'
import { tempFolder } from '../support/temp.ts'
import { waitFor } from '../support/wait.ts'
import { startLoad, storeShared, type Load } from './load.ts'
import { statusOf, store } from './requests.ts'

const GATEWAY = path.resolve(import.meta.dirname, '../../controller/gateway/main.ts')
const TEXT = 'a memory'
const FILE = 'tenants/sq/000/user001.yaml'

const installation = makeInstallation(path.join(tempFolder(), 'home'), {}, afterAll)
let key: string
let baseUrl: string
const gatewayPid = async (): Promise<number> => (JSON.parse((await controlGet(installation.home, '/')).body) as { pid: number }).pid

beforeAll(async () => {
  await installation.start()
  baseUrl = installation.run.localUrl
  key = installation.keysOf('user001')[0]!
  await installation.json('set', 'user001', 'limits.requestsPerSecond=2000', 'limits.burst=20000')
  await waitFor(async () => (await store(baseUrl, key, 'there')).status === 200, 'the tenant is served', 30_000)
  await storeShared(baseUrl, key, TEXT)
})

/** Load that goes on until the test ends. */
function load(options: { readonly readers: number; readonly writers: number }): Load {
  const running = startLoad({ baseUrl, key, text: TEXT, ...options })
  onTestFinished(() => running.stop())
  return running
}

/** Resolves once this many more reads were answered. */
function reads(running: Load, more: number): Promise<unknown> {
  const from = running.reads
  return waitFor(() => running.failures.length > 0 || running.reads >= from + more, `${more} more reads`, 30_000)
}

describe('kill -9 of the controller under load', () => {
  it('fails no request, neither while it is gone nor when it comes back', async () => {
    const pid = await gatewayPid()
    const running = load({ readers: 6, writers: 3 })
    await reads(running, 200)
    await installation.kill('SIGKILL')
    await reads(running, 500)
    await installation.start()
    await reads(running, 200)
    await running.stop()
    expect(running.failures).toEqual([])
    expect(running.writes).toBeGreaterThan(0)
    expect(await gatewayPid()).toBe(pid)
  })

  it('and a gateway that is started while it is gone serves from the last snapshot', async () => {
    await installation.kill('SIGKILL')
    const { port } = installation.run
    const before = await gatewayPid()
    process.kill(before, 'SIGKILL')
    await waitFor(() => statusOf(baseUrl, key).then(() => false, () => true), 'the gateway is gone')
    const child = spawn(process.execPath, [GATEWAY, '--home', installation.home, '--port', String(port)], { cwd: installation.home, stdio: 'ignore' })
    await waitFor(async () => (await statusOf(baseUrl, key)) === 200, 'served from the snapshot', 30_000)
    const running = load({ readers: 6, writers: 3 })
    await reads(running, 500)
    await installation.start()
    await reads(running, 500)
    await running.stop()
    expect(running.failures).toEqual([])
    expect(await gatewayPid()).toBe(child.pid)
  })
})

it('a restart of SQ under load costs waiting, not failed reads', async () => {
  const running = load({ readers: 8, writers: 0 })
  await reads(running, 200)
  for (let kill = 0; kill < 3; kill++) {
    const [sq] = await installation.sqs()
    process.kill(sq!.pid, 'SIGKILL')
    await waitFor(async () => (await installation.sqs()).some(({ pid }) => pid !== sq!.pid), 'another SQ runs', 30_000)
    await reads(running, 300)
  }
  await running.stop()
  expect(running.failures).toEqual([])
})

/** Each over a connection of its own: the kernel spreads them over the gateway's workers. */
function statusesOverNewConnections(secret: string, count = 12): Promise<number[]> {
  const one = (): Promise<number> =>
    new Promise((resolve, reject) => {
      const asked = request(`${baseUrl}/api/v2/version`, { agent: false, headers: { authorization: `Bearer ${secret}` } }, (answer) => {
        answer.resume()
        resolve(answer.statusCode!)
      })
      asked.on('error', reject)
      asked.end()
    })
  return Promise.all(Array.from({ length: count }, one))
}

/** Every new connection is answered so within a second, and stays so. A key that opens nothing is refused with 429 after a while. */
async function everywhere(secret: string, ...wanted: readonly number[]): Promise<void> {
  const all = async (): Promise<boolean> => (await statusesOverNewConnections(secret)).every((status) => wanted.includes(status))
  await waitFor(all, `${wanted.join(' or ')} over every connection`, secondMs())
  for (let n = 0; n < 3; n++) expect(await all()).toBe(true)
}

describe('a change reaches every worker within a second of its commit', () => {
  it('of a key', async () => {
    const { key: made, id } = await installation.json<{ key: string; id: string }>('key', 'rotate', 'user004')
    await everywhere(made, 200)
    await installation.json('key', 'revoke', 'user004', id)
    await everywhere(made, 401, 429)
  })

  it('of a state', async () => {
    const clone = cloneRepository(path.join(installation.home, 'tenants.git'))
    clone.edit(FILE, (text) => text.replace('state: active', 'state: suspended'))
    clone.push('suspend ada')
    await everywhere(key, 402)
    clone.edit(FILE, (text) => text.replace('state: suspended', 'state: active'))
    clone.push('serve ada again')
    await everywhere(key, 200)
  })

  it('of a limit', async () => {
    const clone = cloneRepository(path.join(installation.home, 'tenants.git'))
    clone.edit(FILE, (text) => text.replace('    storageMb:', '    requestsPerDay: 1\n    storageMb:'))
    clone.push('one request a day')
    await everywhere(key, 429)
    clone.edit(FILE, (text) => text.replace('requestsPerDay: 1\n', 'requestsPerDay: 1000000\n'))
    clone.push('more requests')
    await everywhere(key, 200)
  })
})
