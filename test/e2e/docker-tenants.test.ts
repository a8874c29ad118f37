/**
 * Tenants with a container of their own, from a git push to the engine and back: dedicated SQ, a machine with SSH, and an HTTP
 * API. Real program, real git, real Docker; the SSH machine and the HTTP API are stand-ins for other people's programs.
 */
import { execFile, execFileSync } from 'node:child_process'
import path from 'node:path'
import { readFileSync } from 'node:fs'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { buildImage } from '../../deploy/images/build.ts'
import { openStore } from '../../controller/store/db.ts'
import { has } from '../support/parts.ts'
import { tempFolder } from '../support/temp.ts'
import { waitFor } from '../support/wait.ts'
import { docker, inspect, makeDockerInstallation, pathOf, tenantFile, type DockerInstallation } from './docker-installation.ts'
import { fetchBack, statusOf, store } from './requests.ts'

describe.skipIf(!has('docker') || !has('sq') || !has('sshd'))('tenants with a container of their own', () => {
  let installation: DockerInstallation
  const sqd001 = pathOf('sqd001', 'sq-dedicated')

  beforeAll(async () => {
    for (const image of ['sq', 'conductor', 'contextlite'] as const) await buildImage(image, () => undefined)
    installation = await makeDockerInstallation({})
    await installation.start()
  })
  afterAll(() => installation.cleanUp(), 60_000)

  const limits = (name: string): { memoryMb: number; cpus: number } => {
    const { Memory, NanoCpus } = inspect<{ Memory: number; NanoCpus: number }>(installation.named(name), '.HostConfig')
    return { memoryMb: Memory / 2 ** 20, cpus: NanoCpus / 1e9 }
  }
  const engineId = (name: string): string => inspect(installation.named(name), '.Id')
  const startedAt = (name: string): string => inspect(installation.named(name), '.State.StartedAt')

  describe('dedicated SQ', () => {
    let key: string

    it('a commit adds one: its container runs and its key stores and fetches', async () => {
      installation.clone.write(sqd001, tenantFile('sqd001', 'sq-dedicated', 'sq-dedicated-starter')[sqd001]!)
      await installation.apply('add sqd001')
      await installation.ready('sqd001')
      key = await installation.keyOf('sqd001')
      expect(await store(installation.run.localUrl, key, 'kept')).toMatchObject({ status: 200 })
      expect(await fetchBack(installation.run.localUrl, key)).toEqual({ status: 200, text: 'kept' })
      expect(limits('sqd001')).toEqual({ memoryMb: 256, cpus: 0.5 })
      expect(inspect<object>(installation.named('sqd001'), '.NetworkSettings.Ports')).toMatchObject({ '1337/tcp': [{ HostIp: '127.0.0.1' }] })
    })

    it('gives all that it has stored, to the customer and to the operator, by what its container says', async () => {
      expect((await fetch(`${installation.run.localUrl}/api/v2/update?p=a%20b&c=2.1.1/1.1.1/1.1.1`, { method: 'POST', body: 'also kept', headers: { Authorization: `Bearer ${key}` } })).status).toBe(200)
      const answer = await fetch(`${installation.run.localUrl}/api/v2/export`, { headers: { Authorization: `Bearer ${key}` } })
      expect([answer.status, answer.headers.get('content-type')]).toEqual([200, 'application/x-tar'])
      const archive = Buffer.from(await answer.arrayBuffer()).toString()
      const file = path.join(tempFolder('export'), 'sqd001.tar')
      const told = await installation.json<{ phexts: number; failed: unknown[] }>('export', 'sqd001', '--out', file)
      expect(told.failed).toEqual([])
      expect(told.phexts).toBeGreaterThanOrEqual(2)
      for (const tar of [archive, readFileSync(file, 'utf8')]) for (const text of ['phexts/a b.phext', 'also kept', 'kept', 'manifest.json']) expect(tar).toContain(text)
    })

    it('a commit changes its limits, its plan, or the product: the container follows and the data stays', async () => {
      const before = engineId('sqd001')
      installation.clone.edit(sqd001, (text) => text.replace('  keys:', '  limits: { memoryMb: 300, cpus: 0.4 }\n  keys:'))
      await installation.apply('a little more memory')
      expect(limits('sqd001')).toEqual({ memoryMb: 300, cpus: 0.4 })
      installation.clone.edit(sqd001, (text) => text.replace('starter', 'growth').replace(/ {2}limits.*\n/, ''))
      await installation.apply('upgrade')
      expect(limits('sqd001')).toEqual({ memoryMb: 1024, cpus: 1 })
      expect(engineId('sqd001')).toBe(before)
      installation.clone.edit('products/sq-dedicated.yaml', (text) => text.replace('    tmpfs:', '    environment: { MODE: other }\n    tmpfs:'))
      await installation.apply('another environment')
      expect(engineId('sqd001')).not.toBe(before)
      expect(inspect<string[]>(installation.named('sqd001'), '.Config.Env')).toContain('MODE=other')
      await installation.ready('sqd001')
      expect(await fetchBack(installation.run.localUrl, key)).toEqual({ status: 200, text: 'kept' })
      expect(installation.containers()).toHaveLength(1)
    })

    it('a key that is rotated or revoked reaches the SQ inside without a new container', async () => {
      const before = [engineId('sqd001'), startedAt('sqd001')]
      const { key: second } = await installation.json<{ key: string }>('key', 'rotate', 'sqd001')
      const atSq = (): string => `http://127.0.0.1:${installation.port('sqd001', 1337)}`
      await waitFor(async () => (await statusOf(atSq(), second)) === 200 && (await statusOf(installation.run.localUrl, second)) === 200, 'the new key works')
      expect([await statusOf(atSq(), key), await statusOf(installation.run.localUrl, key)]).toEqual([200, 200])
      await installation.json('key', 'revoke', 'sqd001', 'k1')
      await waitFor(async () => (await statusOf(atSq(), key)) === 401 && (await statusOf(installation.run.localUrl, key)) === 401, 'the old key works no more')
      expect(await fetchBack(installation.run.localUrl, second)).toEqual({ status: 200, text: 'kept' })
      expect([engineId('sqd001'), startedAt('sqd001')]).toEqual(before)
      key = second
      installation.clone.git('pull', '--quiet')
    })

    it('suspended it is stopped and the customer is told to pay; resumed it serves its data again', async () => {
      await installation.json('suspend', 'sqd001', '--reason', 'unpaid')
      await waitFor(() => installation.containers('sqd001').length === 0, 'its container is gone')
      expect(await statusOf(installation.run.localUrl, key)).toBe(402)
      await waitFor(async () => (await installation.reason('sqd001')) === 'Suspended', 'its status says so')
      await installation.json('resume', 'sqd001')
      await waitFor(async () => (await statusOf(installation.run.localUrl, key)) === 200, 'it serves again', 30_000)
      expect(await fetchBack(installation.run.localUrl, key)).toEqual({ status: 200, text: 'kept' })
      installation.clone.git('pull', '--quiet')
    })

    it('removed it is stopped with its data kept; a revert brings both back; after the retention the data is destroyed, and that is on record', async () => {
      installation.clone.remove(sqd001)
      await installation.apply('remove sqd001')
      await waitFor(() => installation.containers().length === 0, 'its container is gone')
      expect(await statusOf(installation.run.localUrl, key)).toBe(401)
      expect(installation.volumes('sqd001')).toEqual([`${installation.named('sqd001')}-data`])
      installation.clone.git('revert', '--no-edit', 'HEAD')
      installation.clone.git('push', '--quiet')
      await waitFor(async () => (await statusOf(installation.run.localUrl, key)) === 200, 'it is back', 30_000)
      expect(await fetchBack(installation.run.localUrl, key)).toEqual({ status: 200, text: 'kept' })

      installation.clone.remove(sqd001)
      await installation.apply('remove sqd001 for good')
      await waitFor(async () => typeof (await installation.tenant('sqd001'))?.dataUntil === 'string', 'the retention runs')
      expect((await installation.tenant('sqd001'))!.dataUntil! > new Date().toISOString()).toBe(true)
      const db = openStore(path.join(installation.home, 'store.db'), 'rebuildable')
      db.prepare("UPDATE tenants SET data_until = '2026-01-01T00:00:00.000Z' WHERE tenant = 'sqd001'").run()
      await waitFor(() => installation.volumes('sqd001').length === 0, 'its volume is destroyed')
      await waitFor(() => db.prepare("SELECT 1 FROM audit WHERE tenant = 'sqd001' AND action = 'destroy-data'").get() !== undefined, 'the destruction is on record')
      db.close()
    })
  })

  it('a machine is reached over SSH with its devices’ keys alone, as its file names them', async () => {
    const folder = tempFolder('ssh')
    const device = (name: string): string => {
      execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', name, '-f', path.join(folder, name)])
      return readFileSync(path.join(folder, `${name}.pub`), 'utf8').trim()
    }
    const profile = (...keys: string[]): string => `  state: active\n  profiles:\n    - username: margaret\n      devices:\n${keys.map((key) => `        - { name: ${key.split(' ')[2]}, publicKey: "${key}" }\n`).join('')}`
    const [phone, laptop] = [device('phone'), device('laptop')]
    const file = pathOf('spoq001', 'spoq')
    const push = (...keys: string[]): Promise<void> => {
      installation.clone.write(file, tenantFile('spoq001', 'spoq', 'spoq', profile(...keys))[file]!)
      return installation.apply(`devices: ${keys.length}`)
    }
    const ssh = async (name: string): Promise<string> => {
      const options = ['BatchMode=yes', 'StrictHostKeyChecking=no', `UserKnownHostsFile=${path.join(folder, 'known')}`, 'IdentitiesOnly=yes', 'LogLevel=ERROR'].flatMap((option) => ['-o', option])
      const { stdout } = await promisify(execFile)('ssh', ['-F', 'none', ...options, '-i', path.join(folder, name), '-p', String(installation.port('spoq001', 22)), 'conductor@127.0.0.1', 'cat note 2>/dev/null || echo new >note; whoami'])
      return stdout
    }
    await push(phone)
    await installation.ready('spoq001')
    const container = engineId('spoq001')
    expect(await ssh('phone')).toBe('conductor\n')
    await expect(ssh('laptop')).rejects.toThrow('Permission denied')
    await push(phone, laptop)
    await waitFor(() => ssh('laptop'), 'the new device is let in')
    await push(laptop)
    await waitFor(() => ssh('phone').then(() => false, () => true), 'the lost device is refused')
    expect(await ssh('laptop')).toBe('new\nconductor\n')
    expect(engineId('spoq001')).toBe(container)
  })

  it('an HTTP API is reached through the gateway, by the header that its customers know', async () => {
    const file = pathOf('ctx001', 'contextlite')
    installation.clone.write(file, tenantFile('ctx001', 'contextlite', 'contextlite-free')[file]!)
    await installation.apply('add ctx001')
    await installation.ready('ctx001')
    const key = await installation.keyOf('ctx001')
    const ask = async (at: string, body: object, apiKey = key): Promise<{ status: number; body: unknown }> => {
      const answer = await fetch(`${installation.run.localUrl}/api/v1/${at}`, { method: 'POST', headers: { 'x-api-key': apiKey, 'content-type': 'application/json' }, body: JSON.stringify(body) })
      return { status: answer.status, body: await answer.json() }
    }
    expect(await ask('documents', { content: 'Grace wrote the first compiler', path: 'grace.md' })).toMatchObject({ status: 201 })
    expect(await ask('context/assemble', { query: 'first compiler' })).toMatchObject({ status: 200, body: { documents: [{ path: 'grace.md' }] } })
    expect((await ask('documents', {}, `${key.slice(0, -1)}0`)).status).toBe(401)
    // SQ's own interface is another product's.
    expect(await statusOf(installation.run.localUrl, key)).toBeGreaterThanOrEqual(400)
  })

  it('no key is in what the engine tells of containers, images, volumes and networks', async () => {
    const file = pathOf('sqd002', 'sq-dedicated')
    installation.clone.write(file, tenantFile('sqd002', 'sq-dedicated', 'sq-dedicated-starter')[file]!)
    await installation.apply('add sqd002')
    await installation.ready('sqd002')
    const keys = await Promise.all(['sqd002', 'ctx001', 'spoq001'].map((id) => installation.keyOf(id)))
    const containers = installation.containers()
    expect(containers).toHaveLength(3)
    const images = [...new Set(containers.map((id) => inspect<string>(id, '.Image')))]
    const told = [
      docker('inspect', ...containers),
      docker('image', 'inspect', ...images),
      ...images.map((image) => docker('history', '--no-trunc', image)),
      docker('volume', 'inspect', ...['sqd002', 'ctx001', 'spoq001'].flatMap((name) => installation.volumes(name))),
      docker('network', 'inspect', ...['sqd002', 'ctx001', 'spoq001'].map((name) => installation.named(name))),
      ...containers.flatMap((id) => [docker('top', id), docker('logs', id)]),
      installation.log(),
    ].join('\n')
    expect(told).not.toContain('pmb-v1-')
    for (const key of keys) expect(told).not.toContain(key.slice('pmb-v1-'.length))
  })
})
