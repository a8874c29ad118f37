/**
 * Sends a complete request to its instance and the answer back, through a restart of the instance: what was not delivered is sent
 * again while the port comes back, what was delivered only when that changes nothing. Ends both sides when one goes away.
 */
import type { Admission, Lane } from './admission.ts'
import type { Destination } from './destination.ts'
import { startExchange, type Exchange, type ExchangeEnd } from './exchange.ts'
import type { Log } from './log.ts'
import { REFUSALS, type Refusal } from './refusal.ts'
import type { Upstream } from './route-table.ts'
import type { GatewaySettings } from './settings.ts'

export interface ForwardJob {
  readonly destination: Destination
  readonly requestId: string
  readonly tenant: string
  readonly upstream: Upstream
  readonly head: string
  readonly body: readonly Buffer[]
  /** Sending it twice changes nothing. */
  readonly safe: boolean
  readonly method: string
  readonly sq: boolean
  /** Called once, when the place at the instance is free again. */
  readonly done: (outcome: ForwardOutcome) => void
}

export type ForwardOutcome =
  | { readonly kind: 'answered'; readonly status: number; readonly bytesOut: number }
  /** `delivered`: the instance may have seen it. */
  | { readonly kind: 'refused'; readonly refusal: Refusal; readonly upstreamError: boolean; readonly delivered: boolean }
  /** The client went away, or the answer broke off in the middle and the client was cut off too. */
  | { readonly kind: 'broken'; readonly upstreamError: boolean }

export interface ForwarderParts {
  readonly admission: Admission
  readonly settings: GatewaySettings
  readonly log: Log
  readonly now: () => number
}

export function createForwarder(parts: ForwarderParts): (job: ForwardJob) => void {
  const { admission, settings } = parts
  return (job) => {
    let over = false
    let abort: (() => void) | undefined
    const finish = (outcome: ForwardOutcome): void => {
      if (over) return
      over = true
      ticket?.leave()
      job.done(outcome)
    }
    const begin = (lane: Lane): void => {
      abort = runAttempts(parts, job, lane, settings, finish)
    }
    job.destination.onGone(() => {
      if (over) return
      abort?.()
      finish({ kind: 'broken', upstreamError: false })
    })
    const ticket = admission.enter(job, begin)
    if (ticket === undefined) finish({ kind: 'refused', refusal: REFUSALS.queueFull, upstreamError: false, delivered: false })
  }
}

/** Returns what stops it. */
function runAttempts(parts: ForwarderParts, job: ForwardJob, lane: Lane, settings: GatewaySettings, finish: (outcome: ForwardOutcome) => void): () => void {
  const { destination } = job
  const startedAtMs = parts.now()
  let exchange: Exchange | undefined
  let timer: NodeJS.Timeout | undefined
  let sentTwice = false

  function attempt(): void {
    const writer = destination.writer()
    const bodyless = job.method === 'HEAD' && !job.sq
    const { upstream, head, body, sq } = job
    const { answerTimeoutMs } = settings
    const sink = {
      head: writer.head,
      body(bytes: Buffer, last: boolean): boolean {
        const goOn = writer.body(bytes, last)
        if (!goOn) destination.onRoom(() => exchange?.resume())
        return goOn
      },
    }
    exchange = startExchange({ upstream, head, body, bodyless, reset: sq, answerTimeoutMs }, sink, (end) => {
      if (end.kind !== 'not-delivered') lane.refusedSinceMs = undefined
      if (end.kind === 'complete') finish({ kind: 'answered', status: writer.status, bytesOut: writer.bodyBytes })
      else if (writer.status !== 0) breakOff(end)
      else notAnswered(end)
    })
  }

  function breakOff(end: ExchangeEnd): void {
    parts.log.warn({ requestId: job.requestId, tenant: job.tenant, end }, 'an answer broke off')
    finish({ kind: 'broken', upstreamError: true })
    destination.cutOff()
  }

  function notAnswered(end: Exclude<ExchangeEnd, { kind: 'complete' }>): void {
    const now = parts.now()
    if (end.kind === 'not-delivered') {
      lane.refusedSinceMs ??= now
      if (now - startedAtMs < settings.comebackMs && now - lane.refusedSinceMs < settings.comebackMs) {
        timer = setTimeout(attempt, settings.redialMs)
        return
      }
    }
    if (end.kind === 'no-answer' && job.safe && !sentTwice) {
      sentTwice = true
      return attempt()
    }
    parts.log.warn({ requestId: job.requestId, tenant: job.tenant, end }, 'an instance did not answer')
    finish({ kind: 'refused', refusal: refusalFor(end), upstreamError: true, delivered: end.kind !== 'not-delivered' })
  }

  attempt()
  return () => {
    clearTimeout(timer)
    exchange?.abort()
  }
}

function refusalFor(end: Exclude<ExchangeEnd, { kind: 'complete' }>): Refusal {
  switch (end.kind) {
    case 'not-delivered':
      return REFUSALS.instanceUnreachable
    case 'timeout':
      return REFUSALS.instanceTimeout
    case 'malformed':
      return REFUSALS.instanceMalformed
    case 'no-answer':
    case 'cut':
      return REFUSALS.instanceClosed
  }
}
