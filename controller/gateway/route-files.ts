/**
 * The routes' files as the writer handles them: read what stands, open, write a new generation beside and rename it into place,
 * remove what a crash left. Every file is 0600. Knows nothing of what changed or why.
 */
import { createHash } from 'node:crypto'
import { open, readdir, rename, rm, stat, truncate, type FileHandle } from 'node:fs/promises'
import path from 'node:path'
import type { HeaderFacts } from '../core/header-facts.ts'
import type { TenantId } from '../core/specs.ts'
import { readLines, readLinesFrom } from './route-lines.ts'
import { decodeHeader, decodeRecord, encodeHeader, isLogName, lineDigest, logName, snapshotPath, type Header } from './route-log.ts'
import type { StandingLines } from './standing-lines.ts'

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

/** How far the files go at an instant. */
export interface RoutePosition {
  readonly generation: string
  readonly snapshotBytes: number
  readonly logBytes: number
}

/** A position, and the digest of the bytes before it. */
export interface RouteSeal extends RoutePosition {
  readonly digest: string
}

/** Undefined where the files are not that far, or others by now. */
export async function sealOf(folder: string, { generation, snapshotBytes, logBytes }: RoutePosition): Promise<RouteSeal | undefined> {
  const sum = createHash('sha256')
  const piece = Buffer.allocUnsafe(WRITE_BYTES)
  for (const [file, bytes] of [[snapshotPath(folder), snapshotBytes], [path.join(folder, logName(generation)), logBytes]] as const) {
    const handle = await open(file, 'r').catch(() => undefined)
    if (handle === undefined) return undefined
    try {
      for (let position = 0; position < bytes; ) {
        const { bytesRead } = await handle.read(piece, 0, Math.min(piece.length, bytes - position), position)
        if (bytesRead === 0) return undefined
        sum.update(piece.subarray(0, bytesRead))
        position += bytesRead
      }
    } finally {
      await handle.close()
    }
  }
  return { generation, snapshotBytes, logBytes, digest: sum.digest('hex') }
}

/** Where the files still begin with what was sealed: reads on from there alone. Answers what stands as readStanding does, and the tenants that came after the seal. */
export async function readOn(folder: string, seal: RouteSeal, standing: StandingLines): Promise<{ readonly found: Found; readonly later: ReadonlySet<TenantId> } | undefined> {
  if ((await sealOf(folder, seal))?.digest !== seal.digest || (await stat(snapshotPath(folder))).size !== seal.snapshotBytes) return undefined
  let header: Header | undefined
  for await (const line of readLines(snapshotPath(folder))) {
    header = decodeHeader(line.text)
    break
  }
  if (header?.generation !== seal.generation) return undefined
  const later = new Set<TenantId>()
  const found = { header, corruptLines: 0, snapshotBytes: seal.snapshotBytes, logBytes: seal.logBytes }
  const log = await open(path.join(folder, header.log), 'r')
  try {
    for await (const lines of readLinesFrom(log, seal.logBytes)) {
      for (const { text } of lines) {
        const tenant = takeLine(text, standing)
        if (tenant === undefined) found.corruptLines++
        else later.add(tenant)
      }
      found.logBytes = lines.at(-1)!.end
    }
  } finally {
    await log.close()
  }
  return { found, later }
}

/** Whom the line is about; undefined for one that is corrupt. */
function takeLine(text: string, standing: StandingLines): TenantId | undefined {
  const record = decodeRecord(text)
  if (record === undefined) return undefined
  if ('put' in record) {
    standing.set(record.put.tenant, lineDigest(text))
    return record.put.tenant
  }
  standing.delete(record.drop)
  return record.drop
}

/** Fills `standing` from the files. Undefined where there is no snapshot that can be used. */
export async function readStanding(folder: string, standing: StandingLines): Promise<Found | undefined> {
  let header: Header | undefined
  let corruptLines = 0
  const take = (text: string): void => {
    if (takeLine(text, standing) === undefined) corruptLines++
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
