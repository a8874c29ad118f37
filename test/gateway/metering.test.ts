/** What a kill may lose: at most the last second, and never a request counted twice. */
import { spawn } from 'node:child_process'
import path from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { createRouteWriter } from '../../controller/gateway/route-writer.ts'
import { routesFolder } from '../../controller/gateway/sockets.ts'
import { readUsage, usagePath } from '../../controller/store/usage.ts'
import { tempFolder } from '../support/temp.ts'
import { waitFor } from '../support/wait.ts'
import { controlGet } from './control-client.ts'
import { LINKS, makeKey, routeFor, sqLike, startUpstream } from './gateway-fixture.ts'

const MAIN = path.join(import.meta.dirname, '../../controller/gateway/main.ts')

async function startProgram(home: string) {
  const child = spawn(process.execPath, [MAIN, '--home', home, '--port', '0', '--log-level', 'error'], { cwd: home, stdio: 'inherit' })
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  onTestFinished(() => void child.kill('SIGKILL'))
  const state = await waitFor(async () => JSON.parse((await controlGet(home, '/')).body) as { pid: number; port: number }, 'the gateway')
  expect(state.pid).toBe(child.pid)
  return { url: `http://127.0.0.1:${state.port}`, end: (signal: NodeJS.Signals) => (child.kill(signal), ended) }
}

function written(home: string): { requests: number; bytesIn: number; keys: number } {
  const usage = readUsage(usagePath(home))
  try {
    const keys = usage?.keysSince('user001', '2000-01-01') ?? []
    return { requests: keys.reduce((sum, each) => sum + each.requests, 0), bytesIn: keys.reduce((sum, each) => sum + each.bytesIn, 0), keys: keys.length }
  } finally {
    usage?.close()
  }
}

describe('metering', () => {
  it('loses at most the last second to kill -9, counts nothing twice, and loses nothing to a stop', { timeout: 60_000 }, async () => {
    const home = tempFolder('metering')
    const key = makeKey()
    const upstream = await startUpstream(sqLike('Updated 4 bytes'))
    const writer = createRouteWriter(routesFolder(home), { facts: () => ({ links: LINKS }), now: () => new Date() })
    await writer.load()
    await writer.replaceAll([routeFor('user001', key, { upstream: { host: '127.0.0.1', port: upstream.port } })])
    onTestFinished(() => writer.close())
    let answered = 0
    for (const signal of ['SIGKILL', 'SIGKILL', 'SIGKILL', 'SIGTERM'] as const) {
      const before = written(home).requests
      const gateway = await startProgram(home)
      const answers: number[] = []
      let killed = false
      const client = async () => {
        while (!killed) {
          const response = await fetch(`${gateway.url}/api/v2/update?c=1.1.1/1.1.1/1.1.1`, { method: 'POST', body: 'four', headers: { 'X-API-Key': key } }).catch(() => undefined)
          if (response?.status === 200) answers.push(performance.now())
        }
      }
      const clients = Array.from({ length: 4 }, client)
      await waitFor(() => answers.length > 300 && performance.now() - answers[0]! > 1_500, 'a load', 20_000)
      const killedAt = performance.now()
      if (signal === 'SIGTERM') killed = true
      await gateway.end(signal)
      killed = true
      await Promise.all(clients)
      const counted = written(home).requests - before
      // A request that was under way when the batch was written counts before its answer is there: never more than there were clients.
      expect(counted).toBeLessThanOrEqual(answers.length + clients.length)
      expect(counted).toBeGreaterThanOrEqual(signal === 'SIGTERM' ? answers.length : answers.filter((at) => at < killedAt - 1_200).length)
      answered += answers.length
    }
    const { requests, bytesIn, keys } = written(home)
    expect(requests).toBeLessThanOrEqual(answered + 16)
    expect(bytesIn).toBeLessThanOrEqual(requests * 4)
    expect(keys).toBe(1)
  })
})
