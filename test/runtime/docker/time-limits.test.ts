import { createServer, type Socket } from 'node:net'
import path from 'node:path'
import { onTestFinished, describe, expect, it } from 'vitest'
import { connectEngine } from '../../../controller/runtime/docker/engine.ts'
import { createDockerRuntime } from '../../../controller/runtime/docker/runtime.ts'
import type { ContainerRuntime } from '../../../controller/runtime/port.ts'
import { tempFolder } from '../../support/temp.ts'
import { waitFor } from '../../support/wait.ts'
import { plainSpec } from './support.ts'

const LIMITS = { readMs: 100, changeMs: 100 }

interface Heard {
  readonly runtime: ContainerRuntime
  readonly said: readonly string[]
}

/** An engine that takes connections, says `answer` to each request, and then nothing more. */
async function hangingEngine(answer: string | ((request: string) => string)): Promise<Heard & { hangUp(): void }> {
  const socket = path.join(tempFolder('engine'), 'docker.sock')
  const connections = new Set<Socket>()
  const server = createServer((connection) => {
    connections.add(connection)
    connection.on('error', () => undefined)
    connection.on('data', (request) => connection.write(typeof answer === 'string' ? answer : answer(request.toString())))
  })
  const hangUp = (): void => connections.forEach((connection) => connection.destroy())
  await new Promise<void>((resolve) => server.listen(socket, resolve))
  onTestFinished(() => {
    server.close()
    hangUp()
  })
  return { ...heard(`unix://${socket}`), hangUp }
}

function heard(host: string): Heard {
  const said: string[] = []
  const log = { info: (_data: object, message: string) => void said.push(message), warn: (_data: object, message: string) => void said.push(message) }
  return { runtime: createDockerRuntime({ docker: connectEngine(host, LIMITS), installation: 'hung', now: () => new Date(), log }), said }
}

describe('an engine that hangs', () => {
  for (const [how, text] of [
    ['without a word', ''],
    ['in the middle of an answer', 'HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n['],
  ] as const) {
    it(`${how} holds nobody for ever`, async () => {
      const { runtime } = await hangingEngine(text)
      const calls = [runtime.list(), runtime.ensure(plainSpec('hung001')), runtime.inspect(plainSpec('hung001')), runtime.remove('hung001', 1), runtime.destroyVolumes('hung001'), runtime.exec('hung001', ['true'])]
      for (const outcome of await Promise.allSettled(calls)) {
        expect(outcome).toMatchObject({ status: 'rejected', reason: { reason: 'EngineTimeout', next: { kind: 'transient' }, message: expect.stringContaining('docker ps') as string } })
      }
    })
  }

  it('only when it is to change something holds nobody either', async () => {
    const container = JSON.stringify({ Id: 'abc', Config: { Labels: { 'dev.tenantry.installation': 'hung', 'dev.tenantry.name': 'hung001' } } })
    const { runtime } = await hangingEngine((request) => (request.startsWith('GET') ? `HTTP/1.1 200 OK\r\nContent-Length: ${container.length}\r\n\r\n${container}` : ''))
    await expect(runtime.exec('hung001', ['true'])).rejects.toMatchObject({ reason: 'EngineTimeout', next: { kind: 'transient' } })
  })
})

describe('the event stream', () => {
  it('says once that it broke off, and once that it is back', async () => {
    const missing = heard('unix:///nonexistent/docker.sock')
    const stopMissing = missing.runtime.watch(() => undefined)
    const { runtime, said, hangUp } = await hangingEngine('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n')
    const stop = runtime.watch(() => undefined)
    await waitFor(() => {
      hangUp()
      return said.length >= 4
    }, 'it broke off and came back twice')
    expect([/no event stream/, /is back/, /no event stream/, /is back/].map((what, index) => what.test(said[index]!))).toEqual([true, true, true, true])
    // By now it was tried several times.
    expect(missing.said).toHaveLength(1)
    stop()
    stopMissing()
  })
})
