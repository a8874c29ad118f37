/**
 * The gateway's side of the routes' files: reads the snapshot, then follows its log; a watch makes it quick, a poll makes it sure.
 * A corrupt line is counted and skipped. When the files cannot be read, the routes that are known stay in force: an error never
 * reads as "no routes". Never writes.
 */
import { watch, type FSWatcher } from 'node:fs'
import { open, stat, type FileHandle } from 'node:fs/promises'
import path from 'node:path'
import type { HeaderFacts } from '../core/header-facts.ts'
import { readLinesFrom } from './route-lines.ts'
import { decodeHeader, decodeRecord, isLogName, snapshotPath, type Header, type Links } from './route-log.ts'
import { createRouteTable, type RouteTable } from './route-table.ts'
import type { Log } from './log.ts'

const POLL_MS = 250
const NO_FACTS: HeaderFacts = { links: {}, products: {}, plans: {} }

export interface RouteReader {
  /** Undefined until a snapshot was read: then nobody may be told that a key is unknown. */
  readonly table: RouteTable | undefined
  readonly links: Links
  readonly facts: HeaderFacts
  readonly generation: string | undefined
  /** Records taken from snapshots and logs since the start. */
  readonly applied: number
  readonly corruptLines: number
  /** Reads what is there and follows from then on. */
  start(): Promise<void>
  close(): Promise<void>
}

/** One snapshot being followed: its log stays open, so that its end can be read even after it was replaced and removed. */
interface Following {
  readonly header: Header
  readonly table: RouteTable
  readonly log: FileHandle
  position: number
}

export function createRouteReader(folder: string, { log }: { readonly log: Log }): RouteReader {
  let current: Following | undefined
  let snapshotMark = ''
  let applied = 0
  let corruptLines = 0
  let watcher: FSWatcher | undefined
  let timer: NodeJS.Timeout | undefined
  let failing = false

  const take: Take = (table, text) => {
    const record = decodeRecord(text)
    if (record === undefined) {
      corruptLines++
      log.warn({ corruptLines }, 'a line of the routes is corrupt and was skipped')
      return
    }
    table.apply(record)
    applied++
  }

  async function readOnce(): Promise<void> {
    const mark = await markOf(snapshotPath(folder))
    if (current !== undefined) await follow(current, take).catch(() => (snapshotMark = ''))
    if (mark === snapshotMark || mark === '') return
    const old = current
    const next = (old === undefined ? undefined : await continueIfSame(folder, old)) ?? (await readSnapshot(folder, take))
    await follow(next, take).catch(async (error: unknown) => {
      await next.log.close()
      throw error
    })
    current = next
    snapshotMark = mark
    await old?.log.close()
    log.info({ generation: next.header.generation, tenants: next.table.tenants, keys: next.table.keys }, 'routes read')
  }

  async function read(): Promise<void> {
    try {
      await readOnce()
      failing = false
    } catch (error) {
      if (!failing) log.error({ err: error }, 'the routes cannot be read: those already known stay in force')
      failing = true
    }
  }

  const poke = oneAtATime(read)

  return {
    get table() {
      return current?.table
    },
    get links() {
      return current?.header.links ?? NO_FACTS.links
    },
    get facts() {
      return current?.header ?? NO_FACTS
    },
    get generation() {
      return current?.header.generation
    },
    get applied() {
      return applied
    },
    get corruptLines() {
      return corruptLines
    },
    async start() {
      watcher = watch(folder, { persistent: false }, (_event, name) => {
        // The gateway's own log lies in the same folder.
        if (name === null || name === 'snapshot' || isLogName(name)) void poke()
      })
      watcher.on('error', (error) => log.warn({ err: error }, 'the routes are polled only: watching their folder failed'))
      timer = setInterval(() => void poke(), POLL_MS)
      await poke()
    },
    async close() {
      watcher?.close()
      clearInterval(timer)
      await poke()
      await current?.log.close()
      current = undefined
    },
  }
}

/** Runs `work` once at a time; asked for during a run, it runs once more after it. */
function oneAtATime(work: () => Promise<void>): () => Promise<void> {
  let running: Promise<void> | undefined
  let again = false
  const run = async (): Promise<void> => {
    do {
      again = false
      await work()
    } while (again)
  }
  return () => {
    if (running === undefined) running = run().finally(() => (running = undefined))
    else again = true
    return running
  }
}

/** What to do with a line of the files. */
type Take = (table: RouteTable, text: string) => void

async function follow(following: Following, take: Take): Promise<void> {
  if ((await following.log.stat()).size < following.position) throw new Error('the log of the routes became shorter than what was read of it')
  for await (const lines of readLinesFrom(following.log, following.position)) {
    for (const line of lines) take(following.table, line.text)
    following.position = lines.at(-1)!.end
  }
}

/** A whole snapshot and its log into a new table, which takes the place of the old one only when it is complete. */
async function readSnapshot(folder: string, take: Take): Promise<Following> {
  const handle = await open(snapshotPath(folder), 'r')
  try {
    const table = createRouteTable()
    let header: Header | undefined
    for await (const lines of readLinesFrom(handle, 0)) {
      for (const line of lines) {
        if (header !== undefined) take(table, line.text)
        else if ((header = decodeHeader(line.text)) === undefined) throw new Error('the snapshot of the routes has no header that this gateway knows')
      }
    }
    if (header === undefined) throw new Error('the snapshot of the routes is empty')
    return { header, table, log: await open(path.join(folder, header.log), 'r'), position: 0 }
  } finally {
    await handle.close()
  }
}

/** After a compaction that replaced exactly what was read, only the log is another one. */
async function continueIfSame(folder: string, old: Following): Promise<Following | undefined> {
  const header = await readHeader(folder)
  const { continues } = header
  if (continues?.log !== old.header.log || continues.bytes !== old.position) return undefined
  return { header, table: old.table, log: await open(path.join(folder, header.log), 'r'), position: 0 }
}

/** Another file under the same name has another inode or time. Empty where there is none. */
async function markOf(file: string): Promise<string> {
  try {
    const { ino, mtimeNs, size } = await stat(file, { bigint: true })
    return `${ino}-${mtimeNs}-${size}`
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return ''
    throw error
  }
}

async function readHeader(folder: string): Promise<Header> {
  const handle = await open(snapshotPath(folder), 'r')
  try {
    for await (const lines of readLinesFrom(handle, 0)) {
      const header = decodeHeader(lines[0]!.text)
      if (header !== undefined) return header
      break
    }
    throw new Error('the snapshot of the routes has no header that this gateway knows')
  } finally {
    await handle.close()
  }
}
