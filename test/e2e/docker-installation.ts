/** What the Docker end-to-end tests share: an installation with the sample's products and plans, tenants of the test's own, and a look at the engine. */
import { execFileSync } from 'node:child_process'
import path from 'node:path'
import { createBareRepository } from '../../controller/git/bare-repository.ts'
import { sampleFiles } from '../../controller/cli/sample.ts'
import { installationId, makeInstallation, type Installation } from '../support/installation.ts'
import { cloneRepository, type Clone } from '../support/repository.ts'
import { tempFolder } from '../support/temp.ts'
import { waitFor } from '../support/wait.ts'

const ROOT = path.resolve(import.meta.dirname, '../..')
export const ENGINE = 'unix:///var/run/docker.sock'

export const docker = (...args: readonly string[]): string => execFileSync('docker', [...args], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }).trim()
export const lines = (text: string): string[] => text.split('\n').filter((line) => line !== '')
export const inspect = <T = string>(container: string, format: string): T => JSON.parse(docker('inspect', '--format', `{{json ${format}}}`, container)) as T

export interface DockerInstallation extends Installation {
  readonly clone: Clone
  /** The label's value on everything that this installation made. */
  readonly id: string
  /** The name of a container, and of its network. */
  named(name: string): string
  /** Ids of this installation's containers, running or not; with a name, of that one. */
  containers(name?: string): string[]
  volumes(name: string): string[]
  keyOf(tenant: string, key?: string): Promise<string>
  /** Pushes what lies in the clone and waits until it is in force. */
  apply(message: string): Promise<void>
  ready(tenant: string): Promise<void>
  reason(tenant: string): Promise<string | undefined>
  /** For the end of the file: ends and removes everything. A hook that is made inside another would never run. */
  cleanUp(): Promise<void>
  /** Host port of a container's port. */
  port(name: string, inside: number): number
}

/** Every test starts and stops tenants as it likes: the deletion limit is tested elsewhere. `files` are tenants by path, and what differs from the sample. */
export async function makeDockerInstallation(files: Readonly<Record<string, string>>, environment: Record<string, string> = {}): Promise<DockerInstallation> {
  const home = path.join(tempFolder('docker-e2e'), 'home')
  const repository = path.join(home, 'tenants.git')
  const sample = sampleFiles({ programFolder: ROOT }).filter((file) => !file.path.startsWith('tenants/'))
  const all = new Map([...sample.map(({ path: at, text }) => [at, text] as const), ...Object.entries(files)])
  all.set('platform.yaml', all.get('platform.yaml')!.replace('count: 5', 'count: 50').replace('sharePercent: 10', 'sharePercent: 100'))
  await createBareRepository({ folder: repository, branch: 'main', files: [...all].map(([at, text]) => ({ path: at, text })), message: 'a test', environment: { PATH: process.env['PATH'] }, now: () => new Date() })
  let cleanUp = (): Promise<void> => Promise.resolve()
  const installation = makeInstallation(home, { DOCKER_HOST: ENGINE, ...environment }, (end) => (cleanUp = end))
  const clone = cloneRepository(repository)
  const id = (): string => installationId(home)!
  const labelled = (name: string | undefined): string[] => [`label=dev.tenantry.installation=${id()}`, ...(name === undefined ? [] : [`label=dev.tenantry.name=${name}`])].flatMap((filter) => ['--filter', filter])
  const readyCondition = async (tenant: string) => (await installation.tenant(tenant))?.status.conditions.find(({ type }) => type === 'Ready')
  const more = {
    cleanUp: () => cleanUp(),
    clone,
    named: (name: string) => `tenantry-${id()}-${name}`,
    containers: (name?: string) => lines(docker('ps', '-aq', ...labelled(name))),
    volumes: (name: string) => lines(docker('volume', 'ls', '-q', ...labelled(name))),
    keyOf: async (tenant: string, ...key: string[]) => (await installation.json<{ key: string }>('key', 'show', tenant, ...key)).key,
    apply: (message: string) => installation.takenIn(clone.push(message)),
    ready: async (tenant: string) => void (await waitFor(async () => (await readyCondition(tenant))?.status === true, `${tenant} is ready`, 30_000)),
    reason: async (tenant: string) => (await readyCondition(tenant))?.reason,
    port: (name: string, inside: number) => Number(docker('port', more.named(name), `${inside}/tcp`).split(':').at(-1)),
  }
  const properties = { ...Object.getOwnPropertyDescriptors(installation), ...Object.getOwnPropertyDescriptors(more), id: { get: id } }
  return Object.defineProperties({}, properties) as DockerInstallation
}

/** A tenant's file; `spec` is more of its YAML, two spaces deep. */
export function tenantFile(id: string, product: string, plan: string, spec = '  state: active\n'): Record<string, string> {
  const nonce = Buffer.from(id.padEnd(16, '.')).toString('hex')
  const text = `apiVersion: tenantry.dev/v1
kind: Tenant
metadata:
  name: ${id}
spec:
  product: ${product}
  plan: ${plan}
  owner: { email: ${id}@example.com, username: ${id} }
${spec}  keys:
    - { id: k1, nonce: ${nonce}, createdAt: 2026-02-15T11:00:00Z }
`
  return { [pathOf(id, product)]: text }
}

export const pathOf = (id: string, product: string): string => `tenants/${product}/000/${id}.yaml`
