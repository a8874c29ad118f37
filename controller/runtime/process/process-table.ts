/**
 * Finds running SQ processes by the configuration file on their command line, which is unique to a shard of an installation.
 * That is their identity: it needs no pid file, cannot be confused by a reused pid, and finds what a killed controller left.
 */
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { readdir, readFile, readlink, stat } from 'node:fs/promises'
import { userInfo } from 'node:os'
import { promisify } from 'node:util'

export interface FoundProcess {
  readonly pid: number
  readonly args: readonly string[]
}

/**
 * This user's processes, without those in containers. Another user's are never taken for ours, whatever their command line says:
 * anybody could start one that looks like an SQ and be handed customers' keys. Reads /proc where there is one, otherwise asks `ps`.
 */
export async function listProcesses(): Promise<FoundProcess[]> {
  const pids = await readdir('/proc').then(
    (names) => names.filter((name) => /^\d+$/.test(name)),
    () => undefined,
  )
  if (pids === undefined || pids.length === 0) return fromPs()
  const own = await processSpace('self')
  const found = await Promise.all(pids.map(async (pid) => ({ pid: Number(pid), args: await commandLine(pid), space: await processSpace(pid) })))
  return found.filter(({ args, space }) => args.length > 0 && (space ?? own) === own)
}

/** Whose process it is; undefined where it is gone. */
async function ownerOf(pid: number | string): Promise<number | undefined> {
  return stat(`/proc/${pid}`).then(
    ({ uid }) => uid,
    () => undefined,
  )
}

/** Another one than ours is that of a container, whose SQ has the same command line and belongs to the engine. Undefined where this user may not know. */
function processSpace(pid: string): Promise<string | undefined> {
  return readlink(`/proc/${pid}/ns/pid`).catch(() => undefined)
}

/** The command line of a process of this user's; empty where it is gone or somebody else's. */
export async function commandLine(pid: number | string): Promise<string[]> {
  if ((await ownerOf(pid)) !== userInfo().uid) return []
  const text = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')
  return text.split('\0').filter((part) => part !== '')
}

/** Whether a process that is not our child still runs with `argument` on its command line: neither ended, nor a zombie, nor somebody else under a reused id. */
export async function stillRuns(pid: number, argument: string): Promise<boolean> {
  if (existsSync('/proc/self/cmdline')) return (await commandLine(pid)).includes(argument)
  return (await fromPs()).some((process) => process.pid === pid && process.args.includes(argument))
}

async function fromPs(): Promise<FoundProcess[]> {
  const { stdout } = await promisify(execFile)('ps', ['-xww', '-U', String(userInfo().uid), '-o', 'pid=,command='], { maxBuffer: 64 * 1024 * 1024 })
  return stdout.split('\n').flatMap((line) => {
    const [, pid, command] = /^\s*(\d+)\s+(.*)$/.exec(line) ?? []
    return pid === undefined || command === undefined ? [] : [{ pid: Number(pid), args: command.split(' ') }]
  })
}

/** The port and configuration of an SQ's command line (`… host PORT --config FILE`), or undefined for anything else. */
export function sqOf({ args }: FoundProcess): { readonly port: number; readonly config: string } | undefined {
  const host = args.indexOf('host')
  const flag = args.indexOf('--config')
  const port = Number(args[host + 1])
  const config = args[flag + 1]
  return host >= 0 && flag > host && config !== undefined && Number.isInteger(port) ? { port, config } : undefined
}
