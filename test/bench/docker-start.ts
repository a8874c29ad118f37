/**
 * How fast the docker runtime starts containers, against `docker run -d` with the same flags, both eight at a time and in turns
 * within one run: only the ratio says something on a shared machine. Every start has a bridge network and volumes of its own.
 */
import { execFile, execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { promisify } from 'node:util'
import type { ContainerSpec } from '../../controller/core/container.ts'
import type { TenantId } from '../../controller/core/specs.ts'
import { connectEngine } from '../../controller/runtime/docker/engine.ts'
import { LABEL } from '../../controller/runtime/docker/names.ts'
import { createRequest } from '../../controller/runtime/docker/request.ts'
import { createDockerRuntime } from '../../controller/runtime/docker/runtime.ts'
import { buildImage } from '../../deploy/images/build.ts'
import type { BenchResult } from './result.ts'

const ROUNDS = 3
/** The default address pools have room for about 30 bridges, and others on this machine use some. */
const STARTS = 16
const AT_ONCE = 8
const BAR = 0.8

const run = promisify(execFile)
const lines = (text: string): string[] => text.split('\n').filter(Boolean)
const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]!

function benchSpec(name: string): ContainerSpec {
  return {
    name,
    tenant: name as TenantId,
    product: 'bench',
    image: 'tenantry/sq:0.6.0',
    command: ['sq', 'host', '1337', '--config', '/run/tenantry/tenants.json'],
    user: '1000:1000',
    environment: {},
    capabilities: [],
    memoryMb: 64,
    cpus: 1,
    pidsLimit: 64,
    ports: [{ name: 'http', port: 1337 }],
    volumes: [{ name: 'data', path: '/data' }],
    binds: [],
    tmpfs: ['/tmp'],
    health: { port: 'http', path: '/api/v2/version' },
    stopGraceSeconds: 1,
    files: [{ name: 'tenants.json', text: '{"tenants":{}}' }],
  }
}

/** The same container by the command line, which cannot write the file: SQ starts without one all the same. */
function cliArguments(spec: ContainerSpec, installation: string): string[] {
  const { HostConfig: host, Labels: labels, Healthcheck: health } = createRequest(spec, installation)
  const name = host.NetworkMode!
  return [
    ...['run', '-d', '--name', name, '--network', name, '--init', '--read-only', '--cap-drop', 'ALL', '--security-opt', 'no-new-privileges', '--restart', 'unless-stopped'],
    ...['--memory', String(host.Memory), '--memory-swap', String(host.MemorySwap), '--cpus', String(spec.cpus), '--pids-limit', String(spec.pidsLimit), '--user', spec.user!],
    ...Object.entries(labels).flatMap(([key, value]) => ['--label', `${key}=${value}`]),
    ...host.Mounts!.flatMap((mount) => ['--mount', `type=volume,src=${mount.Source},dst=${mount.Target},volume-label=${LABEL.installation}=${installation}`]),
    ...Object.entries(host.Tmpfs as Record<string, string>).flatMap(([folder, options]) => ['--tmpfs', `${folder}:${options}`]),
    ...['-p', '127.0.0.1::1337', '--log-opt', 'max-size=5m', '--log-opt', 'max-file=2', '--stop-timeout', '1'],
    ...['--health-cmd', (health?.Test ?? []).at(-1) ?? 'true', '--health-interval', '15s', '--health-timeout', '5s', '--health-retries', '3'],
    ...[spec.image, ...spec.command!],
  ]
}

async function startByCli(name: string, installation: string): Promise<void> {
  const args = cliArguments(benchSpec(name), installation)
  await run('docker', ['network', 'create', '--label', `${LABEL.installation}=${installation}`, `tenantry-${installation}-${name}`])
  await run('docker', args)
}

/** Starts a second, eight at a time. */
async function rate(start: (name: string) => Promise<unknown>): Promise<number> {
  const names = Array.from({ length: STARTS }, (_none, index) => `bench${String(index).padStart(3, '0')}`)
  const begun = performance.now()
  const worker = async () => {
    for (let name = names.shift(); name !== undefined; name = names.shift()) await start(name)
  }
  await Promise.all(Array.from({ length: AT_ONCE }, worker))
  return STARTS / ((performance.now() - begun) / 1000)
}

function cleanUp(installation: string): void {
  const docker = (...args: string[]) => execFileSync('docker', args, { encoding: 'utf8' })
  const filter = ['--filter', `label=${LABEL.installation}=${installation}`]
  const remove = (things: string[], ...command: string[]) => void (things.length > 0 && docker(...command, ...things))
  remove(lines(docker('ps', '-aq', ...filter)), 'rm', '-f', '-v')
  remove(lines(docker('network', 'ls', '-q', ...filter)), 'network', 'rm')
  remove(lines(docker('volume', 'ls', '-q', ...filter)), 'volume', 'rm')
}

export async function bench(): Promise<BenchResult[]> {
  await buildImage('sq', () => undefined)
  const installation = `b${randomBytes(4).toString('hex')}`
  const runtime = createDockerRuntime({ docker: connectEngine(undefined), installation, now: () => new Date(), log: { info: () => undefined, warn: () => undefined } })
  const ways = { runtime: (name: string) => runtime.ensure(benchSpec(name)), cli: (name: string) => startByCli(name, installation) }
  const rates: Record<keyof typeof ways, number[]> = { runtime: [], cli: [] }
  try {
    for (let round = 0; round < ROUNDS; round++) {
      // The order turns, so that neither always meets the quieter machine.
      for (const way of round % 2 === 0 ? (['cli', 'runtime'] as const) : (['runtime', 'cli'] as const)) {
        rates[way].push(await rate(ways[way]))
        cleanUp(installation)
      }
    }
  } finally {
    cleanUp(installation)
  }
  const ratio = median(rates.runtime.map((value, round) => value / rates.cli[round]!))
  const text = (values: readonly number[]) => values.map((value) => value.toFixed(1)).join(', ')
  return [
    {
      name: 'containers started a second, against docker run eight at a time',
      figure: Number(ratio.toFixed(2)),
      bar: `>= ${BAR}`,
      unit: 'times',
      met: ratio >= BAR,
      detail: `starts a second in ${ROUNDS} rounds of ${STARTS}: runtime ${text(rates.runtime)}; docker run ${text(rates.cli)}`,
    },
  ]
}

if (import.meta.main) process.stdout.write(`${JSON.stringify(await bench(), null, 2)}\n`)
