/**
 * No customer reaches another's data: tenants of every product with marked secrets in all that they store, and a generator of requests
 * that try to get there by parameters, headers, host names, paths, methods and bodies. Nothing of another's comes back, and what exists
 * elsewhere is answered byte for byte as what exists nowhere. TENANTRY_ISOLATION=N tries N requests a pair instead of the default.
 */
import fastify from 'fastify'
import fc from 'fast-check'
import { randomBytes } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { pino } from 'pino'
import { describe, expect, it, onTestFinished } from 'vitest'
import { createAgentKeys } from '../../controller/agent-keys/agent-keys.ts'
import type { KeyChanges } from '../../controller/agent-keys/change-batch.ts'
import { createKeyRoutes } from '../../controller/agent-keys/routes.ts'
import { readKeyUse } from '../../controller/agent-keys/use.ts'
import type { Route } from '../../controller/core/route.ts'
import type { Tenant } from '../../controller/core/specs.ts'
import { webSocketPath } from '../../controller/gateway/sockets.ts'
import { createKeyring, newMasterKey, parseMasterKey } from '../../controller/keyring.ts'
import { createSpecParser } from '../../controller/specs/parse.ts'
import { editSpec } from '../../controller/specs/write.ts'
import { has } from '../support/parts.ts'
import { tempFolder } from '../support/temp.ts'
import { makeKey, routeFor, startFixture, startUpstream } from './gateway-fixture.ts'
import { headerOf, say, type RawAnswer } from './raw-http.ts'
import { makeTenant, startSqPlace, type SqPlace, type SqTenant } from './sq-place.ts'
import { jwtOf, startIssuer } from './token-issuer.ts'

const REQUESTS = Number(process.env['TENANTRY_ISOLATION'] ?? 120)
const SEED = Number(process.env['TENANTRY_ISOLATION_SEED'] ?? 42)
const HERE = '1.1.1/1.1.1/1.1.1'

/** What one tenant has: nothing of it may show in an answer to another's key. */
interface Owner {
  readonly tenant: string
  readonly product: string
  readonly api: string | undefined
  readonly key: string
  /** In every text that it stores. */
  readonly marker: string
  /** The name of a phext of its own, which others may guess. */
  readonly phext: string
  readonly folder: string | undefined
}

const guessable = (): string => `only-${randomBytes(6).toString('hex')}`
const mark = (): string => `SECRET${randomBytes(8).toString('hex')}`

/** A tenant each of spoq and contextlite, with a container that tells whom the gateway says the request is from. */
async function startContainer(tenant: string, product: string, api: string | undefined): Promise<{ owner: Owner; route: Route }> {
  const [key, marker] = [makeKey(), mark()]
  const upstream = await startUpstream((socket, request) => {
    const whom = /x-tenantry-tenant: (.*)/i.exec(request)?.[1] ?? 'nobody'
    const body = `${marker} as ${whom.trim()}`
    socket.end(`HTTP/1.1 200 OK\r\nETag: "${marker}"\r\nContent-Length: ${body.length}\r\n\r\n${body}`)
  })
  const { tenant: id, plan, state, keys, limits } = routeFor(tenant, key)
  const route: Route = { tenant: id, plan, state, keys, limits, product, upstream: { host: '127.0.0.1', port: upstream.port }, ...(api !== undefined && { api }) }
  return { owner: { tenant, product, api, key, marker, phext: guessable(), folder: undefined }, route }
}

const ownerOf = (place: SqPlace, { tenant, keys }: SqTenant, product: string): Owner => ({ tenant, product, api: '/api/v2/', key: keys[0]!, marker: mark(), phext: guessable(), folder: place.data(tenant) })

