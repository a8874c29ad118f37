import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import fc from 'fast-check'
import { pack, type Pack } from 'tar-stream'
import { expect, test } from 'vitest'
import { inArchiveOrder, isAfter, readSums, sumLine, type Manifest } from '../../../controller/gateway/transfer/archive.ts'
import { readArchive, type Arrived } from '../../../controller/gateway/transfer/archive-reader.ts'
import { writeArchive, type PhextSource } from '../../../controller/gateway/transfer/archive-writer.ts'
import { createSpools } from '../../../controller/gateway/transfer/spool.ts'
import { tempFolder } from '../../support/temp.ts'

const NOW = new Date('2026-03-01T12:00:00Z')
const sha256 = (text: string | Buffer): string => createHash('sha256').update(text).digest('hex')

function sourceOf(phexts: ReadonlyMap<string, string>, unreadable = new Set<string>()): PhextSource {
  const openSpool = createSpools(tempFolder('spool'))
  return {
    names: () => Promise.resolve(phexts.keys()),
    async read(name, use) {
      if (unreadable.has(name)) return { kind: 'unreadable', reason: 'it is broken' }
      const spool = await openSpool()
      await spool.write(Buffer.from(phexts.get(name)!))
      await use(spool.finish())
      await spool.close()
      return { kind: 'read' }
    },
  }
}

function archiveOf(phexts: ReadonlyMap<string, string>, after?: string): Promise<Buffer> {
  return bytesOf(writeArchive(sourceOf(phexts), { tenant: 'user001', after, now: () => NOW }))
}

async function bytesOf(archive: Pack): Promise<Buffer> {
  const pieces: Buffer[] = []
  for await (const piece of archive as AsyncIterable<Buffer>) pieces.push(piece)
  return Buffer.concat(pieces)
}

async function* inPieces(bytes: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield Promise.resolve(bytes.subarray(at, at + size)) as never
}

async function readAll(bytes: Buffer, size = 65_536, largestBytes = 1 << 29) {
  const texts = new Map<string, string>()
  const rejected: Record<string, string> = {}
  const end = await readArchive(inPieces(bytes, size), { openSpool: createSpools(tempFolder('spool')), largestBytes }, async (arrived: Arrived) => {
    if (arrived.kind === 'rejected') rejected[arrived.name] = arrived.reason
    else texts.set(arrived.name, (await arrived.text.at(0, arrived.text.bytes)).toString())
  })
  return { texts, rejected, ...end }
}

const name = fc
  .string({ unit: 'binary', maxLength: 40 })
  .map((text) => text.replace(/[/\\\0]/g, '_').replaceAll('..', '.'))
  .filter((text) => !text.includes('..') && Buffer.from(text).toString() === text)

test('what is written is read again, whatever names and texts there are, and however the bytes are cut', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.tuple(name, fc.string({ unit: 'binary', maxLength: 2000 })), { maxLength: 6 }), fc.integer({ min: 1, max: 3000 }), async (entries, size) => {
      const phexts = new Map(entries.map(([key, text]) => [key, Buffer.from(text).toString()]))
      const { texts, rejected, complete } = await readAll(await archiveOf(phexts), size)
      expect({ texts, rejected, complete }).toEqual({ texts: phexts, rejected: {}, complete: true })
    }),
    { numRuns: 40 },
  )
})

test('tar unpacks it and sha256sum finds every phext whole, odd names included', async () => {
  const phexts = new Map([['', 'no name'], ['notes', 'a\x17b'], ['mit Leerzeichen', ''], ['zeile\nzwei', 'x'], ['ünïcödé', 'ä'], ['-rf', 'y'], ['n'.repeat(200), 'long']])
  const folder = tempFolder('unpacked')
  writeFileSync(path.join(folder, 'a.tar'), await archiveOf(phexts))
  execFileSync('tar', ['xf', 'a.tar'], { cwd: folder })
  expect(execFileSync('sha256sum', ['-c', '--quiet', 'SHA256SUMS'], { cwd: folder, encoding: 'utf8' })).toBe('')
  expect(readdirSync(path.join(folder, 'phexts')).sort()).toEqual([...phexts.keys()].map((each) => `${each}.phext`).sort())
  const manifest = JSON.parse(readFileSync(path.join(folder, 'manifest.json'), 'utf8')) as Manifest
  expect(manifest).toMatchObject({ format: 'tenantry-archive/1', tenant: 'user001', exportedAt: NOW.toISOString(), failed: [] })
  expect(manifest.phexts.find((each) => each.name === 'notes')).toEqual({ name: 'notes', bytes: 3, sha256: sha256('a\x17b') })
})

test('an archive that tar made anew is read where its checksums come first', async () => {
  const folder = tempFolder('repacked')
  writeFileSync(path.join(folder, 'a.tar'), await archiveOf(new Map([['notes', 'text'], ['zeile\nzwei', 'x']])))
  execFileSync('tar', ['xf', 'a.tar'], { cwd: folder })
  execFileSync('tar', ['cf', 'b.tar', './SHA256SUMS', './phexts'], { cwd: folder })
  expect(await readAll(readFileSync(path.join(folder, 'b.tar')))).toEqual({ texts: new Map([['notes', 'text'], ['zeile\nzwei', 'x']]), rejected: {}, complete: false })
  execFileSync('tar', ['cf', 'c.tar', './phexts', './SHA256SUMS'], { cwd: folder })
  expect((await readAll(readFileSync(path.join(folder, 'c.tar')))).rejected).toEqual({ notes: 'checksum-missing', 'zeile\nzwei': 'checksum-missing' })
})

