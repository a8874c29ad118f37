import { request as httpRequest } from 'node:http'
import { connect, type AddressInfo } from 'node:net'
import fc from 'fast-check'
import Fastify, { type FastifyInstance } from 'fastify'
import Stripe from 'stripe'
import { afterEach, describe, expect, it } from 'vitest'
import { openStore, type Store } from '../../../controller/store/db.ts'
import { createInbox } from '../../../controller/store/inbox.ts'
import { createTimeline } from '../../../controller/store/timeline.ts'
import { createStripeWebhook, MAX_BODY_BYTES, type WebhookOutcome } from '../../../hooks/stripe/webhook.ts'
import { tempFolder } from '../../support/temp.ts'
import { createLogDouble } from './log-double.ts'

const SECRET = 'whsec_test'
const PATH = '/api/stripe/webhook'
const { webhooks } = new Stripe('sk_test_1')

const closing: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

interface SetUp {
  readonly app: FastifyInstance
  readonly db: Store
  readonly inbox: ReturnType<typeof createInbox>
  readonly outcomes: WebhookOutcome[]
  readonly pokes: { count: number }
  readonly clock: { now: Date }
  readonly log: ReturnType<typeof createLogDouble>
}

async function setUp(): Promise<SetUp> {
  const db = openStore(`${tempFolder()}/store.db`, 'durable')
  closing.push(() => db.close())
  const clock = { now: new Date('2026-02-12T13:15:00Z') }
  const now = () => clock.now
  const inbox = createInbox(db, { now, mark: createTimeline(db).mark })
  const log = createLogDouble()
  const outcomes: WebhookOutcome[] = []
  const pokes = { count: 0 }
  let traces = 0
  const app = Fastify()
  closing.push(() => app.close())
  const newTrace = () => String(++traces).padStart(32, '0')
  const count = (outcome: WebhookOutcome) => void outcomes.push(outcome)
  await app.register(createStripeWebhook({ inbox, webhooks, secret: SECRET, now, newTrace, poke: () => (pokes.count += 1), log, count }))
  app.post('/other', (request) => ({ parsed: request.body }))
  return { app, db, inbox, outcomes, pokes, clock, log }
}

function eventBody(id = 'evt_1', type = 'checkout.session.completed'): string {
  return JSON.stringify({ id, object: 'event', type, data: { object: { id: `cs_${id}`, customer_email: 'ada@example.com' } } }, undefined, 2)
}

function sign(payload: string, { at = new Date('2026-02-12T13:15:00Z'), secret = SECRET } = {}): string {
  return webhooks.generateTestHeaderString({ payload, secret, timestamp: Math.floor(at.getTime() / 1000) })
}

const send = (app: FastifyInstance, payload: string | Buffer, headers: Record<string, string>, url = PATH) =>
  app.inject({ method: 'POST', url, payload, headers: { 'content-type': 'application/json; charset=utf-8', ...headers } })

describe('a webhook of Stripe', () => {
  it.each([PATH, '/webhooks/stripe'])('is stored with a trace, pokes the worker and is answered with 200 at %s', async (path) => {
    const { app, inbox, pokes, outcomes } = await setUp()
    const answer = await send(app, eventBody(), { 'stripe-signature': sign(eventBody()) }, path)
    expect([answer.statusCode, answer.json()]).toEqual([200, { received: true }])
    expect(inbox.open(9)).toMatchObject([{ id: 'evt_1', type: 'checkout.session.completed', object: 'cs_evt_1', trace: '1'.padStart(32, '0') }])
    expect([pokes.count, outcomes]).toEqual([1, ['stored']])
  })

  it('that comes twice is stored once and answered with 200 twice', async () => {
    const { app, inbox, pokes, outcomes } = await setUp()
    const headers = { 'stripe-signature': sign(eventBody()) }
    await send(app, eventBody(), headers)
    const answer = await send(app, eventBody(), headers)
    expect([answer.statusCode, answer.json()]).toEqual([200, { received: true, duplicate: true }])
    expect([inbox.open(9).length, pokes.count, outcomes]).toEqual([1, 1, ['stored', 'duplicate']])
  })

  it('of a type that nothing is done with is answered with 200 and noted, without its body', async () => {
    const { app, db, pokes, outcomes } = await setUp()
    const body = eventBody('evt_9', 'radar.something.new')
    expect((await send(app, body, { 'stripe-signature': sign(body) })).statusCode).toBe(200)
    const row = { id: 'evt_9', state: 'ignored', type: 'radar.something.new', body: '', note: 'nothing is done with events of this type' }
    expect(db.prepare('SELECT id, state, type, body, note FROM inbox').all()).toEqual([row])
    expect([pokes.count, outcomes]).toEqual([0, ['ignored']])
  })

  it('is good with one right signature of two, as while a secret is rolled', async () => {
    const { app } = await setUp()
    const [time, right] = sign(eventBody()).split(',')
    expect((await send(app, eventBody(), { 'stripe-signature': `${time},v1=${'0'.repeat(64)},${right}` })).statusCode).toBe(200)
  })

  it('that cannot be stored is answered with 500, so that Stripe sends it again', async () => {
    const { app, db, outcomes, log } = await setUp()
    db.exec('DROP TABLE inbox')
    const answer = await send(app, eventBody(), { 'stripe-signature': sign(eventBody()) })
    expect([answer.statusCode, answer.json()['code'], answer.headers['retry-after']]).toEqual([500, 'not-stored', '30'])
    expect(outcomes).toEqual(['failed'])
    expect(log.lines.map(({ level }) => level)).toEqual(['error'])
  })

  it('leaves other routes their own body parser', async () => {
    const { app } = await setUp()
    expect((await send(app, '{"a":1}', {}, '/other')).json()).toEqual({ parsed: { a: 1 } })
  })
})

