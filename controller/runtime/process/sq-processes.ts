/**
 * Shards of a shared SQ as supervised processes of this machine. They are started detached, so that they outlive the controller,
 * and are found again by their command line. A crash is noticed at once, and a crash loop waits longer each time.
 */
import { spawn, type ChildProcess } from 'node:child_process'
import { mkdirSync, openSync, closeSync, renameSync, statSync } from 'node:fs'
import { createServer } from 'node:net'
import { backoffMs } from '../../core/backoff.ts'
import { ReconcileError } from '../../core/outcome.ts'
import type { ShardName } from '../../core/placement.ts'
import { askSq } from '../../sq/ask.ts'
import type { ShardFolders } from '../../sq/files.ts'
import type { RunningSq, SqInstances } from '../../sq/instance.ts'
import { listProcesses, sqOf, stillRuns, type FoundProcess } from './process-table.ts'

export interface SqProcessesOptions {
  /** Program and first arguments; `host PORT --config FILE` follows. */
  readonly command: readonly [string, ...string[]]
  readonly folders: ShardFolders
  readonly environment: Readonly<Record<string, string>>
  readonly now: () => Date
  readonly chance: () => number
  /** `process.kill`. */
  readonly kill: (pid: number, signal: NodeJS.Signals) => void
  /** Called when a shard's process has ended without being asked to. */
  readonly onExit: (shard: ShardName) => void
}

interface Running {
  readonly pid: number
  readonly port: number
  readonly child: ChildProcess | undefined
  readonly startedAt: number
}

interface Shard {
  running: Running | undefined
  /** The port is kept over restarts, so that routes stay as they are. */
  lastPort: number | undefined
  crashes: number
  notBefore: number
}

const LISTENS_WITHIN_MS = 10_000
const ENDS_WITHIN_MS = 5_000
/** A process that lived this long did not crash at its start. */
const SETTLED_MS = 60_000
const POLL_MS = 5
const LOG_LIMIT_BYTES = 10 * 1024 * 1024

export interface SqProcesses extends SqInstances {
  /** Looks whether adopted processes, whose end nobody reports, still run. */
  checkAdopted(): Promise<void>
}

