/** Export and import between two tenants of a real SQ. */
import { writeFileSync } from 'node:fs'
import { createServer, request, type IncomingMessage } from 'node:http'
import path from 'node:path'
import fc from 'fast-check'
import { describe, expect, it, onTestFinished } from 'vitest'
import { webSocketPath } from '../../../controller/gateway/sockets.ts'
import { has } from '../../support/parts.ts'
import { waitFor } from '../../support/wait.ts'
import { startSqTenants, type SqTenants, type Who } from '../sq-tenants.ts'

const MB = 1024 * 1024

interface ImportAnswer {
  readonly status: number
  readonly code?: string
  readonly imported: string[]
  readonly unchanged: string[]
  readonly replaced: string[]
  readonly different?: string[]
  readonly rejected?: { name: string; reason: string }[]
  readonly complete?: boolean
}

async function archiveOf(tenants: SqTenants, who: Who, query = ''): Promise<Buffer> {
  const answer = await tenants.ask(who, `/api/v2/export${query}`)
  expect(answer.status).toBe(200)
  expect(answer.headers.get('content-type')).toBe('application/x-tar')
  return Buffer.from(await answer.arrayBuffer())
}

async function importInto(tenants: SqTenants, who: Who, archive: Buffer, query = ''): Promise<ImportAnswer> {
  const answer = await tenants.ask(who, `/api/v2/import${query}`, { method: 'POST', body: archive as never })
  return { status: answer.status, ...((await answer.json()) as object) } as ImportAnswer
}

async function update(tenants: SqTenants, who: Who, phext: string, at: string, text: string): Promise<void> {
  const answer = await tenants.ask(who, `/api/v2/update?p=${encodeURIComponent(phext)}&c=${at}`, { method: 'POST', body: text })
  expect(answer.status, await answer.text()).toBe(200)
}

const select = async (tenants: SqTenants, who: Who, phext: string, at: string): Promise<string> => (await tenants.ask(who, `/api/v2/select?p=${encodeURIComponent(phext)}&c=${at}`)).text()

/** All but the manifest, which has the tenant and the time in it. */
const phextsIn = (archive: Buffer): string => archive.subarray(0, archive.indexOf('manifest.json')).toString()

/** Answers what it is told to, and remembers what it was asked. */
async function startControlPlane(home: string, answer: () => { status: number; body: string }): Promise<string[]> {
  const asked: string[] = []
  const server = createServer((incoming, response) => {
    asked.push(`${incoming.method} ${incoming.url}`)
    const { status, body } = answer()
    response.writeHead(status, { 'Content-Type': 'application/json' }).end(body)
  })
  await new Promise<void>((resolve) => server.listen(webSocketPath(home), resolve))
  onTestFinished(() => void server.close())
  return asked
}

/** Names that a phext can have. */
const phextName = fc
  .string({ unit: 'binary', maxLength: 30 })
  .map((text) => Buffer.from(text.replace(/[/\\\0]/g, '_').replaceAll('..', '.')).toString())
  .filter((text) => !text.includes('..'))
const number = fc.oneof({ weight: 5, arbitrary: fc.integer({ min: 1, max: 4 }) }, fc.constantFrom(998, 999))
const coordinate = fc.array(number, { minLength: 9, maxLength: 9 }).map((n) => `${n.slice(0, 3).join('.')}/${n.slice(3, 6).join('.')}/${n.slice(6).join('.')}`)
const scroll = fc.string({ unit: 'binary', minLength: 1, maxLength: 60 }).map((text) => Buffer.from(text).toString())

