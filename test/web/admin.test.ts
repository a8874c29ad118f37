/** The operations' port: what is open, what needs the token, and what it says. */
import { pino } from 'pino'
import { Registry } from 'prom-client'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { Loop, LoopState } from '../../controller/reconcile/loop.ts'
import type { TenantId } from '../../controller/core/specs.ts'
import { withConditions, NEW_STATUS, type ConditionUpdate } from '../../controller/core/status.ts'
import { newRecord, type TenantRecord } from '../../controller/store/tenant-records.ts'
import { createAdmin } from '../../controller/web/admin.ts'
import { createStatusReader } from '../../controller/web/status-reader.ts'
import { createCore, rev, type Core } from '../reconcile/support.ts'
import { userId } from '../support/specs.ts'

const TOKEN = 'a long enough admin token'
const AT = '2026-03-01T12:00:00.000Z'

function admin(state: Partial<LoopState> = {}) {
  const core = createCore({ files: [] })
  let pokes = 0
  const loop = { poke: () => void pokes++, state: { ready: true, queueDepth: 0, attempted: undefined, applied: undefined, lastSuccessAt: undefined, lastError: undefined, ...state } } as Loop
  const app = createAdmin({ token: TOKEN, registry: new Registry(), loop, status: createStatusReader(core.stores), log: pino({ level: 'silent' }) })
  onTestFinished(() => app.close())
  return { app, core, pokes: () => pokes, get: (url: string, token?: string) => app.inject({ url, headers: token === undefined ? {} : { authorization: `Bearer ${token}` } }) }
}

/** A record with these conditions, as the executor leaves it. */
function put({ stores }: Core, id: TenantId, conditions: readonly ConditionUpdate[], more: Partial<TenantRecord> = {}): void {
  stores.records.put({ ...newRecord(id, 'sq', `tenants/${id}.yaml`), status: withConditions(NEW_STATUS, conditions, AT), ...more })
}
const ready = (status: boolean, reason: string, message = ''): ConditionUpdate => ({ type: 'Ready', status, reason, message })

describe('the open part', () => {
  test('answers health, metrics and a poke without a token', async () => {
    const { app, get, pokes } = admin()
    expect((await get('/healthz')).json()).toEqual({ status: 'ok' })
    expect((await get('/metrics')).statusCode).toBe(200)
    expect((await app.inject({ method: 'POST', url: '/poke' })).statusCode).toBe(202)
    expect(pokes()).toBe(1)
  })

  test('is ready after the first look, and says before what stands in its way', async () => {
    expect((await admin().get('/readyz')).statusCode).toBe(200)
    const answer = await admin({ ready: false, lastError: 'the branch is gone' }).get('/readyz')
    expect(answer.statusCode).toBe(503)
    expect(answer.headers).toMatchObject({ 'content-type': expect.stringContaining('application/problem+json') as string, 'retry-after': '1' })
    expect(answer.json()).toMatchObject({ status: 503, code: 'not-ready', detail: 'the branch is gone' })
    expect((await admin({ ready: false }).get('/readyz')).json()).toMatchObject({ detail: expect.stringContaining('not done yet') as string })
  })
})

describe('the token', () => {
  const paths = ['/api/status', '/api/tenants', '/api/tenants/user001', '/api/audit']

  test.each(paths)('is needed for %s', async (url) => {
    const { core, get } = admin()
    put(core, userId(1), [ready(true, 'Serving')])
    for (const wrong of [undefined, '', 'x', TOKEN.slice(0, -1), `${TOKEN}x`, TOKEN.toUpperCase()]) {
      const answer = await get(url, wrong)
      expect(answer.statusCode).toBe(401)
      expect(answer.json()).toMatchObject({ code: 'admin-token-required' })
      expect(answer.body).not.toContain('Serving')
    }
    expect((await get(url, TOKEN)).statusCode).toBe(200)
  })

  test('is asked for before anything is said of what exists', async () => {
    const { get } = admin()
    expect((await get('/api/tenants/user999')).statusCode).toBe(401)
    expect((await get('/api/tenants/user999', TOKEN)).json()).toMatchObject({ status: 404, code: 'no-such-tenant' })
  })
})

test.each(['rebound.example.com', 'rebound.example.com:9090', 'localhost.example.com'])('a name that was made to point here is answered nothing: %s', async (host) => {
  const { app, pokes } = admin()
  const answer = await app.inject({ method: 'POST', url: '/poke', headers: { host } })
  expect(answer.json()).toMatchObject({ status: 403, code: 'host-not-allowed' })
  expect(pokes()).toBe(0)
})

test.each(['127.0.0.1:9090', 'localhost', '[::1]:9090'])('its own address is answered: %s', async (host) => {
  expect((await admin().app.inject({ url: '/healthz', headers: { host } })).statusCode).toBe(200)
})

test('what is at no address is told as a problem', async () => {
  const answer = await admin().get('/nowhere')
  expect(answer.statusCode).toBe(404)
  expect(answer.headers['content-type']).toMatch(/^application\/problem\+json/)
})

describe('what the status says', () => {
  test('counts tenants by what becomes of them, and names those that need a look', async () => {
    const { core, get } = admin()
    core.stores.meta.set('revision', rev(3))
    put(core, userId(1), [ready(true, 'Serving')])
    put(core, userId(2), [ready(false, 'Suspended', 'unpaid')])
    put(core, userId(3), [ready(false, 'ImageMissing', 'no image')])
    put(core, userId(4), [ready(true, 'Serving'), { type: 'Held', status: true, reason: 'OnHold', message: 'audit' }])
    put(core, userId(5), [ready(true, 'Serving'), { type: 'SpecValid', status: false, reason: 'BadFile', message: 'line 3' }])
    put(core, userId(6), [ready(false, 'Removed')], { removedAt: AT, dataUntil: AT })
    core.stores.deletions.hold(rev(2), [userId(4)])
    const overview = (await get('/api/status', TOKEN)).json<Record<string, unknown>>()
    expect(overview).toMatchObject({ revision: rev(3), tenants: { total: 6, ready: 3, notReady: 2, held: 1, retained: 1 }, awaitingApproval: [{ revision: rev(2), tenants: ['user004'] }] })
    expect((overview['attention'] as { tenant: string; reason: string; message: string }[]).map(({ tenant, reason, message }) => `${tenant} ${reason} ${message}`)).toEqual(['user003 ImageMissing no image', 'user004 OnHold audit', 'user005 BadFile line 3'])
  })

  test('of one tenant holds its record, its purchase and its history, newest first', async () => {
    const { core, get } = admin()
    put(core, userId(1), [ready(true, 'Serving')])
    core.stores.timeline.mark({ trace: 't', step: 'committed', at: AT, tenant: userId(1) })
    for (const action of ['create', 'suspend']) core.stores.audit.add({ at: AT, actor: 'controller', action, tenant: userId(1), detail: '' })
    expect((await get('/api/tenants/user001', TOKEN)).json()).toMatchObject({ tenant: 'user001', timeline: [{ step: 'committed' }], history: [{ action: 'suspend' }, { action: 'create' }] })
    expect((await get('/api/audit', TOKEN)).json()).toHaveLength(2)
    expect((await get('/api/tenants', TOKEN)).json()).toMatchObject([{ tenant: 'user001', ready: true, reason: 'Serving' }])
  })
})
