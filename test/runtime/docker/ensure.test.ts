import type Docker from 'dockerode'
import { beforeAll, describe, expect, it } from 'vitest'
import { buildImage } from '../../../deploy/images/build.ts'
import type { ContainerSpec, FieldDrift } from '../../../controller/core/container.ts'
import { findDrift } from '../../../controller/runtime/docker/drift.ts'
import { createRequest } from '../../../controller/runtime/docker/request.ts'
import { has } from '../../support/parts.ts'
import { waitFor } from '../../support/wait.ts'
import { createTestRuntime, docker, inspectLive, plainSpec, sqConfig, without, type TestRuntime } from './support.ts'

const quiet = () => undefined

describe.skipIf(!has('docker') || !has('sq'))('one container, made and kept as its spec says', () => {
  let test: TestRuntime
  beforeAll(async () => {
    await buildImage('sq', quiet)
    test = await createTestRuntime()
  })

  const fields = (drift: readonly FieldDrift[]): string[] => drift.map(({ field }) => field)
  const serves = (port: number | undefined) => waitFor(async () => (await fetch(`http://127.0.0.1:${port}/`)).ok, 'the container answers')

  /** Does something by hand, then expects that the next pass finds it, repairs it, and that the one after that finds nothing. */
  async function expectRepaired(spec: ContainerSpec, byHand: (container: string) => unknown, drift: string[], action: string): Promise<void> {
    const before = await test.runtime.ensure(spec)
    await byHand(test.named(spec.name))
    const told = fields(await test.runtime.inspect(spec))
    const repaired = await test.runtime.ensure(spec)
    expect({ told, drift: fields(repaired.drift), action: repaired.action }).toEqual({ told: action === 'created' ? ['container'] : drift, drift, action })
    expect(before.observed.name).toBe(repaired.observed.name)
    expect(repaired.observed.ports['http']).toBeGreaterThan(0)
    await serves(repaired.observed.ports['http'])
    test.takeChanges()
    expect(await test.runtime.ensure(spec)).toMatchObject({ action: 'none', drift: [] })
    expect(test.takeChanges()).toEqual([])
  }

  it('creates it, and a second pass makes no changing call', async () => {
    const spec = plainSpec('create001')
    const first = await test.runtime.ensure(spec)
    expect(first).toMatchObject({ action: 'created', drift: [], observed: { name: 'create001', tenant: 'create001', product: 'sq-dedicated', state: 'starting' } })
    await serves(first.observed.ports['http'])
    // Network, container, files, start: nothing else.
    expect(test.takeChanges()).toHaveLength(4)
    expect(await test.runtime.ensure(spec)).toMatchObject({ action: 'none', drift: [] })
    expect(await test.runtime.inspect(spec)).toEqual([])
    expect(test.takeChanges()).toEqual([])
    expect(await test.runtime.list()).toEqual([(await test.runtime.ensure(spec)).observed])
  })

  it('confines it: limits, capabilities, read-only root, loopback ports', async () => {
    const spec = plainSpec('confined001', { capabilities: ['CHOWN'], user: '0:0' })
    await test.runtime.ensure(spec)
    const container = test.named('confined001')
    expect(inspectLive<Record<string, unknown>>('.HostConfig', container)).toMatchObject({
      Memory: 64 * 1024 * 1024,
      MemorySwap: 64 * 1024 * 1024,
      NanoCpus: 5e8,
      PidsLimit: 64,
      ReadonlyRootfs: true,
      CapDrop: ['ALL'],
      SecurityOpt: ['no-new-privileges'],
      RestartPolicy: { Name: 'unless-stopped' },
      Init: true,
      LogConfig: { Type: 'json-file', Config: { 'max-size': '5m' } },
    })
    const inside = async (command: string) => (await test.runtime.exec('confined001', ['sh', '-c', command])).output.trim()
    expect(await inside('cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max 2>/dev/null')).toBe(String(64 * 1024 * 1024))
    expect(await inside('cat /sys/fs/cgroup/pids/pids.max /sys/fs/cgroup/pids.max 2>/dev/null')).toBe('64')
    expect(await inside("sed -n 's/^Cap\\(Bnd\\|Eff\\):\\t//p' /proc/self/status")).toBe('0000000000000001\n0000000000000001')
    expect(await inside("sed -n 's/^NoNewPrivs:\\t//p' /proc/self/status")).toBe('1')
    expect(await test.runtime.exec('confined001', ['touch', '/etc/made'])).toMatchObject({ exitCode: 1, output: expect.stringContaining('Read-only') as string })
    expect(await inside('mount | grep " /tmp "')).toMatch(/nosuid.*noexec/)
    const ports = inspectLive<Record<string, { HostIp: string }[]>>('.NetworkSettings.Ports', container)
    expect(ports['1337/tcp']!.map(({ HostIp: address }) => address)).toEqual(['127.0.0.1'])
    expect(inspectLive<object>('.NetworkSettings.Networks', container)).toHaveProperty([container])
  })

  it('heals what was done by hand, and says which field', async () => {
    const spec = plainSpec('drift001')
    await expectRepaired(spec, (container) => docker('stop', '-t', '1', container), ['state'], 'started')
    await expectRepaired(spec, (container) => docker('kill', container), ['state'], 'started')
    await expectRepaired(spec, (container) => docker('pause', container), ['state'], 'started')
    await expectRepaired(spec, (container) => docker('rename', container, `${container}-mine`), ['name'], 'updated')
    await expectRepaired(spec, (container) => docker('update', '--memory', '80m', '--memory-swap', '96m', container), ['memoryMb', 'memoryAndSwapMb'], 'updated')
    await expectRepaired(spec, (container) => docker('update', '--cpus', '0.25', '--pids-limit', '77', '--restart', 'no', container), ['cpus', 'pidsLimit', 'restartPolicy'], 'updated')
    await expectRepaired(spec, (container) => docker('network', 'disconnect', container, container), ['network'], 'updated')
    await expectRepaired(spec, (container) => docker('network', 'connect', 'bridge', container), ['network/bridge'], 'updated')
  }, 60_000)

  it('heals a removed container and a removed network, and keeps the data', async () => {
    const spec = plainSpec('gone001')
    await test.runtime.ensure(spec)
    await test.runtime.exec('gone001', ['sh', '-c', 'echo kept >/data/note'])
    await expectRepaired(spec, (container) => docker('rm', '-f', container), [], 'created')
    const withoutNetwork = (container: string) => docker('stop', '-t', '1', container) && docker('network', 'rm', container)
    await expectRepaired(spec, withoutNetwork, ['state'], 'replaced')
    expect(await test.runtime.exec('gone001', ['cat', '/data/note'])).toEqual({ exitCode: 0, output: 'kept\n' })
  })

  it('replaces it for a changed spec, and keeps the data', async () => {
    const spec = plainSpec('change001')
    const before = await test.runtime.ensure(spec)
    await test.runtime.exec('change001', ['sh', '-c', 'echo kept >/data/note'])
    const changed = { ...spec, environment: { MODE: 'other', EXTRA: '1' }, capabilities: ['CHOWN'] }
    const after = await test.runtime.ensure(changed)
    expect(after.action).toBe('replaced')
    expect(fields(after.drift)).toEqual(expect.arrayContaining(['environment/MODE', 'environment/EXTRA', 'capabilities']))
    expect(after.observed.engineId).not.toBe(before.observed.engineId)
    expect(after.observed.configHash).not.toBe(before.observed.configHash)
    expect(await test.runtime.exec('change001', ['sh', '-c', 'cat /data/note; echo $MODE'])).toEqual({ exitCode: 0, output: 'kept\nother\n' })
    expect(await test.runtime.ensure(changed)).toMatchObject({ action: 'none' })
  })

  it('changes limits in the live container', async () => {
    const spec = plainSpec('limits001')
    const before = await test.runtime.ensure(spec)
    const after = await test.runtime.ensure({ ...spec, memoryMb: 128, cpus: 1 })
    expect(after).toMatchObject({ action: 'updated', drift: [{ field: 'memoryMb', wanted: '128', found: '64' }, { field: 'memoryAndSwapMb' }, { field: 'cpus', wanted: '1', found: '0.5' }] })
    expect(after.observed).toMatchObject({ engineId: before.observed.engineId, ports: before.observed.ports })
  })

  it('counts a rebuilt image as drift', async () => {
    const tag = `tenantry/test-${test.installation}:1`
    const build = (label: string) => {
      const made = docker('create', 'tenantry/sq:0.6.0', 'true')
      docker('commit', '--change', `LABEL made=${label}`, made, tag)
      docker('rm', made)
    }
    try {
      build('first')
      const spec = plainSpec('image001', { image: tag })
      await expectRepaired(spec, () => build('second'), ['image'], 'replaced')
    } finally {
      await test.runtime.remove('image001', 1)
      docker('rmi', '-f', ...new Set(docker('images', '-aq', '--filter', 'label=made').split('\n').filter(Boolean)))
    }
  })

  it('restarts a program whose health checks fail, but not one whose checks a pause cut short', async () => {
    const spec = plainSpec('hung001')
    await test.runtime.ensure(spec)
    const [live] = JSON.parse(docker('inspect', test.named('hung001'))) as [Docker.ContainerInspectInfo]
    const drift = (failingStreak: number) => {
      const health = { Status: 'unhealthy', FailingStreak: failingStreak, Log: [] }
      return findDrift({ name: test.named('hung001'), request: createRequest(spec, test.installation), image: undefined }, { ...live, State: { ...live.State, Health: health } })
    }
    expect(drift(3)).toEqual([{ field: 'health', wanted: 'healthy', found: 'unhealthy: 3 checks failed in a row', repair: 'restart' }])
    expect(drift(0)).toEqual([])
  })

  it('checks health from inside: an answer counts, also one that asks for a key; an error or no answer does not', async () => {
    const { observed } = await test.runtime.ensure(plainSpec('health001'))
    await serves(observed.ports['http'])
    const [, ...probe] = inspectLive<string[]>('.Config.Healthcheck.Test', test.named('health001'))
    const check = async (status: string) => {
      await test.runtime.exec('health001', ['sh', '-c', `printf 'while true; do printf "HTTP/1.0 ${status}\\r\\n\\r\\n" | nc -l -p 2000; done' >/tmp/answer; (sh /tmp/answer & echo $! >/tmp/pid) >/dev/null 2>&1`])
      const { exitCode } = await test.runtime.exec('health001', [...probe.slice(0, -1), 'http://127.0.0.1:2000/'])
      await test.runtime.exec('health001', ['sh', '-c', 'kill $(cat /tmp/pid); killall nc; true'])
      return exitCode
    }
    expect((await test.runtime.exec('health001', probe)).exitCode).toBe(0)
    expect([await check('401 Unauthorized'), await check('204 No Content'), await check('500 Broken'), await check('404 Not Found')]).toEqual([0, 0, 1, 1])
    expect((await test.runtime.exec('health001', [...probe.slice(0, -1), 'http://127.0.0.1:2001/'])).exitCode).toBe(1)
  })

  describe('secret files', () => {
    it('are in no argument, label, environment or image, and readable for the program alone', async () => {
      const spec = plainSpec('secret001', { files: [{ name: 'tenants.json', text: sqConfig('secret001', ['pmb-v1-very-secret']) }] })
      await test.runtime.ensure(spec)
      expect(docker('inspect', test.named('secret001'))).not.toContain('very-secret')
      const listed = await test.runtime.exec('secret001', ['sh', '-c', 'ls -ln /run/tenantry/tenants.json; cat /run/tenantry/tenants.json'])
      expect(listed.output).toMatch(/^-rw------- +1 1000 +1000 /)
      expect(listed.output).toContain('very-secret')
    })

    it('are found changed by digest, rewritten and reloaded without a new container', async () => {
      const spec = plainSpec('files001', { reload: ['sh', '-c', 'echo reloaded >>/data/reloads'] })
      const before = await test.runtime.ensure(spec)
      const changed = { ...spec, files: [{ name: 'tenants.json', text: 'another very-secret text' }] }
      const after = await test.runtime.ensure(changed)
      expect(after).toMatchObject({ action: 'reloaded', observed: { engineId: before.observed.engineId }, drift: [{ field: 'files/tenants.json' }] })
      expect(JSON.stringify(after.drift)).not.toContain('very-secret')
      expect(await test.runtime.exec('files001', ['cat', '/run/tenantry/tenants.json', '/data/reloads'])).toMatchObject({ output: 'another very-secret textreloaded\n' })
      expect(await test.runtime.ensure(changed)).toMatchObject({ action: 'none' })
      await test.runtime.exec('files001', ['sh', '-c', 'echo edited >/run/tenantry/tenants.json'])
      expect(await test.runtime.ensure(changed)).toMatchObject({ action: 'reloaded', drift: [{ field: 'files/tenants.json' }] })
    })

    it('are reloaded by the next pass where a pass died, or failed, between writing and reloading', async () => {
      const spec = plainSpec('applied001', { reload: ['test', '-e', '/data/ready'] })
      await test.runtime.ensure(spec)
      const changed = { ...spec, files: [{ name: 'tenants.json', text: 'new' }] }
      await expect(test.runtime.ensure(changed)).rejects.toMatchObject({ reason: 'ReloadFailed', next: { kind: 'transient' } })
      await test.runtime.exec('applied001', ['touch', '/data/ready'])
      expect(await test.runtime.ensure(changed)).toMatchObject({ action: 'reloaded', drift: [{ field: 'files', found: 'written, but not yet taken over' }] })
      expect(await test.runtime.ensure(changed)).toMatchObject({ action: 'none' })
    })

    it('restart the program where there is no reload command', async () => {
      const spec = without(plainSpec('restart001'), 'reload')
      await test.runtime.ensure(spec)
      const after = await test.runtime.ensure({ ...spec, files: [{ name: 'tenants.json', text: 'new' }] })
      expect(after).toMatchObject({ action: 'started', drift: [{ field: 'files/tenants.json' }] })
      expect(await test.runtime.exec('restart001', ['cat', '/run/tenantry/tenants.json'])).toMatchObject({ output: 'new' })
    })
  })
})
