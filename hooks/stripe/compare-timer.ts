/** When Stripe is compared with the repository: at the start, then every so many minutes; sooner again after a failure. One round at a time. */
import { compareOnce, endTrials, type CompareOptions, type Round, type RoundMode } from './compare.ts'
import { describeStripeError } from './fetch.ts'

export interface BillingCompare {
  /** A round at once, after the one under way. Rejects where Stripe or the repository does not answer. */
  run(mode: RoundMode): Promise<Round>
  readonly last: Round | undefined
  /** When a round ended well. */
  readonly lastSuccessAt: Date | undefined
  close(): Promise<void>
}

export interface TimerOptions extends CompareOptions {
  /** Resolves when the repository was taken in once. */
  readonly ready: Promise<unknown>
  readonly onRound: (result: 'compared' | 'failed') => void
}

const DEFAULT_MINUTES = 15
const RETRY_MS = 30_000

export function startBillingCompare(options: TimerOptions): BillingCompare {
  let last: Round | undefined
  let lastSuccessAt: Date | undefined
  let timer: NodeJS.Timeout | undefined
  let queue: Promise<unknown> = Promise.resolve()
  let closed = false

  function run(mode: RoundMode): Promise<Round> {
    const round = queue.then(async () => {
      try {
        last = await compareOnce(options, mode)
        lastSuccessAt = options.now()
        options.onRound('compared')
        return last
      } catch (error) {
        options.onRound('failed')
        throw error
      }
    })
    queue = round.catch(() => undefined)
    return round
  }

  const minutes = (): number => options.catalog().platform?.spec.billing?.compareMinutes ?? DEFAULT_MINUTES

  /** Trials end whether Stripe answers or not. */
  async function beat(): Promise<void> {
    let pauseMs = minutes() * 60_000
    try {
      await endTrials(options)
    } catch (err) {
      options.log.error({ err }, 'trials that are over could not be ended; they are tried again')
      pauseMs = Math.min(pauseMs, RETRY_MS)
    }
    try {
      if (!closed) await run('heal')
    } catch (error) {
      options.log.warn({ first: describeStripeError(error) }, 'Stripe could not be compared with the repository; nothing was done')
      pauseMs = Math.min(pauseMs, RETRY_MS)
    }
    if (!closed) timer = setTimeout(() => void (beating = beat()), pauseMs).unref()
  }

  let beating: Promise<void> = options.ready.then(() => (closed ? undefined : beat()), () => undefined)
  return {
    run,
    get last() {
      return last
    },
    get lastSuccessAt() {
      return lastSuccessAt
    },
    async close() {
      closed = true
      clearTimeout(timer)
      await Promise.race([Promise.all([beating, queue]), new Promise((resolve) => setTimeout(resolve, CLOSE_WITHIN_MS).unref())])
    },
  }
}

/** A listing of many pages is not waited for. */
const CLOSE_WITHIN_MS = 3_000
