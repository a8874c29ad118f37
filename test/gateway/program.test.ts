import { spawn, type ChildProcess } from 'node:child_process'
import { mkdirSync, statSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { createRouteWriter } from '../../controller/gateway/route-writer.ts'
import { controlSocketPath, routesFolder, webSocketPath } from '../../controller/gateway/sockets.ts'
import { gatewayVersion } from '../../controller/gateway/version.ts'
import type { Route } from '../../controller/core/route.ts'
import { findProgram, has } from '../support/parts.ts'
import { tempFolder } from '../support/temp.ts'
import { waitFor } from '../support/wait.ts'
import { controlGet } from './control-client.ts'
import { freePort, LINKS, makeKey, routeFor, startUpstream, sqLike } from './gateway-fixture.ts'

const MAIN = path.join(import.meta.dirname, '../../controller/gateway/main.ts')

interface Running {
  readonly child: ChildProcess
  readonly output: () => string
  /** Resolves with the exit code. */
  readonly ended: Promise<number | null>
}

function run(program: string, args: readonly string[], cwd: string): Running {
  const child = spawn(program, args, { cwd, stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  child.stdout.on('data', (text: Buffer) => (output += text.toString()))
  child.stderr.on('data', (text: Buffer) => (output += text.toString()))
  const ended = new Promise<number | null>((resolve) => child.on('close', resolve))
  onTestFinished(async () => {
    child.kill('SIGKILL')
    await ended
  })
  return { child, output: () => output, ended }
}

async function startProgram(home: string): Promise<Running & { state: Record<string, unknown>; url: string }> {
  const running = run(process.execPath, [MAIN, '--home', home, '--port', '0'], home)
  const state = await waitFor(async () => JSON.parse((await controlGet(home, '/')).body) as Record<string, unknown>, 'the control socket').catch((error: unknown) => {
    throw new Error(running.output(), { cause: error })
  })
  return { ...running, state, url: `http://127.0.0.1:${String(state['port'])}` }
}

async function writeRoutes(home: string, routes: readonly Route[]) {
  const writer = createRouteWriter(routesFolder(home), { facts: () => ({ links: LINKS }), now: () => new Date() })
  await writer.load()
  await writer.replaceAll(routes)
  return writer
}

describe('the gateway\'s program', () => {
  it('starts from the last snapshot alone, tells what it is, and drains on request', async () => {
    const home = tempFolder()
    const key = makeKey()
    let release: (() => void) | undefined
    const upstream = await startUpstream((socket, request) => {
      if (request.includes('slow')) release = () => sqLike('late')(socket)
      else sqLike('ok')(socket)
    })
    await (await writeRoutes(home, [routeFor('user001', key, { upstream: { host: '127.0.0.1', port: upstream.port } })])).close()
    const { url, state, child, ended } = await startProgram(home)
    expect(state).toMatchObject({ pid: child.pid, host: '127.0.0.1', version: await gatewayVersion(), protocol: 1, applied: 1, tenants: 1 })
    expect(statSync(controlSocketPath(home)).mode & 0o777).toBe(0o600)
    const get = (name: string) => fetch(`${url}/api/v2/select?p=${name}`, { headers: { 'X-API-Key': key } })
    expect(await (await get('a')).text()).toBe('ok')
    expect((await controlGet(home, '/metrics')).body).toContain('tenantry_gateway_requests_total{product="sq",class="2xx"} 1')
    const slow = get('slow')
    await waitFor(() => release, 'the slow request at the instance')
    expect((await controlGet(home, '/stop', 'POST')).status).toBe(202)
    await waitFor(() => get('b').then(() => false, () => true), 'the port to be closed')
    release!()
    expect(await (await slow).text()).toBe('late')
    expect(await ended).toBe(0)
  })

  it('ends on SIGTERM, frees its socket, and refuses to run twice on one home', async () => {
    const home = tempFolder()
    const first = await startProgram(home)
    const second = run(process.execPath, [MAIN, '--home', home, '--port', '0'], home)
    expect(await second.ended).toBe(1)
    expect(second.output()).toContain('Another gateway is running')
    expect((await fetch(`${first.url}/api/v2/select`, { headers: { 'X-API-Key': makeKey() } })).status).toBe(503)
    first.child.kill('SIGTERM')
    expect(await first.ended).toBe(0)
    const third = await startProgram(home)
    third.child.kill('SIGKILL')
    await third.ended
    await startProgram(home)
  })

  it('says what is wrong with its arguments', async () => {
    for (const name of ['--port', '--read-cache-mb']) {
      const bad = run(process.execPath, [MAIN, '--home', '/tmp', name, 'http'], '/')
      expect(await bad.ended).toBe(2)
      expect(bad.output()).toContain(`${name} must be a number`)
    }
  })

  it('has short socket names for a deep home', () => {
    const deep = `/${'x'.repeat(120)}`
    expect(Buffer.byteLength(controlSocketPath(deep))).toBeLessThanOrEqual(100)
    expect(controlSocketPath(deep)).not.toBe(webSocketPath(deep))
    expect(controlSocketPath('/a')).toBe('/a/gateway/control.sock')
    expect(webSocketPath('/a')).toBe('/a/web.sock')
  })
})

describe.skipIf(!has('sq'))('in front of real SQ', () => {
  async function startSq(folder: string, port: number): Promise<Running> {
    const sq = run(findProgram('sq')!, ['host', String(port), '--config', path.join(folder, 'tenants.json')], folder)
    await waitFor(() => fetch(`http://127.0.0.1:${port}/api/v2/version`).then(() => true, () => false), 'SQ to listen')
    return sq
  }

  it('stores and fetches, keeps tenants apart, and waits through a restart of SQ', { timeout: 60_000 }, async () => {
    const home = tempFolder()
    const [ada, bob] = [makeKey(), makeKey()]
    const folder = path.join(home, 'sq')
    mkdirSync(folder)
    const tenants = Object.fromEntries([ada, bob].map((key, n) => [key, { name: `user${n}`, data_dir: path.join(folder, `user${n}`) }]))
    writeFileSync(path.join(folder, 'tenants.json'), JSON.stringify({ tenants }))
    const port = await freePort()
    const sq = await startSq(folder, port)
    const upstream = { host: '127.0.0.1', port }
    const writer = await writeRoutes(home, [routeFor('user0', ada, { upstream }), routeFor('user1', bob, { upstream })])
    onTestFinished(() => writer.close())
    const { url } = await startProgram(home)
    const call = async (key: string, query: string, init: RequestInit = {}) => {
      const response = await fetch(`${url}/api/v2/${query}`, { ...init, headers: { Authorization: `Bearer ${key}` } })
      return [response.status, await response.text()]
    }
    const at = 'p=notes&c=1.1.1/1.1.1/1.1.1'
    const text = 'a memory, één'
    expect(await call(ada, `update?${at}`, { method: 'POST', body: text })).toEqual([200, expect.stringMatching(/^Updated \d+ bytes/)])
    expect(await call(ada, `select?${at}`)).toEqual([200, text])
    expect(await call(bob, `select?${at}`)).toEqual([200, ''])
    const large = 'x'.repeat(5_000_000)
    expect((await call(bob, `update?${at}`, { method: 'POST', body: large }))[0]).toBe(200)
    expect((await call(bob, `select?${at}`))[1]).toBe(large)
    expect((await call(ada, 'select?p=..%2Fuser1%2Fnotes&c=1.1.1/1.1.1/1.1.1'))[0]).toBe(403)
    sq.child.kill('SIGKILL')
    await sq.ended
    const reading = Array.from({ length: 20 }, () => call(ada, `select?${at}`))
    await startSq(folder, port)
    for (const answer of await Promise.all(reading)) expect(answer).toEqual([200, text])
    await writer.drop(['user0' as Route['tenant']])
    await waitFor(async () => (await call(ada, `select?${at}`))[0] === 401, 'the revoked key refused', 1_000)
    expect((await call(bob, `select?${at}`))[0]).toBe(200)
  })
})
