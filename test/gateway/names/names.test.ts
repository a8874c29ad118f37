/** Names in the place of coordinates, over the real SQ: the clients in the field, and that no two names ever share a scroll. */
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import fc from 'fast-check'
import { describe, expect, it, onTestFinished } from 'vitest'
import { shardName } from '../../../controller/core/placement.ts'
import { PHEXT_OVERHEAD_BYTES } from '../../../controller/core/growth.ts'
import type { Limits } from '../../../controller/core/specs.ts'
import { shardFolders } from '../../../controller/sq/files.ts'
import { startSq } from '../../sq/bundled/programs.ts'
import { has } from '../../support/parts.ts'
import { tempFolder } from '../../support/temp.ts'
import { makeKey, routeFor, startFixture } from '../gateway-fixture.ts'

async function setUp({ limits = {}, where = 'in a folder' }: { limits?: Limits; where?: 'in a folder' | 'with an instance' } = {}) {
  const home = tempFolder('names')
  const shard = shardName('sq', 0)
  const folders = shardFolders(home)
  const key = makeKey()
  const folder = folders.data(shard, 'user001' as never)
  mkdirSync(folder, { recursive: true })
  writeFileSync(folders.config(shard), JSON.stringify({ tenants: { [key]: { name: 'user001', data_dir: folder } } }))
  const sq = await startSq('real', folders.folder(shard), ['--config', folders.config(shard)])
  onTestFinished(() => sq.stop())
  const fixture = await startFixture([routeFor('user001', key, { upstream: { host: '127.0.0.1', port: sq.port }, limits, ...(where === 'in a folder' && { shard }) })], {}, home)
  const ask = async (method: string, query: string, body?: string | Buffer) => {
    const init = body === undefined ? {} : { body: body as NonNullable<RequestInit['body']> }
    const response = await fetch(`${fixture.url}/api/v2/${query}`, { method, ...init, headers: { Authorization: `Bearer ${key}`, 'Content-Type': 'text/plain' } })
    return { status: response.status, text: await response.text() }
  }
  const codeOf = (answer: { text: string }) => (JSON.parse(answer.text) as { code: string }).code
  return { ...fixture, key, ask, codeOf, sq, files: () => readdirSync(folder).sort() }
}

const at = (name: string): string => encodeURIComponent(name)
const THEME = 'my-agent.1.1/user.preferences.theme/1.1.1'
const FACTS = 'other-agent.1.1/user.facts.theme/1.1.1'

describe.skipIf(!has('sq'))('clients in the field', () => {
  /** As Node's `http` sends it: the skill uses nothing else. */
  const send = (url: string, key: string, method: string, path: string, text?: string) =>
    new Promise<{ status: number; text: string }>((resolve, reject) => {
      const headers = { 'Content-Type': 'text/plain', 'User-Agent': 'OpenClaw-SQ-Skill', Authorization: `Bearer ${key}`, ...(text !== undefined && { 'Content-Length': Buffer.byteLength(text) }) }
      const sent = request(url + path, { method, headers }, (answer) => {
        let body = ''
        answer.setEncoding('utf8').on('data', (piece: string) => (body += piece))
        answer.on('end', () => resolve({ status: answer.statusCode!, text: body }))
      })
      sent.on('error', reject).end(text)
    })

  it('remember, recall, list and forget without p, with POST insert and DELETE', async () => {
    const { url, key } = await setUp()
    const call = (method: string, path: string, text?: string) => send(url, key, method, path, text)
    expect((await call('GET', `/api/v2/select?c=${at(THEME)}`)).status).toBe(404)
    expect(await call('POST', `/api/v2/insert?c=${at(THEME)}`, 'dark')).toEqual({ status: 200, text: 'Inserted 4 bytes' })
    expect(await call('POST', `/api/v2/insert?c=${at(FACTS)}`, 'sky is blue\nand more')).toMatchObject({ status: 200 })
    expect(await call('GET', `/api/v2/select?c=${at(THEME)}`)).toEqual({ status: 200, text: 'dark' })
    expect(await call('GET', `/api/v2/select?c=${at(FACTS)}`)).toEqual({ status: 200, text: 'sky is blue\nand more' })
    const list = (await call('GET', `/api/v2/toc?c=${at('my-agent.1.1/user.preferences/1.1.1')}`)).text
    expect(list).toContain(`* ${THEME}: dark\n* ${FACTS}: sky is blue...\n`)
    expect(await call('DELETE', `/api/v2/delete?c=${at(THEME)}`)).toEqual({ status: 200, text: 'Removed 4 bytes' })
    expect((await call('GET', `/api/v2/select?c=${at(THEME)}`)).status).toBe(404)
    expect((await call('GET', '/api/v2/toc')).text).not.toContain('my-agent')
    expect(await call('POST', `/api/v2/insert?c=${at(THEME)}`, 'light')).toMatchObject({ status: 200 })
    expect(await call('GET', `/api/v2/select?c=${at(THEME)}`)).toEqual({ status: 200, text: 'light' })
  })

  it('remember by GET update with the text in the query, with p, and forget by POST', async () => {
    const { url, key } = await setUp()
    const call = (method: string, path: string, text?: string) => send(url, key, method, path, text)
    const place = `p=my-agent&c=${at('my-agent.1.1/conversation.2026-02-11.summary/1.1.1')}`
    expect(await call('GET', `/api/v2/update?${place}&s=${at('discussed phext & memory, 100%')}`)).toMatchObject({ status: 200, text: 'Updated 30 bytes' })
    expect(await call('GET', `/api/v2/select?${place}`)).toEqual({ status: 200, text: 'discussed phext & memory, 100%' })
    expect(await call('POST', `/api/v2/delete?${place}`)).toMatchObject({ status: 200 })
    expect((await call('GET', `/api/v2/select?${place}`)).status).toBe(404)
    expect((await call('POST', `/api/v2/delete?p=my-agent&c=never`)).status).toBe(404)
  })
})

