/** How a read of SQ is answered: from memory where that is exact, otherwise by SQ, held until it is whole where it is small. */
import type { AnswerWriterOptions } from './answer-writer.ts'
import { toClient } from './answer-writer.ts'
import type { Destination } from './destination.ts'
import type { ReadCache } from './read-cache.ts'
import type { TableRoute } from './route-table.ts'
import { isKeepable, type CheckedCall } from './sq-guard.ts'
import { answerWhole, toClientWhole, type Answered } from './whole-answer.ts'

export interface Reading {
  readonly route: TableRoute
  readonly target: string
  readonly method: string
  readonly ifNoneMatch: string | undefined
}

type AskedFor = Pick<AnswerWriterOptions, 'response' | 'requestId' | 'limitHeaders'>

export interface Reads {
  /** Undefined where SQ has to be asked. */
  answer(reading: Reading, client: AskedFor): Answered | undefined
  /** Where SQ's answer goes. */
  destination(reading: Reading, checked: CheckedCall, options: AnswerWriterOptions): Destination
}

export function createReads(cache: ReadCache, count: (result: 'hit' | 'miss') => void): Reads {
  return {
    answer({ route, target, method, ifNoneMatch }, { response, requestId, limitHeaders }) {
      const kept = cache.find(route, target)
      if (kept === undefined) return undefined
      count('hit')
      return answerWhole(response, kept, { method, ifNoneMatch, requestId, limitHeaders })
    },
    destination({ route, target, method, ifNoneMatch }, { call }, options) {
      if (!isKeepable(call.command)) return toClient(options)
      count('miss')
      const { requestId, limitHeaders } = options
      const expected = cache.expect(route, target, [call.phext])
      return toClientWhole(options, { method, ifNoneMatch, requestId, limitHeaders }, (answer) => expected?.keep(answer))
    },
  }
}
