/** What keys that are narrower than their tenant may: on the gateway in front of the real SQ's own reading of requests. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { RouteKey } from '../../controller/core/route.ts'
import { scopeRefusal } from '../../controller/gateway/scope.ts'
import { createRouteTable, type TableKey } from '../../controller/gateway/route-table.ts'
import { makeKey, digestOf, routeFor, sqLike, startFixture, startUpstream } from './gateway-fixture.ts'
import { waitFor } from '../support/wait.ts'

const INSTANCE = makeKey()

const keyWith = (text: string, changes: Partial<RouteKey> = {}): RouteKey => ({ id: 'k1', digest: digestOf(text), ...changes })

function tableKey(access: RouteKey['access'], api = '/api/v2/'): TableKey {
  const table = createRouteTable()
  const key = makeKey()
  table.apply({ put: { ...routeFor('user001', key, { api }), keys: [keyWith(key, { ...(access && { access }) })] } })
  return table.findKey(digestOf(key))!
}

const code = (key: TableKey, method: string, target: string): string | undefined => scopeRefusal(key, { method, target })?.code

describe('a read-only key', () => {
  const key = tableKey({ readOnly: true })

  it('reads, in every way that SQ has', () => {
    for (const target of ['select?p=a&c=1.1.1/1.1.1/1.1.1', 'toc', 'get?p=a', 'status', 'checksum', 'delta', 'version', 'query?p=a&from=1']) expect(code(key, 'GET', `/api/v2/${target}`)).toBeUndefined()
    expect(code(key, 'POST', '/api/v2/query?p=a')).toBeUndefined()
    expect(code(key, 'HEAD', '/api/v2/select?p=a')).toBeUndefined()
    expect(code(key, 'GET', '/api/v2/export')).toBeUndefined()
  })

  it('writes in none, whatever the method says', () => {
    for (const [method, target] of [['GET', 'insert?s=x'], ['POST', 'insert'], ['GET', 'update?s=x'], ['POST', 'updateanything'], ['GET', 'delete'], ['DELETE', 'delete?c=1.1.1/1.1.1/1.1.1'], ['GET', 'json-export'], ['GET', 'load'], ['POST', 'import']] as const) {
      expect([method, target, code(key, method, `/api/v2/${target}`)]).toEqual([method, target, 'key-read-only'])
    }
  })

  it('may nothing that is not known as a call of SQ', () => {
    for (const [method, target] of [['GET', '%69nsert?s=x'], ['PUT', 'insert'], ['POST', 'select'], ['PATCH', 'update'], ['GET', ''], ['GET', 'Insert'], ['DELETE', 'select'], ['POST', 'export']] as const) {
      expect([method, target, code(key, method, `/api/v2/${target}`)]).toEqual([method, target, target === 'export' ? undefined : 'key-call-denied'])
    }
  })

  it('of another product may read by the methods of HTTP', () => {
    const other = tableKey({ readOnly: true }, '/api/v1/')
    expect(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'].map((method) => code(other, method, '/api/v1/documents'))).toEqual([undefined, undefined, ...Array<string>(4).fill('key-read-only')])
  })
})

describe('a key for some phexts', () => {
  const key = tableKey({ phexts: ['notes', 'a b'] })

  it('opens these and what belongs to them, and no other', () => {
    for (const p of ['notes', 'a%20b', 'a+b', '%6eotes', 'x&p=notes', 'notes~names', 'notes~text']) expect([p, code(key, 'GET', `/api/v2/select?p=${p}`)]).toEqual([p, undefined])
    for (const p of ['other', '', 'notes2', 'Notes', 'notes%00', 'notes&p=other', 'notes&%70=other', 'notes~', 'notes~names~text', '../notes']) expect([p, code(key, 'GET', `/api/v2/select?p=${p}`)]).toEqual([p, 'key-phext-denied'])
    expect(code(key, 'GET', '/api/v2/select')).toBe('key-phext-denied')
    expect(code(key, 'DELETE', '/api/v2/delete?p=other')).toBe('key-phext-denied')
    for (const path of ['export', 'import']) expect(code(key, 'POST', `/api/v2/${path}`)).toBe('key-phext-denied')
  })

  it('opens the phext of calls that name none where it says so', () => {
    const nameless = tableKey({ phexts: [''] })
    expect([code(nameless, 'GET', '/api/v2/toc'), code(nameless, 'GET', '/api/v2/toc?p='), code(nameless, 'GET', '/api/v2/toc?p=a')]).toEqual([undefined, undefined, 'key-phext-denied'])
    expect(code(tableKey({ phexts: [] }), 'GET', '/api/v2/toc')).toBe('key-phext-denied')
  })

  it('lets through exactly what SQ takes for one of them, whatever the request looks like', () => {
    const piece = fc.constantFrom('notes', 'other', 'p=', 'p', '=', '&', '?', '#', '%70', '%3D', '%26', '+', '%', '%00', '/', '..', ';p=notes', 'é')
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 8 }), (pieces) => {
        const target = `/api/v2/select?${pieces.join('')}`
        const passed = code(key, 'GET', target) === undefined
        expect(passed).toBe(['notes', 'a b'].includes(sqReads(target)))
      }),
      { numRuns: 2_000 },
    )
  })
})

/** As SQ 0.6.0 has it in request_parse and parse_query_string, word by word. */
function sqReads(target: string): string {
  const decode = (text: string): string => Buffer.from(Buffer.from(text.replaceAll('+', ' '), 'latin1').toString('latin1').replace(/%([0-9a-fA-F]{2})/g, (_all, hex: string) => String.fromCharCode(parseInt(hex, 16))), 'latin1').toString('utf8')
  const parameters = new Map<string, string>()
  const at = target.indexOf('?')
  for (const pair of target.slice(at + 1).split('&')) {
    const equals = pair.indexOf('=')
    if (equals !== -1) parameters.set(decode(pair.slice(0, equals)), decode(pair.slice(equals + 1)))
  }
  return parameters.get('p') ?? ''
}

