/**
 * The same requests straight to SQ and through the gateway to another SQ with the same content: the same status and body, except where
 * the table below says why not. TENANTRY_CONFORMANCE=N sends N requests instead of the default; TENANTRY_CONFORMANCE_SEED=S others.
 */
import fc from 'fast-check'
import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { requestArbitrary } from '../sq/bundled/requests.ts'
import { has } from '../support/parts.ts'
import { waitFor } from '../support/wait.ts'
import { startFixture } from './gateway-fixture.ts'
import { headerOf, refusalCode, say, type RawAnswer } from './raw-http.ts'
import { makeTenant, startSqPlace } from './sq-place.ts'

const REQUESTS = Number(process.env['TENANTRY_CONFORMANCE'] ?? 4000)
const SEED = Number(process.env['TENANTRY_CONFORMANCE_SEED'] ?? 42)

/** A request that is plain HTTP/1.1, taken apart. */
interface Plain {
  readonly method: string
  readonly path: string
  /** SQ's command; empty where there is none. */
  readonly command: string
  readonly p: string
  readonly c: string | undefined
  /** Distinct texts sent as keys. */
  readonly keys: ReadonlySet<string>
}

const COMMANDS = ['load', 'select', 'insert', 'update', 'where', 'delete', 'status', 'checksum', 'toc', 'get', 'delta', 'version', 'json-export', 'query']
const AT_COORDINATE = ['select', 'insert', 'update', 'delete']
const CHANGING = ['insert', 'update', 'delete', 'delta', 'json-export', 'load']

