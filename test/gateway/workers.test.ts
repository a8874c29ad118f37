/** Several workers on one port: what they count, and what happens when one of them ends. Real threads. */
import { createServer } from 'node:net'
import { request } from 'node:http'
import { describe, expect, it, onTestFinished } from 'vitest'
import { claimPort } from '../../controller/gateway/coordinator/claim-port.ts'
import { createCrew, seatInThread, type Seat } from '../../controller/gateway/coordinator/crew.ts'
import { DEFAULT_SETTINGS } from '../../controller/gateway/settings.ts'
import { createSharedBuffers } from '../../controller/gateway/shared/buffers.ts'
import { createRouteWriter } from '../../controller/gateway/route-writer.ts'
import { routesFolder } from '../../controller/gateway/sockets.ts'
import type { Limits } from '../../controller/core/specs.ts'
import { tempFolder } from '../support/temp.ts'
import { waitFor } from '../support/wait.ts'
import { controlGet } from './control-client.ts'
import { LINKS, makeKey, recordingLog, routeFor, sqLike, startFixture, startUpstream } from './gateway-fixture.ts'

const SELECT = '/api/v2/select?p=a&c=1.1.1/1.1.1/1.1.1'

/** A connection of its own each time, so that the system shares them out. */
function ask(port: number, key: string, path = SELECT): Promise<{ status: number; id: string; text: string; headers: NodeJS.Dict<string | string[]> }> {
  return new Promise((resolve, reject) => {
    const asked = request({ port, host: '127.0.0.1', path, agent: false, headers: { 'X-API-Key': key } }, (answer) => {
      let text = ''
      answer.setEncoding('utf8').on('data', (part: string) => (text += part))
      answer.on('end', () => resolve({ status: answer.statusCode!, id: String(answer.headers['x-request-id']), text, headers: answer.headers }))
    })
    asked.on('error', reject).end()
  })
}

async function setUp(limits: Limits, workers = 3) {
  const key = makeKey()
  const upstream = await startUpstream(sqLike('stored'))
  const fixture = await startFixture([routeFor('user001', key, { upstream: { host: '127.0.0.1', port: upstream.port }, limits })], { readCacheBytes: 0 }, undefined, undefined, undefined, workers)
  const { port } = fixture.gateway
  const many = (count: number) => Promise.all(Array.from({ length: count }, () => ask(port, key)))
  return { ...fixture, key, upstream, port, many, ask: (path?: string) => ask(port, key, path) }
}

const workersOf = (answers: readonly { id: string }[]) => new Set(answers.map(({ id }) => id.split('-')[0]))