test('a phext that cannot be read does not keep the others from being exported', async () => {
  const phexts = new Map([['a', '1'], ['b', '2'], ['c', '3']])
  const bytes = await bytesOf(writeArchive(sourceOf(phexts, new Set(['b'])), { tenant: 't', after: undefined, now: () => NOW }))
  expect((await readAll(bytes)).texts).toEqual(new Map([['a', '1'], ['c', '3']]))
  expect(bytes.toString()).toContain('"reason": "it is broken"')
})

test('an export goes on behind the last whole phext', async () => {
  const phexts = new Map(['a', 'b', 'b~names', 'b~text', 'c'].map((each) => [each, each]))
  expect([...(await readAll(await archiveOf(phexts))).texts.keys()]).toEqual(['a', 'b', 'b~text', 'b~names', 'c'])
  expect([...(await readAll(await archiveOf(phexts, 'b~text'))).texts.keys()]).toEqual(['b~names', 'c'])
  expect([...(await readAll(await archiveOf(phexts, 'zzz'))).texts.keys()]).toEqual([])
})

test('the order is one order: what lies behind a name lies behind it in every archive', () => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.oneof(name, name.map((each) => `${each}~names`), name.map((each) => `${each}~text`))), (names) => {
      const ordered = inArchiveOrder(names)
      ordered.forEach((each, at) => expect(ordered.filter((other) => isAfter(other, each))).toEqual(ordered.slice(at + 1)))
      for (const each of names) if (each.endsWith('~text')) expect(ordered.indexOf(each)).toBeLessThan(Math.max(ordered.indexOf(`${each.slice(0, -5)}~names`), ordered.length))
    }),
  )
})

test('a checksum line is read back whatever the name', () => {
  fc.assert(fc.property(name.filter((each) => !/[\u2028\u2029]/.test(each)), (each) => {
    expect([...readSums(sumLine({ name: each, bytes: 1, sha256: 'a'.repeat(64) }))]).toEqual([[`phexts/${each}.phext`, 'a'.repeat(64)]])
  }))
})

test('a bit that flipped rejects that phext alone', async () => {
  const bytes = await archiveOf(new Map([['a', 'first text'], ['b', 'second text'], ['c', 'third']]))
  bytes[bytes.indexOf('second')] = 0x53
  expect(await readAll(bytes)).toMatchObject({ texts: new Map([['a', 'first text'], ['c', 'third']]), rejected: { b: 'checksum-differs' } })
})

test('an archive that breaks off gives what was whole and says that it is not', async () => {
  const bytes = await archiveOf(new Map([['a', 'x'.repeat(5000)], ['b', 'y'.repeat(5000)]]))
  const texts: string[] = []
  const cut = readArchive(inPieces(bytes.subarray(0, bytes.indexOf('yyyy') + 100), 700), { openSpool: createSpools(tempFolder('spool')), largestBytes: 1e6 }, (arrived) => Promise.resolve(void texts.push(arrived.name)))
  await expect(cut).rejects.toThrow()
  expect(texts).toEqual(['a'])
})

test('what is no archive is an error, not a crash', async () => {
  await expect(readAll(Buffer.from('x'.repeat(2000)))).rejects.toThrow()
  await expect(readAll(Buffer.alloc(0))).resolves.toMatchObject({ complete: false })
})

test('links, folders, other files and names that no phext can have change nothing', async () => {
  const tar = pack()
  const sum = { comment: `sha256:${sha256('x')}` }
  tar.entry({ name: 'phexts/', type: 'directory' })
  tar.entry({ name: 'phexts/link.phext', type: 'symlink', linkname: '/etc/passwd' })
  tar.entry({ name: 'README', pax: sum }, 'x')
  tar.entry({ name: 'phexts/../../etc/passwd.phext', pax: sum }, 'x')
  tar.entry({ name: 'phexts/a..b.phext', pax: sum }, 'x')
  tar.entry({ name: `phexts/${'n'.repeat(201)}.phext`, pax: sum }, 'x')
  tar.entry({ name: 'phexts/large.phext', pax: sum }, 'x'.repeat(200))
  tar.entry({ name: 'phexts/latin.phext', pax: { comment: `sha256:${sha256(Buffer.from([0xe9]))}` } }, Buffer.from([0xe9]))
  tar.entry({ name: 'phexts/good.phext', pax: sum }, 'x')
  tar.finalize()
  const { texts, rejected } = await readAll(await bytesOf(tar), 512, 100)
  expect(texts).toEqual(new Map([['good', 'x']]))
  expect(rejected).toEqual({ 'a..b': 'name-unusable', ['n'.repeat(201)]: 'name-unusable', large: 'too-large', latin: 'not-text' })
})

test('a spool leaves no file behind', async () => {
  const folder = path.join(tempFolder('spool'), 'made')
  mkdirSync(folder)
  const spool = await createSpools(folder)()
  await spool.write(Buffer.from('some'))
  await spool.write(Buffer.from(' text'))
  const text = spool.finish()
  expect(readdirSync(folder)).toEqual([])
  expect({ bytes: text.bytes, sha256: text.sha256, part: (await text.at(3, 4)).toString(), past: (await text.at(20, 4)).length }).toEqual({ bytes: 9, sha256: sha256('some text'), part: 'e te', past: 0 })
  await spool.close()
})
