/** Takes HTTP's chunked coding off a body that comes in pieces cut anywhere. Trailers are read and dropped. Holds no more than one line. */

export interface ChunkDecoder {
  /** Calls `onData` for each piece of the body in `bytes`. */
  decode(bytes: Buffer, onData: (piece: Buffer) => void): 'more' | 'complete' | 'malformed'
}

const LF = 0x0a
const MAX_LINE_BYTES = 8 * 1024
const MAX_TRAILER_BYTES = 64 * 1024
/** At most 13 hex digits stay exact as a number; an extension after them is allowed and ignored. */
const SIZE_LINE = /^([0-9a-fA-F]{1,13})[ \t]*(?:;[\t\x20-\x7e\x80-\xff]*)?\r\n$/

export function createChunkDecoder(): ChunkDecoder {
  let expecting: 'size' | 'data' | 'data-end' | 'trailer' = 'size'
  let left = 0
  let line = ''
  let trailerBytes = 0

  /** What a complete line means; false where it means nothing valid. */
  function takeLine(): boolean | 'complete' {
    const text = line
    line = ''
    if (expecting === 'data-end') {
      expecting = 'size'
      return text === '\r\n'
    }
    if (expecting === 'trailer') {
      trailerBytes += text.length
      return text === '\r\n' ? 'complete' : trailerBytes <= MAX_TRAILER_BYTES
    }
    const size = SIZE_LINE.exec(text)
    if (size === null) return false
    left = Number.parseInt(size[1]!, 16)
    expecting = left === 0 ? 'trailer' : 'data'
    return true
  }

  return {
    decode(bytes, onData) {
      let at = 0
      while (at < bytes.length) {
        if (expecting === 'data') {
          const piece = bytes.subarray(at, at + left)
          onData(piece)
          at += piece.length
          left -= piece.length
          if (left === 0) expecting = 'data-end'
          continue
        }
        const newline = bytes.indexOf(LF, at)
        const end = newline === -1 ? bytes.length : newline + 1
        line += bytes.toString('latin1', at, end)
        at = end
        if (line.length > MAX_LINE_BYTES) return 'malformed'
        if (newline === -1) break
        const meaning = takeLine()
        if (meaning === 'complete') return 'complete'
        if (!meaning) return 'malformed'
      }
      return 'more'
    },
  }
}