describe('several workers', () => {
  it('share a day\'s quota exactly: never more, never fewer', async () => {
    const { many, upstream, ask } = await setUp({ requestsPerDay: 100 })
    const answers = await many(250)
    expect(workersOf(answers).size).toBe(3)
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(100)
    expect(answers.filter(({ status }) => status === 429)).toHaveLength(150)
    expect(upstream.requests).toHaveLength(100)
    const left = answers.filter(({ status }) => status === 200).map(({ headers }) => Number(/r=(\d+)/.exec(String(headers['ratelimit']))![1]))
    expect(left.sort((a, b) => a - b)).toEqual(Array.from({ length: 100 }, (_, at) => at))
    for (let at = 0; at < 6; at++) {
      const usage = JSON.parse((await ask('/api/usage')).text) as { requests: { day: object }; keys: object[]; history: object[] }
      expect(usage.requests.day).toMatchObject({ used: 100, remaining: 0 })
      expect(usage.keys).toMatchObject([{ key: 'k1', requests: 100, refused: 150 }])
      expect(usage.history).toMatchObject([{ requests: 100, refused: 150, bytesOut: 600 }])
    }
  })

  it('share a burst exactly', async () => {
    const { many } = await setUp({ requestsPerSecond: 1, burst: 50 })
    const started = performance.now()
    const answers = await many(150)
    const passed = answers.filter(({ status }) => status === 200).length
    expect(workersOf(answers).size).toBe(3)
    expect(passed).toBeGreaterThanOrEqual(50)
    expect(passed).toBeLessThanOrEqual(50 + Math.ceil((performance.now() - started) / 1000))
  })

  it('are one in the control socket\'s state and in the metrics', async () => {
    const { many, home } = await setUp({ requestsPerDay: 20 })
    await many(60)
    const state = JSON.parse((await controlGet(home, '/')).body) as Record<string, unknown>
    expect(state).toMatchObject({ workers: 3, tenants: 1, keys: 1, applied: 1, requests: { requests: { sq: { '2xx': 20, '4xx': 40 } }, refusals: { 'day-quota-used': 40 }, metered: { sq: 20 } } })
    const { body } = await controlGet(home, '/metrics')
    for (const line of ['tenantry_gateway_requests_total{product="sq",class="2xx"} 20', 'tenantry_gateway_workers 3', 'tenantry_gateway_tenants 1']) expect(body).toContain(line)
  })

  it('have a change of the routes within a second, each of them', async () => {
    const { many, writer } = await setUp({})
    await writer.drop(['user001' as never])
    const refusing = new Set<string>()
    const all = async () => {
      for (const { status, id } of await many(4)) if (status === 401) refusing.add(id.split('-')[0]!)
      return refusing.size === 3
    }
    // A change takes less than a second on its way; asking every worker takes some more.
    await waitFor(all, 'every worker to refuse', 3_000)
  })

  it('do not listen beside another program', async () => {
    const other = createServer()
    await new Promise<void>((resolve) => other.listen({ port: 0, host: '127.0.0.1' }, resolve))
    onTestFinished(() => void other.close())
    const { port } = other.address() as { port: number }
    await expect(startFixture([], {}, undefined, undefined, undefined, 2, port)).rejects.toThrow('EADDRINUSE')
    const { port: taken } = await setUp({}, 2)
    await expect(startFixture([], {}, undefined, undefined, undefined, 2, taken)).rejects.toThrow('EADDRINUSE')
  })
})

describe('a worker that ends by itself', () => {
  it('is replaced while the others serve on', async () => {
    const home = tempFolder('crew')
    const key = makeKey()
    const upstream = await startUpstream(sqLike('ok'))
    const writer = createRouteWriter(routesFolder(home), { facts: () => ({ links: LINKS }), now: () => new Date() })
    await writer.load()
    await writer.replaceAll([routeFor('user001', key, { upstream: { host: '127.0.0.1', port: upstream.port } })])
    const seats: Seat[] = []
    const buffers = createSharedBuffers(4)
    const lost: number[] = []
    const lines: string[] = []
    const seat = (number: number): Seat => {
      const made = seatInThread({ home, version: '1-test', idPrefix: `w${number}`, settings: DEFAULT_SETTINGS, workers: 2, buffers, lane: number, salt: '' })
      seats.push(made)
      return made
    }
    const crew = createCrew({ seat, size: 2, onMessage: () => undefined, onLost: ({ number }) => lost.push(number), log: recordingLog(lines) })
    onTestFinished(async () => {
      await crew.drain(1_000)
      await writer.close()
    })
    crew.start()
    const port = await crew.listen('127.0.0.1', await claimPort('127.0.0.1', 0), true)
    expect((await ask(port, key)).status).toBe(200)
    await seats[0]!.end()
    await waitFor(() => crew.members === 2 && crew.lost === 1, 'another worker')
    expect(lost).toEqual([0])
    const answers = await Promise.all(Array.from({ length: 40 }, () => ask(port, key)))
    expect(answers.every(({ status }) => status === 200)).toBe(true)
    expect(workersOf(answers)).toEqual(new Set(['w1', 'w2']))
    expect(lines.join('\n')).toContain('another takes its place')
  })
})
