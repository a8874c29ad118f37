/** Reading files of lines in pieces: only complete lines, each with the offset behind its newline, and never the whole file in memory. */
import { open, type FileHandle } from 'node:fs/promises'
import { NEWLINE } from './route-log.ts'

const PIECE_BYTES = 64 * 1024

export interface Line {
  /** Without the newline. */
  readonly text: string
  /** Offset of the first byte after the newline. */
  readonly end: number
}

/** The complete lines of a file; none where it does not exist. A last line without a newline is torn and left out. */
export async function* readLines(file: string): AsyncGenerator<Line> {
  let handle: FileHandle
  try {
    handle = await open(file, 'r')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return
    throw error
  }
  try {
    for await (const lines of readLinesFrom(handle, 0)) yield* lines
  } finally {
    await handle.close()
  }
}

/** The complete lines from `position` to the end of the file, a piece at a time. */
export async function* readLinesFrom(handle: FileHandle, position: number): AsyncGenerator<readonly Line[]> {
  let rest: Buffer = Buffer.alloc(0)
  const piece = Buffer.allocUnsafe(PIECE_BYTES)
  for (;;) {
    const { bytesRead } = await handle.read(piece, 0, PIECE_BYTES, position + rest.length)
    if (bytesRead === 0) return
    const bytes = Buffer.concat([rest, piece.subarray(0, bytesRead)])
    const lines: Line[] = []
    let start = 0
    for (let at = bytes.indexOf(NEWLINE); at !== -1; at = bytes.indexOf(NEWLINE, start)) {
      lines.push({ text: bytes.toString('utf8', start, at), end: position + at + 1 })
      start = at + 1
    }
    rest = bytes.subarray(start)
    position += start
    if (lines.length > 0) yield lines
  }
}
