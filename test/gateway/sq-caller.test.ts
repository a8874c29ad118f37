/** Calls that the gateway makes by itself, against an upstream that does what the test says. */
import { describe, expect, it } from 'vitest'
import { createAdmission } from '../../controller/gateway/admission.ts'
import { createByteBudget } from '../../controller/gateway/byte-budget.ts'
import { createClearance } from '../../controller/gateway/clearance.ts'
import { createForwarder } from '../../controller/gateway/forward.ts'
import type { Granted } from '../../controller/gateway/passage.ts'
import { createRouteTable } from '../../controller/gateway/route-table.ts'
import { DEFAULT_SETTINGS } from '../../controller/gateway/settings.ts'
import { createPhextVersions, phextVersionsBuffer } from '../../controller/gateway/shared/phext-versions.ts'
import { createSqCaller } from '../../controller/gateway/sq-caller.ts'
import type { Settlement } from '../../controller/gateway/tenant-storage.ts'
import { storageFull } from '../../controller/gateway/limit-refusals.ts'
import { waitFor } from '../support/wait.ts'
import { digestOf, makeKey, recordingLog, routeFor, sqLike, startUpstream } from './gateway-fixture.ts'

async function setUp(answer: Parameters<typeof startUpstream>[0], { bufferBytes = 1_000_000, full = false } = {}) {
  const upstream = await startUpstream(answer)
  const key = makeKey()
  const table = createRouteTable()
  const place = { host: '127.0.0.1', port: upstream.port }
  table.apply({ put: routeFor('user001', key, { upstream: place }) })
  const access: Granted = { kind: 'granted', key, entry: table.findKey(digestOf(key))!, upstream: place }
  const versions = createPhextVersions(phextVersionsBuffer())
  const budget = createByteBudget(bufferBytes)
  const admission = createAdmission({ connections: 1, connectionsPerTenant: 1, prompt: 1, queue: 10, queuePerTenant: 10 }, () => performance.now())
  const settled: Settlement[] = []
  const refusal = storageFull({ limitBytes: 1, fairUse: false, usedBytes: 1, reservedBytes: 0, neededBytes: 1 }, {})
  const storage = {
    reserve: (...parts: unknown[]) => (parts[5] as (decision: unknown) => void)(full ? { kind: 'refused', refusal } : { kind: 'reserved', settle: (settlement: Settlement) => settled.push(settlement) }),
    exported: () => undefined,
  }
  const clearance = createClearance({ routes: { links: {} } as never, storage: storage as never, versions })
  const forward = createForwarder({ admission, settings: { ...DEFAULT_SETTINGS, answerTimeoutMs: 300, comebackMs: 100 }, log: recordingLog([]), now: () => performance.now() })
  return { upstream, access, versions, budget, admission, settled, caller: createSqCaller({ clearance, forward, budget }) }
}

describe('a call to SQ from inside the gateway', () => {
  it('is a whole request with the tenant\'s key, and answers in memory', async () => {
    const { caller, access, upstream, settled, versions, budget } = await setUp(sqLike('Updated 5 bytes'))
    const before = versions.read('user001', 'notes').version
    const reply = await caller.call(access, { method: 'POST', target: '/api/v2/update?p=notes&c=1.1.1/1.1.1/1.1.2', body: Buffer.from('hello') })
    expect(reply).toEqual({ kind: 'answered', status: 200, body: Buffer.from('Updated 5 bytes') })
    expect(upstream.requests[0]).toMatch(/^POST \/api\/v2\/update\?p=notes&c=1.1.1\/1.1.1\/1.1.2 HTTP\/1.1\r\nAuthorization: Bearer pmb-v1-[0-9a-f]{40}\r\nContent-Length: 5\r\n[^]*\r\n\r\nhello$/)
    expect(settled).toEqual(['applied'])
    expect(versions.read('user001', 'notes')).toMatchObject({ quiet: true })
    expect(versions.read('user001', 'notes').version).not.toBe(before)
    expect(budget.held).toBe(0)
  })

  it('is refused like a customer\'s: coordinates, storage, memory', async () => {
    const { caller, access, upstream } = await setUp(sqLike('x'.repeat(1000)), { bufferBytes: 900 })
    expect(await caller.call(access, { method: 'GET', target: '/api/v2/update?c=1000.1.1/1.1.1/1.1.1&s=x' })).toMatchObject({ kind: 'refused', delivered: false, refusal: { code: 'coordinate-out-of-range' } })
    expect(await caller.call(access, { method: 'GET', target: '/api/v2/get?p=notes' })).toMatchObject({ kind: 'refused', refusal: { code: 'gateway-busy' } })
    expect(upstream.requests).toHaveLength(1)
    const other = await setUp(sqLike('ok'), { full: true })
    expect(await other.caller.call(other.access, { method: 'GET', target: '/api/v2/update?s=x' })).toMatchObject({ kind: 'refused', refusal: { code: 'storage-full' } })
  })

  it('leaves a write of unknown outcome under way', async () => {
    const { caller, access, settled, versions, admission } = await setUp((socket) => void socket.destroy())
    expect(await caller.call(access, { method: 'POST', target: '/api/v2/update?p=notes', body: Buffer.from('x') })).toMatchObject({ kind: 'refused', delivered: true })
    expect(settled).toEqual(['unknown'])
    expect(versions.read('user001', 'notes').quiet).toBe(false)
    expect(admission.active).toBe(0)
  })

  it('ends when whoever asked gives up, and gives its place back', async () => {
    const { caller, access, upstream, admission, budget } = await setUp((socket) => void socket.write('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc'))
    const stop = new AbortController()
    const reply = caller.call(access, { method: 'GET', target: '/api/v2/select?p=notes' }, { signal: stop.signal })
    await waitFor(() => upstream.requests.length === 1, 'the request at the instance')
    stop.abort()
    expect(await reply).toMatchObject({ kind: 'refused' })
    expect([admission.active, budget.held]).toEqual([0, 0])
    expect(await caller.call(access, { method: 'GET', target: '/api/v2/select?p=notes' }, { signal: stop.signal })).toMatchObject({ kind: 'refused' })
    expect(upstream.requests).toHaveLength(1)
  })
})
