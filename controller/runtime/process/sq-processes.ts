/**
 * Shards of a shared SQ as supervised processes of this machine. They are started detached, so that they outlive the controller,
 * and are found again by their command line. A crash is noticed at once, and a crash loop waits longer each time.
 */
import type { ChildProcess } from 'node:child_process'
import { backoffMs } from '../../core/backoff.ts'
import { ReconcileError } from '../../core/outcome.ts'
import type { ShardName } from '../../core/placement.ts'
import { askSq } from '../../sq/ask.ts'
import type { RunningSq, SqInstances } from '../../sq/instance.ts'
import { choosePort, launchSq, listening, type LaunchOptions } from './sq-launch.ts'
import { listProcesses, sqOf, stillRuns } from './process-table.ts'

export interface SqProcessesOptions extends LaunchOptions {
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

const ENDS_WITHIN_MS = 5_000
/** A process that lived this long did not crash at its start. */
const SETTLED_MS = 60_000
const POLL_MS = 5

export interface SqProcesses extends SqInstances {
  /** Looks whether adopted processes, whose end nobody reports, still run. */
  checkAdopted(): Promise<void>
  /** Ends every process of this installation, those of shards without members too. */
  stopAll(): Promise<void>
}

export function createSqProcesses(options: SqProcessesOptions): SqProcesses {
  const shards = new Map<ShardName, Shard>()
  /** What was running when this controller started; read once. */
  let leftovers: Promise<Map<string, Leftover>> | undefined

  const stateOf = (shard: ShardName): Shard => {
    let state = shards.get(shard)
    if (state === undefined) shards.set(shard, (state = { running: undefined, lastPort: undefined, crashes: 0, notBefore: 0 }))
    return state
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
    const found = (await (leftovers ??= findLeftovers())).get(config)
    if (found === undefined) return undefined
    ;(await leftovers).delete(config)
    if (!(await stillRuns(found.pid, config))) return undefined
    state.lastPort = found.port
    return { ...found, child: undefined, startedAt: performance.now() }
  }

  async function start(shard: ShardName, state: Shard): Promise<Running> {
    const port = await choosePort(shard, state.lastPort, options)
    state.lastPort = port
    const child = await launchSq(shard, port, options)
    const running: Running = { pid: child.pid!, port, child, startedAt: performance.now() }
    state.running = running
    child.once('exit', () => ended(shard, running))
    await listening(shard, port, () => state.running === running, options)
    return running
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
    refuseCrashLoop(shard, state, options)
    const { port } = await start(shard, state)
    return { port, action: 'started', drift: wasRunning ? [{ field: `sq/${shard}/process`, wanted: 'running', found: 'ended' }] : [] }
  }

  async function stop(shard: ShardName): Promise<void> {
    const state = stateOf(shard)
    const running = state.running ?? (await adopt(shard, state))
    state.running = undefined
    if (running === undefined) return
    await endProcess(() => alive(shard, running), (signal) => options.kill(running.pid, signal))
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
    async stopAll() {
      await Promise.all([...shards.keys()].map(stop))
    },
    async checkAdopted() {
      for (const [shard, { running }] of shards) {
        if (running !== undefined && running.child === undefined && !(await alive(shard, running))) ended(shard, running)
      }
    },
  }
}

/** Asks it to end, and ends it where it does not. */
async function endProcess(alive: () => Promise<boolean>, kill: (signal: NodeJS.Signals) => void): Promise<void> {
  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    if (!(await alive())) return
    kill(signal)
    const deadline = performance.now() + ENDS_WITHIN_MS
    while ((await alive()) && performance.now() < deadline) await new Promise((resolve) => setTimeout(resolve, POLL_MS))
  }
}

interface Leftover {
  readonly pid: number
  readonly port: number
}

/** Running SQ processes by configuration file. */
async function findLeftovers(): Promise<Map<string, Leftover>> {
  const found = new Map<string, Leftover>()
  for (const process of await listProcesses()) {
    const sq = sqOf(process)
    if (sq !== undefined) found.set(sq.config, { pid: process.pid, port: sq.port })
  }
  return found
}

/** Throws `SqCrashLoop`, waiting, while a process that keeps ending may not be started again yet. */
function refuseCrashLoop(shard: ShardName, { notBefore, crashes }: Shard, { now, folders }: SqProcessesOptions): void {
  const waitMs = notBefore - performance.now()
  if (waitMs <= 0) return
  const until = new Date(now().getTime() + waitMs).toISOString()
  throw new ReconcileError({ kind: 'waiting', until }, 'SqCrashLoop', `SQ of shard ${shard} has ended ${crashes} times in a row; it is started again at ${until}. Look at ${folders.log(shard)}.`)
}
