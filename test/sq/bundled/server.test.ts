import fc from 'fast-check'
import { readFileSync, writeFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parseCommandLine, parseConfig } from '../../../controller/sq/bundled/config.ts'
import { createTenantsService } from '../../../controller/sq/bundled/service.ts'
import { waitFor } from '../../support/wait.ts'
import { ask, filesBelow, newFolder, startSq, type Program } from './programs.ts'

const PIECES = [
  ...['GET ', 'POST ', '/api/v2/', 'update', '?', '&s=', 'p=', '%', ' HTTP/1.1', '\r\n', '\r\n\r\n', '\0', '\n\n'],
  ...['Content-Length: 9\r\n', 'Authorization: k\r\n'],
]
const MIB = 1024 * 1024

function request(line: string, body: string | Buffer = '', token = 'k'): Buffer {
  const content = Buffer.from(body)
  return Buffer.concat([Buffer.from(`${line} HTTP/1.1\r\nAuthorization: Bearer ${token}\r\nContent-Length: ${content.length}\r\n\r\n`), content])
}

async function send(program: Program, line: string, body: string | Buffer = '', token = 'k'): Promise<{ status: number; text: string }> {
  const answer = (await ask(program.port, { bytes: request(line, body, token) }, 60_000)).toString()
  const [head = '', ...rest] = answer.split('\r\n\r\n')
  return { status: Number(head.split(' ')[1]), text: rest.join('\r\n\r\n') }
}

/** Sends the pieces one by one, and leaves as told. */
function sendPieces(port: number, pieces: readonly Buffer[], leave: 'wait' | 'half close' | 'reset'): Promise<Buffer> {
  return new Promise((resolve) => {
    const parts: Buffer[] = []
    const socket = connect({ port, host: '127.0.0.1', noDelay: true })
    socket.on('data', (part) => parts.push(part))
    socket.on('error', () => undefined)
    socket.on('close', () => resolve(Buffer.concat(parts)))
    const next = (at: number) => {
      const piece = pieces[at]
      if (piece) socket.write(piece, () => setImmediate(next, at + 1))
      else if (leave === 'half close') socket.end()
      else if (leave === 'reset') socket.resetAndDestroy()
    }
    socket.on('connect', () => next(0))
  })
}

const isAlive = async (program: Program) => expect(await send(program, 'GET /api/v2/version?p=alive')).toEqual({ status: 200, text: '0.6.0' })

