/** Never stale, also from one thread of the gateway to another: whatever several clients write and read at once, every read is one that some order of the writes allows. Over the real SQ. */
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { Agent, request } from 'node:http'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { describe, expect, it, onTestFinished } from 'vitest'
import { parsePhext, coordinateOf, displayCoordinate } from '../../controller/sq/bundled/phext.ts'
import { newFolder, startSq } from '../sq/bundled/programs.ts'
import { has } from '../support/parts.ts'
import { controlGet } from './control-client.ts'
import { makeKey, routeFor, startFixture } from './gateway-fixture.ts'
import { findContradiction, type Operation } from './register-history.ts'

const AT = ['1.1.1/1.1.1/1.1.1', '1.1.1/1.1.1/1.1.2', '1.1.1/1.1.1/2.1.1']
/** Clients that go away in the middle of a write write to the last one: nobody knows how their writes ended. */
const PHEXTS = ['hot', 'warm', 'torn']
const OPERATIONS = 2_000

async function setUp(workers: number) {
  const key = makeKey()
  const folder = newFolder()
  writeFileSync(path.join(folder, 'config.json'), JSON.stringify({ tenants: { [key]: { name: 'user001', data_dir: 'data/user001' } } }))
  const sq = await startSq('real', folder, ['--config', 'config.json'])
  onTestFinished(() => sq.stop())
  const port = await startSlowWay(sq.port)
  const fixture = await startFixture([routeFor('user001', key, { upstream: { host: '127.0.0.1', port } })], {}, undefined, undefined, undefined, workers)
  return { ...fixture, key }
}

/** Before SQ, which is so quick that little overlaps: requests reach it late, and so do its answers the gateway, each by a time of its own. */
async function startSlowWay(to: number): Promise<number> {
  const later = (from: Socket, into: Socket): void => {
    const lateMs = Math.random() < 0.5 ? 0 : Math.random() * 3
    from.on('data', (bytes: Buffer) => void setTimeout(() => into.write(bytes), lateMs))
    from.on('end', () => void setTimeout(() => into.end(), lateMs))
    from.on('error', () => into.destroy())
  }
  const server = createServer({ allowHalfOpen: true }, (client) => {
    const sq = connect({ port: to, host: '127.0.0.1', allowHalfOpen: true })
    later(client, sq)
    later(sq, client)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void server.close())
  return (server.address() as AddressInfo).port
}

interface Client {
  ask(query: string, abortAfterMs?: number): Promise<{ status: number; body: string; etag: string | undefined }>
}

/** A connection of its own. */
function connectClient(url: string, key: string): Client {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  onTestFinished(() => agent.destroy())
  return {
    ask: (query, abortAfterMs) =>
      new Promise((resolve, reject) => {
        const asked = request(`${url}/api/v2/${query}`, { agent, headers: { Authorization: `Bearer ${key}` } }, (answer) => {
          let body = ''
          answer.setEncoding('utf8').on('data', (text: string) => (body += text))
          answer.on('end', () => resolve({ status: answer.statusCode!, body, etag: answer.headers.etag })).on('error', reject)
        })
        asked.on('error', reject).end()
        if (abortAfterMs !== undefined) setTimeout(() => asked.destroy(new Error('gone')), abortAfterMs)
      }),
  }
}

/** What each kind of read says is at each coordinate. */
const READS: Readonly<Record<string, (phext: string, at: string) => { query: string; values: (body: string) => Record<string, string> }>> = {
  select: (phext, at) => ({ query: `select?p=${phext}&c=${at}`, values: (body) => ({ [at]: body }) }),
  query: (phext, at) => ({ query: `query?p=${phext}&set=${at}`, values: (body) => ({ [at]: (JSON.parse(body) as { scroll: string }[])[0]!.scroll }) }),
  get: (phext) => ({
    query: `get?p=${phext}`,
    values(body) {
      const found = Object.fromEntries([...parsePhext(body)].map(([key, scroll]) => [displayCoordinate(coordinateOf(key)), scroll]))
      return Object.fromEntries(AT.map((at) => [at, found[at] ?? '']))
    },
  }),
  toc: (phext) => ({
    query: `toc?p=${phext}`,
    values(body) {
      const found = Object.fromEntries([...body.matchAll(/^\* (\S+): (.*)$/gm)].map(([, at, text]) => [at!, text!]))
      return Object.fromEntries(AT.map((at) => [at, found[at] ?? '']))
    },
  }),
}

describe.skipIf(!has('sq'))('reads from memory', () => {
  it.each([['in one thread', 0], ['over two threads', 2]])('are never stale, whatever writers and readers do at once, %s', { timeout: 120_000 }, async (_where, workers) => {
    const { url, key, home } = await setUp(workers)
    const history = new Map<string, Operation[]>()
    const note = (phext: string, at: string, operation: Operation): void => void (history.get(`${phext} ${at}`) ?? history.set(`${phext} ${at}`, []).get(`${phext} ${at}`)!).push(operation)
    const pick = <T>(from: readonly T[]): T => from[Math.floor(Math.random() * from.length)]!
    let left = OPERATIONS
    let written = 0

    async function write(client: Client): Promise<void> {
      const [phext, at, value] = [pick(PHEXTS), pick(AT), `v${++written}`]
      const start = performance.now()
      const abort = phext === 'torn' && written % 10 === 0
      const end = await client.ask(`update?p=${phext}&c=${at}&s=${value}`, abort ? Math.random() * 2 : undefined).then(() => performance.now(), () => Infinity)
      note(phext, at, { kind: 'write', value, start, end })
    }

    async function read(client: Client): Promise<void> {
      const [phext, at, kind] = [pick(PHEXTS), pick(AT), pick(['select', 'select', 'select', 'query', 'get', 'toc'])]
      const { query, values } = READS[kind]!(phext, at)
      const start = performance.now()
      const { status, body } = await client.ask(query)
      const end = performance.now()
      expect(status).toBe(200)
      for (const [place, value] of Object.entries(values(body))) note(phext, place, { kind: 'read', value, start, end })
    }

    async function run(writesOf: number): Promise<void> {
      const client = connectClient(url, key)
      while (left-- > 0) await (Math.random() < writesOf ? write(client) : read(client))
    }

    await Promise.all([run(0.5), run(0.2), run(0.05), ...Array.from({ length: 7 }, () => run(0))])
    for (const [register, operations] of history) expect(findContradiction('', operations), register).toBeUndefined()
    const hits = Number(/tenantry_gateway_reads_total\{result="hit"\} (\d+)/.exec((await controlGet(home, '/metrics')).body)?.[1])
    expect(hits).toBeGreaterThan(OPERATIONS / 20)
  })
})
