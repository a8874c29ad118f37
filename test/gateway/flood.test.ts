/**
 * One tenant does its worst while a neighbour on the same SQ works: all that the neighbour asks for is answered, and nothing of what the
 * other one held stays held. Real threads and real SQ. Counts, not times: how long a neighbour waits is measured by `npm run bench`.
 */
import { connect, type Socket } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import type { Limits } from '../../controller/core/specs.ts'
import type { GatewaySettings } from '../../controller/gateway/settings.ts'
import { has } from '../support/parts.ts'
import { waitFor } from '../support/wait.ts'
import { controlGet } from './control-client.ts'
import { startFixture } from './gateway-fixture.ts'
import { say } from './raw-http.ts'
import { makeTenant, startSqPlace } from './sq-place.ts'

const WORKERS = 2
const ROUNDS = 15
/** Between two requests of one connection of a flood: its generator is in the test's own process. */
const PAUSE_MS = 500
const MB = 1024 * 1024
const HERE = '1.1.1/1.1.1/1.1.1'

const open = new Set<Socket>()
afterEach(() => {
  for (const socket of open) socket.destroy()
  open.clear()
})

async function setUp(limits: Limits = {}, settings: Partial<GatewaySettings> = {}) {
  const [worst, neighbour] = [makeTenant('user001'), makeTenant('user002')] as const
  const place = await startSqPlace([worst, neighbour])
  const { gateway, home } = await startFixture([place.route(worst, { limits }), place.route(neighbour, { limits: { storageMb: 10 } })], settings, place.home, undefined, undefined, WORKERS)
  const head = (key: string, line: string, bytes = 0): string => `${line} HTTP/1.1\r\nHost: x\r\nX-API-Key: ${key}\r\nContent-Length: ${bytes}\r\n\r\n`
  const [key, other] = [worst.keys[0]!, neighbour.keys[0]!]
  const ask = async (as: string, line: string, body = '') => (await say(gateway.port, { bytes: head(as, line, body.length) + body, answers: 1 })).answers[0]!

  /** Writes and reads back, as if it were alone. Each over a connection of its own, so that it meets every worker. */
  async function neighbourWorks(): Promise<void> {
    for (let round = 0; round < ROUNDS; round++) {
      const text = `round ${round}`
      const written = await ask(other, `POST /api/v2/update?p=mine&c=${HERE}`, text)
      expect([written.status, written.body.toString()]).toEqual([200, `Updated ${text.length} bytes`])
      const read = await ask(other, `GET /api/v2/select?p=mine&c=${HERE}`)
      expect([read.status, read.body.toString()]).toEqual([200, text])
    }
  }

  /** Sends the same again and again over so many connections, whatever comes back, until it is told to stop. */
  function flood(connections: number, line: (n: number) => string): { readonly answered: () => number; stop(): void } {
    let answered = 0
    let n = 0
    let stopped = false
    const sockets = Array.from({ length: connections }, () => dial())
    for (const socket of sockets) {
      const next = (): void => void socket.write(head(key, line(n++)))
      socket.on('connect', next).on('data', () => {
        answered++
        setTimeout(() => !stopped && next(), PAUSE_MS)
      })
    }
    return { answered: () => answered, stop: () => void (stopped = true) }
  }

  function dial(): Socket {
    const socket = connect(gateway.port, '127.0.0.1')
    open.add(socket)
    return socket.on('error', () => undefined).on('close', () => open.delete(socket))
  }

  const gauge = async (name: string): Promise<number> => Number(new RegExp(`^tenantry_gateway_${name}(?:{[^}]*})? (\\d+)`, 'm').exec((await controlGet(home, '/metrics')).body)?.[1] ?? Number.NaN)
  return { gateway, head, ask, key, neighbourWorks, flood, dial, gauge }
}

const select = (n: number): string => `GET /api/v2/select?p=flood&c=1.1.1/1.1.1/1.${1 + Math.floor(n / 999) % 999}.${1 + (n % 999)}`

describe.skipIf(!has('sq'))('a neighbour is served', { timeout: 180_000 }, () => {
  it('while somebody floods from 500 connections, over the limit of its rate', async () => {
    const { neighbourWorks, flood } = await setUp({ requestsPerSecond: 20 })
    const { answered, stop } = flood(500, select)
    await waitFor(() => answered() > 50, 'the flood')
    await neighbourWorks()
    stop()
  })

  it('while somebody floods from 500 connections without a limit, with reads and with writes', async () => {
    const { neighbourWorks, flood } = await setUp()
    const reads = flood(400, select)
    const writes = flood(100, (n) => `GET /api/v2/update?p=flood${n % 10}&s=x`)
    await waitFor(() => reads.answered() > 50 && writes.answered() > 10, 'the flood')
    await neighbourWorks()
    reads.stop()
    writes.stop()
  })

  it('while somebody does not read large answers, and SQ is not held', async () => {
    const { neighbourWorks, ask, key, dial, head, gauge } = await setUp()
    for (let part = 0; part < 12; part++) expect((await ask(key, `POST /api/v2/insert?p=large&c=1.1.1/1.1.1/1.1.${part + 1}`, 'x'.repeat(MB))).status).toBe(200)
    const readers = Array.from({ length: 100 }, () => dial())
    for (const socket of readers) {
      socket.pause()
      socket.write(head(key, 'GET /api/v2/get?p=large'))
    }
    await waitFor(async () => (await gauge('buffered_bytes')) > 0, 'answers that nobody reads')
    await neighbourWorks()
    for (const socket of readers) socket.destroy()
    await waitFor(async () => (await gauge('buffered_bytes')) === 0 && (await gauge('upstream_active')) === 0, 'everything to be given back')
  })

  it('while somebody reads a byte at a time', async () => {
    const { neighbourWorks, ask, key, dial, head } = await setUp()
    for (let part = 0; part < 3; part++) await ask(key, `POST /api/v2/insert?p=large&c=1.1.1/1.1.1/1.1.${part + 1}`, 'x'.repeat(MB))
    for (let n = 0; n < 100; n++) {
      const socket = dial()
      const nibble = (): void => {
        socket.read(1)
        if (!socket.destroyed) setTimeout(nibble, PAUSE_MS)
      }
      socket.on('readable', () => undefined).on('connect', nibble)
      socket.write(head(key, 'GET /api/v2/get?p=large'))
    }
    await neighbourWorks()
  })

  it('while somebody begins uploads and breaks them off', async () => {
    const { neighbourWorks, dial, head, key, gauge } = await setUp()
    let begun = 0
    let stopped = false
    const upload = (): void => {
      const socket = dial()
      socket.write(head(key, 'POST /api/v2/insert?p=upload', 8 * MB) + 'x'.repeat(MB / 16), () => setTimeout(() => socket.resetAndDestroy(), 20))
      begun++
      socket.on('close', () => !stopped && upload())
    }
    for (let n = 0; n < 20; n++) upload()
    await neighbourWorks()
    stopped = true
    expect(begun).toBeGreaterThan(50)
    await waitFor(async () => (await gauge('buffered_bytes')) === 0 && (await gauge('upstream_active')) === 0, 'everything to be given back')
  })

  it('while somebody fills the memory for uploads and never ends them', async () => {
    const { neighbourWorks, dial, head, key, gauge } = await setUp({}, { bufferBytes: 64 * MB })
    for (let n = 0; n < 60; n++) dial().write(head(key, 'POST /api/v2/insert?p=upload', 3 * MB) + 'x'.repeat(2 * MB))
    await waitFor(async () => (await gauge('buffered_bytes')) > 20 * MB, 'the memory to be taken')
    await neighbourWorks()
  })
})