describe('the bundled SQ', () => {
  let sq: Program
  beforeAll(async () => {
    sq = await startSq('bundled', newFolder(), ['--key', 'k', '--data-dir', 'data/one'])
  })
  afterAll(() => sq.stop())

  test('outlives whatever bytes are sent to it', async () => {
    const piece = fc.oneof(
      fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
      fc.constantFrom(...PIECES).map((text) => Buffer.from(text)),
    )
    const leave = fc.constantFrom('half close' as const, 'reset' as const)
    await fc.assert(
      fc.asyncProperty(fc.array(piece, { maxLength: 8 }), leave, async (pieces, how) => {
        await sendPieces(sq.port, pieces, how)
      }),
      { numRuns: 300, seed: 3 },
    )
    await isAlive(sq)
  })

  test('answers the same however a request is cut into pieces', async () => {
    const whole = request('POST /api/v2/update?p=pieces', 'some text of a customer')
    const expected = await ask(sq.port, { bytes: whole })
    await fc.assert(
      fc.asyncProperty(fc.uniqueArray(fc.integer({ min: 1, max: whole.length - 1 }), { maxLength: 6 }), async (cuts) => {
        const places = [0, ...cuts.sort((left, right) => left - right), whole.length]
        const pieces = places.slice(1).map((end, at) => whole.subarray(places[at], end))
        return (await sendPieces(sq.port, pieces, 'wait')).equals(expected)
      }),
      { numRuns: 40, seed: 3 },
    )
  })

  test('refuses a head above its limit and a body above 64 MiB, and takes 64 MiB', async () => {
    const longHead = Buffer.from(`GET /api/v2/version HTTP/1.1\r\nX: ${'x'.repeat(70_000)}\r\n\r\n`)
    expect((await ask(sq.port, { bytes: longHead })).toString()).toMatch(/^HTTP\/1.1 413 .*\r\n\r\nheader too large$/s)
    const tooLong = Buffer.from(`POST /api/v2/update HTTP/1.1\r\nContent-Length: ${64 * MIB + 1}\r\n\r\n`)
    expect((await ask(sq.port, { bytes: tooLong })).toString()).toMatch(/^HTTP\/1.1 413 .*body too large: 67108865 bytes/s)
    expect(await send(sq, 'POST /api/v2/update?p=large', Buffer.alloc(64 * MIB, 'x'))).toEqual({ status: 200, text: `Updated ${64 * MIB} bytes` })
    await isAlive(sq)
  })

  test('refuses what would not fit in memory, and keeps what was there', async () => {
    await send(sq, 'GET /api/v2/update?p=many&s=before')
    const manyScrolls = Buffer.from('a\x17'.repeat(998).concat('\x18').repeat(1000))
    expect((await send(sq, 'POST /api/v2/update?p=many', manyScrolls)).status).toBe(413)
    expect(await send(sq, 'GET /api/v2/select?p=many')).toEqual({ status: 200, text: 'before' })
    expect(await send(sq, 'GET /api/v2/load?p=many')).toEqual({ status: 200, text: 'Loaded data/one/many.phext' })
    expect(await send(sq, 'GET /api/v2/get?p=many')).toEqual({ status: 200, text: 'before' })

    await send(sq, 'POST /api/v2/update?p=grow', Buffer.alloc(64 * MIB, 'x'))
    await send(sq, 'POST /api/v2/insert?p=grow', Buffer.alloc(63 * MIB, 'x'))
    expect((await send(sq, 'POST /api/v2/insert?p=grow', Buffer.alloc(2 * MIB, 'x'))).status).toBe(413)
    expect((await send(sq, 'GET /api/v2/status?p=grow')).text).toContain(`Phext Size: ${127 * MIB}`)
    await isAlive(sq)
  })

  test.each([
    ['query', '1.2.3/4.5.6/7.8.9,', 400],
    ['where', 'a\x17', 413],
    ['delta', '\n', 413],
  ])('refuses a %s of 64 MiB of the smallest parts within seconds', async (command, part, status) => {
    const start = performance.now()
    expect((await send(sq, `POST /api/v2/${command}?p=small`, Buffer.alloc(64 * MIB - ((64 * MIB) % part.length), part))).status).toBe(status)
    expect(performance.now() - start).toBeLessThan(10_000)
    await isAlive(sq)
  })

  test.each(['insert', 'update'])('refuses to %s beyond 999, which could not be read back', async (command) => {
    const { status, text } = await send(sq, `GET /api/v2/${command}?p=bomb&c=99999999999999999999.1.1/1.1.1/1.1.1&s=x`)
    expect([status, text]).toEqual([400, expect.stringContaining('above 999')])
    expect((await send(sq, 'GET /api/v2/status?p=bomb')).text).toContain('Phext Size: 0')
  })

  test('closes the 513th connection, and serves again when others have gone', async () => {
    const sockets: Socket[] = []
    for (let count = 0; count < 512; count++) {
      const socket = connect(sq.port, '127.0.0.1')
      socket.on('error', () => undefined)
      sockets.push(socket)
      await new Promise((resolve) => socket.once('connect', resolve))
    }
    expect((await ask(sq.port, { bytes: Buffer.from('GET ') })).toString()).toMatch(/^HTTP\/1.1 503 /)
    for (const socket of sockets) socket.destroy()
    await waitFor(async () => (await send(sq, 'GET /api/v2/version')).status === 200, 'a free connection')
  })

  test('never shows half a file', async () => {
    const file = path.join(sq.folder, 'data/one/whole.phext')
    await send(sq, 'POST /api/v2/update?p=whole', 'a'.repeat(MIB))
    let done = false
    const writes = (async () => {
      for (let round = 0; round < 40; round++) await send(sq, 'POST /api/v2/update?p=whole', (round % 2 === 0 ? 'b' : 'a').repeat(MIB))
      done = true
    })()
    const seen = new Set<string>()
    while (!done) {
      const text = readFileSync(file, 'latin1')
      seen.add(`${text.length} ${text[0]} ${text.at(-1)}`)
      await new Promise((resolve) => setImmediate(resolve))
    }
    await writes
    expect([...seen].sort()).toEqual([`${MIB} a a`, `${MIB} b b`])
    expect([...filesBelow(path.join(sq.folder, 'data')).keys()].filter((name) => name.includes('.tmp'))).toEqual([])
  })

  test('listens on 127.0.0.1 only, says so, and makes no folder of its own', async () => {
    expect(sq.output()).toContain(`listening on 127.0.0.1:${sq.port}, for this machine only`)
    const elsewhere = await new Promise((resolve) => {
      const socket = connect(sq.port, '127.0.0.2')
      socket.on('connect', () => resolve('connected'))
      socket.on('error', () => resolve('refused'))
    })
    expect(elsewhere).toBe('refused')
    expect([...filesBelow(sq.folder).keys()].filter((name) => name.startsWith('.'))).toEqual([])
  })
})

