/** Starts one SQ process: a port, a log, a detached child, and waiting until it listens. Keeps no state. */
import { spawn, type ChildProcess } from 'node:child_process'
import { closeSync, mkdirSync, openSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { ReconcileError } from '../../core/outcome.ts'
import type { ShardName } from '../../core/placement.ts'
import { askSq } from '../../sq/ask.ts'
import type { ShardFolders } from '../../sq/files.ts'

export interface LaunchOptions {
  /** Program and first arguments; `host PORT --config FILE` follows. */
  readonly command: readonly [string, ...string[]]
  readonly folders: ShardFolders
  readonly environment: Readonly<Record<string, string>>
}

const LISTENS_WITHIN_MS = 10_000
const POLL_MS = 5
const LOG_LIMIT_BYTES = 10 * 1024 * 1024

/** Detached, so that it outlives the controller. Throws `SqCannotStart`, stalled, where the program cannot be run. */
export async function launchSq(shard: ShardName, port: number, { command, folders, environment }: LaunchOptions): Promise<ChildProcess> {
  mkdirSync(folders.folder(shard), { recursive: true, mode: 0o700 })
  const log = openLog(folders.log(shard))
  const [program, ...first] = command
  const child = spawn(program, [...first, 'host', String(port), '--config', folders.config(shard)], { cwd: folders.folder(shard), env: environment, detached: true, stdio: ['ignore', log, log] })
  closeSync(log)
  child.unref()
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve)
    child.once('error', (cause) => reject(new ReconcileError({ kind: 'stalled' }, 'SqCannotStart', `${program} cannot be started. Check SQ_BIN.`, { cause })))
  })
  return child
}

/** Resolves when SQ answers anything at all; throws when it ended first or takes too long. */
export async function listening(shard: ShardName, port: number, running: () => boolean, { folders }: LaunchOptions): Promise<void> {
  const deadline = performance.now() + LISTENS_WITHIN_MS
  while (running() && performance.now() < deadline) {
    const answers = await askSq({ port, method: 'GET', path: '/api/v2/version', timeoutMs: 1_000 }).then(
      () => true,
      () => false,
    )
    if (answers) return
    await new Promise((resolve) => setTimeout(resolve, POLL_MS))
  }
  throw new ReconcileError({ kind: 'transient' }, 'SqDoesNotStart', `SQ of shard ${shard} does not listen on port ${port}. Look at ${folders.log(shard)}.`)
}

/** The port asked for where it is free, otherwise any free one. SQ takes no port 0, so another program could be faster: then SQ ends and is started again. */
export async function freePort(wanted: number | undefined): Promise<number> {
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

/** The port of the shard's last process where it is free, also of one that an earlier controller started: a start of everything leaves all routes as they are. */
export async function choosePort(shard: ShardName, last: number | undefined, { folders }: LaunchOptions): Promise<number> {
  const noted = readPort(folders.port(shard))
  const port = await freePort(last ?? noted)
  if (port !== noted) {
    mkdirSync(folders.folder(shard), { recursive: true, mode: 0o700 })
    writeFileSync(folders.port(shard), String(port), { mode: 0o600 })
  }
  return port
}

function readPort(file: string): number | undefined {
  try {
    const port = Number(readFileSync(file, 'utf8'))
    return Number.isInteger(port) && port > 0 && port < 65536 ? port : undefined
  } catch {
    return undefined
  }
}

function openLog(file: string): number {
  try {
    if (statSync(file).size > LOG_LIMIT_BYTES) renameSync(file, `${file}.1`)
  } catch {
    // There is no log yet.
  }
  return openSync(file, 'a', 0o600)
}