describe('a narrower key at the gateway', () => {
  it('reaches SQ with the instance key, and is never sent there itself', async () => {
    const [full, narrow, imported] = [makeKey(), makeKey(), 'handed-out-in-2024']
    const upstream = await startUpstream(sqLike('ok'))
    const route = routeFor('user001', full, { upstream: { host: '127.0.0.1', port: upstream.port }, instanceKey: INSTANCE })
    const keys = [keyWith(full), keyWith(narrow, { id: 'k2', access: { readOnly: true } }), keyWith(imported, { id: 'k3', imported: true })]
    const { url, log } = await startFixture([{ ...route, keys }])
    // Other coordinates, so that none is answered from memory.
    for (const [at, key] of [full, narrow, imported].entries()) expect((await fetch(`${url}/api/v2/select?p=a&c=1.1.1/1.1.1/1.1.${at + 1}`, { headers: { Authorization: `Bearer ${key}` } })).status).toBe(200)
    for (const request of upstream.requests) expect(request).toContain(`Authorization: Bearer ${INSTANCE}\r\n`)
    const refused = await fetch(`${url}/api/v2/update?p=a`, { method: 'POST', body: 'x', headers: { 'X-API-Key': narrow } })
    expect([refused.status, await refused.json()]).toMatchObject([403, { code: 'key-read-only' }])
    expect(upstream.requests).toHaveLength(3)
    expect((await fetch(`${url}/api/v2/select`, { headers: { 'X-API-Key': INSTANCE } })).status).toBe(401)
    expect(log.join('\n')).not.toContain(INSTANCE.slice(7))
  })

  it('waits for the instance key where its route has none yet, and full keys are served meanwhile', async () => {
    const [full, narrow] = [makeKey(), makeKey()]
    const upstream = await startUpstream(sqLike('ok'))
    const route = { ...routeFor('user001', full, { upstream: { host: '127.0.0.1', port: upstream.port } }), keys: [keyWith(full), keyWith(narrow, { id: 'k2', access: { readOnly: true } })] }
    const { url, writer } = await startFixture([route])
    const status = async (key: string) => (await fetch(`${url}/api/v2/select`, { headers: { 'X-API-Key': key } })).status
    expect([await status(full), await status(narrow)]).toEqual([200, 503])
    await writer.put([{ ...route, instanceKey: INSTANCE }])
    await waitFor(async () => (await status(narrow)) === 200, 'the narrower key', 1_000)
  })

  it('ends with its parent: at once where that is gone, by itself where that expires', async () => {
    const [parent, child] = [makeKey(), makeKey()]
    const upstream = await startUpstream(sqLike('ok'))
    const end = new Date(Date.now() + 1_500).toISOString()
    const route = { ...routeFor('user001', parent, { upstream: { host: '127.0.0.1', port: upstream.port }, instanceKey: INSTANCE }), keys: [keyWith(parent, { expiresAt: end }), keyWith(child, { id: 'k2', parent: 'k1', expiresAt: end })] }
    const { url } = await startFixture([route])
    const status = async () => (await fetch(`${url}/api/v2/select`, { headers: { 'X-API-Key': child } })).status
    expect(await status()).toBe(200)
    await waitFor(async () => (await status()) === 401, 'the end of the parent', 3_000)
  })

  it('whose line cannot be understood is not in force, rather than in force without its limits', async () => {
    const table = createRouteTable()
    const { decodeRecord } = await import('../../controller/gateway/route-log.ts')
    const line = JSON.stringify({ put: { ...routeFor('user001', makeKey()), keys: [{ ...keyWith(makeKey()), access: { readOnly: true, onlyOnSundays: true } }] } })
    expect(decodeRecord(line)).toBeUndefined()
    expect(table.keys).toBe(0)
  })
})
