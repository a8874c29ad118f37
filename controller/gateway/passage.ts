/**
 * The way of a request whose key is good: its tenant's limits, body, storage, instance, answer, count. Each decision is made in its own
 * file. A request counts from the moment it is let through, until it is taken back because it came to nothing.
 */
import type { Granted } from './access.ts'
import type { Allowance } from './allowance.ts'
import { toClient } from './answer-writer.ts'
import type { CommonBudget } from './byte-budget.ts'
import type { Clearance, Cleared } from './clearance.ts'
import { createClientAddress } from './client-address.ts'
import { ceilingOf, type Ceiling } from '../core/quota.ts'
import type { Incoming } from './data-path.ts'
import type { Destination } from './destination.ts'
import type { FirstUse } from './first-use.ts'
import type { ForwardJob, ForwardOutcome } from './forward.ts'
import { bodyTooLarge } from './limit-refusals.ts'
import type { Metering } from './metering.ts'
import type { Metrics } from './metrics.ts'
import { NO_BODY, type Body, type Passed } from './passed.ts'
import { REFUSALS, type Refusal } from './refusal.ts'
import type { Reads } from './reads.ts'
import { hasBody, readBody } from './request-body.ts'
import type { RouteReader } from './route-reader.ts'
import type { TableKey, TableRoute } from './route-table.ts'
import type { GatewaySettings } from './settings.ts'
import { createSqSteps, type Next, type SqStepsParts } from './sq-steps.ts'
import { containerHead, isSafe, speaksSq, sqHead, type OutgoingRequest } from './upstream-head.ts'

export type { Granted } from './access.ts'

export interface PassageParts extends SqStepsParts {
  readonly routes: RouteReader
  readonly forward: (job: ForwardJob) => void
  readonly budget: CommonBudget
  readonly firstUse: FirstUse
  readonly metrics: Metrics
  readonly settings: GatewaySettings
  readonly allowance: Allowance
  readonly clearance: Clearance
  readonly reads: Reads
  readonly metering: Metering
}

export type Refuse = (incoming: Incoming, refusal: Refusal, entry: TableKey) => void

type Settle = Extract<Cleared, { kind: 'cleared' }>['settle']

const NOTHING_TO_SETTLE: Settle = () => undefined

export function createPassage(parts: PassageParts, refuse: Refuse): (incoming: Incoming, access: Granted) => void {
  const { routes, settings, metering } = parts
  const addressOf = createClientAddress(settings.trustedProxies)

  function takeBack({ incoming, access, account }: Passed, refusal: Refusal): void {
    metering.takenBack(access.entry, account)
    refuse(incoming, refusal, access.entry)
  }

  function receive(passed: Passed, next: Next): void {
    const { request, response, expectsContinue } = passed.incoming
    if (!hasBody(request)) return next(passed, NO_BODY)
    const limit = bodyLimit(passed.access.entry.route, settings)
    readBody(request, limit.value * 1024 * 1024, parts.budget.of(passed.access.entry.route.tenant), (end) => {
      if (end.kind === 'too-large') return takeBack(passed, bodyTooLarge(limit.value, limit.fairUse, routes.links))
      if (end.kind === 'no-memory') return takeBack(passed, REFUSALS.memoryFull)
      next(passed, end)
    })
    if (expectsContinue && !response.writableEnded) response.writeContinue()
  }

  function clear(passed: Passed, body: Body): void {
    const { incoming, access, checked } = passed
    const { route } = access.entry
    parts.clearance({ route, access, checked, pieces: body.pieces, bytes: body.bytes }, (cleared) => {
      if (cleared.kind === 'cleared' && !incoming.response.destroyed) return send(passed, body, cleared.settle)
      body.release()
      if (cleared.kind === 'refused') return takeBack(passed, cleared.refusal)
      cleared.settle(undefined)
      parts.metrics.request(route.product, 0)
    })
  }

  function send(passed: Passed, body: Body, settle: Settle): void {
    const { incoming, access } = passed
    const { requestId } = incoming
    const { route } = access.entry
    const { head, method, safe, sq } = outgoing(passed, body, addressOf(passed.incoming.request))
    parts.forward({
      destination: destinationOf(parts, passed),
      ...{ requestId, tenant: route.tenant, upstream: access.upstream, head, body: body.pieces, safe, method, sq },
      done(outcome) {
        body.release()
        settle(outcome)
        record(passed, body.bytes, outcome)
      },
    })
  }

  function record(passed: Passed, bytesIn: number, outcome: ForwardOutcome): void {
    const { entry } = passed.access
    const { route } = entry
    const { metrics } = parts
    metering.ended(entry, bytesIn, outcome)
    if (outcome.kind !== 'answered' && outcome.upstreamError) metrics.upstreamError(route.product)
    if (outcome.kind === 'refused') return takeBack(passed, outcome.refusal)
    const answered = outcome.kind === 'answered'
    metrics.request(route.product, answered ? outcome.status : 0)
    metrics.bytes(route.product, bytesIn, answered ? outcome.bytesOut : 0)
    if (answered && outcome.status >= 200 && outcome.status < 300 && route.awaitingFirstUse) parts.firstUse.succeeded(route.tenant)
  }

  const askSq = createSqSteps(parts, { receive, clear, takeBack, record })

  return (incoming, access) => {
    const { request, target } = incoming
    const { route } = access.entry
    const admission = parts.allowance.admit(access.entry, routes.links)
    if (admission.kind === 'refused') return refuse(incoming, admission.refusal, access.entry)
    metering.passed(access.entry)
    const passed: Passed = { incoming, access, account: admission.account, limitHeaders: admission.headers, method: request.method!, target: target.full }
    if (speaksSq(route.api)) askSq(passed)
    else receive(passed, (received, body) => send(received, body, NOTHING_TO_SETTLE))
  }
}

function destinationOf({ reads, budget, settings }: PassageParts, passed: Passed): Destination {
  const { incoming, access, limitHeaders, held } = passed
  const { request, response, requestId } = incoming
  const discardBody = request.method === 'HEAD' && speaksSq(access.entry.route.api)
  const options = { response, requestId, limitHeaders, discardBody, budget: budget.of(access.entry.route.tenant), bufferBytes: settings.answerBufferBytes }
  return held === undefined ? toClient(options) : reads.destination(passed, held, options)
}

function outgoing({ incoming, access, method, target }: Passed, body: Body, clientAddress: string): { head: string; method: string; safe: boolean; sq: boolean } {
  const { request, requestId } = incoming
  const { key, entry } = access
  const sq = speaksSq(entry.route.api)
  const sent: OutgoingRequest = {
    method,
    target,
    rawHeaders: request.rawHeaders,
    bodyBytes: body.pieces.length === 0 ? 0 : body.bytes,
    requestId,
    clientAddress,
    host: request.headers.host ?? '',
  }
  return { method, sq, safe: isSafe(method, target.split('?', 1)[0]!, sq), head: sq ? sqHead(sent, key) : containerHead(sent, entry.route.tenant, entry.id) }
}

function bodyLimit({ limits, fairUse }: TableRoute, { defaultBodyMb }: GatewaySettings): Ceiling {
  return ceilingOf('bodyMb', limits, fairUse) ?? { value: defaultBodyMb, fairUse: false }
}