describe('refused, with problem+json and a stable code, and nothing stored:', () => {
  const refusals: readonly [string, string, Record<string, string>, number, string][] = [
    ['no signature', eventBody(), {}, 400, 'signature-missing'],
    ['a signature with another secret', eventBody(), { 'stripe-signature': sign(eventBody(), { secret: 'whsec_other' }) }, 400, 'signature-invalid'],
    ['a changed body', eventBody('evt_2'), { 'stripe-signature': sign(eventBody()) }, 400, 'signature-invalid'],
    ['the same JSON in other bytes', JSON.stringify(JSON.parse(eventBody())), { 'stripe-signature': sign(eventBody()) }, 400, 'signature-invalid'],
    ['a signature of six minutes ago', eventBody(), { 'stripe-signature': sign(eventBody(), { at: new Date('2026-02-12T13:09:00Z') }) }, 400, 'signature-invalid'],
    ['no body', '', { 'stripe-signature': sign('') }, 400, 'event-malformed'],
    ['signed text that is no JSON', 'hello', { 'stripe-signature': sign('hello') }, 400, 'event-malformed'],
    ['signed JSON that is no event', '[1]', { 'stripe-signature': sign('[1]') }, 400, 'event-malformed'],
    ['an event with a foreign id', eventBody('../etc'), { 'stripe-signature': sign(eventBody('../etc')) }, 400, 'event-malformed'],
    ['more than the limit, before its signature is looked at', 'x'.repeat(MAX_BODY_BYTES + 1), {}, 413, 'body-too-large'],
  ]
  it.each(refusals)('%s', async (_, body, headers, status, code) => {
    const { app, db, outcomes, log } = await setUp()
    const answer = await send(app, body, headers)
    expect(answer.headers['content-type']).toMatch(/^application\/problem\+json/)
    expect(answer.json()).toMatchObject({ status, code })
    expect(answer.statusCode).toBe(status)
    expect(db.prepare('SELECT count(*) AS n FROM inbox').get()).toEqual({ n: 0 })
    expect([outcomes, log.lines]).toEqual([['refused'], []])
  })
})

async function listen(app: FastifyInstance): Promise<number> {
  await app.listen({ host: '127.0.0.1', port: 0 })
  return (app.server.address() as AddressInfo).port
}

/** Sends bytes as they are; resolves with the first line of the answer, or 'closed'. */
function sendRaw(port: number, bytes: string | Uint8Array): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(bytes))
    let answer = ''
    socket.setTimeout(5000, () => reject(new Error(`no answer to ${JSON.stringify(String(bytes).slice(0, 300))}`)))
    socket.on('data', (data) => {
      answer += data.toString('latin1')
      if (answer.includes('\r\n')) socket.destroy()
    })
    socket.on('error', () => undefined)
    socket.on('close', () => resolve(answer.split('\r\n')[0] || 'closed'))
  })
}

