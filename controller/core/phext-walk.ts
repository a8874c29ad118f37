/**
 * Where in a phext's text one stands: each of the nine break characters moves to another coordinate, as libphext 0.3.3 counts them.
 * For texts too large to be taken apart. Pure.
 */
import { LARGEST_NUMBER, type Coordinate } from './coordinate.ts'

/** From library to scroll. */
const BREAKS = [0x01, 0x1f, 0x1e, 0x1d, 0x1c, 0x1a, 0x19, 0x18, 0x17] as const

export const ORIGIN: Coordinate = [1, 1, 1, 1, 1, 1, 1, 1, 1]

const LEVELS = new Int8Array(256).fill(-1)
BREAKS.forEach((code, level) => (LEVELS[code] = level))

/** The coordinate at the end of `bytes`, where `from` is the one at their beginning. */
export function walkOver(from: Coordinate, bytes: Uint8Array): Coordinate {
  const at = [...from]
  for (const byte of bytes) {
    if (byte > 0x1f) continue
    const level = LEVELS[byte]!
    if (level === -1) continue
    if (at[level]! < LARGEST_NUMBER) at[level]!++
    at.fill(1, level + 1)
  }
  return at
}

export function writeCoordinate(coordinate: Coordinate): string {
  return [0, 3, 6].map((arm) => coordinate.slice(arm, arm + 3).join('.')).join('/')
}

/** How many bytes of `bytes` end with a whole character, in UTF-8 text that was cut anywhere. */
export function wholeCharacters(bytes: Uint8Array): number {
  for (let back = 1; back <= Math.min(3, bytes.length); back++) {
    const byte = bytes[bytes.length - back]!
    if ((byte & 0xc0) === 0x80) continue
    const needs = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1
    return needs > back ? bytes.length - back : bytes.length
  }
  return bytes.length
}