/** Undefined for what is no plain HTTP/1.1: two programs may read such bytes differently, and neither is wrong. */
function readPlain(bytes: Buffer): Plain | undefined {
  const text = bytes.toString('latin1')
  const end = text.indexOf('\r\n\r\n')
  if (end === -1) return undefined
  const [line, ...headers] = text.slice(0, end).split('\r\n')
  const start = /^(GET|HEAD|POST|PUT|DELETE|OPTIONS) (\/[\x21-\x7e]*) HTTP\/1\.1$/.exec(line!)
  if (start === null || !headers.every((each) => /^[A-Za-z-]+: [\x20-\x7e]*$/.test(each))) return undefined
  const body = bytes.subarray(Buffer.byteLength(text.slice(0, end), 'latin1') + 4)
  const lengths = headers.filter((each) => /^(content-length|transfer-encoding):/i.test(each))
  if (lengths.length > 1 || (lengths[0] ?? 'Content-Length: 0') !== `Content-Length: ${body.length}`) return undefined
  const [, method, target] = start as unknown as [string, string, string]
  const [pathOnly, query] = [target.split(/[?#]/)[0]!, target.slice(target.indexOf('?') + 1)]
  const parameters = target.includes('?') ? readParameters(query) : new Map<string, string>()
  const command = pathOnly.startsWith('/api/v2/') ? COMMANDS.find((each) => pathOnly.startsWith(each, 8)) : undefined
  const keys = headers.flatMap((each) => {
    const [name, value] = [each.slice(0, each.indexOf(':')).toLowerCase(), each.slice(each.indexOf(':') + 1).trim()]
    return name === 'authorization' ? [value.replace(/^bearer +/i, '')] : name === 'x-sq-api-key' ? [value] : []
  })
  return { method, path: pathOnly, command: command ?? '', p: parameters.get('p') ?? '', c: parameters.get('c'), keys: new Set(keys) }
}

/** As SQ reads them: split first, decoded then, the last of equal ones wins. */
function readParameters(query: string): Map<string, string> {
  const decode = (text: string): string => Buffer.from(text.replaceAll('+', ' ').replaceAll(/%([0-9a-f]{2})/gi, (_all, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))), 'latin1').toString()
  return new Map(query.split('&').filter((each) => each.includes('=')).map((each) => [decode(each.slice(0, each.indexOf('='))), decode(each.slice(each.indexOf('=') + 1))]))
}

const parts = (coordinate: string): string[] => coordinate.trim().split(/[./;]/)
const isNumeric = (coordinate: string): boolean => parts(coordinate).length === 9 && parts(coordinate).every((each) => /^[+-]?\d+$/.test(each))
const isOutside = (coordinate: string): boolean => isNumeric(coordinate) && parts(coordinate).some((each) => !/^\d/.test(each) || Number(each) < 1 || Number(each) > 999)
const hasNameAsCoordinate = ({ command, c }: Plain): boolean => AT_COORDINATE.includes(command) && c !== undefined && c.trim() !== '' && !isNumeric(c)
const isUnder = (api: string, at: string): boolean => at.startsWith(api) || at === api.slice(0, -1)

/** Where the gateway answers for itself, by its stable code: for which requests it may, and why that is not as with SQ. */
const REFUSED: Readonly<Record<string, { readonly when: (request: Plain, right: readonly string[]) => boolean; readonly why: string }>> = {
  'key-missing': { when: ({ keys }) => [...keys].every((key) => key === ''), why: 'SQ says 401 too, in other words' },
  'key-malformed': { when: () => true, why: 'SQ says 401 too: the checksum spares the look-up' },
  'key-invalid': { when: () => true, why: 'SQ says 401 too' },
  'too-many-failed-attempts': { when: ({ keys }, right) => !right.some((key) => keys.has(key)), why: 'SQ lets anybody guess for ever' },
  'keys-conflict': { when: ({ keys }) => keys.size > 1, why: 'SQ takes the first one, so that it is chance whose memory is meant' },
  'coordinate-out-of-range': { when: ({ command, c }) => command === 'delta' || (AT_COORDINATE.includes(command) && c !== undefined && isOutside(c)), why: 'SQ stores each number as that many bytes, reads 1000 and up as 999, 0 as 1, and a delta never ends' },
  'coordinate-not-numeric': { when: hasNameAsCoordinate, why: 'on SQ names share scrolls' },
  'name-unknown': { when: hasNameAsCoordinate, why: 'on SQ names share scrolls; here each has its own' },
  'name-unusable': { when: hasNameAsCoordinate, why: 'a name is a line of a list, and whole' },
  'text-has-breaks': { when: hasNameAsCoordinate, why: 'breaks would move the text\'s end to the scroll of another name' },
  'phext-name-unusable': { when: ({ p }) => p.includes('\0') || Buffer.byteLength(p) > 200, why: 'SQ answers 200 and loses the text at its next start' },
  'method-not-allowed': { when: ({ method, command }) => method === 'HEAD' && (CHANGING.includes(command) || command === ''), why: 'SQ knows no HEAD; here it reads, and only that' },
  'not-found': { when: ({ path: at }) => at.startsWith('/api/v2/reload'), why: 'customers do not reload SQ' },
  'no-such-route-for-product': { when: ({ path: at }) => isUnder('/api/v1/', at), why: 'the path is another product\'s' },
  'control-plane-down': { when: ({ path: at }) => !isUnder('/api/v2/', at) && !isUnder('/api/v1/', at), why: 'the path is not SQ\'s but the site\'s' },
}
const UNAUTHENTICATED = ['key-missing', 'key-malformed', 'key-invalid']

/** An export's rows come in a random order. */
const comparable = ({ command }: Plain, body: Buffer): string => {
  const text = body.toString('latin1')
  return command === 'json-export' ? text.split('\n').map((row) => row.replace(/^,/, '')).sort().join('\n') : text
}

/** What is in a tenant's folder after all. Names and their directories are the gateway's own; SQ makes empty files by reading. */
function phexts(folder: string): Map<string, string> {
  const names = readdirSync(folder).filter((name) => name.endsWith('.phext') && !name.includes('~'))
  const files = names.sort().map((name): [string, string] => [name, readFileSync(path.join(folder, name), 'latin1')])
  return new Map(files.filter(([, text]) => text !== ''))
}

function expectHeaders(answer: RawAnswer, which: string): void {
  const { version, headers, status } = answer
  expect(version, which).toBe('HTTP/1.1')
  expect(new Set(headers.map(([name]) => name)).size, `${which}: no header twice`).toBe(headers.length)
  expect(headerOf(answer, 'date'), which).toMatch(/^\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT$/)
  expect(headerOf(answer, 'x-request-id'), which).toMatch(/^test-/)
  expect(headerOf(answer, 'connection'), which).toBe('keep-alive')
  expect(headerOf(answer, 'access-control-allow-origin'), which).toBe('*')
  expect(headerOf(answer, 'transfer-encoding'), which).toBeUndefined()
  if (status === 204) return
  expect(headerOf(answer, 'content-type'), which).toMatch(/^(text\/plain; charset=utf-8|application\/(problem\+)?json)$/)
  expect(headerOf(answer, 'x-content-type-options') ?? 'nosniff', which).toBe('nosniff')
}

async function startBoth() {
  const tenants = [makeTenant('user001', 2), makeTenant('user002')] as const
  const [straight, behind] = [await startSqPlace(tenants), await startSqPlace(tenants)]
  const { gateway } = await startFixture(tenants.map((tenant) => behind.route(tenant)), {}, behind.home)
  const right = [tenants[0].keys[0]!, tenants[0].keys[0]!, tenants[0].keys[1]!, tenants[1].keys[0]!]
  return { tenants, straight, behind, port: gateway.port, right }
}

describe.skipIf(!has('sq'))('the same as SQ', () => {
  it('in status and body, except where a reason is given', { timeout: 30_000 + REQUESTS * 25 }, async () => {
    const { tenants, straight, behind, port, right } = await startBoth()
    const counts = new Map<string, number>()
    const count = (name: string): void => void counts.set(name, (counts.get(name) ?? 0) + 1)

    async function compare(bytes: Buffer, request: Plain, which: string): Promise<void> {
      const head = request.method === 'HEAD'
      const answer = (await say(port, { bytes, answers: 1, head })).answers[0]!
      expectHeaders(answer, which)
      const code = head ? undefined : refusalCode(answer)
      if (code !== undefined) {
        count(code)
        expect(REFUSED[code]?.when(request, right), `${which}: refused with ${code}`).toBe(true)
        // SQ minds an unknown method before a wrong key, and reloads for anybody on its machine.
        const needsKey = /^(GET|POST)$/.test(request.method) && !request.path.startsWith('/api/v2/reload')
        if (UNAUTHENTICATED.includes(code) && needsKey) expect((await say(straight.sq.port, { bytes })).answers[0]!.status, which).toBe(answer.status)
        return
      }
      if (request.method === 'OPTIONS') return expect([answer.status, answer.body.length], which).toEqual([204, 0])
      // Names are scrolls of their own here, and DELETE and POST delete as GET does.
      if (hasNameAsCoordinate(request)) return count('name')
      if (head && answer.status >= 400) return count('HEAD refused')
      const deletes = (request.method === 'DELETE' || request.method === 'POST') && request.path === '/api/v2/delete'
      const sent = head || deletes ? Buffer.concat([Buffer.from('GET'), bytes.subarray(request.method.length)]) : bytes
      const expected = (await say(straight.sq.port, { bytes: sent })).answers[0]!
      count(head ? 'HEAD' : request.method === 'DELETE' ? 'DELETE' : 'same')
      expect(answer.status, which).toBe(expected.status)
      if (request.command === 'toc' && counts.has('name')) return head ? undefined : expect(answer.body.toString('latin1').startsWith(expected.body.toString('latin1')), which).toBe(true)
      expect(headerOf(answer, 'content-length'), which).toBe(String(expected.body.length))
      if (head) return
      expect(comparable(request, answer.body), which).toBe(comparable(request, expected.body))
    }

    const requests = fc.sample(requestArbitrary({ right, wrong: ['wrong', '', 'pmb-v1', 'pmb-v1-zzz', '__proto__', `${right[0]!.slice(0, -1)}0`] }), { numRuns: REQUESTS, seed: SEED })
    for (const [which, { bytes, halfClose }] of requests.entries()) {
      const request = halfClose === true ? undefined : readPlain(bytes)
      if (request !== undefined) await compare(bytes, request, `request ${which}: ${JSON.stringify(bytes.toString('latin1').slice(0, 600))}`)
    }
    expect(counts.get('same')).toBeGreaterThan(REQUESTS / 3)
    for (const { tenant } of tenants) {
      const stored = phexts(straight.data(tenant))
      expect(stored.size).toBeGreaterThan(1)
      // The answer of a write is there before the file is whole.
      await waitFor(() => expect(phexts(behind.data(tenant))).toEqual(stored) ?? true, 'the same files')
    }
  })

  it('answers what is no plain HTTP, or closes, and keeps every neighbour and itself whole', { timeout: 30_000 + REQUESTS * 5 }, async () => {
    const { tenants, port, right } = await startBoth()
    const key = tenants[1].keys[0]!
    const neighbour = (method: string, target: string): string => `${method} /api/v2/${target} HTTP/1.1\r\nHost: x\r\nX-API-Key: ${key}\r\n\r\n`
    await say(port, { bytes: neighbour('GET', 'update?p=mine&s=untouched'), answers: 1 })
    const odd = fc.sample(requestArbitrary({ right: right.slice(0, 3), wrong: ['wrong'] }), { numRuns: REQUESTS, seed: SEED + 1 }).filter(({ bytes, halfClose }) => (halfClose === true || readPlain(bytes) === undefined) && !bytes.toString('latin1').startsWith('HEAD'))
    expect(odd.length).toBeGreaterThan(REQUESTS / 20)
    for (const [which, { bytes, halfClose }] of odd.entries()) {
      // What is not complete is not answered yet: the client says that nothing more comes.
      const { answers, rest } = await say(port, { bytes, halfClose: halfClose ?? true })
      const shown = `request ${which}: ${JSON.stringify(bytes.toString('latin1').slice(0, 600))}`
      expect(rest.toString('latin1'), shown).toBe('')
      for (const { status } of answers) expect(status, shown).not.toBe(500)
      if (which % 50 === 0) expect((await say(port, { bytes: neighbour('GET', 'select?p=mine'), answers: 1 })).answers[0]!.body.toString(), shown).toBe('untouched')
    }
  })
})