async function setUp() {
  const [first, second, dedicated] = [makeTenant('user001'), makeTenant('user002'), makeTenant('ded001')] as const
  const home = tempFolder('isolation')
  const [shared, own] = [await startSqPlace([first, second], home), await startSqPlace([dedicated])]
  const containers = [await startContainer('ctx001', 'contextlite', '/api/v1/'), await startContainer('ctx002', 'contextlite', '/api/v1/'), await startContainer('alice', 'spoq', undefined)]
  const owners = [ownerOf(shared, first, 'sq'), ownerOf(shared, second, 'sq'), ownerOf(own, dedicated, 'sq-dedicated'), ...containers.map(({ owner }) => owner)]
  const alone = routeFor(dedicated.tenant, dedicated.keys[0]!, { product: 'sq-dedicated', upstream: { host: '127.0.0.1', port: own.sq.port }, instanceKey: dedicated.instanceKey })
  const routes = [shared.route(first), shared.route(second), alone, ...containers.map(({ route }) => route)]
  const issuer = await startIssuer()
  const products = { sq: { title: 'SQ', api: '/api/v2/', hostSuffix: 'sq.example' }, 'sq-dedicated': { title: 'SQ', api: '/api/v2/', hostSuffix: 'ded.example' }, contextlite: { title: 'CL', api: '/api/v1/', hostSuffix: 'ctx.example', ...jwtOf(issuer) } }
  await startController(home, owners)
  const tokens = await Promise.all(containers.filter(({ owner }) => owner.product === 'contextlite').map(async ({ owner }) => ({ ...owner, key: await issuer.token({ claims: { tenant: owner.tenant, exp: Math.floor(Date.now() / 1000) + 3_600 } }) })))
  const { gateway } = await startFixture(routes, {}, home, undefined, { products })
  const send = async (head: string, body = ''): Promise<RawAnswer | undefined> => {
    const length = body === '' ? '' : `Content-Length: ${Buffer.byteLength(body)}\r\n`
    return (await say(gateway.port, { bytes: `${head}${length}Connection: close\r\n\r\n${body}`, head: head.startsWith('HEAD ') })).answers[0]
  }
  for (const owner of owners) await fill(owner, send)
  return { owners, attackers: [...owners, ...tokens], send }
}

/** The control plane as far as customers' calls come to it: the real routes for keys, over tenants' files in memory that name a key after the secret. */
async function startController(home: string, owners: readonly Owner[]): Promise<void> {
  const parser = createSpecParser()
  const read = (owner: Owner, text: string): Tenant => {
    const parsed = parser.parse(`tenants/${owner.product}/000/${owner.tenant}.yaml`, text)
    if (parsed.kind === 'bad') throw new Error(parsed.problems.map(({ message }) => message).join('; '))
    return parsed.spec as Tenant
  }
  const files = new Map(owners.map((owner) => [owner.tenant, { owner, text: tenantFile(owner) }]))
  const tenant = (id: string): Tenant | undefined => {
    const file = files.get(id)
    return file && read(file.owner, file.text)
  }
  const changes: KeyChanges = {
    async submit({ tenant: id, edits }) {
      const file = files.get(id)!
      file.text = editSpec(file.text, edits(tenant(id)!))
      return tenant(id)!
    },
  }
  const keys = createAgentKeys({ changes, tenant, keyring: createKeyring(parseMasterKey(newMasterKey())), useOf: (id) => readKeyUse(home, id), newNonce: () => randomBytes(16).toString('hex'), now: () => new Date() })
  // A clock by which nobody asks too often: a refusal for that would depend on what was asked before.
  let at = Date.now()
  const site = fastify().register(createKeyRoutes({ keys, untilServed: () => Promise.resolve(true), now: () => new Date((at += 60_000)), log: pino({ level: 'silent' }) }))
  await site.listen({ path: webSocketPath(home) })
  onTestFinished(() => site.close())
}

const tenantFile = ({ tenant, product, marker }: Owner): string =>
  `apiVersion: tenantry.dev/v1\nkind: Tenant\nmetadata: { name: ${tenant} }\nspec:\n  product: ${product}\n  plan: any\n  owner: { email: someone@example.com }\n  state: active\n  keys:\n` +
  [`id: k1, nonce: ${'a'.repeat(32)}`, `id: k2, nonce: ${'b'.repeat(32)}, name: ${marker}, parent: k1`].map((key) => `    - { ${key}, createdAt: 2026-02-12T13:15:00Z }\n`).join('')

