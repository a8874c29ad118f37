/** Calls that the gateway makes for a customer with the customer's own words: a name in the place of a coordinate, a phext of any name. */
import { isReservedPhext } from '../../core/named-scroll.ts'
import type { Refusal } from '../refusal.ts'
import type { SqCaller, SqReply } from '../sq-caller.ts'
import { checkSqHead, writes } from '../sq-guard.ts'
import { NAME_UNKNOWN, PHEXT_RESERVED } from './name-refusals.ts'
import type { Names } from './names.ts'
import { translate } from './translate.ts'

export function createNamedCall({ names, caller }: { readonly names: Names; readonly caller: SqCaller }): SqCaller['call'] {
  return async (access, request, options = {}) => {
    const head = checkSqHead(request.method, request.target)
    if (head.kind === 'refused') return refused(head.refusal)
    const call = head.kind === 'named' ? head.call : head.checked?.call
    if (call !== undefined && writes(call.command) && isReservedPhext(call.phext)) return refused(PHEXT_RESERVED)
    if (head.kind !== 'named') return caller.call(access, request, options)
    const step = await translate(names, access, { call: head.call, name: head.name, pieces: request.body === undefined || request.body.length === 0 ? [] : [request.body] }, options)
    if (step.kind === 'nothing') return refused(NAME_UNKNOWN)
    if (step.kind === 'refused') return refused(step.refusal)
    const { method, target, pieces } = step
    return caller.call(access, { method, target, ...(pieces.length > 0 && { body: Buffer.concat(pieces) }) }, options)
  }
}

const refused = (refusal: Refusal): SqReply => ({ kind: 'refused', refusal, delivered: false })
