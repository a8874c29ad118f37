/** What refusals give away: nothing between unknown, revoked and expired keys, and less and less to whoever guesses. */
import { describe, expect, it } from 'vitest'
import { findEntry, type AccessContext } from '../../controller/gateway/access.ts'
import { createRouteTable } from '../../controller/gateway/route-table.ts'
import { ATTEMPTS, createFailedAttempts, failedAttemptsBuffer } from '../../controller/gateway/shared/failed-attempts.ts'
import { digestOf, makeKey, routeFor, sqLike, startFixture, startUpstream } from './gateway-fixture.ts'
import type { TenantId } from '../../controller/core/specs.ts'

const PAST = '2020-01-01T00:00:00Z'

describe('a key that opens nothing', () => {
  it('takes as long to refuse whether it was never there, is revoked, or has expired', () => {
    const table = createRouteTable()
    const [expired, revoked, unknown] = [makeKey(), makeKey(), makeKey()]
    for (let n = 0; n < 1_000; n++) table.apply({ put: routeFor(`user${n}`, makeKey()) })
    table.apply({ put: routeFor('user1001', expired, { expiresAt: PAST }) })
    table.apply({ put: routeFor('user1002', revoked) })
    table.apply({ drop: 'user1002' as TenantId })
    const context: AccessContext = { table, facts: { links: {}, products: {}, plans: {} }, nowMs: Date.now(), digestOf }
    const times: Record<string, number[]> = { expired: [], revoked: [], unknown: [] }
    let refused = 0
    const keys = Object.entries({ expired, revoked, unknown })
    // In turns, many at a time, so that what else the machine does meets all alike.
    for (let round = 0; round < 300; round++) {
      for (const [name, key] of round % 2 === 0 ? keys : keys.toReversed()) {
        const began = performance.now()
        for (let n = 0; n < 50; n++) refused += findEntry({ kind: 'key', key }, context).kind === 'refused' ? 1 : 0
        times[name]!.push(performance.now() - began)
      }
    }
    expect(refused).toBe(300 * 3 * 50)
    // Of those that nothing else came between: what the machine does beside makes some longer, none shorter.
    const quick = Object.values(times).map((all) => all.sort((a, b) => a - b)[30]!)
    expect(Math.max(...quick) / Math.min(...quick)).toBeLessThan(1.5)
  })

  it('is answered 429 once too many came from its address, and good keys from there are served all the same', async () => {
    const key = makeKey()
    const upstream = await startUpstream(sqLike('ok'))
    const { url } = await startFixture([routeFor('user001', key, { upstream: { host: '127.0.0.1', port: upstream.port } })])
    const ask = async (sent: string) => {
      const response = await fetch(`${url}/api/v2/select`, { headers: { 'X-API-Key': sent } })
      await response.text()
      return response
    }
    const began = performance.now()
    const answers: Response[] = []
    while (answers.every(({ status }) => status === 401)) answers.push(...(await Promise.all(Array.from({ length: 20 }, (_none, n) => ask(n % 2 === 0 ? makeKey() : 'pmb-v1-typo')))))
    // Each half second makes room for one more.
    const told = answers.filter(({ status }) => status === 401).length
    expect(told).toBeGreaterThanOrEqual(ATTEMPTS.burst)
    expect(told).toBeLessThanOrEqual(ATTEMPTS.burst + 1 + ((performance.now() - began) / 1_000) * ATTEMPTS.perSecond)
    for (const { status, headers } of answers) if (status !== 401) expect([status, headers.get('retry-after')]).toEqual([429, '1'])
    expect((await ask(key)).status).toBe(200)
    // Nothing sent is no guess.
    expect((await fetch(`${url}/api/v2/select`)).status).toBe(401)
  })
})

describe('failed attempts', () => {
  const create = (now: () => number, buffer = failedAttemptsBuffer()) => createFailedAttempts(buffer, 'salt', now, { perSecond: 1, burst: 2 })

  it('are counted by address, a network of IPv6 as one, and forgotten with time', () => {
    let now = 1_000
    const attempts = create(() => now)
    const many = (address: string, count: number) => Array.from({ length: count }, () => attempts.failed(address) === undefined)
    expect(many('192.0.2.1', 3)).toEqual([true, true, false])
    expect(many('::ffff:192.0.2.1', 1)).toEqual([false])
    expect(many('192.0.2.2', 2)).toEqual([true, true])
    expect(many('2001:db8:1:2::1', 2)).toEqual([true, true])
    expect(many('2001:db8:1:2:ffff::9', 1)).toEqual([false])
    expect(many('2001:db8:1:3::1', 1)).toEqual([true])
    now += 2_000
    expect(many('192.0.2.1', 3)).toEqual([true, true, false])
  })

  it('are the same for all threads', () => {
    const buffer = failedAttemptsBuffer()
    const [one, other] = [create(() => 1, buffer), create(() => 1, buffer)]
    expect([one.failed('a'), other.failed('a'), one.failed('a')]).toEqual([undefined, undefined, 1000])
  })
})
