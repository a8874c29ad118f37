/**
 * The shared SQ as a container, and an engine that comes and goes: what needs none goes on, what needs one waits and says so. One
 * installation for the whole file, whose engine is a socket that the test opens and closes.
 */
import { existsSync, rmSync } from 'node:fs'
import type { Server } from 'node:http'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { buildImage } from '../../deploy/images/build.ts'
import { startProxy } from '../runtime/docker/support.ts'
import { has } from '../support/parts.ts'
import { tempFolder } from '../support/temp.ts'
import { waitFor } from '../support/wait.ts'
import { docker, inspect, makeDockerInstallation, tenantFile, type DockerInstallation } from './docker-installation.ts'
import { fetchBack, statusOf, store } from './requests.ts'

describe.skipIf(!has('docker') || !has('sq'))('a shared SQ, with and without an engine', () => {
  const socket = path.join(tempFolder('engine'), 'docker.sock')
  const PRODUCT = 'products/sq.yaml'
  let installation: DockerInstallation
  let engine: Server | undefined
  /** Called with each changing request. */
  let onChange: (line: string) => void = () => undefined
  const keys: string[] = []

  async function openEngine(): Promise<void> {
    const changes: string[] = []
    engine = await startProxy(socket, Object.assign(changes, { push: (line: string) => (onChange(line), 0) }))
  }

  function closeEngine(): void {
    engine?.close()
    engine?.closeAllConnections()
    rmSync(socket, { force: true })
  }

  beforeAll(async () => {
    await buildImage('sq', () => undefined)
    installation = await makeDockerInstallation(tenantFile('sqd001', 'sq-dedicated', 'sq-dedicated-starter'), { DOCKER_HOST: `unix://${socket}` })
    await installation.start()
  })
  afterAll(() => installation.cleanUp(), 60_000)

  async function buy(username: string): Promise<void> {
    const { key, ready } = await installation.json<{ key: string; ready: boolean }>('buy', '--plan', 'sq-standard', '--email', `${username}@example.com`, '--username', username)
    expect(ready).toBe(true)
    keys.push(key)
    expect(await store(installation.run.localUrl, key, `of ${key}`)).toMatchObject({ status: 200 })
    installation.clone.git('pull', '--quiet')
  }

  const allServed = (what: string): Promise<unknown> =>
    waitFor(async () => {
      const answers = await Promise.all(keys.map((key) => fetchBack(installation.run.localUrl, key)))
      return answers.every(({ status, text }, index) => status === 200 && text === `of ${keys[index]}`)
    }, what, 20_000)
  const said = (text: string): number => installation.log().split(text).length - 1

  it('without an engine the shared SQ is sold and serves; what needs one waits and says why, once in the log', async () => {
    await buy('lovelace')
    expect(await installation.reason('sqd001')).toBe('EngineMissing')
    expect((await installation.cli('status')).stdout).toMatch(/sqd001 .*EngineMissing.*apt-get install docker\.io/)
    const dedicated = await installation.keyOf('sqd001')
    expect(await statusOf(installation.run.localUrl, dedicated)).toBe(503)
    await waitFor(async () => ((await installation.metric('tenantry_reconcile_total{result="waiting"}')) ?? 0) >= 3, 'it was tried again', 20_000)
    expect(said('no event stream from the container engine')).toBe(1)
  })

  it('an engine that appears is used without a restart', async () => {
    await openEngine()
    await installation.ready('sqd001')
    expect(await statusOf(installation.run.localUrl, await installation.keyOf('sqd001'))).toBe(200)
    await waitFor(() => said('event stream of the container engine is back') === 1, 'the log says that it is there', 15_000)
  })

  it('a commit that moves it into a container that cannot be made stops nothing', async () => {
    const [before] = await installation.sqs()
    installation.clone.edit(PRODUCT, (text) => text.replace('engine: process', 'engine: docker').replace('sq:0.6.0', 'sq:missing'))
    installation.clone.push('into a container')
    await waitFor(async () => (await installation.reason('user001')) === 'ImageMissing', 'it is said')
    await allServed('the process serves on')
    expect(await installation.sqs()).toEqual([before])
  })

  it('a commit moves it into a container: the process ends before the container starts on its data', async () => {
    const [{ pid } = { pid: 0 }] = await installation.sqs()
    const processRan: boolean[] = []
    onChange = (line) => void (line.includes('/start') && processRan.push(existsSync(`/proc/${pid}`)))
    installation.clone.edit(PRODUCT, (text) => text.replace('sq:missing', 'sq:0.6.0'))
    await installation.apply('into a container that there is')
    await installation.ready('user001')
    await allServed('the container serves the same data')
    expect(processRan).toEqual([false])
    expect(await installation.sqs()).toEqual([])
    expect(inspect<object>(installation.named('sq-000'), '.NetworkSettings.Ports')).toEqual({ '1337/tcp': [{ HostIp: '127.0.0.1', HostPort: expect.stringMatching(/^\d+$/) as string }] })
  })

  it('a purchase is reloaded from inside its own network: the container goes on', async () => {
    const before = inspect(installation.named('sq-000'), '.State.StartedAt')
    await buy('hopper')
    expect(inspect(installation.named('sq-000'), '.State.StartedAt')).toBe(before)
  })

  it('killed it is back with the data, and every tenant’s route follows it', async () => {
    docker('kill', installation.named('sq-000'))
    await allServed('all are served again')
    const { status } = (await installation.tenant('user001'))!
    const other = (await installation.tenant('user002'))!.status
    expect([...status.repairs, ...other.repairs]).toContainEqual(expect.objectContaining({ action: 'sq-started', drift: [expect.objectContaining({ field: 'state', wanted: 'running', found: expect.stringContaining('exited') as string }) as object] }))
  })

  it('goes on while `down` ends the processes, and is adopted by a controller that at first finds no engine', async () => {
    const container = inspect(installation.named('sq-000'), '.State.StartedAt')
    const { stdout } = await installation.cli('down')
    expect(stdout).toBe('Ended: controller, gateway.\n')
    expect(inspect(installation.named('sq-000'), '.State.StartedAt')).toBe(container)
    closeEngine()
    docker('restart', '-t', '1', installation.named('sq-000'))
    await installation.start()
    await waitFor(async () => (await installation.reason('user001')) === 'EngineMissing', 'it waits', 20_000)
    await openEngine()
    await allServed('all are served, on the port that is new')
  })

  it('a commit moves it back into a process: the container ends first, the data stays', async () => {
    installation.clone.edit(PRODUCT, (text) => text.replace('    engine: docker', '    engine: process'))
    installation.clone.push('back into a process')
    await waitFor(async () => (await installation.sqs()).length === 1, 'a process runs', 15_000)
    expect(installation.containers('sq-000')).toEqual([])
    await allServed('the process serves the same data')
  })
})