describe('whatever is sent', () => {
  it('any body under any headers gets an answer, is never taken for an event, and nothing of it is logged', async () => {
    const { app, db, log } = await setUp()
    const body = fc.oneof(fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)), fc.json().map((text) => Buffer.from(text)))
    const signature = fc.oneof(fc.string(), fc.constant(sign(eventBody())), fc.tuple(fc.integer(), fc.string()).map(([t, v]) => `t=${t},v1=${v}`), fc.constant('t=,v1='), fc.constant('t=NaN,v1=,v0='))
    const type = fc.oneof(fc.constantFrom('application/json', 'text/plain', 'multipart/form-data', ';;', 'a/b/c', ''), fc.string())
    const printable = (text: string) => text.replace(/[^\x20-\x7e]/g, '')
    await fc.assert(
      fc.asyncProperty(body, signature, type, async (payload, header, contentType) => {
        const answer = await app.inject({ method: 'POST', url: PATH, payload, headers: { 'content-type': printable(contentType), 'stripe-signature': printable(header) } })
        expect(answer.statusCode).toBeGreaterThanOrEqual(400)
        expect(answer.statusCode).toBeLessThan(500)
        expect(typeof answer.json()['code']).toBe('string')
      }),
      { numRuns: 500 },
    )
    expect(db.prepare('SELECT count(*) AS n FROM inbox').get()).toEqual({ n: 0 })
    expect(log.lines).toEqual([])
  })

  it('any signed JSON gets an answer that is no fault of ours', async () => {
    const { app } = await setUp()
    const id = fc.oneof(fc.constant('evt_1'), fc.string().map((text) => `evt_${text}`), fc.anything())
    const type = fc.oneof(fc.constantFrom('checkout.session.completed', 'x'), fc.anything())
    const data = fc.oneof(fc.record({ object: fc.anything() }), fc.anything())
    const event = fc.record({ id, type, data }, { requiredKeys: [] })
    const text = fc.oneof(fc.json(), event.map((value) => JSON.stringify(value, (_, inner: unknown) => (typeof inner === 'bigint' ? String(inner) : inner)) ?? 'null'))
    await fc.assert(
      fc.asyncProperty(text, async (payload) => {
        const { statusCode } = await send(app, payload, { 'stripe-signature': sign(payload) })
        expect([200, 400]).toContain(statusCode)
      }),
      { numRuns: 500 },
    )
  })

  it('raw bytes on the socket get an answer or a clean close, and the next webhook is taken', async () => {
    const { app, inbox } = await setUp()
    const port = await listen(app)
    const start = `POST ${PATH} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n`
    const hostile = [
      'GARBAGE\r\n\r\n',
      `${start}content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n`,
      `${start}content-length: -1\r\n\r\n`,
      `${start}content-length: 99999999999\r\n\r\n`,
      `${start}transfer-encoding: chunked\r\n\r\nzz\r\n`,
      `${start}transfer-encoding: chunked\r\n\r\n${(MAX_BODY_BYTES + 10).toString(16)}\r\n${'x'.repeat(MAX_BODY_BYTES + 10)}\r\n0\r\n\r\n`,
      `${start}stripe-signature: a\r\nstripe-signature: b\r\ncontent-length: 0\r\n\r\n`,
      `${start}content-length: 2\r\n\r\n{}`,
    ]
    for (const bytes of hostile) expect(await sendRaw(port, bytes), bytes.slice(0, 200)).toMatch(/^(HTTP\/1\.1 4\d\d|closed)/)
    const half = connect(port, '127.0.0.1', () => half.end(`${start}content-length: 500\r\n\r\nhalf`))
    await new Promise((resolve) => half.on('close', resolve).on('error', () => undefined).resume())
    await postOver(port, eventBody())
    expect(inbox.open(9)).toHaveLength(1)
  })
})

function postOver(port: number, payload: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const headers = { 'content-type': 'application/json', 'stripe-signature': sign(payload) }
    const request = httpRequest({ port, host: '127.0.0.1', path: PATH, method: 'POST', headers }, (response) => {
      response.resume().on('end', () => resolve(response.statusCode!))
    })
    request.on('error', reject).end(payload)
  })
}

describe('500 webhooks at once', () => {
  it('are all stored durably and answered, many in one transaction', async () => {
    const { app, inbox, db } = await setUp()
    expect(db.prepare('PRAGMA synchronous').get()).toEqual({ synchronous: 2 })
    const port = await listen(app)
    await postOver(port, eventBody('evt_first'))
    let transactions = 0
    const exec = db.exec.bind(db)
    db.exec = (sql) => {
      if (sql === 'COMMIT') transactions += 1
      exec(sql)
    }
    const bodies = Array.from({ length: 500 }, (_, n) => eventBody(`evt_${n}`))
    const start = performance.now()
    const statuses = await Promise.all(bodies.map((body) => postOver(port, body)))
    console.info(`500 signed webhooks at once: ${Math.round(performance.now() - start)} ms, ${transactions} transactions`)
    expect(statuses.every((status) => status === 200)).toBe(true)
    expect(inbox.counts().pending).toBe(501)
    expect(transactions).toBeLessThan(250)
  })
})
