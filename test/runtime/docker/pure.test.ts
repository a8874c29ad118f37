import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import type Docker from 'dockerode'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Deviation } from '../../../controller/runtime/docker/drift.ts'
import { refuseUnrepairable } from '../../../controller/runtime/docker/ensure.ts'
import { engineError } from '../../../controller/runtime/docker/errors.ts'
import { connectEngine } from '../../../controller/runtime/docker/engine.ts'
import { canonicalJson, configHash, createRequest } from '../../../controller/runtime/docker/request.ts'
import { packTar, unpackTar, type TarEntry } from '../../../controller/runtime/docker/tar.ts'
import { createMissingRuntime } from '../../../controller/runtime/docker/unavailable.ts'
import { parseEvents } from '../../../controller/runtime/docker/watch.ts'
import { tempFolder } from '../../support/temp.ts'
import { plainSpec } from './support.ts'

const now = new Date('2026-02-12T13:15:00Z')

describe('tar archives', () => {
  const entry = fc.record({
    name: fc.stringMatching(/^[a-z][a-z0-9.-]{0,60}$/),
    text: fc.string({ unit: 'binary', maxLength: 2000 }),
    mode: fc.constantFrom(0o600, 0o644),
    uid: fc.nat(65535),
    gid: fc.nat(65535),
  })

  it('come back as they went', () => {
    const comeBack = (entries: TarEntry[]) => void expect(unpackTar(packTar(entries, now))).toEqual(entries)
    fc.assert(fc.property(fc.array(entry, { maxLength: 5 }), comeBack))
  })

  it('are what tar reads', () => {
    const folder = tempFolder('tar')
    const file = path.join(folder, 'a.tar')
    writeFileSync(file, packTar([{ name: 'keys', text: 'secret\n', mode: 0o600, uid: 1000, gid: 1000 }], now))
    expect(execFileSync('tar', ['--utc', '--numeric-owner', '-tvf', file], { encoding: 'utf8' })).toMatch(/^-rw------- 1000\/1000 +7 2026-02-12 13:15 keys\n$/)
  })
})

describe('the event stream', () => {
  it('is read the same however it is cut into chunks', async () => {
    const events = [{ Type: 'container', time: 1 }, { Type: 'network', Actor: { Attributes: { name: 'täl' } } }, { time: 3 }]
    const bytes = Buffer.from(events.map((event) => `${JSON.stringify(event)}\n`).join(''))
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(bytes.length), { maxLength: 20 }), async (cuts) => {
        const edges = [0, ...cuts.sort((a, b) => a - b), bytes.length]
        async function* chunks() {
          for (let i = 1; i < edges.length; i++) yield bytes.subarray(edges[i - 1], edges[i])
        }
        const read = []
        for await (const event of parseEvents(chunks())) read.push(event)
        expect(read).toEqual(events)
      }),
    )
  })
})

describe('the configuration hash', () => {
  it('is the same for the same spec in another order, and without what changes in place', () => {
    const spec = plainSpec('hash001')
    const turned = Object.fromEntries(Object.entries(spec).reverse()) as unknown as typeof spec
    expect(configHash(turned)).toBe(configHash(spec))
    expect(configHash({ ...spec, memoryMb: 1, cpus: 4, pidsLimit: 9, files: [{ name: 'tenants.json', text: 'other' }] })).toBe(configHash(spec))
    expect(configHash({ ...spec, image: 'other' })).not.toBe(configHash(spec))
    expect(canonicalJson({ b: [{ d: 1, c: 2 }], a: undefined })).toBe('{"b":[{"c":2,"d":1}]}')
  })

  it('and the request hold no secret text', () => {
    expect(JSON.stringify(createRequest(plainSpec('hash001', { files: [{ name: 'a', text: 'very-secret' }] }), 'i'))).not.toContain('very-secret')
  })
})

describe('errors', () => {
  const refusal = (statusCode: number, message: string) => Object.assign(new Error(`(HTTP code ${statusCode}) ${message}`), { statusCode, json: { message } })

  it.each([
    [refusal(404, 'could not find an available, non-overlapping IPv4 address pool among the defaults to assign to the network'), 'AddressPoolsExhausted', 'stalled', 'default-address-pools'],
    [refusal(400, 'all predefined address pools have been fully subnetted'), 'AddressPoolsExhausted', 'stalled', 'default-address-pools'],
    [refusal(500, 'driver failed programming external connectivity: Bind for 127.0.0.1:80 failed: port is already allocated'), 'PortConflict', 'transient', 'host port'],
    [refusal(404, 'No such image: x:1'), 'ImageMissing', 'stalled', 'x:1'],
    [refusal(400, 'Minimum memory limit allowed is 6MB'), 'SpecRefused', 'stalled', '6MB'],
    [refusal(500, 'something else'), 'EngineError', 'transient', 'something else'],
    [Object.assign(new Error('connect ENOENT /var/run/docker.sock'), { code: 'ENOENT' }), 'EngineMissing', 'waiting', 'docker.io'],
    [Object.assign(new Error('socket hang up'), { code: 'ECONNRESET' }), 'EngineUnreachable', 'transient', 'hang up'],
  ])('%s is %s, %s', (error, reason, next, text) => {
    expect(engineError(error, 'doing')).toMatchObject({ reason, next: { kind: next }, message: expect.stringContaining(text) as string })
  })

  it('refuse a DOCKER_HOST that they cannot use, and say how to write it', () => {
    expect(() => connectEngine('ssh://host')).toThrow('write unix:///var/run/docker.sock or tcp://HOST:PORT')
    expect(() => connectEngine('nonsense')).toThrow('DOCKER_HOST is "nonsense"')
  })
})

describe('what cannot be repaired', () => {
  const state = (differing: object) => ({ Name: '/tenantry-i-x', RestartCount: 4, State: differing }) as unknown as Docker.ContainerInspectInfo
  const deviation = (repair: Deviation['repair']): Deviation => ({ field: 'state', wanted: 'running', found: 'not', repair })
  const refuse = (found: Docker.ContainerInspectInfo, ...repairs: Deviation['repair'][]) => refuseUnrepairable(plainSpec('x001'), found, repairs.map(deviation))

  it('is a health check that cannot run: a restart would not help', () => {
    const withProbe = (code: number) => state({ Health: { Log: [{ ExitCode: code }] } })
    expect(() => refuse(withProbe(127), 'restart')).toThrow('wget or curl')
    expect(() => refuse(withProbe(-1), 'restart')).toThrow('wget or curl')
    expect(() => refuse(withProbe(1), 'restart')).not.toThrow()
    expect(() => refuse(withProbe(127), 'restart', 'replace')).not.toThrow()
  })

  it('is a program that the engine restarts already, unless something else is wrong too', () => {
    expect(() => refuse(state({ ExitCode: 137 }), 'wait')).toThrow(/137: killed, often for want of memory; 4 restarts/)
    expect(() => refuse(state({ ExitCode: 1 }), 'wait', 'files')).not.toThrow()
  })
})

describe('without an engine', () => {
  it('says so, with the fix, and waits', async () => {
    const runtime = createMissingRuntime('none is installed')
    expect(await runtime.availability()).toMatchObject({ kind: 'missing', reason: 'none is installed', fix: expect.stringContaining('docker.io') as string })
    await expect(runtime.ensure(plainSpec('none001'))).rejects.toMatchObject({ reason: 'EngineMissing', next: { kind: 'waiting' } })
    await expect(runtime.list()).rejects.toMatchObject({ reason: 'EngineMissing' })
    runtime.watch(() => undefined)()
  })
})
