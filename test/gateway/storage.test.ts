/** Storage as a hard limit, with the attacks that unmodified SQ gives in to, against the real SQ. */
import { mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { shardName } from '../../controller/core/placement.ts'
import { PHEXT_OVERHEAD_BYTES } from '../../controller/core/growth.ts'
import type { Limits } from '../../controller/core/specs.ts'
import { shardFolders } from '../../controller/sq/files.ts'
import { startSq } from '../sq/bundled/programs.ts'
import { has } from '../support/parts.ts'
import { tempFolder } from '../support/temp.ts'
import { waitFor } from '../support/wait.ts'
import { makeKey, routeFor, startFixture } from './gateway-fixture.ts'

const MB = 1024 * 1024
const HERE = '1.1.1/1.1.1/1.1.1'
const FAR = '999.999.999/999.999.999/999.999.999'

type Problem = Record<string, unknown>

async function setUp(limits: Limits = { storageMb: 1 }, where: 'in a folder' | 'asked of SQ' = 'in a folder', home = tempFolder('storage'), workers = 0) {
  const shard = shardName('sq', 0)
  const folders = shardFolders(home)
  const [key, neighbour] = [makeKey(), makeKey()]
  const data = (tenant: string) => folders.data(shard, tenant as never)
  const tenants = { [key]: { name: 'user001', data_dir: data('user001') }, [neighbour]: { name: 'user002', data_dir: data('user002') } }
  for (const { data_dir } of Object.values(tenants)) mkdirSync(data_dir, { recursive: true })
  writeFileSync(folders.config(shard), JSON.stringify({ tenants }))
  const sq = await startSq('real', folders.folder(shard), ['--config', folders.config(shard)])
  onTestFinished(() => sq.stop())
  const place = { upstream: { host: '127.0.0.1', port: sq.port }, ...(where === 'in a folder' && { shard }) }
  const fixture = await startFixture([routeFor('user001', key, { ...place, limits }), routeFor('user002', neighbour, { ...place, limits: { storageMb: 1 } })], {}, home, undefined, undefined, workers)
  const ask = async (query: string, init: RequestInit = {}, as = key) => {
    const response = await fetch(`${fixture.url}/api/v2/${query}`, { ...init, headers: { Authorization: `Bearer ${as}` } })
    const text = await response.text()
    return { status: response.status, text, problem: response.headers.get('content-type') === 'application/problem+json' ? (JSON.parse(text) as Problem) : ({} as Problem) }
  }
  const write = (phext: string, at: string, body: string | Buffer, as = key) => ask(`update?p=${phext}&c=${at}`, { method: 'POST', body: body as NonNullable<RequestInit['body']> }, as)
  const onDisk = () => readdirSync(data('user001')).reduce((sum, name) => sum + statSync(path.join(data('user001'), name)).size, 0)
  /** The neighbour stores and reads as if nothing were, and quickly. */
  const neighbourIsWell = async () => {
    const started = performance.now()
    expect((await write('mine', HERE, 'well', neighbour)).status).toBe(200)
    expect((await ask(`select?p=mine&c=${HERE}`, {}, neighbour)).text).toBe('well')
    expect(performance.now() - started).toBeLessThan(2_000)
  }
  const change = (next: Limits) => fixture.writer.put([routeFor('user001', key, { ...place, limits: next })])
  const usage = async () => (await (await fetch(`${fixture.url}/api/usage`, { headers: { Authorization: `Bearer ${key}` } })).json()) as { storage: { used: number; limit: number; remaining: number } }
  return { ...fixture, ask, write, onDisk, neighbourIsWell, change, usage, data, key, neighbour }
}

describe.skipIf(!has('sq'))('storage over unmodified SQ', () => {
  it('is a hard limit: writes end with 507, reading and deleting go on, and what is deleted can be used again', async () => {
    const { ask, write, onDisk, neighbourIsWell, usage } = await setUp()
    const block = 'x'.repeat(200_000)
    const statuses: number[] = []
    for (let at = 1; at <= 8; at++) statuses.push((await write('notes', `1.1.1/1.1.1/1.1.${at}`, block)).status)
    expect(statuses).toEqual([200, 200, 200, 200, 200, 507, 507, 507])
    const { problem, status } = await write('notes', HERE, block)
    expect(status).toBe(507)
    expect(problem).toMatchObject({ code: 'storage-full', limit: 'storageMb', value: MB, unit: 'bytes', used: 1_000_004 + PHEXT_OVERHEAD_BYTES, reserved: 0, needed: 200_000, link: 'https://more.example' })
    expect(onDisk()).toBeLessThanOrEqual(MB)
    expect((await usage()).storage).toMatchObject({ used: 1_000_004 + PHEXT_OVERHEAD_BYTES, limit: MB })
    expect((await ask('select?p=notes&c=1.1.1/1.1.1/1.1.5')).text).toBe(block)
    expect((await ask('get?p=notes')).text).toHaveLength(1_000_004)
    expect((await ask('delete?p=notes&c=1.1.1/1.1.1/1.1.2')).text).toBe('Removed 200000 bytes')
    expect((await write('notes', '1.1.1/1.1.1/1.1.6', block)).status).toBe(200)
    await neighbourIsWell()
  })

  it('refuses coordinates that SQ would store as a bomb, in every call and however they are written', async () => {
    const { ask, write, onDisk, neighbourIsWell } = await setUp()
    for (const at of ['99999999999999999999.1.1/1.1.1/1.1.1', '1.1.1/1.1.1000/1.1.1', '1.1.1/1.1.1/1.1.0', '1.1.1/1.1.1/1.1.-1']) {
      for (const query of [`update?c=${at}&s=x`, `insert?c=${at}&s=x`, `updateanything?c=${at}&s=x`, `update?c=${HERE}&%63=${encodeURIComponent(at)}&s=x`, `delete?c=${at}`, `select?c=${at}`]) {
        expect((await ask(query)).problem).toMatchObject({ status: 400, code: 'coordinate-out-of-range', field: 'c' })
      }
    }
    expect((await write('', '1.1.1/1.5000.1/1.1.1', 'x')).problem).toMatchObject({ dimension: 'volume', used: '5000', value: 999 })
    for (const at of ['1.1.1/1.1.1', '1.1.1', '9999999999', '7.1.1/5.6/1.1.1']) expect((await write('', at, 'x')).problem).toMatchObject({ code: 'coordinate-not-numeric' })
    expect((await ask('select?c=1.1.1')).status).toBe(200)
    expect(onDisk()).toBe(0)
    await neighbourIsWell()
  })

  it('counts the breaks that far coordinates need', async () => {
    const { write, onDisk, neighbourIsWell } = await setUp()
    const results: number[] = []
    // Each scroll needs its own breaks, since the lower numbers begin anew.
    for (let at = 1; at <= 160; at++) results.push((await write('far', `${at}.999.999/999.999.999/999.999.999`, 'x')).status)
    expect(new Set(results)).toEqual(new Set([200, 507]))
    expect(results.filter((status) => status === 200).length).toBeGreaterThan(120)
    expect(onDisk()).toBeGreaterThan(MB * 0.95)
    expect(onDisk()).toBeLessThanOrEqual(MB)
    await neighbourIsWell()
  })

  it('ends a delta with a number of 1000 before SQ begins it', async () => {
    const { ask, write, neighbourIsWell } = await setUp()
    await write('notes', HERE, 'x')
    const bomb = await ask('delta?p=notes', { method: 'POST', body: `${HERE}: 00\n1000.1.1/1.1.1/1.1.1: 00\n` })
    expect(bomb.problem).toMatchObject({ status: 400, code: 'coordinate-out-of-range', field: 'body', line: 2 })
    expect((await ask(`delta?p=notes&s=${encodeURIComponent('1000.1.1/1.1.1/1.1.1: 00')}`)).status).toBe(400)
    expect((await ask('delta?p=notes', { method: 'POST', body: `${HERE}: 00\n${FAR}: 00\n` })).text).toContain('x')
    await neighbourIsWell()
  })

  it('counts many phexts, though they are empty and made by reading', async () => {
    const { ask, data, neighbourIsWell } = await setUp()
    const most = MB / PHEXT_OVERHEAD_BYTES
    const statuses: number[] = []
    for (let batch = 0; batch < 15; batch++) {
      statuses.push(...(await Promise.all(Array.from({ length: 20 }, async (_, at) => (await ask(`select?p=p${batch}-${at}&c=${HERE}`)).status))))
    }
    expect(statuses.filter((status) => status === 200)).toHaveLength(most)
    expect(readdirSync(data('user001'))).toHaveLength(most)
    expect((await ask(`select?p=p0-0&c=${HERE}`)).status).toBe(200)
    expect((await ask('version')).status).toBe(200)
    await neighbourIsWell()
  })

  it('knows what breaks and broken UTF-8 in a body come to', async () => {
    const { ask, write, onDisk, neighbourIsWell } = await setUp()
    expect((await write('bytes', HERE, Buffer.alloc(400_000, 0xff))).status).toBe(507)
    expect((await write('bytes', HERE, Buffer.alloc(300_000, 0xff))).status).toBe(200)
    expect(onDisk()).toBe(900_000)
    expect((await write('bytes', HERE, 'é'.repeat(60_000))).status).toBe(200)
    const breaks = Buffer.from('a\x01b\x1fc\x17d'.repeat(50_000))
    expect((await write('bytes', '2.1.1/1.1.1/1.1.1', breaks)).status).toBe(200)
    expect((await ask('load?p=bytes')).status).toBe(200)
    for (let at = 1; at < 30; at++) await write('bytes', `3.1.1/1.1.1/1.1.${at}`, breaks)
    expect(onDisk()).toBeLessThanOrEqual(MB)
    await neighbourIsWell()
  })

  it('holds against a hundred connections that write one phext at once', { timeout: 30_000 }, async () => {
    const { write, onDisk, neighbourIsWell } = await setUp()
    const statuses = await Promise.all(Array.from({ length: 100 }, async (_, at) => (await write('one', `1.1.1/1.1.1/1.1.${at + 1}`, 'x'.repeat(50_000))).status))
    expect(statuses.filter((status) => status === 200)).toHaveLength(20)
    expect(statuses.filter((status) => status === 507)).toHaveLength(80)
    expect(onDisk()).toBeLessThanOrEqual(MB)
    await neighbourIsWell()
  })

  it('holds over several workers that write one phext from a hundred connections', { timeout: 60_000 }, async () => {
    const { write, onDisk, neighbourIsWell, usage } = await setUp({ storageMb: 4 }, 'in a folder', undefined, 3)
    // Small ones first: they are written on what a worker was given beforehand.
    const small = await Promise.all(Array.from({ length: 300 }, async (_, at) => (await write('one', `1.1.1/1.1.1/1.${Math.floor(at / 100) + 1}.${(at % 100) + 1}`, 'x'.repeat(500))).status))
    expect(new Set(small)).toEqual(new Set([200]))
    await waitFor(async () => (await usage()).storage.used === onDisk() + PHEXT_OVERHEAD_BYTES, 'the sum on disk and nothing else', 15_000)
    const large = await Promise.all(Array.from({ length: 100 }, async (_, at) => (await write('one', `1.1.1/1.1.1/2.1.${at + 1}`, 'x'.repeat(100_000))).status))
    expect(large.filter((status) => status === 200).length).toBe(Math.floor((4 * MB - 300 * 500 - 3 - 300 - PHEXT_OVERHEAD_BYTES) / 100_000))
    expect(onDisk()).toBeLessThanOrEqual(4 * MB)
    expect((await write('two', HERE, 'x'.repeat(100_000))).status).toBe(507)
    await neighbourIsWell()
  })

  it('counts phexts where documents are limited; those that are there can be written and deleted from', async () => {
    const { ask, write } = await setUp({ documents: 3 })
    for (const phext of ['a', 'b', 'c']) expect((await write(phext, HERE, 'x')).status).toBe(200)
    expect((await write('d', HERE, 'x')).problem).toMatchObject({ status: 507, code: 'documents-full', limit: 'documents', value: 3, used: 3 })
    expect((await ask(`select?p=d&c=${HERE}`)).status).toBe(507)
    expect((await write('a', '1.1.1/1.1.1/1.1.2', 'more')).status).toBe(200)
    expect((await ask(`delete?p=b&c=${HERE}`)).status).toBe(200)
    const many = await Promise.all(Array.from({ length: 20 }, async (_, at) => (await write(`n${at}`, HERE, 'x')).status))
    expect(new Set(many)).toEqual(new Set([507]))
  })

  it('that shrinks below what is used stops writes and loses nothing; more holds for the next write', async () => {
    const { ask, write, change } = await setUp({ storageMb: 2 })
    const text = 'x'.repeat(1_500_000)
    expect((await write('notes', HERE, text)).status).toBe(200)
    await change({ storageMb: 1 })
    await waitFor(async () => (await write('notes', '1.1.1/1.1.1/1.1.2', 'y')).status === 507, 'the lower limit', 1_000)
    expect((await ask(`select?p=notes&c=${HERE}`)).text).toBe(text)
    await change({ storageMb: 3 })
    await waitFor(async () => (await write('notes', '1.1.1/1.1.1/1.1.2', 'y')).status === 200, 'the higher limit', 1_000)
  })

  it('refuses names that cannot be files, and leaves no copy of an export behind', async () => {
    const { ask, write, data } = await setUp()
    expect((await write('n'.repeat(201), HERE, 'x')).problem).toMatchObject({ code: 'phext-name-unusable' })
    expect((await write('a%00b', HERE, 'x')).problem).toMatchObject({ code: 'phext-name-unusable' })
    expect((await write('n'.repeat(200), HERE, 'x')).status).toBe(200)
    expect((await write('notes', HERE, 'x')).status).toBe(200)
    expect((await ask('json-export?p=notes')).text).toContain('"scroll": "x"')
    await waitFor(() => !readdirSync(data('user001')).includes('notes.phext.json'), 'the copy to be gone')
    expect((await ask('reload', { method: 'POST' })).status).toBe(404)
  })

  it('holds where only SQ knows what it stores, such as in a container of its own, and over a restart of the gateway', { timeout: 30_000 }, async () => {
    const { ask, write, onDisk, gateway, writer, home } = await setUp({ storageMb: 1 }, 'asked of SQ')
    const block = 'x'.repeat(200_000)
    for (let at = 1; at <= 3; at++) expect((await write('notes', `1.1.1/1.1.1/1.1.${at}`, block)).status).toBe(200)
    for (let at = 0; at < 8; at++) expect((await write('notes', '1.1.1/1.1.1/1.1.4', block)).status).toBe(200)
    const statuses = await Promise.all(Array.from({ length: 40 }, async (_, at) => (await write('more', `1.1.1/1.1.1/1.1.${at + 1}`, 'y'.repeat(20_000))).status))
    expect(statuses.filter((status) => status === 200).length).toBeGreaterThanOrEqual(11)
    expect(new Set(statuses)).toEqual(new Set([200, 507]))
    expect(onDisk()).toBeLessThanOrEqual(MB)
    expect((await ask('delete?p=notes&c=1.1.1/1.1.1/1.1.1')).text).toBe('Removed 200000 bytes')
    expect((await write('notes', HERE, block)).status).toBe(200)
    await gateway.stop()
    await writer.close()
    const used = onDisk()
    const again = await setUp({ storageMb: 1 }, 'asked of SQ', home)
    expect(Math.abs((await again.usage()).storage.used - used)).toBeLessThan(30_000)
    expect((await again.write('third', HERE, block)).status).toBe(507)
    expect((await again.ask('select?p=notes&c=1.1.1/1.1.1/1.1.2')).text).toBe(block)
    expect(Math.abs((await again.usage()).storage.used - used)).toBeLessThan(40_000)
  })
})