describe('reloading', () => {
  test('is refused to other machines, without looking at the file', () => {
    let reloads = 0
    const service = createTenantsService({ library: { run: () => ({ status: 200, text: '' }) }, tenants: () => new Map(), reload: () => reloads++ })
    const header = 'POST /api/v2/reload HTTP/1.1\r\n\r\n'
    expect(service.answer({ header, body: Buffer.alloc(0) }, { isLoopback: false, connection: 1 })?.status).toBe(403)
    expect(reloads).toBe(0)
    expect(service.answer({ header, body: Buffer.alloc(0) }, { isLoopback: true, connection: 1 })?.status).toBe(200)
    expect(reloads).toBe(1)
  })

  test('keeps the old map when the file is broken or gone, and never logs a token', async () => {
    const folder = newFolder()
    const config = path.join(folder, 'tenants.json')
    const secret = 'pmb-v1-very-secret'
    const impossible = { name: 'impossible', data_dir: '/proc/nowhere/a' }
    writeFileSync(config, JSON.stringify({ tenants: { [secret]: impossible, other: { name: 'b', data_dir: 'data/b' } } }))
    const sq = await startSq('bundled', folder, ['--config', config])
    try {
      for (const text of [`{"tenants": {"${secret}": }}`, `{"tenants": {"${secret}": 5}}`, `"${secret}`]) {
        writeFileSync(config, text)
        const before = sq.output().length
        await send(sq, 'POST /api/v2/reload')
        await waitFor(() => sq.output().slice(before).includes('the tenants stay as they were'), 'the failure to be told')
        expect((await send(sq, 'GET /api/v2/version', '', 'other')).status).toBe(200)
      }
      expect(sq.output()).toContain('making the data folder of tenant impossible failed')
      expect(sq.output()).not.toContain('secret')
    } finally {
      await sq.stop()
    }
  })
})

describe('the command line', () => {
  test.each([
    [['version'], { kind: 'version' }],
    [['host', '1337', '--config', 'f'], { kind: 'tenants', port: 1337, configPath: 'f' }],
    [['host', '1337', '--key', 'k', '--data-dir', 'd'], { kind: 'one', port: 1337, key: 'k', dataDir: 'd' }],
    [['host', '0', '--key', 'k', '--config', 'f'], { kind: 'tenants', port: 0, configPath: 'f' }],
    [['host', '80'], { kind: 'one', port: 80, key: undefined, dataDir: undefined }],
  ])('%j is understood', (args, expected) => {
    expect(parseCommandLine(args)).toEqual(expected)
  })

  const wrong = [[], ['serve'], ['host'], ['host', '65536'], ['host', 'x'], ['host', '80', '--config']].map((args) => [args])
  test.each(wrong)('%j is refused with what would be right', (args) => {
    expect(parseCommandLine(args)).toEqual({ kind: 'wrong', message: expect.stringContaining('sq host PORT --config FILE') as string })
  })
})

test('a configuration is read whatever its tokens are called', () => {
  const parsed = parseConfig('{"tenants": {"__proto__": {"name": "p", "data_dir": "d", "more": 1}}}')
  expect(parsed.kind === 'tenants' && parsed.tenants.get('__proto__')).toEqual({ name: 'p', dataDir: 'd' })
})
