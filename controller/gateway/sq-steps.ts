/**
 * What a request to SQ goes through before it is cleared: an answer from memory, the checks of its head, names. Each ends the request or
 * hands it on.
 */
import type { IncomingMessage } from 'node:http'
import { isReservedPhext } from '../core/named-scroll.ts'
import { isDeletion, type SqCall } from '../core/sq-call.ts'
import type { ForwardOutcome } from './forward.ts'
import type { Log } from './log.ts'
import { PHEXT_RESERVED } from './names/name-refusals.ts'
import type { NamedPassage, Step } from './names/named-passage.ts'
import { NO_BODY, type Body, type Passed } from './passed.ts'
import { answerNothing, type Reads } from './reads.ts'
import { REFUSALS, type Refusal } from './refusal.ts'
import { hasBody } from './request-body.ts'
import { checkSqHead, isKeepable, writes, type CheckedCall } from './sq-guard.ts'
import { isSafe } from './upstream-head.ts'

export type Next = (passed: Passed, body: Body) => void

export interface SqStepsParts {
  readonly log: Log
  readonly reads: Reads
  readonly byName: NamedPassage
}

/** Where a request goes on, or ends. */
export interface Ways {
  readonly receive: (passed: Passed, next: Next) => void
  readonly clear: Next
  readonly takeBack: (passed: Passed, refusal: Refusal) => void
  readonly record: (passed: Passed, bytesIn: number, outcome: ForwardOutcome) => void
}

export function createSqSteps({ log, reads, byName }: SqStepsParts, { receive, clear, takeBack, record }: Ways): (passed: Passed) => void {
  /** What looking up names came to. */
  function follow(asked: Passed, body: Body, { requestId, response }: Passed['incoming'], step: Promise<Step>): void {
    const end = (answer: () => void): void => {
      body.release()
      if (response.destroyed) record(asked, body.bytes, { kind: 'broken', upstreamError: false })
      else answer()
    }
    step.then(
      (step) => {
        switch (step.kind) {
          case 'goes on':
            return clear(step.passed, step.body)
          case 'nothing':
            return end(() => record(asked, body.bytes, { kind: 'answered', ...answerNothing(asked) }))
          case 'answer':
            return end(() => record(asked, 0, { kind: 'answered', ...reads.give(asked, step.expected, step.text) }))
          case 'refused':
            return end(() => takeBack(asked, step.refusal))
        }
      },
      (error: unknown) => {
        log.error({ err: error, requestId }, 'names could not be looked up')
        end(() => takeBack(asked, REFUSALS.internal))
      },
    )
  }

  function checked(passed: Passed, checked: CheckedCall, reading: boolean): void {
    const { call } = checked
    const known: Passed = { ...passed, checked }
    if (reading && call.command === 'toc' && !isReservedPhext(call.phext)) return follow(known, NO_BODY, passed.incoming, byName.toc(known, call))
    if (reading && isKeepable(call.command)) return clear({ ...known, held: { expected: reads.expect(known, [call.phext]), byName: false } }, NO_BODY)
    receive(known, isDeletion(passed.method, passed.target) ? (received, body) => clear({ ...received, method: 'GET' }, { ...body, pieces: [] }) : clear)
  }

  return (passed) => {
    const { request, target } = passed.incoming
    const method = request.method!
    if (method === 'HEAD' && !isSafe('HEAD', target.path, true)) return takeBack(passed, REFUSALS.readOnlyMethod)
    const reading = (method === 'GET' || method === 'HEAD') && !hasBody(request)
    const answered = reading ? reads.answer(passed) : undefined
    if (answered !== undefined) return record(passed, 0, { kind: 'answered', ...answered })
    const head = checkSqHead(method, target.full)
    if (head.kind === 'refused') return takeBack(passed, head.refusal)
    const call = head.kind === 'named' ? head.call : head.checked?.call
    const refusal = call && writes(call.command) ? writeRefusal(call, request) : undefined
    if (refusal !== undefined) return takeBack(passed, refusal)
    if (head.kind === 'named') return receive(passed, (received, body) => follow(received, body, received.incoming, byName.atName(received, head.call, head.name, body)))
    if (head.checked === undefined) return receive(passed, clear)
    checked(passed, head.checked, reading)
  }
}

function writeRefusal(call: SqCall, { headers }: IncomingMessage): Refusal | undefined {
  if (isReservedPhext(call.phext)) return PHEXT_RESERVED
  // SQ would do such a write without looking at the condition.
  const conditional = headers['if-match'] !== undefined || headers['if-none-match'] !== undefined || headers['if-unmodified-since'] !== undefined
  return conditional ? REFUSALS.conditionUnsupported : undefined
}
