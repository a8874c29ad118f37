/** A whole Tenantry as its users run it: the real program in a process of its own, on a temporary HOME, with free ports. */
import { execFile, execFileSync, spawn, type ChildProcess } from 'node:child_process'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'
import { onTestFinished, vi } from 'vitest'
import type { RunFile } from '../../controller/cli/run-file.ts'
import { listProcesses, sqOf } from '../../controller/runtime/process/process-table.ts'
import { openStore } from '../../controller/store/db.ts'
import type { Overview, TenantReport } from '../../controller/web/status-reader.ts'
import { findProgram, has } from './parts.ts'
import { waitFor } from './wait.ts'

const ROOT = path.resolve(import.meta.dirname, '../..')
const MAIN = path.join(ROOT, 'controller/main.ts')
/** Half of a command's time is compiling: kept for the next one. */
const COMPILE_CACHE = path.join(tmpdir(), 'tenantry-test-compile-cache')

/** Whole programs take their time on a machine that does other things as well. */
const PATIENCE_MS = 30_000
vi.setConfig({ testTimeout: 3 * PATIENCE_MS })

export interface CliResult {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

export interface Installation {
  readonly home: string
  /** Starts the controller and resolves when it is ready. */
  start(environment?: Record<string, string>): Promise<RunFile>
  readonly run: RunFile
  /** The controller's process, while it runs. */
  readonly controller: ChildProcess | undefined
  /** Sends a signal and resolves when the controller has ended. */
  kill(signal: NodeJS.Signals): Promise<void>
  cli(...args: string[]): Promise<CliResult>
  /** A command's answer, parsed; throws with its standard error where it failed. */
  json<T>(...args: string[]): Promise<T>
  /** The controller's standard output and error so far. */
  log(): string
  /** What the admin API says of a tenant; undefined where it knows none. */
  tenant(id: string): Promise<TenantReport | undefined>
  overview(): Promise<Overview>
  /** A metric's value, such as `tenantry_plan_slots{plan="a",kind="taken"}`; undefined where it is not shown. */
  metric(name: string): Promise<number | undefined>
  /** Resolves when a revision was taken in and nothing is left to do for it. */
  takenIn(revision: string): Promise<void>
  /** The rendered tenants.json of a shard. */
  tenantsJson(shard?: string): TenantsFile
  /** The live keys of a tenant as SQ has them, without the gateway's own. */
  keysOf(tenant: string, shard?: string): string[]
  /** The SQ processes of this installation that run now. */
  sqs(): Promise<{ readonly pid: number; readonly port: number }[]>
}

export interface TenantsFile {
  readonly max_tenants: number
  readonly default_quota_mb: number | null
  readonly tenants: Readonly<Record<string, { readonly name: string; readonly data_dir: string; readonly key_id?: string; readonly quota_mb?: number | null }>>
}

/**
 * Makes an installation whose processes, containers, networks and volumes are gone after the test, or after the file with
 * `afterAll`, outside any hook. Real SQ where there is one.
 */
export function makeInstallation(home: string, environment: Record<string, string> = {}, atEnd: (cleanUp: () => Promise<void>, limitMs: number) => unknown = onTestFinished): Installation {
  let child: ChildProcess | undefined
  let extra: Record<string, string> = {}
  const logFile = path.join(path.dirname(home), `${path.basename(home)}.log`)
  const env = (): Record<string, string> => ({ PATH: searchPath(), NODE_COMPILE_CACHE: COMPILE_CACHE, HOME: home, TENANTRY_HOME: home, PORT: '0', ADMIN_PORT: '0', LOG_LEVEL: 'info', TENANTRY_RESYNC_SECONDS: '2', DOCKER_HOST: 'unix:///nonexistent/docker.sock', ...environment, ...extra })
  const readRun = (): RunFile => JSON.parse(readFileSync(path.join(home, 'run.json'), 'utf8')) as RunFile

  async function cli(...args: string[]): Promise<CliResult> {
    try {
      const { stdout, stderr } = await promisify(execFile)(process.execPath, [MAIN, ...args], { env: env(), cwd: ROOT, maxBuffer: 64 * 1024 * 1024 })
      return { code: 0, stdout, stderr }
    } catch (error) {
      const { code, stdout = '', stderr = '' } = error as { code?: number; stdout?: string; stderr?: string }
      return { code: code ?? 1, stdout, stderr }
    }
  }

  const installation: Installation = {
    home,
    async start(more = {}) {
      extra = { ...extra, ...more }
      const log = openSync(logFile, 'a')
      const started = spawn(process.execPath, [MAIN, 'up'], { env: env(), cwd: ROOT, stdio: ['ignore', log, log] })
      closeSync(log)
      child = started
      const pid = started.pid
      await waitFor(async () => {
        if (started.exitCode !== null || started.signalCode !== null) return true
        const run = readRun()
        return run.pid === pid && (await fetch(`${run.adminUrl}/readyz`)).status === 200
      }, 'the controller is ready', 60_000)
      if (started.exitCode !== null || started.signalCode !== null) throw new Error(`the controller ended with ${started.exitCode ?? started.signalCode}:\n${installation.log().slice(-4000)}`)
      return readRun()
    },
    get run() {
      return readRun()
    },
    get controller() {
      return child
    },
    async kill(signal) {
      const ending = child
      child = undefined
      if (ending === undefined || ending.exitCode !== null || ending.signalCode !== null) return
      const ended = new Promise((resolve) => ending.once('exit', resolve))
      ending.kill(signal)
      await ended
    },
    cli,
    async json<T>(...args: string[]) {
      const { code, stdout, stderr } = await cli('--json', ...args)
      if (stdout === '') throw new Error(`tenantry ${args.join(' ')} ended with ${code}: ${stderr}`)
      return JSON.parse(stdout) as T
    },
    log: () => readFileSync(logFile, 'utf8'),
    async tenant(id) {
      const answer = await admin(`/api/tenants/${id}`)
      return answer.status === 404 ? undefined : ((await answer.json()) as TenantReport)
    },
    overview: async () => (await (await admin('/api/status')).json()) as Overview,
    async metric(name) {
      const text = await (await admin('/metrics')).text()
      const line = text.split('\n').find((each) => each.startsWith(`${name} `))
      return line === undefined ? undefined : Number(line.slice(name.length + 1))
    },
    async takenIn(revision) {
      await waitFor(async () => (await installation.overview()).revision === revision && (await installation.metric('tenantry_workqueue_depth')) === 0, `${revision} is taken in`, PATIENCE_MS)
    },
    tenantsJson: (shard = 'sq-000') => JSON.parse(readFileSync(tenantsJsonPath(home, shard), 'utf8')) as TenantsFile,
    keysOf: (tenant, shard) => Object.entries(installation.tenantsJson(shard).tenants).flatMap(([key, { name, key_id }]) => (name === tenant && key_id !== 'INSTANCE' ? [key] : [])),
    async sqs() {
      return (await listProcesses()).flatMap((process) => {
        const sq = sqOf(process)
        return sq?.config.startsWith(`${home}/sq/`) ? [{ pid: process.pid, port: sq.port }] : []
      })
    },
  }
  const admin = (at: string): Promise<Response> => fetch(`${readRun().adminUrl}${at}`, { headers: { authorization: `Bearer ${readFileSync(path.join(home, 'admin-token'), 'utf8').trim()}` } })
  atEnd(() => cleanUp(installation), 60_000)
  return installation
}

export const tenantsJsonPath = (home: string, shard = 'sq-000'): string => path.join(home, 'sq', shard, 'tenants.json')

/** Ends everything of the installation, whatever state it is in. */
export async function cleanUp(installation: Installation): Promise<void> {
  await installation.kill('SIGKILL')
  await installation.cli('down')
  if (has('docker')) removeFromEngine(installationId(installation.home))
}

/** The id that labels what the installation made; undefined before its first start. */
export function installationId(home: string): string | undefined {
  try {
    const store = openStore(path.join(home, 'store.db'), 'rebuildable')
    const row = store.prepare("SELECT value FROM meta WHERE name = 'installation'").get() as { value: string } | undefined
    store.close()
    return row?.value
  } catch {
    return undefined
  }
}

function removeFromEngine(id: string | undefined): void {
  if (id === undefined) return
  const label = `label=dev.tenantry.installation=${id}`
  const docker = (...args: string[]): string[] => execFileSync('docker', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).split('\n').filter((line) => line !== '')
  for (const [list, remove] of [
    [['ps', '-aq'], ['rm', '-f']],
    [['network', 'ls', '-q'], ['network', 'rm']],
    [['volume', 'ls', '-q'], ['volume', 'rm']],
  ] as const) {
    const found = docker(...list, '--filter', label)
    if (found.length > 0) docker(...remove, ...found)
  }
}

/** The PATH with the folders in which cargo puts `sq`. */
function searchPath(): string {
  const sq = findProgram('sq')
  return [sq === undefined ? '' : path.dirname(sq), process.env['PATH'] ?? ''].filter((part) => part !== '').join(path.delimiter)
}
