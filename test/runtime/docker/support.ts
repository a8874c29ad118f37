/** What the Docker tests share: a runtime under an installation of its own, removed afterwards with all that carries its label. */
import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { createServer, request as httpRequest, type Server } from 'node:http'
import path from 'node:path'
import { afterAll, afterEach } from 'vitest'
import type { ContainerSpec } from '../../../controller/core/container.ts'
import type { TenantId } from '../../../controller/core/specs.ts'
import type { ContainerRuntime } from '../../../controller/runtime/port.ts'
import { connectEngine } from '../../../controller/runtime/docker/engine.ts'
import { createDockerRuntime } from '../../../controller/runtime/docker/runtime.ts'
import { LABEL } from '../../../controller/runtime/docker/names.ts'
import { tempFolder } from '../../support/temp.ts'

export const docker = (...args: readonly string[]): string => execFileSync('docker', [...args], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }).trim()

export const inspectLive = <T = string>(format: string, container: string): T => JSON.parse(docker('inspect', '--format', `{{json ${format}}}`, container)) as T

const silent = { info: () => undefined, warn: () => undefined }

export interface TestRuntime {
  readonly installation: string
  readonly runtime: ContainerRuntime
  /** Method and path of every request to the engine that is not a GET, since the last call. */
  takeChanges(): string[]
  readonly proxy: Server
  /** Lets that many changing requests through, then cuts every one, as if the controller had died. */
  cutAfter(requests: number): void
  /** The full name of a container. */
  named(name: string): string
}

/** A runtime whose requests pass a counting proxy in front of the engine's socket. */
export async function createTestRuntime(socketPath = path.join(tempFolder('engine'), 'docker.sock')): Promise<TestRuntime> {
  const installation = `t${randomBytes(4).toString('hex')}`
  const changes: string[] = []
  const cut = { remaining: Infinity }
  const proxy = await startProxy(socketPath, changes, cut)
  installations.push(installation)
  return {
    installation,
    runtime: createDockerRuntime({ docker: connectEngine(`unix://${socketPath}`), installation, now: () => new Date(), log: silent }),
    takeChanges: () => changes.splice(0),
    proxy,
    cutAfter: (requests) => Object.assign(cut, { remaining: requests }),
    named: (name) => `tenantry-${installation}-${name}`,
  }
}

/** Passes every request on to the real engine. */
export async function startProxy(socketPath: string, changes: string[] = [], cut = { remaining: Infinity }): Promise<Server> {
  const server = createServer((incoming, outgoing) => {
    const isChange = incoming.method !== 'GET'
    if (isChange) changes.push(`${incoming.method} ${incoming.url}`)
    if (isChange && cut.remaining-- <= 0) return void incoming.socket.destroy()
    const { url: target, method, headers } = incoming
    const onward = httpRequest({ socketPath: '/var/run/docker.sock', path: target, method, headers }, (answer) => {
      outgoing.writeHead(answer.statusCode!, answer.headers)
      outgoing.flushHeaders()
      answer.pipe(outgoing)
    })
    onward.on('error', () => outgoing.destroy())
    outgoing.on('close', () => onward.destroy())
    incoming.pipe(onward)
  })
  await new Promise<void>((resolve) => server.listen(socketPath, resolve))
  proxies.push(server)
  return server
}

const installations: string[] = []
const proxies: Server[] = []

// After each test, because the engine has room for about 30 bridges, and others use it too.
afterEach(() => installations.forEach(removeInstallation))

afterAll(() => {
  for (const proxy of proxies.splice(0)) proxy.close()
})

/** Removes everything that carries the installation's label. */
export function removeInstallation(installation: string): void {
  const filter = ['--filter', `label=${LABEL.installation}=${installation}`]
  const lines = (text: string) => text.split('\n').filter(Boolean)
  const remove = (things: string[], ...command: string[]) => void (things.length > 0 && docker(...command, ...things))
  remove(lines(docker('ps', '-aq', ...filter)), 'rm', '-f', '-v')
  remove(lines(docker('network', 'ls', '-q', ...filter)), 'network', 'rm')
  remove(lines(docker('volume', 'ls', '-q', ...filter)), 'volume', 'rm')
}

/** A dedicated SQ that accepts these keys. */
export function sqSpec(name: string, keys: readonly string[], differing: Partial<ContainerSpec> = {}): ContainerSpec {
  return {
    name,
    tenant: name as TenantId,
    product: 'sq-dedicated',
    image: 'tenantry/sq:0.6.0',
    command: ['sq', 'host', '1337', '--config', '/run/tenantry/tenants.json'],
    user: '1000:1000',
    environment: { MODE: 'test' },
    capabilities: [],
    memoryMb: 64,
    cpus: 0.5,
    pidsLimit: 64,
    ports: [{ name: 'http', port: 1337 }],
    volumes: [{ name: 'data', path: '/data' }],
    binds: [],
    tmpfs: ['/tmp'],
    health: { port: 'http', path: '/api/v2/version' },
    stopGraceSeconds: 2,
    files: [{ name: 'tenants.json', text: sqConfig(name, keys) }],
    reload: ['wget', '-q', '-O', '-', '--post-data=', 'http://127.0.0.1:1337/api/v2/reload'],
    ...differing,
  }
}

export const sqConfig = (name: string, keys: readonly string[]): string => JSON.stringify({ tenants: Object.fromEntries(keys.map((key) => [key, { name, data_dir: '/data' }])) })

/** A container that only answers on its health port: no SQ needed. */
export function plainSpec(name: string, differing: Partial<ContainerSpec> = {}): ContainerSpec {
  return sqSpec(name, [], { command: ['sh', '-c', 'echo ok >/tmp/index.html; exec httpd -f -p 1337 -h /tmp'], health: { port: 'http', path: '/' }, ...differing })
}

export function without<Field extends keyof ContainerSpec>(spec: ContainerSpec, ...fields: readonly Field[]): Omit<ContainerSpec, Field> {
  return Object.fromEntries(Object.entries(spec).filter(([field]) => !fields.includes(field as Field))) as unknown as Omit<ContainerSpec, Field>
}

/** Asks SQ in the container, with a key. */
export async function askSq(port: number | undefined, key: string, call: string): Promise<{ status: number; text: string }> {
  const answer = await fetch(`http://127.0.0.1:${port}/api/v2/${call}`, { headers: { authorization: `Bearer ${key}` } })
  return { status: answer.status, text: await answer.text() }
}
