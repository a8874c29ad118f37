/**
 * By how many bytes a call to SQ can make a tenant's data grow at most. The bound holds for SQ 0.6.0 and libphext 0.3.3: the text is
 * stored as it is, a scroll needs no more breaks than in an empty phext (those before it count as passed, those after it need none
 * in addition), taking a scroll away never adds any, and reading a phext back and storing it again never makes it longer. Pure.
 */
import { breakBytes, type Coordinate } from './coordinate.ts'
import type { SqCommand } from './sq-call.ts'

/** What a phext counts beside its text, so that no number of empty ones is free: SQ makes the file at the first read already. */
export const PHEXT_OVERHEAD_BYTES = 4096

/** More than this SQ cuts off when it reads a phext again. */
export const LARGEST_PHEXT_BYTES = 512 * 1024 * 1024

export interface Growing {
  readonly command: SqCommand
  /** Undefined: SQ takes the origin, which needs no breaks. */
  readonly coordinate: Coordinate | undefined
  /** Of the text as SQ stores it. */
  readonly textBytes: number
}

/** Without what a new phext counts. */
export function greatestGrowth({ command, coordinate, textBytes }: Growing): number {
  if (command !== 'insert' && command !== 'update') return 0
  return textBytes + (coordinate === undefined ? 0 : breakBytes(coordinate))
}

/** What SQ stores of so many received bytes: each that is no UTF-8 becomes a replacement character of three. */
export function storedBytes(receivedBytes: number, isUtf8: boolean): number {
  return isUtf8 ? receivedBytes : receivedBytes * 3
}