type Send = (head: string, body?: string) => Promise<RawAnswer | undefined>

/** Secrets at the origin, in a phext of its own, at a name; read once, so that the gateway keeps the answers. */
async function fill({ key, marker, phext, folder }: Owner, send: Send): Promise<void> {
  if (folder === undefined) return
  const head = (method: string, target: string): string => `${method} /api/v2/${target} HTTP/1.1\r\nHost: x\r\nX-API-Key: ${key}\r\n`
  for (const p of ['', 'notes', phext]) {
    expect((await send(head('POST', `update?p=${p}&c=${HERE}`), `${marker} in ${p}`))?.status).toBe(200)
    await send(head('POST', `update?p=${p}&c=my.secret.name/of.what.is/kept.for.me`), `${marker} by name`)
    for (const read of [`select?p=${p}&c=${HERE}`, `get?p=${p}`, `toc?p=${p}`]) expect((await send(head('GET', read)))?.body.toString()).toContain(read.startsWith('toc') ? '' : marker)
  }
}

/** What a try fills in: of the victim, or of nobody. The same lengths, so that no length tells. */
interface Guess {
  readonly phext: string
  readonly tenant: string
  readonly etag: string
}

interface Try {
  readonly method: string
  readonly target: string
  readonly headers: readonly string[]
  readonly body: string
}

const pick = <T>(...values: readonly T[]): fc.Arbitrary<T> => fc.constantFrom(...values)

const READS = ['select', 'get', 'toc', 'status', 'checksum', 'delta', 'json-export', 'load', 'query', 'version']
const WRITES = ['insert', 'update', 'delete']
/** PHEXT and TENANT are filled in. */
const NAMES = ['PHEXT', 'PHEXT', '../TENANT/PHEXT', '..%2fTENANT%2fPHEXT', '%2e%2e/TENANT/PHEXT', '..\\TENANT\\PHEXT', 'TENANT/PHEXT', '/TENANT/PHEXT', 'PHEXT%00', 'PHEXT.phext', 'PHEXT~names', 'PHEXT~text', '', 'x&p=PHEXT', 'PHEXT&p=x', 'PHEXT%26p=x', '....//TENANT/PHEXT', '%c0%ae%c0%ae/TENANT/PHEXT']
const COORDINATES = [HERE, '1.1.1/1.1.1/1.1.2', 'my.secret.name/of.what.is/kept.for.me', '', '1.1.1;1.1.1;1.1.1', '..%2f', '999.999.999/999.999.999/999.999.999']
const RANGES = ['', '&from=1.1.1/1.1.1/1.1.1&to=999.999.999/999.999.999/999.999.999', '&s=x', '&limit=5', '&tenant=TENANT', '&data_dir=TENANT', '&key=TENANT']

