import fc from 'fast-check'
import { appendFileSync, existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { Route } from '../../controller/core/route.ts'
import type { TenantId } from '../../controller/core/specs.ts'
import { createRouteReader, type RouteReader } from '../../controller/gateway/route-reader.ts'
import { createRouteWriter, type RouteWriter } from '../../controller/gateway/route-writer.ts'
import { tempFolder } from '../support/temp.ts'
import { waitFor } from '../support/wait.ts'
import { digestOf, LINKS, recordingLog, routeFor } from './gateway-fixture.ts'

const id = (name: string): TenantId => name as TenantId

async function openWriter(folder: string, links = LINKS): Promise<RouteWriter> {
  const writer = createRouteWriter(folder, { facts: () => ({ links }), now: () => new Date() })
  await writer.load()
  return writer
}

async function openReader(folder: string, log: string[] = []): Promise<RouteReader> {
  const reader = createRouteReader(folder, { log: recordingLog(log) })
  await reader.start()
  onTestFinished(() => reader.close())
  return reader
}

const logOf = (folder: string): string => path.join(folder, readdirSync(folder).find((name) => name.startsWith('log-'))!)
const routesOf = (count: number, extra = ''): Route[] => Array.from({ length: count }, (_, n) => routeFor(`user${n}`, `key${n}`, { plan: `plan${extra}` }))

describe('routes written and followed', () => {
  it('has a change in force well within a second', async () => {
    const folder = tempFolder()
    const writer = await openWriter(folder)
    await writer.replaceAll(routesOf(10))
    const reader = await openReader(folder)
    const times: number[] = []
    for (let n = 0; n < 20; n++) {
      const before = performance.now()
      await writer.put([routeFor('user1', `key-${n}`)])
      await waitFor(() => reader.table!.findKey(digestOf(`key-${n}`)) !== undefined, 'the new key', 1_000)
      times.push(performance.now() - before)
      expect(reader.table!.findKey(digestOf(n === 0 ? 'key1' : `key-${n - 1}`))).toBeUndefined()
    }
    expect(Math.max(...times)).toBeLessThan(1_000)
  })

  it('writes nothing for what stands already, also after a restart', async () => {
    const folder = tempFolder()
    const writer = await openWriter(folder)
    expect(await writer.replaceAll(routesOf(50))).toEqual({ written: 50 })
    await writer.put([routeFor('user3', 'other')])
    const bytes = () => readFileSync(path.join(folder, 'snapshot'), 'utf8') + readFileSync(logOf(folder), 'utf8')
    const before = bytes()
    const same = routesOf(50).with(3, routeFor('user3', 'other'))
    expect(await writer.replaceAll(same)).toEqual({ written: 0 })
    await writer.close()
    const again = await openWriter(folder)
    expect(again.size).toBe(50)
    expect(await again.replaceAll(same.map((route) => Object.fromEntries(Object.entries(route).reverse()) as unknown as Route))).toEqual({ written: 0 })
    expect(await again.drop([id('nobody')])).toEqual({ written: 0 })
    expect(bytes()).toBe(before)
    await again.close()
  })

  it('drops what replaceAll leaves out, but nothing when its routes end in an error', async () => {
    const folder = tempFolder()
    const writer = await openWriter(folder)
    await writer.replaceAll(routesOf(5))
    function* failing(): Generator<Route> {
      yield routesOf(1)[0]!
      throw new Error('the source failed')
    }
    await expect(writer.replaceAll(failing())).rejects.toThrow('the source failed')
    expect(writer.size).toBe(5)
    expect(await writer.replaceAll(routesOf(2))).toEqual({ written: 3 })
    expect(writer.size).toBe(2)
    expect(writer.has(id('user4'))).toBe(false)
    await writer.close()
  })

  it('ignores a torn last line, and the writer repairs it on start', async () => {
    const folder = tempFolder()
    const writer = await openWriter(folder)
    await writer.replaceAll(routesOf(3))
    await writer.put([routeFor('user1', 'new')])
    await writer.close()
    appendFileSync(logOf(folder), '{"put":{"tenant":"user2","pro')
    const reader = await openReader(folder)
    expect(reader.table!.findKey(digestOf('new'))?.route.tenant).toBe('user1')
    expect(reader.corruptLines).toBe(0)
    const again = await openWriter(folder)
    expect(again.size).toBe(3)
    expect(readFileSync(logOf(folder), 'utf8')).toMatch(/\}\n$/)
    await again.put([routeFor('user2', 'after')])
    await waitFor(() => reader.table!.findKey(digestOf('after')), 'the record behind the repaired end')
    expect(reader.corruptLines).toBe(0)
    await again.close()
  })

  it('skips and counts corrupt lines, and the writer heals them', async () => {
    const folder = tempFolder()
    const writer = await openWriter(folder)
    await writer.replaceAll(routesOf(3))
    const reader = await openReader(folder)
    const bad = ['not json', '{}', '[]', 'null', '{"put":{"tenant":"x"}}', '{"put":null}', '{"drop":7}', `{"put":${JSON.stringify({ ...routeFor('y', 'y'), keys: [{ id: 'k', digest: 'short' }] })}}`]
    appendFileSync(logOf(folder), `${bad.join('\n')}\n${JSON.stringify({ put: routeFor('user9', 'nine') })}\n`)
    await waitFor(() => reader.table!.findKey(digestOf('nine')), 'the line behind the corrupt ones')
    expect(reader.corruptLines).toBe(bad.length)
    expect(reader.table!.tenants).toBe(4)
    await writer.close()
    const again = createRouteWriter(folder, { facts: () => ({ links: LINKS }), now: () => new Date() })
    expect(await again.load()).toMatchObject({ tenants: 4, corruptLines: bad.length })
    expect(readFileSync(path.join(folder, 'snapshot'), 'utf8').trimEnd().split('\n')).toHaveLength(5)
    await again.close()
  })

  it('compacts a grown log into a new snapshot, which followers take over without reading it again', async () => {
    const folder = tempFolder()
    const writer = await openWriter(folder)
    await writer.replaceAll(routesOf(20))
    const reader = await openReader(folder)
    const generation = reader.generation
    let written = 20
    for (let round = 0; reader.generation === generation; round++) {
      const routes = routesOf(20, String(round))
      written += (await writer.put(routes)).written
      await waitFor(() => reader.applied === written, `${written} records applied`)
      expect(round).toBeLessThan(100)
      await waitFor(() => readdirSync(folder).length === 2, 'one snapshot and one log')
      if (!existsSync(path.join(folder, `log-${generation}`))) await waitFor(() => reader.generation !== generation, 'the new generation')
    }
    expect(reader.table!.tenants).toBe(20)
    expect(reader.applied).toBe(written)
    for (const name of readdirSync(folder)) expect(statSync(path.join(folder, name)).mode & 0o777).toBe(0o600)
    await writer.close()
  })

  it('keeps its routes when the files vanish or become unreadable, and the writer makes them anew', async () => {
    const folder = tempFolder()
    const log: string[] = []
    const writer = await openWriter(folder)
    await writer.replaceAll(routesOf(3))
    const reader = await openReader(folder, log)
    rmSync(path.join(folder, 'snapshot'))
    writeFileSync(path.join(folder, 'snapshot'), 'garbage\n')
    await waitFor(() => log.some((line) => line.includes('cannot be read')), 'the error in the log')
    expect(reader.table!.tenants).toBe(3)
    expect(await writer.replaceAll(routesOf(4))).toEqual({ written: 4 })
    await waitFor(() => reader.table!.tenants === 4, 'the new snapshot')
    await writer.close()
  })

  it('has no table before there is a snapshot: nobody is unknown yet', async () => {
    const folder = tempFolder()
    const reader = await openReader(folder)
    expect(reader.table).toBeUndefined()
    const writer = await openWriter(folder)
    await writer.replaceAll([])
    await waitFor(() => reader.table !== undefined, 'the empty snapshot')
    await writer.close()
  })

  it('puts changed links into force with a new snapshot', async () => {
    const folder = tempFolder()
    await (await openWriter(folder)).replaceAll(routesOf(1))
    const reader = await openReader(folder)
    expect(reader.links).toEqual(LINKS)
    await openWriter(folder, { payment: 'https://other.example', support: '' })
    await waitFor(() => reader.links.payment === 'https://other.example', 'the new links')
    expect(reader.table!.tenants).toBe(1)
  })

  it('equals a model after random batches, in the follower, in a fresh reader and in a restarted writer', { timeout: 60_000 }, async () => {
    const tenant = fc.integer({ min: 0, max: 30 }).map((n) => `user${n}`)
    const put = fc.record({ kind: fc.constant('put' as const), tenants: fc.array(tenant, { maxLength: 8 }), version: fc.integer({ min: 0, max: 5 }) })
    const drop = fc.record({ kind: fc.constant('drop' as const), tenants: fc.array(tenant, { maxLength: 4 }) })
    const all = fc.record({ kind: fc.constant('all' as const), tenants: fc.uniqueArray(tenant, { maxLength: 31 }), version: fc.integer({ min: 0, max: 5 }) })
    const restart = fc.constant({ kind: 'restart' as const })
    const batch = fc.oneof({ weight: 20, arbitrary: put }, { weight: 8, arbitrary: drop }, { weight: 1, arbitrary: all }, { weight: 1, arbitrary: restart })
    const folder = tempFolder()
    const model = new Map<string, string>()
    let writer = await openWriter(folder)
    await writer.replaceAll([])
    const follower = await openReader(folder)
    const routed = (name: string, version: number): Route => routeFor(name, `${name}/${version}`, { stateReason: 'x'.repeat(100) })
    const generations = new Set<string | undefined>()
    const steps = fc.sample(batch, { numRuns: 1_000, seed: 42 })
    for (const [step, change] of steps.entries()) {
      if (change.kind === 'restart') {
        await writer.close()
        writer = await openWriter(folder)
      } else if (change.kind === 'drop') {
        await writer.drop(change.tenants.map(id))
        for (const name of change.tenants) model.delete(name)
      } else {
        const routes = change.tenants.map((name) => routed(name, change.version))
        await (change.kind === 'put' ? writer.put(routes) : writer.replaceAll(routes))
        if (change.kind === 'all') model.clear()
        for (const name of change.tenants) model.set(name, digestOf(`${name}/${change.version}`))
      }
      expect(writer.size).toBe(model.size)
      if (step % 50 === 49) await waitFor(() => agrees(follower, model), `the follower agrees after step ${step}`)
      generations.add(follower.generation)
    }
    expect(generations.size).toBeGreaterThan(2)
    expect(agrees(await openReader(folder), model)).toBe(true)
    await writer.close()
  })
})

function agrees(reader: RouteReader, model: ReadonlyMap<string, string>): boolean {
  const { table } = reader
  if (table?.tenants !== model.size || table.keys !== model.size) return false
  return [...model].every(([tenant, digest]) => table.findKey(digest)?.route.tenant === tenant)
}
