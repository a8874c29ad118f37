/**
 * Containers that somebody changes by hand, and a controller that is killed while it makes them: everything is as its file says
 * again, named in the status, and nothing that Tenantry did not make is touched.
 */
import path from 'node:path'
import type { Server } from 'node:http'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { buildImage } from '../../deploy/images/build.ts'
import type { FieldDrift } from '../../controller/core/container.ts'
import { startProxy } from '../runtime/docker/support.ts'
import { has } from '../support/parts.ts'
import { tempFolder } from '../support/temp.ts'
import { waitFor } from '../support/wait.ts'
import { docker, inspect, lines, makeDockerInstallation, pathOf, tenantFile, type DockerInstallation } from './docker-installation.ts'
import { fetchBack, store } from './requests.ts'

describe.skipIf(!has('docker') || !has('sq'))('containers in the hands of others', () => {
  let installation: DockerInstallation
  let proxy: Server
  /** Every request to the engine that is not a GET. */
  const changes: string[] = []
  const IDS = ['sqd001', 'sqd002', 'sqd003', 'sqd004']
  const SLEEPER = ['--network', 'none', 'tenantry/sq:0.6.0', 'sleep', '600']

  beforeAll(async () => {
    await buildImage('sq', () => undefined)
    const socket = path.join(tempFolder('engine'), 'docker.sock')
    proxy = await startProxy(socket, changes)
    installation = await makeDockerInstallation({ ...tenantFile('sqd001', 'sq-dedicated', 'sq-dedicated-starter'), ...tenantFile('user001', 'sq', 'sq-standard') }, { DOCKER_HOST: `unix://${socket}` })
    await installation.start()
    await installation.ready('sqd001')
  })
  afterAll(async () => {
    await installation.cleanUp()
    proxy.close()
    proxy.closeAllConnections()
  }, 60_000)

  const container = (): string => installation.named('sqd001')
  const passes = async (): Promise<number> => (await installation.metric('tenantry_resync_duration_seconds_count')) ?? 0

  /** Until everything was looked at twice more from now on. */
  async function twoResyncs(): Promise<void> {
    const before = await passes()
    await waitFor(async () => (await passes()) >= before + 2, 'two resyncs', 20_000)
  }

  /** Does something by hand and expects that it is put right, and said: in the status, and on the command line. */
  async function expectHealed(byHand: () => unknown, drift: Partial<FieldDrift>): Promise<void> {
    const before = (await installation.tenant('sqd001'))!.status.repairs[0]
    byHand()
    const latest = await waitFor(async () => {
      const [newest] = (await installation.tenant('sqd001'))!.status.repairs
      return newest?.at !== before?.at && newest
    }, `${drift.field} is healed`, 20_000)
    expect(latest.drift).toContainEqual(expect.objectContaining(drift))
    await installation.ready('sqd001')
  }

  it('are put right, and the status names field, wanted and found', async () => {
    const key = await installation.keyOf('sqd001')
    await store(installation.run.localUrl, key, 'kept')
    expect((await installation.tenant('sqd001'))!.status.repairs).toEqual([])
    const update = () => docker('update', '--memory', '300m', '--memory-swap', '300m', container())
    await expectHealed(() => docker('kill', container()), { field: 'state', wanted: 'running', found: 'exited with exit code 137' })
    await expectHealed(() => docker('stop', '-t', '1', container()), { field: 'state', wanted: 'running' })
    await expectHealed(() => docker('rm', '-f', container()), { field: 'container', wanted: 'present', found: 'absent' })
    await expectHealed(update, { field: 'memoryMb', wanted: '256', found: '300' })
    await expectHealed(() => docker('network', 'disconnect', container(), container()), { field: 'network', wanted: container(), found: 'not connected' })
    await expectHealed(() => docker('exec', container(), 'sh', '-c', 'echo >>/run/tenantry/sq-config.json'), { field: 'files/sq-config.json' })
    await waitFor(async () => (await fetchBack(installation.run.localUrl, key)).text === 'kept', 'its data is there')
    const { stdout } = await installation.cli('status', 'sqd001')
    expect(stdout).toMatch(/repaired .* container-updated\n {2}memoryMb: wanted 256, found 300/)
    expect(stdout).toMatch(/files\/sq-config\.json: wanted sha256:\w+ .*, found sha256:\w+ /)
  }, 60_000)

  it('are no drift where a commit changes them', async () => {
    const { repairs } = (await installation.tenant('sqd001'))!.status
    installation.clone.edit(pathOf('sqd001', 'sq-dedicated'), (text) => text.replace('  keys:', '  limits: { memoryMb: 300 }\n  keys:'))
    await installation.apply('more memory')
    await waitFor(() => inspect<number>(container(), '.HostConfig.Memory') === 300 * 2 ** 20, 'it has more memory')
    await installation.ready('sqd001')
    expect((await installation.tenant('sqd001'))!.status.repairs).toEqual(repairs)
  })

  it('that Tenantry did not make are left alone', async () => {
    const label = (name: string, value: string): string[] => ['--label', `dev.tenantry.${name}=${value}`]
    const mine = installation.named('sqd009')
    const others = `tenantry-other${installation.id}-sqd001`
    const made = [
      docker('run', '-d', '--name', mine, ...SLEEPER),
      docker('run', '-d', '--name', others, ...label('installation', `other${installation.id}`), ...label('name', 'sqd001'), ...label('tenant', 'sqd001'), ...SLEEPER),
    ]
    try {
      const file = pathOf('sqd009', 'sq-dedicated')
      const state = (): unknown[] => made.map((id) => [inspect(id, '.State'), inspect(id, '.Name'), inspect(id, '.HostConfig')])
      const before = state()
      installation.clone.write(file, tenantFile('sqd009', 'sq-dedicated', 'sq-dedicated-starter')[file]!)
      await installation.apply('a name that is taken')
      await waitFor(async () => (await installation.reason('sqd009')) === 'NameTaken', 'it is said')
      await twoResyncs()
      installation.clone.remove(file)
      await installation.apply('away with it')
      await waitFor(async () => (await installation.reason('sqd009')) === 'Removed', 'it is gone')
      expect(state()).toEqual(before)
    } finally {
      docker('rm', '-f', ...made)
    }
  }, 60_000)

  it('that were being made when the controller was killed are finished by the next one: none twice, none restarted', async () => {
    const [sq] = await installation.sqs()
    const running = inspect(container(), '.State.StartedAt')
    for (const id of IDS.slice(1)) installation.clone.write(pathOf(id, 'sq-dedicated'), Object.values(tenantFile(id, 'sq-dedicated', 'sq-dedicated-starter'))[0]!)
    changes.length = 0
    installation.clone.push('three more')
    await waitFor(() => changes.some((line) => line.includes('/containers/create')), 'the first is being made')
    await installation.kill('SIGKILL')
    await installation.start()
    for (const id of IDS) await installation.ready(id)
    const names = lines(docker('ps', '-a', '--filter', `label=dev.tenantry.installation=${installation.id}`, '--format', '{{.Names}}'))
    expect(names.sort()).toEqual(IDS.map(installation.named))
    expect(lines(docker('network', 'ls', '--filter', `label=dev.tenantry.installation=${installation.id}`, '--format', '{{.Name}}')).sort()).toEqual(IDS.map(installation.named))
    expect(inspect(container(), '.State.StartedAt')).toBe(running)
    expect(await installation.sqs()).toEqual([sq])
  }, 60_000)

  it('are asked about and not changed while nothing differs', async () => {
    await twoResyncs()
    changes.length = 0
    await twoResyncs()
    expect(changes).toEqual([])
  })
})