const sqTarget = fc.tuple(pick(...READS, ...READS, ...WRITES), pick(...NAMES), pick(...COORDINATES), pick(...RANGES)).map(([command, p, c, range]) => `/api/v2/${command}?p=${p}&c=${c}${range}`)
const otherTarget = pick(
  ...['/api/usage', '/api/usage?tenant=TENANT', '/api/keys', '/api/keys/k1', '/api/keys/TENANT', '/api/keys?tenant=TENANT', '/mcp', '/api/v2/export', '/api/v2/export?tenant=TENANT&p=PHEXT', '/api/v2/export?p=PHEXT', '/api/v2/reload'],
  ...['/api/v1/documents/TENANT', '/api/v1/search?q=PHEXT', '/api/v1/../v2/get?p=PHEXT', '/api/v2/../v1/x', '/api/v2/%2e%2e/TENANT/PHEXT', '//api/v2/get?p=PHEXT', '/api/v2//get?p=PHEXT', '/api/v2/get/../../TENANT?p=PHEXT', '/TENANT/api/v2/get?p=PHEXT'],
  ...['http://TENANT.sq.example/api/v2/get?p=PHEXT', 'http://TENANT.ctx.example/api/v1/x', '/internal/tenants/TENANT', '/metrics', '/api/tenants/TENANT', '/sq/sq-000/data/TENANT/PHEXT.phext', '/api/v2/get;TENANT?p=PHEXT', '/api/v2/get%3fp=PHEXT'],
)
/** Identities that nobody may claim, hosts of others, validators of others' answers. */
const claim = pick(
  ...['X-Tenantry-Tenant: TENANT', 'X-Tenantry-Key: k1', 'x-tenantry-instance: TENANT', 'X-Forwarded-Host: TENANT.sq.example', 'X-Forwarded-User: TENANT', 'Forwarded: host=TENANT.ctx.example', 'X-Original-URL: /api/v2/get?p=PHEXT', 'X-Rewrite-URL: /api/v2/get?p=PHEXT'],
  ...['If-None-Match: ETAG', 'If-None-Match: *', 'If-Match: ETAG', 'Range: bytes=0-9999', 'Cookie: tenant=TENANT', 'X-HTTP-Method-Override: DELETE', 'Connection: Authorization', 'Connection: X-API-Key', 'Authorization: Basic VEVOQU5UOg==', 'X-Real-IP: 127.0.0.1', 'Authorization-Extra: TENANT'],
)
const host = pick('x', 'x', 'x', 'TENANT.sq.example', 'TENANT.ctx.example', 'TENANT.ded.example', 'TENANT.ctx.example:8080', 'a.TENANT.ctx.example')
const MCP = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'recall', arguments: { phext: 'PHEXT', name: 'my.secret.name/of.what.is/kept.for.me', coordinate: HERE, tenant: 'TENANT' } } })
const body = pick('', '', 'text', MCP, MCP.replace('recall', 'search'), MCP.replace('recall', 'list'), `${HERE}: 00\n`, JSON.stringify({ tenant: 'TENANT', parent: 'k1', phexts: ['PHEXT'] }))

const tries: fc.Arbitrary<Try> = fc
  .tuple(fc.oneof({ weight: 3, arbitrary: sqTarget }, { weight: 2, arbitrary: otherTarget }), pick('GET', 'GET', 'GET', 'POST', 'POST', 'HEAD', 'DELETE', 'PUT'), host, fc.array(claim, { maxLength: 3 }), body)
  .map(([target, method, name, claims, text]) => ({ method, target, headers: [`Host: ${name}`, ...claims, ...(text.startsWith('{') ? ['Content-Type: application/json', 'Accept: application/json, text/event-stream'] : [])], body: method === 'GET' || method === 'HEAD' ? '' : text }))

const fillIn = (text: string, { phext, tenant, etag }: Guess): string => text.replaceAll('PHEXT', phext).replaceAll('TENANT', tenant).replaceAll('ETAG', etag)

/** Everything that an answer says, without what differs between any two answers and without what was sent. */
function said(answer: RawAnswer | undefined, guess: Guess): string {
  if (answer === undefined) return 'closed'
  // A refusal holds the request's id, whose length grows.
  const varying = answer.body.includes('"requestId"') ? ['date', 'x-request-id', 'content-length'] : ['date', 'x-request-id']
  const headers = answer.headers.filter(([name]) => !varying.includes(name)).map(([name, value]) => `${name}: ${value}`)
  const text = `${answer.status}\n${headers.join('\n')}\n\n${answer.body.toString('latin1')}`
  const clean = text.replaceAll(/"requestId":"[^"]*"/g, '').replaceAll(/test-[0-9a-z]+/g, '')
  return clean.replaceAll(guess.phext, 'PHEXT').replaceAll(guess.tenant, 'TENANT').replaceAll(guess.etag, 'ETAG')
}

/** Elsewhere a body may be stored, and a checksum of what is one's own would tell the guesses apart. */
const MAY_GUESS_IN_BODY = /^\/(mcp|api\/(keys|v1))/

/** Whose answers change while they are asked: counts, lists of one's own phexts, and SQ's own counters. */
const CHANGES_BY_ITSELF = /^(\/api\/usage|\/api\/v2\/(export|status|version|json-export))/
/** Each new key is another one, and there are only so many. */
const changesByItself = ({ method, target }: Try): boolean => CHANGES_BY_ITSELF.test(target) || (method === 'POST' && target.startsWith('/api/keys'))