describe.skipIf(!has('sq'))('names', () => {
  it('of every kind have a scroll each, are read back and are listed', { timeout: 120_000 }, async () => {
    const { ask } = await setUp()
    const nasty = fc.oneof(
      fc.string({ unit: 'binary', minLength: 1, maxLength: 12 }),
      fc.string({ unit: fc.constantFrom('a', 'b', '1', '0', '.', '/', ';', '%', '+', '-', ' ', '\\', '~', '"', '?', '&', '=', '#'), minLength: 1, maxLength: 14 }),
      fc.constantFrom(THEME, FACTS, '1.1.1/1.1.1/1.1.x', 'A', 'a', 'a.b', 'a/b', 'a;b', ' a', 'a ', '%61', 'é', 'e\u0301', 'ａ', '🜁', '..', '../a', 'x'.repeat(500), `${'x'.repeat(499)}y`, '~lost.1', '*', '* a: b'),
    )
    const stored = new Map<string, string>()
    let count = 0
    await fc.assert(
      fc.asyncProperty(fc.uniqueArray(nasty, { minLength: 1, maxLength: 6 }), async (drawn) => {
        for (const name of drawn) {
          const query = `p=all&c=${at(name.toWellFormed())}`
          const text = `text ${++count}`
          const { status, text: answer } = await ask('POST', `update?${query}`, text)
          if (status === 200 && /^Updated/.test(answer)) stored.set(name, text)
          else expect([status, JSON.parse(answer)]).toMatchObject([400, { code: expect.stringMatching(/^(name-unusable|coordinate-(not-numeric|out-of-range))$/) as string }])
        }
        for (const name of drawn) if (stored.has(name)) expect((await ask('GET', `select?p=all&c=${at(name)}`)).text, JSON.stringify(name)).toBe(stored.get(name))
      }),
      { numRuns: 40 },
    )
    const blank = [...stored.keys()].filter((name) => name.trim() === '')
    for (const name of blank) stored.delete(name)
    const list = (await ask('GET', 'toc?p=all')).text
    for (const [name, text] of stored) {
      expect((await ask('GET', `select?p=all&c=${at(name)}`)).text, JSON.stringify(name)).toBe(text)
      if (!/^[0-9.;/ +-]*$/.test(name)) expect(list).toContain(`* ${name}: ${text}\n`)
    }
    expect(stored.size).toBeGreaterThan(40)
  })

  it('leave numbers to SQ, in every byte, and what has no names as it is', async () => {
    const { ask, sq, key, files } = await setUp()
    const straight = async (query: string) => (await fetch(`http://127.0.0.1:${sq.port}/api/v2/${query}`, { headers: { Authorization: `Bearer ${key}` } })).text()
    await ask('POST', 'update?p=plain&c=1.1.1/1.1.1/1.1.01', 'one')
    await ask('POST', 'insert?p=plain&c=2;1;1.1/1/1/1.1.3', 'two\nlines')
    for (const query of ['select?p=plain&c=1.1.1/1.1.1/1.1.1', 'toc?p=plain', 'get?p=plain', 'checksum?p=plain', 'query?p=plain&from=1.1.1/1.1.1/1.1.1&to=9.1.1/1.1.1/1.1.1', 'toc', 'select']) expect((await ask('GET', query)).text).toBe(await straight(query))
    expect(files()).toEqual(['.phext', 'plain.phext'])
  })

  it('that cannot be are refused, and so is writing to the phexts in which they stand', async () => {
    const { ask, codeOf } = await setUp()
    await ask('POST', 'update?p=n&c=a', 'x')
    for (const [query, code] of [
      ['update?p=n&c=a%0ab', 'name-unusable'],
      ['update?p=n&c=a%ff', 'name-unusable'],
      [`select?p=n&c=${'x'.repeat(513)}`, 'name-unusable'],
      ['update?p=n~names&c=1.1.1/1.1.1/1.1.1', 'phext-reserved'],
      ['delete?p=n~text&c=1.1.1/1.1.1/1.1.1', 'phext-reserved'],
      ['insert?p=n~text&c=a', 'phext-reserved'],
      [`update?p=${'n'.repeat(196)}&c=a`, 'phext-name-unusable'],
    ] as const) expect(codeOf(await ask(query.startsWith('select') ? 'GET' : 'POST', query, query.startsWith('select') ? undefined : 'x'))).toBe(code)
    expect(codeOf(await ask('POST', 'update?p=n&c=b', 'one\u0017two'))).toBe('text-has-breaks')
    expect(codeOf(await ask('GET', 'insert?p=n&c=b&s=one%01two'))).toBe('text-has-breaks')
    expect((await ask('GET', 'get?p=n~names')).text).toBe('a\n')
    expect((await ask('GET', 'select?p=n~text&c=1.1.1/1.1.1/1.1.1')).text).toBe('x')
  })

  it('are answered from memory too, exactly', async () => {
    const { ask } = await setUp({ where: 'with an instance' })
    expect((await ask('GET', 'toc?p=n')).text).toBe('* 1.1.1/1.1.1/1.1.1: \n')
    await ask('POST', 'update?p=n&c=a', 'one')
    for (let n = 0; n < 2; n++) expect([(await ask('GET', 'select?p=n&c=a')).text, (await ask('GET', 'select?p=n&c=b')).status, (await ask('GET', 'toc?p=n')).text]).toEqual(['one', 404, '* 1.1.1/1.1.1/1.1.1: \n* a: one\n'])
    await ask('POST', 'insert?p=n&c=b', 'two')
    expect([(await ask('GET', 'select?p=n&c=b')).text, (await ask('GET', 'toc?p=n')).text]).toEqual(['two', '* 1.1.1/1.1.1/1.1.1: \n* a: one\n* b: two\n'])
    await ask('DELETE', 'delete?p=n&c=a')
    expect([(await ask('GET', 'select?p=n&c=a')).status, (await ask('HEAD', 'select?p=n&c=a')).status, (await ask('GET', 'toc?p=n')).text]).toEqual([404, 404, '* 1.1.1/1.1.1/1.1.1: \n* b: two\n'])
  })

  it('count against storage, list and text alike', async () => {
    const { ask, codeOf, url, key } = await setUp({ limits: { storageMb: 1 } })
    for (let n = 0; n < 5; n++) expect((await ask('POST', `update?p=n&c=name-${n}`, 'x'.repeat(200_000))).status).toBe(200)
    const full = await ask('POST', 'update?p=n&c=name-5', 'x'.repeat(200_000))
    expect([full.status, codeOf(full)]).toEqual([507, 'storage-full'])
    expect((await ask('GET', 'select?p=n&c=name-5')).status).toBe(404)
    expect((await ask('GET', 'select?p=n&c=name-4')).text).toHaveLength(200_000)
    const usage = (await (await fetch(`${url}/api/usage`, { headers: { Authorization: `Bearer ${key}` } })).json()) as { storage: { used: number } }
    expect(usage.storage.used).toBeGreaterThan(1_000_000 + 2 * PHEXT_OVERHEAD_BYTES)
    expect((await ask('DELETE', 'delete?p=n&c=name-0')).status).toBe(200)
    expect((await ask('POST', 'update?p=n&c=name-5', 'x'.repeat(150_000))).status).toBe(200)
  })
})
