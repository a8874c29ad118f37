/** The real program in a process of its own, as a bench starts, watches and ends it. */
import { execFile, spawn, type ChildProcess } from 'node:child_process'
import { closeSync, openSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { promisify } from 'node:util'
import type { RunFile } from '../../controller/cli/run-file.ts'
import type { Overview, TenantReport } from '../../controller/web/status-reader.ts'
import { findProgram } from '../support/parts.ts'
import { waitFor } from '../support/wait.ts'

const ROOT = path.resolve(import.meta.dirname, '../..')
const MAIN = path.join(ROOT, 'bin/tenantry.js')
const READY_WITHIN_MS = 240_000

export interface Program {
  /** Resolves when it says that it is ready. */
  start(): Promise<RunFile>
  readonly run: RunFile
  readonly pid: number
  /** SIGTERM leaves the gateway and SQ running, SIGINT ends them too. Resolves when the program has ended. */
  stop(signal: 'SIGTERM' | 'SIGINT'): Promise<void>
  /** Ends everything that it started, whatever state it is in. */
  end(): Promise<void>
  tenant(id: string): Promise<TenantReport>
  overview(): Promise<Overview>
  metric(name: string): Promise<number>
  /** Resident memory in MiB now and at its highest, and processor time since its start, as the system counts them. */
  usage(): { readonly residentMb: number; readonly peakMb: number; readonly processorS: number }
}

export function createProgram(home: string, settings: Readonly<Record<string, string>>): Program {
  let child: ChildProcess | undefined
  const logFile = `${home}.log`
  const sq = findProgram('sq')
  const searchPath = [...(sq === undefined ? [] : [path.dirname(sq)]), process.env['PATH']].join(path.delimiter)
  const env = { PATH: searchPath, HOME: home, TENANTRY_HOME: home, PORT: '0', ADMIN_PORT: '0', LOG_LEVEL: 'info', DOCKER_HOST: 'unix:///nonexistent/docker.sock', ...settings }
  const readRun = (): RunFile => JSON.parse(readFileSync(path.join(home, 'run.json'), 'utf8')) as RunFile
  const admin = (at: string): Promise<Response> => fetch(`${readRun().adminUrl}${at}`, { headers: { authorization: `Bearer ${readFileSync(path.join(home, 'admin-token'), 'utf8').trim()}` } })
  const ofSystem = (file: string): string => readFileSync(`/proc/${child!.pid}/${file}`, 'utf8')

  async function stop(signal: NodeJS.Signals): Promise<void> {
    const ending = child
    child = undefined
    if (ending === undefined || ending.exitCode !== null || ending.signalCode !== null) return
    const ended = new Promise((resolve) => ending.once('exit', resolve))
    ending.kill(signal)
    await ended
  }

  return {
    async start() {
      const log = openSync(logFile, 'a')
      const started = (child = spawn(process.execPath, [MAIN, 'up'], { env, cwd: ROOT, stdio: ['ignore', log, log] }))
      closeSync(log)
      const hasEnded = (): boolean => started.exitCode !== null || started.signalCode !== null
      await waitFor(async () => hasEnded() || (readRun().pid === started.pid && (await fetch(`${readRun().adminUrl}/readyz`)).status === 200), 'the program is ready', READY_WITHIN_MS)
      if (hasEnded()) throw new Error(`the program ended at its start:\n${readFileSync(logFile, 'utf8').slice(-4000)}`)
      return readRun()
    },
    get run() {
      return readRun()
    },
    get pid() {
      return child!.pid!
    },
    stop,
    async end() {
      await stop('SIGKILL')
      await promisify(execFile)(process.execPath, [MAIN, 'down'], { env, cwd: ROOT }).catch((error: unknown) => process.stderr.write(`tenantry down: ${String(error)}\n`))
    },
    tenant: async (id) => (await (await admin(`/api/tenants/${id}`)).json()) as TenantReport,
    overview: async () => (await (await admin('/api/status')).json()) as Overview,
    async metric(name) {
      const line = (await (await admin('/metrics')).text()).split('\n').find((each) => each.startsWith(`${name} `))
      if (line === undefined) throw new Error(`/metrics shows no ${name}`)
      return Number(line.slice(name.length + 1))
    },
    usage() {
      const kb = (field: string): number => Number(new RegExp(`${field}:\\s+(\\d+) kB`).exec(ofSystem('status'))?.[1])
      // Fields 14 and 15, in hundredths of a second; the name before them may hold spaces.
      const [user, system] = ofSystem('stat').split(') ')[1]!.split(' ').slice(11, 13)
      return { residentMb: kb('VmRSS') / 1024, peakMb: kb('VmHWM') / 1024, processorS: (Number(user) + Number(system)) / 100 }
    },
  }
}