describe.skipIf(!has('sq'))('export and import', () => {
  it('give every phext to another tenant byte for byte, odd names and breaks in texts included', async () => {
    const tenants = await startSqTenants()
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(phextName, fc.array(fc.tuple(coordinate, scroll), { maxLength: 4 })), { maxLength: 4 }), async (phexts) => {
        for (const [name, scrolls] of phexts) {
          await tenants.ask('a', `/api/v2/toc?p=${encodeURIComponent(name)}`)
          for (const [at, text] of scrolls) await update(tenants, 'a', name, at, text)
        }
        const archive = await archiveOf(tenants, 'a')
        const answer = await importInto(tenants, 'b', archive, '?replace=1')
        expect(answer).toMatchObject({ status: 200, complete: true })
        expect(tenants.onDisk('b')).toEqual(tenants.onDisk('a'))
        expect(await importInto(tenants, 'b', archive)).toMatchObject({ status: 200, imported: [], replaced: [] })
      }),
      { numRuns: 15 },
    )
  })

  it('give a phext of many megabytes, and SQ reads its scrolls at once', async () => {
    const tenants = await startSqTenants()
    // Written beside SQ, as an adopted folder would be, and larger than one piece.
    const scrolls = Array.from({ length: 400 }, (_, at) => `${at} ${'äx'.repeat(33_000)}`)
    writeFileSync(path.join(tenants.folder('a'), 'big.phext'), scrolls.join('\x17'))
    const archive = await archiveOf(tenants, 'a')
    expect(archive.length).toBeGreaterThan(37 * MB)
    expect(await importInto(tenants, 'b', archive)).toMatchObject({ status: 200, imported: ['big'] })
    expect(tenants.onDisk('b').get('big') === scrolls.join('\x17')).toBe(true)
    expect((await select(tenants, 'b', 'big', '1.1.1/1.1.1/1.1.399')) === scrolls[398]).toBe(true)
    await update(tenants, 'b', 'big', '1.1.1/1.1.1/1.1.2', 'new')
    expect((await select(tenants, 'b', 'big', '1.1.1/1.1.1/1.1.3')) === scrolls[2]).toBe(true)
  }, 90_000)

  it('carry names and their texts, and no name without its text', async () => {
    const tenants = await startSqTenants()
    for (const name of ['notes~names', 'notes~text', 'notes']) writeFileSync(path.join(tenants.folder('a'), `${name}.phext`), `one\x17two ${name}`)
    const archive = await archiveOf(tenants, 'a')
    expect(archive.indexOf('phexts/notes~text.phext')).toBeLessThan(archive.indexOf('phexts/notes~names.phext'))
    expect((await importInto(tenants, 'b', archive)).imported).toEqual(['notes', 'notes~text', 'notes~names'])
    expect(tenants.onDisk('b')).toEqual(tenants.onDisk('a'))
  })

  it('carry what is stored by name, which is found by name in the other account', async () => {
    const tenants = await startSqTenants()
    const names = ['project/decisions/database', 'my-agent.1.1/user.preferences.theme/1.1.1', 'Ünï/çode']
    for (const name of names) expect((await tenants.ask('a', `/api/v2/update?c=${encodeURIComponent(name)}`, { method: 'POST', body: `text of ${name}` })).status).toBe(200)
    // Asked for before: what was known of no names must not stay.
    expect((await tenants.ask('b', `/api/v2/select?c=${encodeURIComponent(names[0]!)}`)).status).toBe(404)
    expect(await importInto(tenants, 'b', await archiveOf(tenants, 'a'))).toMatchObject({ status: 200 })
    for (const name of names) expect(await (await tenants.ask('b', `/api/v2/select?c=${encodeURIComponent(name)}`)).text()).toBe(`text of ${name}`)
    expect((await tenants.ask('b', '/api/v2/update?c=one/more', { method: 'POST', body: 'new' })).status).toBe(200)
    for (const name of names) expect(await (await tenants.ask('b', `/api/v2/select?c=${encodeURIComponent(name)}`)).text()).toBe(`text of ${name}`)
  })

  it('do not overwrite what is there with another text, unless told to', async () => {
    const tenants = await startSqTenants()
    await update(tenants, 'a', 'notes', '1.1.1/1.1.1/1.1.1', 'theirs')
    await update(tenants, 'a', 'notes', '1.1.1/1.1.1/1.1.3', 'also theirs')
    await update(tenants, 'a', 'plans', '1.1.1/1.1.1/1.1.1', 'new')
    await update(tenants, 'b', 'notes', '1.1.1/1.1.1/1.1.2', 'mine')
    await update(tenants, 'b', 'own', '1.1.1/1.1.1/1.1.2', 'own')
    const archive = await archiveOf(tenants, 'a')
    const refused = await importInto(tenants, 'b', archive)
    expect(refused).toMatchObject({ status: 409, code: 'phexts-differ', different: ['notes'], imported: ['plans'] })
    expect(await select(tenants, 'b', 'notes', '1.1.1/1.1.1/1.1.2')).toBe('mine')
    expect(await importInto(tenants, 'b', archive, '?replace=1')).toMatchObject({ status: 200, replaced: ['notes'], unchanged: ['plans'] })
    expect(tenants.onDisk('b')).toEqual(new Map([...tenants.onDisk('a'), ['own', '\x17own']]))
    expect(await select(tenants, 'b', 'notes', '1.1.1/1.1.1/1.1.3')).toBe('also theirs')
  })

  it('go on where they were cut off, on either side', async () => {
    const tenants = await startSqTenants()
    for (const name of ['a', 'b', 'c', 'd']) await update(tenants, 'a', name, '1.1.1/1.1.1/1.1.2', name.repeat(300_000))
    const whole = await archiveOf(tenants, 'a')
    const cut = whole.subarray(0, whole.indexOf('ccccc') + 1000)
    expect(await importInto(tenants, 'b', cut)).toMatchObject({ status: 400, code: 'archive-damaged', imported: ['a', 'b'] })
    const rest = await archiveOf(tenants, 'a', '?after=b')
    expect(rest.indexOf('phexts/b.phext')).toBe(-1)
    expect(await importInto(tenants, 'b', rest)).toMatchObject({ status: 200, imported: ['c', 'd'] })
    expect(tenants.onDisk('b')).toEqual(tenants.onDisk('a'))
    expect(await importInto(tenants, 'b', whole)).toMatchObject({ status: 200, unchanged: ['a', 'b', 'c', 'd'], imported: [] })
  })

  it('heal a phext that was written but not read again when the gateway was killed', async () => {
    const tenants = await startSqTenants()
    await update(tenants, 'a', 'notes', '1.1.1/1.1.1/1.1.2', 'second')
    const archive = await archiveOf(tenants, 'a')
    // What the gateway had done until then: the text as one scroll.
    await update(tenants, 'b', 'notes', '1.1.1/1.1.1/1.1.1', '\x17second')
    expect(await select(tenants, 'b', 'notes', '1.1.1/1.1.1/1.1.2')).toBe('')
    expect(await importInto(tenants, 'b', archive)).toMatchObject({ status: 200, unchanged: ['notes'] })
    expect(await select(tenants, 'b', 'notes', '1.1.1/1.1.1/1.1.2')).toBe('second')
  })

  it('keep within the storage limit: what fits is there, the rest goes in when there is room', async () => {
    const tenants = await startSqTenants({ b: { storageMb: 1 } })
    for (const name of ['a', 'b', 'c']) await update(tenants, 'a', name, '1.1.1/1.1.1/1.1.2', name.repeat(400_000))
    const archive = await archiveOf(tenants, 'a')
    const full = await importInto(tenants, 'b', archive)
    expect(full).toMatchObject({ status: 507, code: 'storage-full', limit: 'storageMb', link: 'https://more.example', imported: ['a', 'b'] })
    await tenants.change('b', { limits: { storageMb: 3 } })
    await waitFor(async () => (await importInto(tenants, 'b', archive)).status === 200, 'the larger limit is in force')
    expect(tenants.onDisk('b')).toEqual(tenants.onDisk('a'))
  })

  it('work out of a full account, and not out of a suspended one', async () => {
    const tenants = await startSqTenants({ a: { storageMb: 1 } })
    await update(tenants, 'a', 'notes', '1.1.1/1.1.1/1.1.2', 'x'.repeat(1_000_000))
    expect((await tenants.ask('a', '/api/v2/update?p=notes&c=1.1.1/1.1.1/1.1.3', { method: 'POST', body: 'x'.repeat(100_000) })).status).toBe(507)
    expect((await archiveOf(tenants, 'a')).length).toBeGreaterThan(1_000_000)
    await tenants.change('a', { state: 'suspended' })
    await waitFor(async () => (await tenants.ask('a', '/api/v2/export')).status === 402, 'the account is suspended')
  })

  it('count as one request each, with their bytes', async () => {
    const tenants = await startSqTenants({ a: { requestsPerDay: 100 }, b: { requestsPerDay: 100 } })
    for (let at = 1; at <= 5; at++) await update(tenants, 'a', `p${at}`, '1.1.1/1.1.1/1.1.2', 'x'.repeat(1000))
    const archive = await archiveOf(tenants, 'a')
    await importInto(tenants, 'b', archive)
    const usage = async (who: Who) => (await tenants.ask(who, '/api/usage')).text()
    expect(await usage('a')).toContain('"used":6')
    expect(await usage('b')).toContain('"used":1')
    expect(await usage('b')).toContain(String(archive.length))
  })

  it('are refused in words: another method, another export under way, what is no archive, no key', async () => {
    const tenants = await startSqTenants()
    expect((await tenants.ask('a', '/api/v2/export', { method: 'POST' })).status).toBe(405)
    expect((await tenants.ask('a', '/api/v2/import')).status).toBe(405)
    expect(await importInto(tenants, 'a', Buffer.from('no archive '.repeat(100)))).toMatchObject({ status: 400, code: 'archive-damaged' })
    expect((await fetch(`${tenants.url}/api/v2/export`)).status).toBe(401)
    await update(tenants, 'a', 'big', '1.1.1/1.1.1/1.1.1', 'x'.repeat(30_000_000))
    const slow = request(`${tenants.url}/api/v2/export`, { headers: { authorization: `Bearer ${tenants.keys.a}` } })
    slow.on('error', () => undefined).end()
    const reading = await new Promise<IncomingMessage>((resolve) => slow.on('response', resolve))
    reading.once('data', () => reading.pause())
    expect(await (await tenants.ask('a', '/api/v2/export')).json()).toMatchObject({ status: 503, code: 'transfer-busy' })
    // Somebody who does not read holds up neither SQ nor a write to the same phext.
    await update(tenants, 'a', 'big', '1.1.1/1.1.1/1.1.2', 'still quick')
    reading.destroy()
    await waitFor(async () => (await tenants.ask('a', '/api/v2/export?after=zzz')).status === 200, 'the place is free again')
  })

  it('run one at a time for an account, whichever worker they come to, and another account beside it', async () => {
    const tenants = await startSqTenants({}, undefined, {}, 2)
    await update(tenants, 'a', 'big', '1.1.1/1.1.1/1.1.1', 'x'.repeat(30_000_000))
    /** Over a connection of its own, which the system gives to either worker. */
    const anew = (who: Who): Promise<IncomingMessage> =>
      new Promise((resolve, reject) => request(`${tenants.url}/api/v2/export`, { agent: false, headers: { authorization: `Bearer ${tenants.keys[who]}` } }).on('response', resolve).on('error', reject).end())
    const reading = await anew('a')
    reading.on('error', () => undefined).once('data', () => reading.pause())
    for (let n = 0; n < 20; n++) expect((await anew('a')).resume().statusCode).toBe(503)
    expect((await anew('b')).resume().statusCode).toBe(200)
    reading.destroy()
    await waitFor(async () => (await anew('a')).resume().statusCode === 200, 'the place is free again')
  })

  it('are not for keys that open some phexts only, and import not for one that reads', async () => {
    const tenants = await startSqTenants()
    await update(tenants, 'a', 'notes', '1.1.1/1.1.1/1.1.1', 'x')
    const archive = await archiveOf(tenants, 'a')
    const as = (key: string, target: string, init: RequestInit = {}) => fetch(`${tenants.url}${target}`, { ...init, headers: { Authorization: `Bearer ${key}` } })
    const reader = await tenants.narrowKey('a', { readOnly: true })
    expect((await as(reader, '/api/v2/export')).status).toBe(200)
    expect((await as(reader, '/api/v2/import', { method: 'POST', body: archive as never })).status).toBe(403)
    const narrow = await tenants.narrowKey('a', { phexts: ['notes'] })
    expect((await as(narrow, '/api/v2/export')).status).toBe(403)
    expect((await as(narrow, '/api/v2/import', { method: 'POST', body: archive as never })).status).toBe(403)
  })

  it('of an instance whose files are elsewhere go by the controller\'s list, and say where there is none', async () => {
    const tenants = await startSqTenants({ b: { storageMb: 10 } }, undefined, { b: { shard: undefined as never } })
    await update(tenants, 'a', 'notes', '1.1.1/1.1.1/1.1.2', 'x')
    expect(await importInto(tenants, 'b', await archiveOf(tenants, 'a'))).toMatchObject({ status: 200, imported: ['notes'] })
    expect(tenants.onDisk('b')).toEqual(tenants.onDisk('a'))
    const refused = async () => {
      const answer = await tenants.ask('b', '/api/v2/export')
      return [answer.status, ((await answer.json()) as { code: string }).code]
    }
    expect(await refused()).toEqual([503, 'export-not-now'])
    let listing: { status: number; body: string } = { status: 404, body: '' }
    const asked = await startControlPlane(tenants.home, () => listing)
    expect(await refused()).toEqual([501, 'export-not-supported'])
    listing = { status: 503, body: '' }
    expect(await refused()).toEqual([503, 'export-not-now'])
    listing = { status: 200, body: JSON.stringify({ phexts: ['notes'] }) }
    expect(phextsIn(await archiveOf(tenants, 'b'))).toEqual(phextsIn(await archiveOf(tenants, 'a')))
    expect(new Set(asked)).toEqual(new Set(['GET /internal/phexts/user002']))
  })

  it('never give one tenant what is another\'s', async () => {
    const tenants = await startSqTenants()
    await update(tenants, 'a', 'secret', '1.1.1/1.1.1/1.1.1', 'only of a')
    await update(tenants, 'b', 'other', '1.1.1/1.1.1/1.1.1', 'only of b')
    const archive = (await archiveOf(tenants, 'b')).toString('latin1')
    expect(archive).toContain('only of b')
    expect(archive).not.toMatch(/secret|only of a|user001/)
  })
})
