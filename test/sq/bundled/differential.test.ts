/**
 * The bundled SQ against the real one: the same requests to both, the same answers and the same files.
 * TENANTRY_DIFFERENTIAL=N sends N requests instead of the default; TENANTRY_DIFFERENTIAL_SEED=S others.
 */
import fc from 'fast-check'
import { rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import { has } from '../../support/parts.ts'
import { waitFor } from '../../support/wait.ts'
import { ask, filesBelow, newFolder, startSq, type Program, type RawRequest } from './programs.ts'
import { requestArbitrary } from './requests.ts'

const REQUESTS = Number(process.env['TENANTRY_DIFFERENTIAL'] ?? 5200)
const SEED = Number(process.env['TENANTRY_DIFFERENTIAL_SEED'] ?? 42)
const COMPARE_FILES_EVERY = 500

type Pair = readonly [real: Program, bundled: Program]

/** The real one exports in a random order: its rows are compared as a set. */
function sortedRows(text: string): string {
  const rows = text.split('\n').map((row) => row.replace(/^,/, ''))
  return rows.sort().join('\n')
}

function comparable(request: RawRequest, answer: Buffer): string {
  const text = answer.toString('latin1')
  return request.bytes.includes('/json-export') ? sortedRows(text) : text
}

async function expectSameAnswer([real, bundled]: Pair, request: RawRequest, which: number): Promise<void> {
  const [expected, actual] = await Promise.all([ask(real.port, request), ask(bundled.port, request)])
  if (comparable(request, expected) === comparable(request, actual)) return
  const shown = request.bytes.toString('latin1').slice(0, 2000)
  const [theirs, ours] = [expected, actual].map((answer) => answer.toString('latin1').slice(0, 3000))
  expect.soft(ours, `request ${which}: ${JSON.stringify(shown)}`).toBe(theirs)
  throw new Error(`request ${which} was answered differently`)
}

function expectSameFiles([real, bundled]: Pair): number {
  const [expected, actual] = [real, bundled].map(({ folder }) => filesBelow(path.join(folder, 'data')))
  expect([...actual!.keys()].sort()).toEqual([...expected!.keys()].sort())
  for (const [file, content] of expected!) {
    const ours = actual!.get(file)!
    if (file.endsWith('.json')) expect(sortedRows(ours.toString()), file).toBe(sortedRows(content.toString()))
    else if (!ours.equals(content)) expect(ours.toString('latin1'), file).toBe(content.toString('latin1'))
  }
  return expected!.size
}

async function drive(pair: Pair, requests: readonly RawRequest[], before: (which: number) => Promise<void>): Promise<void> {
  for (const [which, request] of requests.entries()) {
    await before(which)
    await expectSameAnswer(pair, request, which)
    if (which % COMPARE_FILES_EVERY === 0) expectSameFiles(pair)
  }
  expect(expectSameFiles(pair)).toBeGreaterThan(3)
}

const sample = (count: number, right: readonly string[], wrong: readonly string[]) => fc.sample(requestArbitrary({ right, wrong }), { numRuns: count, seed: SEED })

const ALWAYS = { 'pmb-v1-aaa': { name: 'a', data_dir: 'data/a' } }
const MAPS: readonly Readonly<Record<string, { name: string; data_dir: string }>>[] = [
  { 'pmb-v1-bbb': { name: 'b', data_dir: 'data/b' }, 'pmb-v1-aaa-2': { name: 'a', data_dir: 'data/a' } },
  { 'pmb-v1-bbb': { name: 'b', data_dir: 'data/deep/er/b' } },
  { 'pmb-v1-ccc': { name: 'c', data_dir: 'data/c ü' }, 'tökén': { name: 'c', data_dir: 'data/c ü' } },
  {},
]
const BROKEN = ['', '{', '[]', '{"tenants": 3}', '{"tenants": {"pmb-v1-zzz": {"name": "z"}}}', '{"tenants": {"pmb-v1-zzz": {"name": 1, "data_dir": "data/z"}}}', 'null']

function writeConfig(pair: Pair, text: string): void {
  for (const { folder } of pair) writeFileSync(path.join(folder, 'tenants.json'), text)
}

const reload: RawRequest = { bytes: Buffer.from('POST /api/v2/reload HTTP/1.1\r\nHost: x\r\n\r\n') }

/** A new map with a token that only it has: both programs have it when they accept that token. */
async function changeTenants(pair: Pair, round: number): Promise<void> {
  const fresh = `pmb-v1-round-${round}`
  writeConfig(pair, JSON.stringify({ tenants: { ...ALWAYS, ...MAPS[round % MAPS.length], [fresh]: { name: 'a', data_dir: 'data/a' } }, more: [1] }))
  await expectSameAnswer(pair, reload, -round)
  const probe = { bytes: Buffer.from(`GET /api/v2/version?p=notes HTTP/1.1\r\nAuthorization: ${fresh}\r\n\r\n`) }
  for (const { port } of pair) await waitFor(async () => (await ask(port, probe)).includes('0.6.0'), 'the new map')
}

async function breakTenants(pair: Pair, round: number): Promise<void> {
  writeConfig(pair, BROKEN[round % BROKEN.length]!)
  await expectSameAnswer(pair, reload, -round)
}

async function startPair(options: readonly string[], prepare: (pair: readonly string[]) => void): Promise<Pair> {
  const folders = [newFolder(), newFolder()] as const
  prepare(folders)
  return [await startSq('real', folders[0], options), await startSq('bundled', folders[1], options)]
}

describe.skipIf(!has('sq'))('the bundled SQ answers and writes as the real one', () => {
  const limit = 20_000 + REQUESTS * 20

  test('with many tenants, through reloads', { timeout: limit }, async () => {
    const first = JSON.stringify({ tenants: { ...ALWAYS, ...MAPS[0] } })
    const pair = await startPair(['--config', 'tenants.json'], (folders) => folders.forEach((folder) => writeFileSync(path.join(folder, 'tenants.json'), first)))
    try {
      const right = ['pmb-v1-aaa', 'pmb-v1-aaa', 'pmb-v1-aaa', 'pmb-v1-aaa-2', 'pmb-v1-bbb', 'pmb-v1-bbb', 'pmb-v1-ccc', 'tökén']
      const requests = sample(Math.ceil(REQUESTS * 0.75), right, ['wrong', '', 'pmb-v1', 'pmb-v1-zzz', '__proto__'])
      await drive(pair, requests, async (which) => {
        if (which % 150 === 75) await breakTenants(pair, which / 75)
        if (which % 150 === 149) await changeTenants(pair, Math.floor(which / 150))
      })
    } finally {
      await Promise.all(pair.map((program) => program.stop()))
    }
  })

  test('with one tenant', { timeout: limit }, async () => {
    const pair = await startPair(['--key', 'pmb-v1-one', '--data-dir', 'data/one'], () => undefined)
    try {
      await drive(pair, sample(Math.floor(REQUESTS * 0.25), ['pmb-v1-one'], ['wrong', '', 'pmb-v1']), () => Promise.resolve())
    } finally {
      await Promise.all(pair.map((program) => program.stop()))
    }
  })

  test('with texts of every length that the checksum treats in its own way', async () => {
    const pair = await startPair(['--key', 'k', '--data-dir', 'data/one'], () => undefined)
    const send = (line: string, body = '') => {
      const bytes = Buffer.from(`${line} HTTP/1.1\r\nAuthorization: k\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`)
      return expectSameAnswer(pair, { bytes }, body.length)
    }
    const lengths = [...Array.from({ length: 262 }, (_, length) => length), 511, 512, 513, 1023, 1024, 1025, 1087, 1088, 1089, 2047, 2048, 2049, 100_003]
    try {
      for (const length of lengths) {
        await send('POST /api/v2/update?p=a', Array.from({ length }, (_, at) => String.fromCharCode(33 + ((at * 7919 + length) % 90))).join(''))
        await send('GET /api/v2/checksum?p=a')
      }
    } finally {
      await Promise.all(pair.map((program) => program.stop()))
    }
  })

  test('when files change on disk under it', async () => {
    const pair = await startPair(['--key', 'k', '--data-dir', 'data/one'], () => undefined)
    const send = (line: string) => expectSameAnswer(pair, { bytes: Buffer.from(`${line} HTTP/1.1\r\nAuthorization: k\r\n\r\n`) }, 0)
    const inEach = (name: string, change: (file: string) => void) => pair.forEach(({ folder }) => change(path.join(folder, 'data/one', name)))
    try {
      await send('GET /api/v2/update?p=a&s=old')
      inEach('a.phext', (file) => writeFileSync(file, 'one\x17two\x17\x17\x18three\x01\x01'))
      for (const command of ['select', 'get', 'toc', 'load', 'toc', 'status', 'checksum', 'json-export', 'delta']) await send(`GET /api/v2/${command}?p=a`)
      inEach('a.phext', (file) => writeFileSync(file, Buffer.from([0x61, 0xff, 0x62])))
      for (const command of ['get', 'toc', 'load', 'toc', 'status']) await send(`GET /api/v2/${command}?p=a`)
      inEach('a.phext', (file) => rmSync(file))
      for (const command of ['get', 'insert', 'get', 'load', 'status']) await send(`GET /api/v2/${command}?p=a&s=new`)
      inEach('a.phext', (file) => rmSync(file))
      await send('GET /api/v2/load?p=a')
      expectSameFiles(pair)
    } finally {
      await Promise.all(pair.map((program) => program.stop()))
    }
  })
})
