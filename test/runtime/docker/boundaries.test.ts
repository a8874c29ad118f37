import path from 'node:path'
import { rmSync } from 'node:fs'
import { beforeAll, describe, expect, it } from 'vitest'
import { buildImage } from '../../../deploy/images/build.ts'
import { LABEL } from '../../../controller/runtime/docker/names.ts'
import { has } from '../../support/parts.ts'
import { tempFolder } from '../../support/temp.ts'
import { waitFor } from '../../support/wait.ts'
import { createTestRuntime, docker, plainSpec, startProxy, type TestRuntime } from './support.ts'

const quiet = () => undefined

describe.skipIf(!has('docker') || !has('sq'))('what is touched, and what is not', () => {
  let test: TestRuntime
  beforeAll(async () => {
    await buildImage('sq', quiet)
    test = await createTestRuntime()
  })

  const volumes = (name: string): string[] =>
    docker('volume', 'ls', '-q', '--filter', `label=${LABEL.installation}=${test.installation}`, '--filter', `label=${LABEL.name}=${name}`)
      .split('\n')
      .filter(Boolean)

  it('removes container, network and secrets, keeps the data, and destroys it only when told', async () => {
    const spec = plainSpec('end001')
    await test.runtime.ensure(spec)
    await test.runtime.exec('end001', ['sh', '-c', 'echo kept >/data/note'])
    expect(volumes('end001')).toHaveLength(2)
    await test.runtime.remove('end001', 1)
    expect(docker('ps', '-aq', '--filter', `name=${test.named('end001')}`)).toBe('')
    expect(docker('network', 'ls', '-q', '--filter', `name=${test.named('end001')}`)).toBe('')
    expect(volumes('end001')).toEqual([test.named('end001-data')])
    test.takeChanges()
    await test.runtime.remove('end001', 1)
    expect(test.takeChanges()).toEqual([])

    expect(await test.runtime.ensure(spec)).toMatchObject({ action: 'created' })
    expect(await test.runtime.exec('end001', ['cat', '/data/note'])).toMatchObject({ output: 'kept\n' })
    await expect(test.runtime.destroyVolumes('end001')).rejects.toMatchObject({ reason: 'VolumeInUse' })
    await test.runtime.remove('end001', 1)
    await test.runtime.destroyVolumes('end001')
    expect(volumes('end001')).toEqual([])
    await test.runtime.destroyVolumes('end001')
  })

  it('leaves alone a container, a network and a volume of its names that it did not make', async () => {
    const name = test.named('taken001')
    const taken = { reason: 'NameTaken', next: { kind: 'stalled' } }
    const spec = plainSpec('taken001')
    const id = docker('run', '-d', '--name', name, 'tenantry/sq:0.6.0', 'sleep', '1000')
    try {
      await expect(test.runtime.ensure(spec)).rejects.toMatchObject(taken)
      await test.runtime.remove('taken001', 1)
      expect(docker('inspect', '--format', '{{.State.Running}} {{.Id}}', name)).toBe(`true ${id}`)
      expect(await test.runtime.list()).toEqual([])
    } finally {
      docker('rm', '-f', name)
    }
    docker('network', 'create', name)
    try {
      await expect(test.runtime.ensure(spec)).rejects.toMatchObject(taken)
      await test.runtime.remove('taken001', 1)
    } finally {
      docker('network', 'rm', name)
    }
    docker('volume', 'create', `${name}-data`)
    try {
      await expect(test.runtime.ensure(spec)).rejects.toMatchObject(taken)
      await test.runtime.destroyVolumes('taken001')
    } finally {
      docker('volume', 'rm', `${name}-data`)
    }
  })

  it('leaves alone a container that inherited the labels from a copy of the image', async () => {
    const spec = plainSpec('copied001')
    await test.runtime.ensure(spec)
    const tag = `tenantry/test-${test.installation}:copy`
    docker('commit', test.named('copied001'), tag)
    const copy = docker('run', '-d', tag, 'sleep', '1000')
    try {
      expect((await test.runtime.list()).map(({ name }) => name)).toEqual(['copied001'])
      await test.runtime.remove('copied001', 1)
      expect(docker('inspect', '--format', '{{.State.Running}}', copy)).toBe('true')
    } finally {
      docker('rm', '-f', copy)
      docker('rmi', '-f', tag)
    }
  })

  it('does not see another installation on the same engine', async () => {
    const other = await createTestRuntime()
    await test.runtime.ensure(plainSpec('same001'))
    await other.runtime.ensure(plainSpec('same001'))
    expect(await test.runtime.list()).toHaveLength(1)
    await other.runtime.remove('same001', 1)
    await other.runtime.destroyVolumes('same001')
    expect(await other.runtime.list()).toEqual([])
    expect(await test.runtime.ensure(plainSpec('same001'))).toMatchObject({ action: 'none' })
  })

  it('takes over what a crash left behind at any step', async () => {
    const spec = plainSpec('half001')
    const name = test.named('half001')
    const label = ['--label', `${LABEL.installation}=${test.installation}`, '--label', `${LABEL.name}=half001`]
    // Dead after the network.
    docker('network', 'create', ...label, name)
    expect(await test.runtime.ensure(spec)).toMatchObject({ action: 'created' })
    // Dead after making the successor, and after removing the predecessor.
    docker('create', ...label, '--name', `${name}.next`, '--network', name, 'tenantry/sq:0.6.0', 'true')
    expect(await test.runtime.ensure(spec)).toMatchObject({ action: 'none' })
    expect(await test.runtime.ensure({ ...spec, environment: { MODE: 'new' } })).toMatchObject({ action: 'replaced' })
    docker('rename', name, `${name}.next`)
    docker('stop', '-t', '1', `${name}.next`)
    const adopted = await test.runtime.ensure({ ...spec, environment: { MODE: 'new' } })
    expect(adopted).toMatchObject({ action: 'started', drift: [{ field: 'name' }, { field: 'state' }] })
  })

  it('stops nothing for a spec that the engine refuses or an image that is missing', async () => {
    const spec = plainSpec('refused001')
    const { observed } = await test.runtime.ensure(spec)
    await expect(test.runtime.ensure({ ...spec, image: 'tenantry/sq:missing', environment: { MODE: 'new' } })).rejects.toMatchObject({
      reason: 'ImageMissing',
      next: { kind: 'stalled' },
      message: expect.stringContaining('node deploy/images/build.ts sq') as string,
    })
    await expect(test.runtime.ensure({ ...spec, binds: ['/no/such/folder'] })).rejects.toMatchObject({ reason: 'SpecRefused', next: { kind: 'stalled' } })
    await expect(test.runtime.ensure({ ...spec, cpus: 4096, environment: { MODE: 'new' } })).rejects.toMatchObject({ reason: 'SpecRefused' })
    expect(await test.runtime.list()).toMatchObject([{ name: 'refused001', engineId: observed.engineId }])
    expect((await test.runtime.list())[0]!.state).not.toBe('stopped')
  })

  it('says that a program ends again and again', async () => {
    const spec = plainSpec('crash001', { command: ['sh', '-c', 'exit 7'] })
    await test.runtime.ensure(spec)
    const error = await waitFor(() => test.runtime.ensure(spec).then(() => false as const, (thrown: unknown) => thrown), 'a crash loop is seen')
    expect(error).toMatchObject({ reason: 'CrashLoop', next: { kind: 'transient' }, message: expect.stringContaining('exit code 7') as string })
  })

  it('hints at what happens to its containers, also after the stream broke off', async () => {
    const folder = tempFolder('engine')
    const socket = path.join(folder, 'docker.sock')
    const watched = await createTestRuntime(socket)
    const hints: string[] = []
    const stop = watched.runtime.watch((name) => hints.push(name))
    const spec = plainSpec('watch001')
    await watched.runtime.ensure(spec)
    await waitFor(() => hints.includes('watch001'), 'a hint for the start')
    watched.proxy.closeAllConnections()
    hints.length = 0
    docker('kill', watched.named('watch001'))
    await waitFor(() => hints.includes('watch001'), 'a hint after the stream broke')
    stop()
  })

  it('waits for an engine that is missing, and uses it when it appears', async () => {
    const socket = path.join(tempFolder('engine'), 'docker.sock')
    const late = await createTestRuntime(socket)
    await new Promise((resolve) => {
      late.proxy.close(resolve)
      late.proxy.closeAllConnections()
    })
    rmSync(socket, { force: true })
    expect(await late.runtime.availability()).toMatchObject({ kind: 'missing', fix: expect.stringContaining('docker.io') as string })
    await expect(late.runtime.ensure(plainSpec('late001'))).rejects.toMatchObject({ reason: 'EngineMissing', next: { kind: 'waiting' } })
    await expect(late.runtime.list()).rejects.toMatchObject({ reason: 'EngineMissing' })
    await startProxy(socket)
    expect(await late.runtime.availability()).toMatchObject({ kind: 'available' })
    expect(await late.runtime.list()).toEqual([])
  })
})
