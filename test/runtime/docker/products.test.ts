import { execFile, execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { promisify } from 'node:util'
import { beforeAll, describe, expect, it } from 'vitest'
import { buildImage } from '../../../deploy/images/build.ts'
import type { ContainerSpec } from '../../../controller/core/container.ts'
import { has } from '../../support/parts.ts'
import { tempFolder } from '../../support/temp.ts'
import { waitFor } from '../../support/wait.ts'
import { askSq, createTestRuntime, docker, plainSpec, sqConfig, sqSpec, without, type TestRuntime } from './support.ts'

const quiet = () => undefined

describe.skipIf(!has('docker') || !has('sq'))('a dedicated SQ', () => {
  let test: TestRuntime
  beforeAll(async () => {
    await buildImage('sq', quiet)
    test = await createTestRuntime()
  })

  it('answers its key through the published port, and a new key after a reload, with the data in place', async () => {
    const spec = without(sqSpec('sq001', ['pmb-v1-one']), 'user')
    const { observed } = await test.runtime.ensure(spec)
    const port = observed.ports['http']
    await waitFor(async () => (await askSq(port, 'pmb-v1-one', 'version')).status === 200, 'SQ accepts the key')
    await askSq(port, 'pmb-v1-one', 'insert?p=notes&c=1.1.1/1.1.1/1.1.1&s=remembered')
    expect(await askSq(port, 'pmb-v1-one', 'select?p=notes&c=1.1.1/1.1.1/1.1.1')).toMatchObject({ status: 200, text: expect.stringContaining('remembered') as string })
    expect((await askSq(port, 'pmb-v1-two', 'version')).status).toBe(401)

    const rotated = { ...spec, files: [{ name: 'tenants.json', text: sqConfig('sq001', ['pmb-v1-two']) }] }
    expect(await test.runtime.ensure(rotated)).toMatchObject({ action: 'reloaded', observed: { ports: { http: port } } })
    await waitFor(async () => (await askSq(port, 'pmb-v1-two', 'version')).status === 200, 'SQ accepts the new key')
    expect((await askSq(port, 'pmb-v1-one', 'version')).status).toBe(401)

    const { observed: replaced } = await test.runtime.ensure({ ...rotated, environment: { MODE: 'new' } })
    const text = await waitFor(async () => (await askSq(replaced.ports['http'], 'pmb-v1-two', 'select?p=notes&c=1.1.1/1.1.1/1.1.1')).text, 'SQ answers after its replacement')
    expect(text).toContain('remembered')
  })
})

describe.skipIf(!has('docker') || !has('sshd'))('the stand-in for Conductor', () => {
  let test: TestRuntime
  beforeAll(async () => {
    await buildImage('conductor', quiet)
    test = await createTestRuntime()
  })

  const spec = (keys: string): ContainerSpec => {
    return {
      ...without(plainSpec('spoq001'), 'command', 'user'),
      product: 'spoq',
      image: 'tenantry/conductor:stub',
      capabilities: ['SETUID', 'SETGID', 'SYS_CHROOT', 'CHOWN', 'DAC_OVERRIDE'],
      ports: [
        { name: 'health', port: 8080 },
        { name: 'ssh', port: 22 },
      ],
      health: { port: 'health', path: '/healthz' },
      // Asked for at each log-in: nothing to reload.
      reload: ['true'],
      files: [{ name: 'authorized-keys', text: keys }],
    }
  }

  const newKey = (): { file: string; publicKey: string } => {
    const file = path.join(tempFolder('device'), 'key')
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', file])
    return { file, publicKey: readFileSync(`${file}.pub`, 'utf8') }
  }

  async function ssh(port: number | undefined, key: string, command: string): Promise<{ code: number; output: string }> {
    const options = ['StrictHostKeyChecking=no', 'UserKnownHostsFile=/dev/null', 'IdentitiesOnly=yes', 'BatchMode=yes', 'ConnectTimeout=5'].flatMap((option) => ['-o', option])
    return promisify(execFile)('ssh', ['-F', 'none', ...options, '-i', key, '-p', String(port), 'conductor@127.0.0.1', command]).then(
      ({ stdout }) => ({ code: 0, output: stdout }),
      (error: { code: number; stderr: string }) => ({ code: error.code, output: error.stderr }),
    )
  }

  it("lets the tenant's devices in by key and nobody else, and takes over changed keys at once", async () => {
    const [device, other] = [newKey(), newKey()]
    const { observed } = await test.runtime.ensure(spec(device.publicKey))
    await waitFor(async () => (await fetch(`http://127.0.0.1:${observed.ports['health']}/healthz`)).status === 200, 'the health port answers')
    const port = observed.ports['ssh']
    expect(await waitFor(async () => {
      const answer = await ssh(port, device.file, 'id -un; echo kept >~/note')
      return answer.code === 0 && answer
    }, 'the device gets in')).toEqual({ code: 0, output: 'conductor\n' })
    expect(await ssh(port, other.file, 'id')).toMatchObject({ code: 255, output: expect.stringContaining('Permission denied (publickey)') as string })

    expect(await test.runtime.ensure(spec(other.publicKey))).toMatchObject({ action: 'reloaded', observed: { engineId: observed.engineId } })
    expect(await ssh(port, other.file, 'cat note; touch /etc/made')).toMatchObject({ code: 1, output: expect.stringContaining('Read-only') as string })
    expect(await ssh(port, device.file, 'id')).toMatchObject({ code: 255 })
  })

  it('keeps its host key when it is replaced', async () => {
    const device = newKey()
    const hostKey = () => test.runtime.exec('spoq001', ['cat', '/data/ssh/host_ed25519.pub']).then(({ output }) => output.startsWith('ssh-ed25519') && output)
    await test.runtime.ensure(spec(device.publicKey))
    const before = await waitFor(hostKey, 'a host key is made')
    expect(await test.runtime.ensure({ ...spec(device.publicKey), environment: { MODE: 'new' } })).toMatchObject({ action: 'replaced' })
    expect(await waitFor(hostKey, 'the host key is there')).toBe(before)
  })
})

describe.skipIf(!has('docker'))('the stand-in for ContextLite', () => {
  let test: TestRuntime
  beforeAll(async () => {
    await buildImage('contextlite', quiet)
    test = await createTestRuntime()
  })

  it('keeps documents and assembles context from them, also after a replacement', async () => {
    const spec: ContainerSpec = {
      ...without(plainSpec('ctx001'), 'command', 'user'),
      product: 'contextlite',
      image: 'tenantry/contextlite:stub',
      memoryMb: 256,
      ports: [{ name: 'http', port: 8080 }],
      health: { port: 'http', path: '/api/v1/health' },
      files: [],
    }
    const post = async (port: number | undefined, call: string, body: object) =>
      (await (await fetch(`http://127.0.0.1:${port}/api/v1/${call}`, { method: 'POST', body: JSON.stringify(body) })).json()) as object
    const healthy = (port: number | undefined) => waitFor(async () => (await fetch(`http://127.0.0.1:${port}/api/v1/health`)).ok, 'it is healthy')

    const { observed } = await test.runtime.ensure(spec)
    await healthy(observed.ports['http'])
    await post(observed.ports['http'], 'documents', { content: 'Authentication works by key', path: 'auth.md' })
    await post(observed.ports['http'], 'documents', { content: 'Nothing of interest', path: 'other.md' })
    const { observed: replaced } = await test.runtime.ensure({ ...spec, environment: { MODE: 'new' } })
    await healthy(replaced.ports['http'])
    const context = await post(replaced.ports['http'], 'context/assemble', { query: 'How does authentication work?', max_tokens: 4000 })
    expect(context).toMatchObject({ documents: [{ path: 'auth.md' }], total_tokens: 7 })
    expect((await fetch(`http://127.0.0.1:${replaced.ports['http']}/api/v1/documents`, { method: 'POST', body: '[' })).status).toBe(400)
  })
})

describe.skipIf(!has('docker') || !has('sq'))('making images', () => {
  it('leaves an image alone whose content is the same', async () => {
    await buildImage('sq', quiet)
    const before = docker('image', 'inspect', '--format', '{{.Id}}', 'tenantry/sq:0.6.0')
    const lines: string[] = []
    await buildImage('sq', (line) => lines.push(line))
    expect(lines).toEqual(['tenantry/sq:0.6.0: up to date'])
    expect(docker('image', 'inspect', '--format', '{{.Id}}', 'tenantry/sq:0.6.0')).toBe(before)
  })
})