describe.skipIf(!has('sq'))('tenants apart', () => {
  it('gives no key and no token another\'s data, and no sign of it, for every pair of products and every way', { timeout: 60_000 + REQUESTS * 3_000 }, async () => {
    const { owners, attackers, send } = await setUp()
    const before = new Map(owners.map((owner) => [owner, contents(owner)]))
    const statuses = new Map<number, number>()

    async function attempt(attacker: Owner, victim: Owner, one: Try, guess: Guess, which: string): Promise<string> {
      const text = (value: string): string => fillIn(value, guess)
      const answer = await send(`${one.method} ${text(one.target)} HTTP/1.1\r\nX-API-Key: ${attacker.key}\r\n${one.headers.map((each) => `${text(each)}\r\n`).join('')}`, MAY_GUESS_IN_BODY.test(one.target) ? text(one.body) : one.body)
      statuses.set(answer?.status ?? 0, (statuses.get(answer?.status ?? 0) ?? 0) + 1)
      const everything = `${JSON.stringify(answer?.headers)}\n${answer?.body.toString('latin1')}`
      for (const other of owners) if (other.tenant !== attacker.tenant && everything.includes(other.marker)) expect.fail(`${which} gave ${other.tenant}'s secret: ${everything.slice(0, 500)}`)
      if (answer !== undefined && answer.status < 300 && everything.includes(' as ')) expect(everything, which).toContain(` as ${attacker.tenant}`)
      return said(answer, guess)
    }

    for (const [at, attacker] of attackers.entries()) {
      for (const [of, victim] of owners.entries()) {
        if (attacker.tenant === victim.tenant) continue
        const exists: Guess = { phext: victim.phext, tenant: victim.tenant, etag: await etagOf(victim, send) }
        // The same one for all tries: what the attacker stores itself under these names is found again in both.
        const nowhere: Guess = { phext: randomLike(exists.phext), tenant: randomLike(exists.tenant), etag: randomLike(exists.etag) }
        const some = fc.sample(tries, { numRuns: Math.ceil(REQUESTS / 4), seed: SEED + at * 100 + of })
        for (const one of some) {
          const which = `${attacker.tenant} (${attacker.product}) after ${victim.tenant} (${victim.product}): ${JSON.stringify(one)}`
          const [real, invented] = [await attempt(attacker, victim, one, exists, which), await attempt(attacker, victim, one, nowhere, which)]
          if (!changesByItself(one)) expect(real, which).toBe(invented)
        }
      }
    }
    // The tries were not all thrown away at the door.
    expect(statuses.get(200)).toBeGreaterThan(100)
    for (const owner of owners) expect(contents(owner), `${owner.tenant}'s own phexts`).toEqual(before.get(owner))
  })
})

/** Of the answer that is kept for the victim. */
async function etagOf({ key, api }: Owner, send: Send): Promise<string> {
  if (api === undefined) return '"0000000000000000"'
  const answer = await send(`GET ${api}select?p=notes&c=${HERE} HTTP/1.1\r\nHost: x\r\nX-API-Key: ${key}\r\n`)
  return (answer && headerOf(answer, 'etag')) ?? '"0000000000000000"'
}

/** Another text of the same shape. */
function randomLike(text: string): string {
  const other = text.replaceAll(/[0-9a-f](?=[0-9a-f]*"?$)/g, () => randomBytes(1).toString('hex')[0]!)
  return other === text ? text.replaceAll(/[a-z0-9]/g, 'q') : other
}

/** The files in which the owner's secrets lie, as they are on disk. What an owner does to its own while it attacks is its own affair. */
function contents({ folder, phext }: Owner): Record<string, string> {
  if (folder === undefined) return {}
  const own = readdirSync(folder).filter((name) => name.startsWith(phext))
  return Object.fromEntries(own.map((name) => [name, readFileSync(path.join(folder, name), 'latin1')]))
}
