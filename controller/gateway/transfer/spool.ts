/**
 * A text of any size that has to be whole before it goes on: written to a file that has no name any more, so that nothing is left behind
 * whatever ends the process. Counts and hashes what passes. Holds no more than one chunk in memory.
 */
import { createHash } from 'node:crypto'
import { mkdir, open, rm, type FileHandle } from 'node:fs/promises'
import path from 'node:path'

export interface Spool {
  write(bytes: Uint8Array): Promise<void>
  /** No `write` after it. */
  finish(): Spooled
  /** Also ends what `finish` gave. */
  close(): Promise<void>
}

export interface Spooled {
  readonly bytes: number
  /** SHA-256 in hex. */
  readonly sha256: string
  /** At most `length` bytes from `offset`. */
  at(offset: number, length: number): Promise<Buffer>
  chunks(): AsyncGenerator<Buffer>
}

export type OpenSpool = () => Promise<Spool>

const CHUNK_BYTES = 256 * 1024

/** `folder` is made where it is missing. */
export function createSpools(folder: string): OpenSpool {
  return async () => {
    await mkdir(folder, { recursive: true, mode: 0o700 })
    const name = path.join(folder, `.${crypto.randomUUID()}`)
    const file = await open(name, 'wx+', 0o600)
    await rm(name)
    return spoolTo(file)
  }
}

function spoolTo(file: FileHandle): Spool {
  const hash = createHash('sha256')
  let bytes = 0
  return {
    async write(piece) {
      hash.update(piece)
      for (let at = 0; at < piece.length; ) at += (await file.write(piece, at, piece.length - at, bytes + at)).bytesWritten
      bytes += piece.length
    },
    finish: () => spooled(file, bytes, hash.digest('hex')),
    close: () => file.close(),
  }
}

function spooled(file: FileHandle, bytes: number, sha256: string): Spooled {
  async function at(offset: number, length: number): Promise<Buffer> {
    const wanted = Math.max(0, Math.min(length, bytes - offset))
    const buffer = Buffer.allocUnsafe(wanted)
    for (let filled = 0; filled < wanted; ) {
      const { bytesRead } = await file.read(buffer, filled, wanted - filled, offset + filled)
      if (bytesRead === 0) throw new Error('a spooled text became shorter')
      filled += bytesRead
    }
    return buffer
  }
  return {
    bytes,
    sha256,
    at,
    async *chunks() {
      for (let offset = 0; offset < bytes; offset += CHUNK_BYTES) yield await at(offset, CHUNK_BYTES)
    },
  }
}