export function createSqProcesses(options: SqProcessesOptions): SqProcesses {
  const shards = new Map<ShardName, Shard>()
  let table: Promise<Map<string, FoundProcess & { readonly port: number }>> | undefined

  const stateOf = (shard: ShardName): Shard => {
    let state = shards.get(shard)
    if (state === undefined) shards.set(shard, (state = { running: undefined, lastPort: undefined, crashes: 0, notBefore: 0 }))
    return state
  }

  /** Processes that were running when this controller started, by configuration file; read once. */
  function leftovers(): Promise<Map<string, FoundProcess & { readonly port: number }>> {
    return (table ??= listProcesses().then((processes) => {
      const found = new Map<string, FoundProcess & { readonly port: number }>()
      for (const process of processes) {
        const sq = sqOf(process)
        if (sq !== undefined) found.set(sq.config, { ...process, port: sq.port })
      }
      return found
    }))
  }

  /** Our own children's ends are reported; of adopted processes the process table is asked. */
  async function alive(shard: ShardName, { pid, child }: Running): Promise<boolean> {
    return child === undefined ? stillRuns(pid, options.folders.config(shard)) : child.exitCode === null && child.signalCode === null
  }

  function ended(shard: ShardName, running: Running): void {
    const state = stateOf(shard)
    if (state.running !== running) return
    state.running = undefined
    state.crashes = performance.now() - running.startedAt > SETTLED_MS ? 1 : state.crashes + 1
    state.notBefore = state.crashes === 1 ? 0 : performance.now() + backoffMs(state.crashes - 1, options.chance())
    options.onExit(shard)
  }

  async function adopt(shard: ShardName, state: Shard): Promise<Running | undefined> {
    const config = options.folders.config(shard)
    const found = (await leftovers()).get(config)
    if (found === undefined) return undefined
    ;(await leftovers()).delete(config)
    if (!(await stillRuns(found.pid, config))) return undefined
    state.lastPort = found.port
    return { pid: found.pid, port: found.port, child: undefined, startedAt: performance.now() }
  }

  async function start(shard: ShardName, state: Shard): Promise<Running> {
    const port = await freePort(state.lastPort)
    state.lastPort = port
    mkdirSync(options.folders.folder(shard), { recursive: true, mode: 0o700 })
    const log = openLog(options.folders.log(shard))
    const [program, ...first] = options.command
    const args = [...first, 'host', String(port), '--config', options.folders.config(shard)]
    const child = spawn(program, args, { cwd: options.folders.folder(shard), env: options.environment, detached: true, stdio: ['ignore', log, log] })
    closeSync(log)
    child.unref()
    const failed = new Promise<never>((_, reject) => child.once('error', (cause) => reject(new ReconcileError({ kind: 'stalled' }, 'SqCannotStart', `${program} cannot be started. Check SQ_BIN.`, { cause }))))
    await Promise.race([failed, new Promise((resolve) => child.once('spawn', resolve))])
    const running: Running = { pid: child.pid!, port, child, startedAt: performance.now() }
    state.running = running
    child.once('exit', () => ended(shard, running))
    await listening(shard, running)
    return running
  }

  async function listening(shard: ShardName, running: Running): Promise<void> {
    const deadline = performance.now() + LISTENS_WITHIN_MS
    while (stateOf(shard).running === running && performance.now() < deadline) {
      const answers = await askSq({ port: running.port, method: 'GET', path: '/api/v2/version', timeoutMs: 1_000 }).then(
        () => true,
        () => false,
      )
      if (answers) return
      await pause(POLL_MS)
    }
    throw new ReconcileError({ kind: 'transient' }, 'SqDoesNotStart', `SQ of shard ${shard} does not listen on port ${running.port}. Look at ${options.folders.log(shard)}.`)
  }

  async function ensure(shard: ShardName): Promise<RunningSq> {
    const state = stateOf(shard)
    if (state.running !== undefined && (await alive(shard, state.running))) return { port: state.running.port, action: 'none', drift: [] }
    const wasRunning = state.running !== undefined || state.crashes > 0
    if (state.running !== undefined) ended(shard, state.running)
    const adopted = await adopt(shard, state)
    if (adopted !== undefined) {
      state.running = adopted
      return { port: adopted.port, action: 'adopted', drift: [] }
    }
    const waitMs = state.notBefore - performance.now()
    if (waitMs > 0) {
      const until = new Date(options.now().getTime() + waitMs).toISOString()
      throw new ReconcileError({ kind: 'waiting', until }, 'SqCrashLoop', `SQ of shard ${shard} has ended ${state.crashes} times in a row; it is started again at ${until}. Look at ${options.folders.log(shard)}.`)
    }
    const { port } = await start(shard, state)
    return { port, action: 'started', drift: wasRunning ? [{ field: `sq/${shard}/process`, wanted: 'running', found: 'ended' }] : [] }
  }

  async function stop(shard: ShardName): Promise<void> {
    const state = stateOf(shard)
    const running = state.running ?? (await adopt(shard, state))
    state.running = undefined
    if (running === undefined) return
    for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
      if (!(await alive(shard, running))) return
      options.kill(running.pid, signal)
      const deadline = performance.now() + ENDS_WITHIN_MS
      while ((await alive(shard, running)) && performance.now() < deadline) await pause(POLL_MS)
    }
  }

  return {
    ensure,
    stop,
    async reload(_shard, port) {
      await askSq({ port, method: 'POST', path: '/api/v2/reload', timeoutMs: 5_000 })
    },
    async restart(shard) {
      await stop(shard)
      return ensure(shard)
    },
    isUp: (shard) => shards.get(shard)?.running !== undefined,
    async checkAdopted() {
      for (const [shard, { running }] of shards) {
        if (running !== undefined && running.child === undefined && !(await alive(shard, running))) ended(shard, running)
      }
    },
  }
}

/** The port asked for where it is free, otherwise any free one. SQ takes no port 0, so another program could be faster: then SQ ends and is started again. */
async function freePort(wanted: number | undefined): Promise<number> {
  const tryPort = (port: number): Promise<number | undefined> =>
    new Promise((resolve) => {
      const server = createServer()
      server.once('error', () => resolve(undefined))
      server.listen({ port, host: '0.0.0.0' }, () => {
        const address = server.address()
        server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : undefined))
      })
    })
  const port = (wanted === undefined ? undefined : await tryPort(wanted)) ?? (await tryPort(0))
  if (port === undefined) throw new ReconcileError({ kind: 'transient' }, 'NoFreePort', 'There is no free TCP port for SQ on this machine.')
  return port
}

function openLog(file: string): number {
  try {
    if (statSync(file).size > LOG_LIMIT_BYTES) renameSync(file, `${file}.1`)
  } catch {
    // There is no log yet.
  }
  return openSync(file, 'a', 0o600)
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))
