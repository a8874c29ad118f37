/**
 * The routes' files as the writer handles them: read what stands, open, write a new generation beside and rename it into place,
 * remove what a crash left. Every file is 0600. Knows nothing of what changed or why.
 */
import { open, readdir, rename, rm, stat, truncate, type FileHandle } from 'node:fs/promises'
import path from 'node:path'
import type { HeaderFacts } from '../core/header-facts.ts'
import type { TenantId } from '../core/specs.ts'
import { readLines } from './route-lines.ts'
import { decodeHeader, decodeRecord, encodeHeader, isLogName, lineDigest, logName, snapshotPath, type Header } from './route-log.ts'

const SMALLEST_LOG_TO_COMPACT = 64 * 1024
/** Text gathered before a write: bounds memory while a hundred thousand routes pass. */
export const WRITE_BYTES = 256 * 1024

/** A snapshot in place and its log, open for appending. */
export interface RouteFiles {
  readonly header: Header
  readonly log: FileHandle
  logBytes: number
  readonly snapshotBytes: number
}

export interface Found {
  readonly header: Header
  readonly corruptLines: number
  readonly snapshotBytes: number
  readonly logBytes: number
}

export async function isIntact(folder: string, { header, logBytes, snapshotBytes }: RouteFiles): Promise<boolean> {
  const [snapshot, log] = await Promise.all([snapshotPath(folder), path.join(folder, header.log)].map((file) => stat(file).catch(() => undefined)))
  return snapshot?.size === snapshotBytes && log?.size === logBytes
}

export function isLarge({ logBytes, snapshotBytes }: RouteFiles): boolean {
  return logBytes > Math.max(SMALLEST_LOG_TO_COMPACT, snapshotBytes / 2)
}

export function newHeader({ links, products, plans }: HeaderFacts, now: Date): Header {
  const generation = `${now.getTime().toString(36)}-${crypto.randomUUID().slice(0, 8)}`
  return { format: 1, generation, log: logName(generation), writtenAt: now.toISOString(), links, products, plans }
}

/** Fills `standing` from the files. Undefined where there is no snapshot that can be used. */
export async function readStanding(folder: string, standing: Map<TenantId, string>): Promise<Found | undefined> {
  let header: Header | undefined
  let corruptLines = 0
  const take = (text: string): void => {
    const record = decodeRecord(text)
    if (record === undefined) corruptLines++
    else if ('put' in record) standing.set(record.put.tenant, lineDigest(text))
    else standing.delete(record.drop)
  }
  let snapshotBytes = 0
  for await (const line of readLines(snapshotPath(folder))) {
    snapshotBytes = line.end
    if (header !== undefined) take(line.text)
    else if ((header = decodeHeader(line.text)) === undefined) return undefined
  }
  if (header === undefined) return undefined
  let logBytes = 0
  for await (const line of readLines(path.join(folder, header.log))) {
    take(line.text)
    logBytes = line.end
  }
  return { header, corruptLines, snapshotBytes, logBytes }
}

export async function openFiles(folder: string, { header, snapshotBytes, logBytes }: Found): Promise<RouteFiles> {
  const file = path.join(folder, header.log)
  await (await open(file, 'a', 0o600)).close()
  await truncate(file, logBytes)
  return { header, log: await open(file, 'r+'), logBytes, snapshotBytes }
}

/** The empty log first, then the snapshot that names it, renamed into place: at every instant a reader finds a pair that fits. */
export async function writeGeneration(folder: string, header: Header, lines: Iterable<string> | AsyncIterable<string>): Promise<RouteFiles> {
  const log = await open(path.join(folder, header.log), 'wx', 0o600)
  try {
    const beside = path.join(folder, `snapshot-${header.generation}.tmp`)
    const snapshotBytes = await writeSnapshot(beside, header, lines)
    await rename(beside, snapshotPath(folder))
    return { header, log, logBytes: 0, snapshotBytes }
  } catch (cause) {
    await log.close()
    await rm(path.join(folder, header.log), { force: true })
    throw new Error(`The routes' snapshot in ${folder} cannot be written: the gateway keeps the routes that it has.`, { cause })
  }
}

async function writeSnapshot(file: string, header: Header, lines: Iterable<string> | AsyncIterable<string>): Promise<number> {
  const handle = await open(file, 'wx', 0o600)
  try {
    let position = 0
    let text = encodeHeader(header)
    const flush = async (): Promise<void> => {
      const bytes = Buffer.from(text)
      await writeFully(handle, bytes, position)
      position += bytes.length
      text = ''
    }
    for await (const line of lines) {
      text += line
      if (text.length >= WRITE_BYTES) await flush()
    }
    await flush()
    await handle.sync()
    return position
  } finally {
    await handle.close()
  }
}

export async function writeFully(handle: FileHandle, bytes: Buffer, position: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) done += (await handle.write(bytes, done, bytes.length - done, position + done)).bytesWritten
}

/** Of each tenant the line whose digest stands, from the old files: routes are never all in memory. Takes what it found out of `wanted`. */
export async function* standingLines(folder: string, { header }: RouteFiles, wanted: Map<TenantId, string>): AsyncGenerator<string> {
  for (const file of [snapshotPath(folder), path.join(folder, header.log)]) {
    for await (const line of readLines(file)) {
      const record = decodeRecord(line.text)
      if (record === undefined || !('put' in record)) continue
      const { tenant } = record.put
      if (wanted.get(tenant) !== lineDigest(line.text)) continue
      wanted.delete(tenant)
      yield `${line.text}\n`
    }
  }
}

/** The log of a generation that was replaced. Readers that follow it have it open. */
export async function discardLog(folder: string, { header, log }: RouteFiles): Promise<void> {
  await log.close()
  await rm(path.join(folder, header.log), { force: true })
}

/** What a crash in the middle of a compaction left behind. */
export async function removeStrays(folder: string, log: string | undefined): Promise<void> {
  const strays = (await readdir(folder)).filter((name) => (log !== undefined && isLogName(name) && name !== log) || /^snapshot-.*\.tmp$/.test(name))
  await Promise.all(strays.map((name) => rm(path.join(folder, name), { force: true })))
}
