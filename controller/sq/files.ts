/** Where a shard's files lie, and writing them beside-and-rename with only their owner allowed to read. */
import { mkdir, open, readFile, rename, stat, unlink } from 'node:fs/promises'
import path from 'node:path'
import type { ShardName } from '../core/placement.ts'
import type { TenantId } from '../core/specs.ts'

export interface ShardFolders {
  readonly folder: (shard: ShardName) => string
  readonly config: (shard: ShardName) => string
  readonly data: (shard: ShardName, tenant: TenantId) => string
  readonly probe: (shard: ShardName) => string
  readonly log: (shard: ShardName) => string
  /** Holds the port that SQ listened on last. */
  readonly port: (shard: ShardName) => string
}

export function shardFolders(home: string): ShardFolders {
  const folder = (shard: ShardName): string => path.join(home, 'sq', shard)
  return {
    folder,
    config: (shard) => path.join(folder(shard), 'tenants.json'),
    data: (shard, tenant) => path.join(folder(shard), 'data', tenant),
    probe: (shard) => path.join(folder(shard), 'probe'),
    log: (shard) => path.join(folder(shard), 'sq.log'),
    port: (shard) => path.join(folder(shard), 'port'),
  }
}

/** Identifies a state of a file without reading it. */
export type FileMark = string

/** The file's mark, or undefined where there is none. */
export async function markOf(file: string): Promise<FileMark | undefined> {
  try {
    const { ino, size, mtimeNs, mode } = await stat(file, { bigint: true })
    return `${ino}:${size}:${mtimeNs}:${(mode & 0o777n).toString(8)}`
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

/** Its permissions in octal, `600`; empty where there is no file. */
export function modeOf(mark: FileMark | undefined): string {
  return mark?.slice(mark.lastIndexOf(':') + 1) ?? ''
}

/** Whether only the owner may read and write it. */
export function isPrivate(mark: FileMark | undefined): boolean {
  return modeOf(mark) === '600'
}

export async function readIfThere(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

/** Writes beside the file and renames: a reader sees the old text or the new, never half. Mode 0600. */
export async function writeSecretFile(file: string, text: string): Promise<void> {
  await mkdir(path.dirname(file), { recursive: true, mode: 0o700 })
  const beside = `${file}.new`
  const handle = await open(beside, 'w', 0o600)
  try {
    await handle.chmod(0o600)
    await handle.writeFile(text)
    await handle.sync()
  } finally {
    await handle.close()
  }
  try {
    await rename(beside, file)
  } catch (error) {
    await unlink(beside).catch(() => undefined)
    throw error
  }
}
