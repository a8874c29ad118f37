/**
 * A call at a name as the same call at the name's scroll. What is written by name may hold no breaks, since those would move its end to
 * another name's scroll; a text that stood in the query goes as a body, in which it takes no escapes.
 */
import { SQ_API } from '../../core/phext-scope.ts'
import { writeCoordinate } from '../../core/phext-walk.ts'
import type { SqCall, SqCommand } from '../../core/sq-call.ts'
import type { Granted } from '../access.ts'
import type { Refusal } from '../refusal.ts'
import type { SqCallOptions } from '../sq-caller.ts'
import { storesBreaks } from '../sq-guard.ts'
import { TEXT_HAS_BREAKS } from './name-refusals.ts'
import type { NamedScroll, Names } from './names.ts'

export type Translated =
  | { readonly kind: 'call'; readonly method: 'GET' | 'POST'; readonly target: string; readonly pieces: readonly Buffer[] }
  /** The name has no scroll, and the call would not give it one. */
  | { readonly kind: 'nothing' }
  | { readonly kind: 'refused'; readonly refusal: Refusal }

export interface AtName {
  readonly call: SqCall
  readonly name: string
  /** Of the body, where the call is one by POST; otherwise what is written stands in `call.text`. */
  readonly pieces: readonly Buffer[]
}

export async function translate(names: Names, access: Granted, { call, name, pieces }: AtName, options: SqCallOptions): Promise<Translated> {
  const { command, phext, text } = call
  const writesText = command !== 'select' && command !== 'delete'
  if (writesText && storesBreaks({ call, coordinate: undefined }, pieces)) return { kind: 'refused', refusal: TEXT_HAS_BREAKS }
  const found = writesText ? await names.allocate(access, phext, name, options) : await names.resolve(access, phext, name, options)
  if (found.kind !== 'found') return found.kind === 'unknown' ? { kind: 'nothing' } : found
  const target = targetAt(command, found.scroll)
  if (!writesText) return { kind: 'call', method: 'GET', target, pieces: [] }
  return { kind: 'call', method: 'POST', target, pieces: pieces.length > 0 || text === '' ? pieces : [Buffer.from(text)] }
}

function targetAt(command: SqCommand, { phext, coordinate }: NamedScroll): string {
  return `${SQ_API}${command}?p=${encodeURIComponent(phext)}&c=${writeCoordinate(coordinate)}`
}
