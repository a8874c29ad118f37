/**
 * What a request to SQ may be, before SQ sees it: coordinates that it can store and read back, names that can be files, `delta` bodies
 * that end. Names in the place of a coordinate are told apart; what is neither name nor nine numbers stays as it is with SQ for reading, and is
 * refused for writing, since different ones share a scroll.
 */
import { isUtf8 } from 'node:buffer'
import { checkCoordinate, findDeltaFault, type Coordinate } from '../core/coordinate.ts'
import { isName } from '../core/named-scroll.ts'
import { greatestGrowth, storedBytes } from '../core/growth.ts'
import { isForbiddenPhext, isStorablePhext, readSqCall, type SqCall, type SqCommand } from '../core/sq-call.ts'
import { COORDINATE_NOT_NUMERIC, coordinateOutside, deltaOutside, PHEXT_NAME_UNUSABLE } from './limit-refusals.ts'
import { REFUSALS, type Refusal } from './refusal.ts'

export interface CheckedCall {
  readonly call: SqCall
  readonly coordinate: Coordinate | undefined
}

export type HeadCheck =
  /** `checked` is undefined for what touches no phext: SQ refuses it by itself. */
  | { readonly kind: 'pass'; readonly checked: CheckedCall | undefined }
  /** At a name in the place of a coordinate: to be translated first. */
  | { readonly kind: 'named'; readonly call: SqCall; readonly name: string }
  | { readonly kind: 'refused'; readonly refusal: Refusal }

const AT_COORDINATE: ReadonlySet<SqCommand> = new Set(['select', 'insert', 'update', 'delete'])
const WRITES: ReadonlySet<SqCommand> = new Set(['insert', 'update', 'delete'])
const READS: ReadonlySet<SqCommand> = new Set(['select', 'toc', 'get', 'checksum', 'query', 'status', 'version', 'where'])
const KEEPABLE: ReadonlySet<SqCommand> = new Set(['select', 'toc', 'get', 'checksum', 'query'])
/** The nine of the phext format. */
const BREAKS = /[\x01\x17-\x1a\x1c-\x1f]/
const RELOAD = '/api/v2/reload'
const NO_CHECK: HeadCheck = { kind: 'pass', checked: undefined }

export function checkSqHead(method: string, target: string): HeadCheck {
  // SQ takes it from this machine without a key, and to SQ every customer is this machine.
  if (target.startsWith(RELOAD)) return { kind: 'refused', refusal: REFUSALS.notFound }
  const call = readSqCall(method, target)
  if (call === undefined || isForbiddenPhext(call.phext)) return NO_CHECK
  if (!isStorablePhext(call.phext)) return { kind: 'refused', refusal: PHEXT_NAME_UNUSABLE }
  if (!AT_COORDINATE.has(call.command)) return { kind: 'pass', checked: { call, coordinate: undefined } }
  const check = checkCoordinate(call.coordinate)
  switch (check.kind) {
    case 'outside':
      return { kind: 'refused', refusal: coordinateOutside(check.dimension, check.number) }
    case 'words':
      if (isName(call.coordinate!)) return { kind: 'named', call, name: call.coordinate! }
      return writes(call.command) ? { kind: 'refused', refusal: COORDINATE_NOT_NUMERIC } : { kind: 'pass', checked: { call, coordinate: undefined } }
    case 'absent':
      return { kind: 'pass', checked: { call, coordinate: undefined } }
    case 'numbers':
      return { kind: 'pass', checked: { call, coordinate: check.coordinate } }
  }
}

export function writes(command: SqCommand): boolean {
  return WRITES.has(command)
}

/** What changes a phext, reads it from disk anew, or is not known to leave it alone. */
export function mayChange(command: SqCommand): boolean {
  return !READS.has(command)
}

/** What SQ answers with depends on what is in the phext and on nothing else, so that it may be kept until the next write. */
export function isKeepable(command: SqCommand): boolean {
  return KEEPABLE.has(command)
}

/** Whether a text that is written holds breaks, which make several scrolls of it once SQ reads the file again. */
export function storesBreaks({ call }: CheckedCall, pieces: readonly Buffer[]): boolean {
  return BREAKS.test(call.text) || pieces.some((piece) => BREAKS.test(piece.toString('latin1')))
}

export function checkSqBody({ call }: CheckedCall, pieces: readonly Buffer[]): Refusal | undefined {
  if (call.command !== 'delta') return undefined
  const fault = findDeltaFault(pieces.length === 0 ? Buffer.from(call.text) : pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces))
  return fault && deltaOutside(fault)
}

/** By how much the call can make its phext grow. */
export function growthOf({ call, coordinate }: CheckedCall, pieces: readonly Buffer[], bodyBytes: number): number {
  if (!writes(call.command)) return 0
  const textBytes = bodyBytes > 0 ? storedBytes(bodyBytes, isWholeUtf8(pieces)) : Buffer.byteLength(call.text)
  return greatestGrowth({ command: call.command, coordinate, textBytes })
}

/** A character may lie across pieces: what is cut off at an end is looked at with the next piece. */
function isWholeUtf8(pieces: readonly Buffer[]): boolean {
  let rest: Buffer = Buffer.alloc(0)
  for (const piece of pieces) {
    const bytes = rest.length === 0 ? piece : Buffer.concat([rest, piece])
    const whole = bytes.length - cutBytes(bytes)
    if (!isUtf8(bytes.subarray(0, whole))) return false
    rest = bytes.subarray(whole)
  }
  return rest.length === 0
}

/** How many bytes at the end begin a character that goes on. */
function cutBytes(bytes: Buffer): number {
  for (let back = 1; back <= Math.min(3, bytes.length); back++) {
    const byte = bytes[bytes.length - back]!
    if ((byte & 0xc0) === 0x80) continue
    const needs = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1
    return needs > back ? back : 0
  }
  return 0
}
