/** Whether an SQ of somebody's still runs on data that is to be taken over: two that write the same files lose each other's writes. Sees this user's processes, and ports that files name. */
import { readFile, readlink, realpath } from 'node:fs/promises'
import { createConnection } from 'node:net'
import path from 'node:path'
import { parseImportFile } from '../core/import-file.ts'
import { listProcesses, type FoundProcess } from '../runtime/process/process-table.ts'

export interface StillRunning {
  readonly pid: number
  /** What it runs on, as its command line says. */
  readonly on: string
  readonly folders: readonly string[]
}

const CONNECTS_WITHIN_MS = 500

type Resolve = (folder: string) => Promise<string>

/** SQ processes whose command line or configuration names one of `folders`: absolute paths, without links above the folder itself. */
export async function sqsOn(folders: ReadonlySet<string>): Promise<StillRunning[]> {
  const found: StillRunning[] = []
  const parents = [...new Set([...folders].map((folder) => path.dirname(folder)))]
  const resolve = resolver()
  for (const process of await listProcesses()) {
    const used = (await foldersOf(process, parents, resolve))?.filter((folder) => folders.has(folder)) ?? []
    if (used.length > 0) found.push({ pid: process.pid, on: valueAfter(process.args, '--config') ?? valueAfter(process.args, '--data-dir') ?? '', folders: [...new Set(used)] })
  }
  return found
}

/** Resolves links above a folder. Thousands of folders have few parents, and each of those is looked at once. */
function resolver(): Resolve {
  const parents = new Map<string, Promise<string>>()
  return async (folder) => {
    const parent = path.dirname(folder)
    let real = parents.get(parent)
    if (real === undefined) parents.set(parent, (real = realpath(parent).catch(() => parent)))
    return path.join(await real, path.basename(folder))
  }
}

/** The data folders of an SQ's process, where any can lie in one of `parents`; undefined for anything else. */
async function foldersOf({ pid, args }: FoundProcess, parents: readonly string[], resolve: Resolve): Promise<string[] | undefined> {
  if (!args.includes('host')) return undefined
  const workFolder = await readlink(`/proc/${pid}/cwd`).catch(() => '/')
  const dataDir = valueAfter(args, '--data-dir')
  if (dataDir !== undefined) return [await resolve(path.resolve(workFolder, dataDir))]
  const config = valueAfter(args, '--config')
  if (config === undefined) return undefined
  const named = await namedIn(path.resolve(workFolder, config), (text) => parents.some((parent) => text.includes(parent) || `${parent}/`.startsWith(`${workFolder}/`)))
  return Promise.all(named.map((folder) => resolve(path.resolve(workFolder, folder))))
}

/** Not every process with these words is an SQ, and not every file can be read. Most are another installation's: a look spares taking them apart. */
async function namedIn(config: string, isWorthIt: (text: string) => boolean): Promise<string[]> {
  try {
    const text = await readFile(config, 'utf8')
    const { entries = [] } = (isWorthIt(text) && parseImportFile(JSON.parse(text))) || {}
    return entries.flatMap(({ dataDir }) => dataDir ?? [])
  } catch {
    return []
  }
}

function valueAfter(args: readonly string[], flag: string): string | undefined {
  const at = args.indexOf(flag)
  return at === -1 ? undefined : args[at + 1]
}

/** Those of `ports` on which something answers on this machine. */
export async function answeringPorts(ports: readonly number[]): Promise<number[]> {
  const answers = await Promise.all(ports.map(connects))
  return ports.filter((_, index) => answers[index])
}

function connects(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection({ host: '127.0.0.1', port, timeout: CONNECTS_WITHIN_MS })
    const end = (answers: boolean): void => {
      socket.destroy()
      resolve(answers)
    }
    socket.once('connect', () => end(true)).once('error', () => end(false)).once('timeout', () => end(false))
  })
}
