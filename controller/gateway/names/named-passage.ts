/**
 * The part of a request's way that concerns names: a call at a name becomes the same call at the name's scroll, and a list of a phext's
 * scrolls shows its names as well.
 */
import { namesPhext, textPhext } from '../../core/named-scroll.ts'
import type { SqCall } from '../../core/sq-call.ts'
import { NO_BODY, type Body, type Passed } from '../passed.ts'
import type { Expected } from '../read-cache.ts'
import type { Refusal } from '../refusal.ts'
import type { SqCaller } from '../sq-caller.ts'
import { checkSqHead } from '../sq-guard.ts'
import { unexpected } from './name-refusals.ts'
import type { Names, NamedText } from './names.ts'
import { translate } from './translate.ts'

export interface NamedPassageParts {
  readonly names: Names
  readonly caller: SqCaller
  readonly expect: (passed: Passed, phexts: readonly string[]) => Expected | undefined
}

export type Step =
  | { readonly kind: 'goes on'; readonly passed: Passed; readonly body: Body }
  /** Nothing is stored under the name. */
  | { readonly kind: 'nothing' }
  | { readonly kind: 'answer'; readonly text: Buffer; readonly expected: Expected | undefined }
  | { readonly kind: 'refused'; readonly refusal: Refusal }

export interface NamedPassage {
  atName(passed: Passed, call: SqCall, name: string, body: Body): Promise<Step>
  /** `toc` of a phext: SQ's own lines, then one for each name that has a text. */
  toc(passed: Passed, call: SqCall): Promise<Step>
}

export function createNamedPassage({ names, caller, expect }: NamedPassageParts): NamedPassage {
  async function atName(passed: Passed, call: SqCall, name: string, body: Body): Promise<Step> {
    const { incoming, access } = passed
    const { phext, command } = call
    const held = command === 'select' ? { expected: expect(passed, [namesPhext(phext), textPhext(phext)]), byName: true } : undefined
    const pieces = incoming.request.method === 'POST' ? body.pieces : []
    const step = await translate(names, access, { call, name, pieces }, { requestId: incoming.requestId })
    if (step.kind !== 'call') return step
    const { method, target } = step
    const head = checkSqHead(method, target)
    if (head.kind !== 'pass' || head.checked === undefined) throw new Error('a call at a name became one that is not valid')
    const { release } = body
    const bytes = step.pieces.reduce((sum, piece) => sum + piece.length, 0)
    return { kind: 'goes on', passed: { ...passed, method, target, checked: head.checked, ...(held && { held }) }, body: { pieces: step.pieces, bytes, release } }
  }

  async function toc(passed: Passed, { phext }: SqCall): Promise<Step> {
    const { incoming, access } = passed
    const options = { requestId: incoming.requestId }
    const expected = expect(passed, [phext, namesPhext(phext), textPhext(phext)])
    const asItIs: Step = { kind: 'goes on', passed: { ...passed, held: { expected, byName: false } }, body: NO_BODY }
    if (!(await names.mayHaveAny(access, phext))) return asItIs
    const listed = await names.list(access, phext, '', options)
    if (listed.kind === 'refused') return listed
    if (listed.names.length === 0) return asItIs
    const reply = await caller.call(access, { method: 'GET', target: passed.target }, options)
    if (reply.kind === 'refused') return reply
    if (reply.status !== 200) return { kind: 'refused', refusal: unexpected(reply.status) }
    return { kind: 'answer', text: Buffer.concat([reply.body, Buffer.from(listed.names.map(lineOf).join(''))]), expected }
  }

  return { atName, toc }
}

/** As SQ writes a line of its own, with the name in the place of the coordinate. */
function lineOf({ name, text }: NamedText): string {
  const end = text.indexOf('\n')
  return `* ${name}: ${end === -1 ? text : `${text.slice(0, end)}...`}\n`
}
