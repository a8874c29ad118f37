/** How a read of SQ is answered: from memory where that is exact, otherwise by SQ, held until it is whole where it is small. */
import { toClient, type AnswerWriterOptions } from './answer-writer.ts'
import type { Destination } from './destination.ts'
import { NAME_UNKNOWN } from './names/name-refusals.ts'
import type { HeldRead, Passed } from './passed.ts'
import type { Expected, ReadCache } from './read-cache.ts'
import { answerRefusal } from './refusal.ts'
import { answerWhole, textAnswer, toClientWhole, type Answered, type Asking } from './whole-answer.ts'

export interface Reads {
  /** Undefined where SQ has to be asked. */
  answer(passed: Passed): Answered | undefined
  /** Before SQ is asked, for an answer that depends on these phexts alone. */
  expect(passed: Passed, phexts: readonly string[]): Expected | undefined
  /** Where SQ's answer goes. */
  destination(passed: Passed, held: HeldRead, options: AnswerWriterOptions): Destination
  /** An answer that the gateway made out of several of SQ's. */
  give(passed: Passed, expected: Expected | undefined, body: Buffer): Answered
}

export function createReads(cache: ReadCache, count: (result: 'hit' | 'miss') => void): Reads {
  return {
    answer(passed) {
      const { incoming, access } = passed
      const kept = cache.find(access.entry.route, incoming.target.full)
      if (kept === undefined) return undefined
      count('hit')
      return answerWhole(incoming.response, kept, askingOf(passed))
    },
    expect({ incoming, access }, phexts) {
      count('miss')
      return cache.expect(access.entry.route, incoming.target.full, phexts)
    },
    destination(passed, { expected, byName }, options) {
      if (options.response.destroyed) return toClient(options)
      return toClientWhole(options, askingOf(passed), {
        keep: (answer) => expected?.keep(answer),
        ...(byName && { nothing: () => answerNothing(passed) }),
      })
    },
    give(passed, expected, body) {
      const answer = textAnswer(body)
      expected?.keep(answer)
      return answerWhole(passed.incoming.response, answer, askingOf(passed))
    },
  }
}

/** Nothing is stored under the name: a request like any other, which counts. */
export function answerNothing({ incoming, limitHeaders }: Passed): Answered {
  return { status: NAME_UNKNOWN.status, bytesOut: answerRefusal(incoming.response, { ...NAME_UNKNOWN, headers: limitHeaders }, incoming.requestId) }
}

function askingOf({ incoming: { request, requestId }, limitHeaders }: Passed): Asking {
  return { method: request.method!, ifNoneMatch: request.headers['if-none-match'], requestId, limitHeaders }
}
