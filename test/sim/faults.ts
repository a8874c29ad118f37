/** What goes wrong, how often, and on which way: to Stripe, from Stripe, to the repository, and with the process itself. All drawn from one seed. */
import { OLDER_VERSION } from '../../sandbox/versions.ts'
import type { ApiAnswer, ApiRequest } from '../../sandbox/api.ts'
import type { Chance } from './chance.ts'
import type { PushFault } from './repository.ts'

export interface FaultRates {
  /** Of webhooks. */
  readonly drop: number
  readonly double: number
  readonly delay: number
  readonly olderVersion: number
  /** Of calls to Stripe: no connection; an error; no answer after it acted. */
  readonly unreachable: number
  readonly apiError: number
  readonly answerLost: number
  /** Of pushes. */
  readonly refused: number
  readonly failed: number
  readonly unsaid: number
  /** At each step of the process. */
  readonly killed: number
}

export const CALM: FaultRates = { drop: 0, double: 0, delay: 0, olderVersion: 0, unreachable: 0, apiError: 0, answerLost: 0, refused: 0, failed: 0, unsaid: 0, killed: 0 }
export const ROUGH: FaultRates = { drop: 0.15, double: 0.15, delay: 0.2, olderVersion: 0.1, unreachable: 0.02, apiError: 0.02, answerLost: 0.02, refused: 0.1, failed: 0.05, unsaid: 0.05, killed: 0.004 }

const HOUR_MS = 3_600_000

export interface Faults {
  /** When each copy of an event comes, and in whose shapes; none where it is dropped. */
  deliveries(): readonly { readonly afterMs: number; readonly version?: string }[]
  api(handle: (request: ApiRequest) => ApiAnswer): (request: ApiRequest) => Promise<ApiAnswer>
  push(): PushFault
  dies(): boolean
  /** From now on nothing goes wrong, until it may again. */
  stop(): void
  goOn(): void
}

export function createFaults(chance: Chance, given: FaultRates): Faults {
  let rates = given
  const onDelivery = chance.fork('deliveries')
  const onApi = chance.fork('api')
  const onPush = chance.fork('push')
  const onLife = chance.fork('life')
  const after = (): number => (onDelivery.is(rates.delay) ? onDelivery.below(72 * HOUR_MS) : onDelivery.below(3000))
  return {
    deliveries() {
      if (onDelivery.is(rates.drop)) return []
      const copies = onDelivery.is(rates.double) ? 2 + onDelivery.below(2) : 1
      return Array.from({ length: copies }, () => ({ afterMs: after(), ...(onDelivery.is(rates.olderVersion) && { version: OLDER_VERSION }) }))
    },
    api: (handle) => async (request) => {
      if (onApi.is(rates.unreachable)) throw new Error('connect ECONNREFUSED')
      if (onApi.is(rates.apiError)) return { status: onApi.pick([429, 500, 503]), headers: { 'content-type': 'application/json' }, body: '{"error":{"type":"api_error","message":"Something went wrong."}}' }
      const answer = handle(request)
      if (onApi.is(rates.answerLost)) throw new Error('socket hang up')
      return answer
    },
    push() {
      if (onPush.is(rates.refused)) return 'refused'
      if (onPush.is(rates.failed)) return 'failed'
      return onPush.is(rates.unsaid) ? 'unsaid' : 'none'
    },
    dies: () => rates.killed > 0 && onLife.is(rates.killed),
    stop: () => void (rates = CALM),
    goOn: () => void (rates = given),
  }
}
