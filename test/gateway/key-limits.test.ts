/** Rates and budgets of keys: counted against the key and all above it, in every worker, over restarts. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { RouteKey } from '../../controller/core/route.ts'
import type { TenantId } from '../../controller/core/specs.ts'
import { createKeyLimits, giveBack, judge } from '../../controller/gateway/key-limits.ts'
import { createRouteTable } from '../../controller/gateway/route-table.ts'
import { createKeySlots, keySlotsBuffer } from '../../controller/gateway/shared/key-slots.ts'
import { digestOf, makeKey, routeFor, sqLike, startFixture, startUpstream } from './gateway-fixture.ts'

const keyWith = (text: string, changes: Partial<RouteKey> = {}): RouteKey => ({ id: 'k1', digest: digestOf(text), ...changes })

async function setUp(keys: RouteKey[], limits = {}, home?: string) {
  const upstream = await startUpstream(sqLike('ok'))
  const route = { ...routeFor('user001', makeKey(), { upstream: { host: '127.0.0.1', port: upstream.port }, instanceKey: makeKey(), limits }), keys }
  const fixture = await startFixture([route], {}, home)
  let count = 0
  const call = async (key: string, target?: string) => {
    // Another coordinate each time: what is answered from memory counts all the same, but the instance is to see each.
    const response = await fetch(`${fixture.url}${target ?? `/api/v2/select?c=1.1.1/1.1.1/1.1.${++count}`}`, { headers: { 'X-API-Key': key } })
    const text = await response.text()
    return { status: response.status, headers: response.headers, body: text.startsWith('{') ? (JSON.parse(text) as Record<string, unknown>) : {} }
  }
  return { ...fixture, upstream, call }
}

describe('a key\'s budget', () => {
  it('ends it for good, says what it was, and is shown with what is left', async () => {
    const key = makeKey()
    const { call, upstream } = await setUp([keyWith(key, { access: { requests: 3 } })])
    for (let n = 0; n < 3; n++) expect((await call(key)).status).toBe(200)
    expect(await call(key)).toMatchObject({ status: 403, body: { code: 'key-budget-spent', limit: 'access.requests', key: 'k1', value: 3, used: 3 } })
    expect(upstream.requests).toHaveLength(3)
    expect((await call(key, '/api/usage')).body).toMatchObject({ access: { budgets: [{ key: 'k1', limit: 3, used: 3, remaining: 0 }] } })
  })

  it('is used by keys made from it as well, and theirs by it is not', async () => {
    const [parent, child, grandchild] = [makeKey(), makeKey(), makeKey()]
    const { call } = await setUp([keyWith(parent, { access: { requests: 4 } }), keyWith(child, { id: 'k2', parent: 'k1', access: { requests: 2 } }), keyWith(grandchild, { id: 'k3', parent: 'k2' })])
    expect([(await call(grandchild)).status, (await call(child)).status]).toEqual([200, 200])
    for (const key of [child, grandchild]) expect(await call(key)).toMatchObject({ status: 403, body: { key: 'k2' } })
    expect([(await call(parent)).status, (await call(parent)).status]).toEqual([200, 200])
    expect(await call(parent)).toMatchObject({ status: 403, body: { key: 'k1', used: 4 } })
  })

  it('is not used by what was refused, and survives a restart of the gateway', async () => {
    const key = makeKey()
    const keys = [keyWith(key, { access: { requests: 3 } })]
    const first = await setUp(keys)
    expect((await first.call(key, '/api/v2/select?c=1.1.1/1.1.1/1.1.1000')).status).toBe(400)
    expect([(await first.call(key)).status, (await first.call(key)).status]).toEqual([200, 200])
    await first.gateway.stop()
    const next = await setUp(keys, {}, first.home)
    expect([(await next.call(key)).status, (await next.call(key)).status]).toEqual([200, 403])
  })

  it('and the tenant\'s limits are taken together or not at all', async () => {
    const key = makeKey()
    const { call } = await setUp([keyWith(key, { access: { requests: 5 } })], { requestsPerDay: 2 })
    expect([(await call(key)).status, (await call(key)).status, (await call(key)).status]).toEqual([200, 200, 429])
    expect((await call(key, '/api/usage')).body).toMatchObject({ access: { budgets: [{ used: 2 }] } })
  })
})

describe('a key\'s rate', () => {
  it('holds for it and all made from it together, and leaves others alone', async () => {
    const [full, parent, child] = [makeKey(), makeKey(), makeKey()]
    const { call } = await setUp([keyWith(full, { id: 'k9' }), keyWith(parent, { access: { requestsPerSecond: 2 } }), keyWith(child, { id: 'k2', parent: 'k1' })])
    const all = await Promise.all([child, parent, child, parent, child, parent].map((key) => call(key)))
    const refused = all.filter(({ status }) => status === 429)
    expect(refused.length).toBeGreaterThanOrEqual(2)
    for (const { body } of refused) expect(body).toMatchObject({ code: 'key-rate-exceeded', limit: 'access.requestsPerSecond', key: 'k1', value: 2, retryAfterSeconds: 1 })
    expect((await Promise.all(Array.from({ length: 5 }, () => call(full)))).map(({ status }) => status)).toEqual(Array<number>(5).fill(200))
  })
})

describe('limits of keys', () => {
  it('are told in each answer: the rate where it is lower than the account\'s, the requests that are left in any case, those of the keys above included', async () => {
    const [parent, child, full] = [makeKey(), makeKey(), makeKey()]
    const keys = [keyWith(full, { id: 'k9' }), keyWith(parent, { access: { requestsPerSecond: 3, requests: 5 } }), keyWith(child, { id: 'k2', parent: 'k1', access: { requests: 50 } })]
    const { call } = await setUp(keys, { requestsPerSecond: 20, requestsPerDay: 100 })
    const told = async (key: string) => {
      const { headers } = await call(key)
      return { policy: headers.get('ratelimit-policy'), left: headers.get('ratelimit') }
    }
    expect(await told(child)).toEqual({ policy: '"key-rate";q=3;w=1, "key-requests";q=5, "rate";q=20;w=1, "day";q=100;w=86400', left: expect.stringMatching(/^"key-rate";r=2;t=1, "key-requests";r=4, "rate";r=19;t=1, "day";r=99;t=\d+$/) as string })
    expect((await told(parent)).left).toContain('"key-requests";r=3,')
    expect((await told(full)).policy).toBe('"rate";q=20;w=1, "day";q=100;w=86400')
  })

  it('without any of the account are told alone, and a rate that is not the lower one is not', async () => {
    const [plain, wide] = [makeKey(), makeKey()]
    const { call } = await setUp([keyWith(plain, { access: { requestsPerSecond: 9 } })])
    expect((await call(plain)).headers.get('ratelimit')).toBe('"key-rate";r=8;t=1')
    const other = await setUp([keyWith(wide, { access: { requestsPerSecond: 50 } })], { requestsPerSecond: 20 })
    expect((await other.call(wide)).headers.get('ratelimit-policy')).toBe('"rate";q=20;w=1')
  })

  it('never let through more than any key of the line allows, whoever asks in whichever thread', () => {
    const budgets = fc.tuple(fc.integer({ min: 1, max: 6 }), fc.option(fc.integer({ min: 1, max: 6 }), { nil: undefined }), fc.option(fc.integer({ min: 1, max: 6 }), { nil: undefined }))
    fc.assert(
      fc.property(budgets, fc.array(fc.record({ key: fc.nat(2), thread: fc.nat(1), back: fc.boolean() }), { maxLength: 30 }), ([first, second, third], asked) => {
        const texts = [makeKey(), makeKey(), makeKey()]
        const table = createRouteTable()
        const keys = [first, second, third].map((requests, n) => keyWith(texts[n]!, { id: `k${n}`, ...(n > 0 && { parent: `k${n - 1}` }), ...(requests !== undefined && { access: { requests } }) }))
        table.apply({ put: { ...routeFor('user001', texts[0]!), keys } })
        const buffer = keySlotsBuffer()
        const threads = [createKeyLimits(createKeySlots(buffer)), createKeyLimits(createKeySlots(buffer))]
        const used = [0, 0, 0]
        for (const { key, thread, back } of asked) {
          const limits = threads[thread]!.of(table.findKey(digestOf(texts[key]!))!)
          const verdict = judge(limits, 0)
          const fits = [first, second, third].every((budget, n) => n > key || budget === undefined || used[n]! < budget)
          expect(verdict.kind === 'free').toBe(fits)
          if (verdict.kind !== 'free') continue
          verdict.take()
          if (back) giveBack(limits)
          else for (let n = 0; n <= key; n++) used[n]!++
        }
      }),
      { numRuns: 200 },
    )
  })

  it('begin at the start from what was written down', () => {
    const slots = createKeySlots(keySlotsBuffer())
    slots.begin('user001' as TenantId, 'k1', 7)
    expect([slots.of('user001' as TenantId, 'k1').spent, slots.of('user001' as TenantId, 'k2').spent, slots.of('user002' as TenantId, 'k1').spent]).toEqual([7, 0, 0])
  })
})
