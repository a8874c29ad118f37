/**
 * Calls to SQ that the gateway makes by itself for a customer's request: names, MCP, export. They do what a customer's request does
 * behind its allowance, so limits on storage and the tenant's place in line hold for them too. They are not counted as requests, since
 * the request that they are made for was.
 */
import { collect } from './collected.ts'
import type { Destination } from './destination.ts'
import type { CommonBudget } from './byte-budget.ts'
import type { Clearance } from './clearance.ts'
import type { ForwardJob, ForwardOutcome } from './forward.ts'
import { COORDINATE_NOT_NUMERIC } from './limit-refusals.ts'
import type { Granted } from './passage.ts'
import { REFUSALS, type Refusal } from './refusal.ts'
import { scopeRefusal } from './scope.ts'
import { checkSqHead } from './sq-guard.ts'
import { isSafe, sqHead } from './upstream-head.ts'

export interface SqCallerRequest {
  readonly method: 'GET' | 'POST'
  /** Path and query, as in a request line: only visible ASCII, the rest escaped. */
  readonly target: string
  readonly body?: Buffer
}

export interface SqCallOptions {
  readonly signal?: AbortSignal
  /** For logs: of the request that this is done for. */
  readonly requestId?: string
  /** A text with breaks is written, and a `load` comes next. */
  readonly loadsAfterwards?: boolean
}

export type SqReply =
  | { readonly kind: 'answered'; readonly status: number; readonly body: Buffer }
  /** `delivered`: SQ may have seen the request, so that a write may have taken effect. */
  | { readonly kind: 'refused'; readonly refusal: Refusal; readonly delivered: boolean }

export interface SqCaller {
  /** The whole answer in memory. Never rejects. */
  call(access: Granted, request: SqCallerRequest, options?: SqCallOptions): Promise<SqReply>
  /** The answer as it comes, for what is too large for memory. `broken` where the destination went away or the answer broke off. */
  into(destination: Destination, access: Granted, request: SqCallerRequest, options?: SqCallOptions): Promise<ForwardOutcome>
}

export interface SqCallerParts {
  readonly clearance: Clearance
  readonly forward: (job: ForwardJob) => void
  readonly budget: CommonBudget
}

const EMPTY = Buffer.alloc(0)

export function createSqCaller({ clearance, forward, budget }: SqCallerParts): SqCaller {
  function into(destination: Destination, access: Granted, { method, target, body = EMPTY }: SqCallerRequest, options: SqCallOptions = {}): Promise<ForwardOutcome> {
    const { key, entry, upstream } = access
    const { route } = entry
    const outOfScope = scopeRefusal(entry, { method, target })
    if (outOfScope !== undefined) return Promise.resolve(refused(outOfScope))
    const head = checkSqHead(method, target)
    if (head.kind === 'refused') return Promise.resolve(refused(head.refusal))
    // Names are translated before.
    if (head.kind === 'named') return Promise.resolve(refused(COORDINATE_NOT_NUMERIC))
    const pieces = body.length === 0 ? [] : [body]
    return new Promise((resolve) => {
      clearance({ route, access, checked: head.checked, pieces, bytes: body.length, loadsAfterwards: options.loadsAfterwards === true }, (cleared) => {
        if (cleared.kind === 'refused') return resolve(refused(cleared.refusal))
        if (options.signal?.aborted === true) {
          cleared.settle(undefined)
          return resolve({ kind: 'broken', upstreamError: false })
        }
        const text = sqHead({ method, target, bodyBytes: body.length, host: 'sq' }, key)
        forward({
          ...{ destination, requestId: options.requestId ?? 'gateway', tenant: route.tenant, upstream, head: text, body: pieces, method, sq: true },
          safe: isSafe(method, target.split('?', 1)[0]!, true),
          done(outcome) {
            cleared.settle(outcome)
            resolve(outcome)
          },
        })
      })
    })
  }

  return {
    into,
    async call(access, request, options = {}) {
      const collected = collect(budget.of(access.entry.route.tenant), options.signal)
      try {
        const outcome = await into(collected, access, request, options)
        if (collected.full) return { kind: 'refused', refusal: REFUSALS.memoryFull, delivered: true }
        if (outcome.kind === 'answered') return { kind: 'answered', status: outcome.status, body: collected.body }
        if (outcome.kind === 'refused') return { kind: 'refused', refusal: outcome.refusal, delivered: outcome.delivered }
        return { kind: 'refused', refusal: REFUSALS.instanceClosed, delivered: true }
      } finally {
        collected.release()
      }
    },
  }
}

const refused = (refusal: Refusal): ForwardOutcome => ({ kind: 'refused', refusal, upstreamError: false, delivered: false })
