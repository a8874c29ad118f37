/**
 * The way of a request whose key is good: its tenant's limits, body, storage, instance, answer, count. Each decision is made in its own
 * file. A request counts from the moment it is let through, until it is taken back because it came to nothing.
 */
import type { IncomingMessage } from 'node:http'
import type { Access } from './access.ts'
import type { Account, Allowance } from './allowance.ts'
import { toClient } from './answer-writer.ts'
import type { ByteBudget } from './byte-budget.ts'
import type { Clearance, Cleared } from './clearance.ts'
import { ceilingOf, type Ceiling } from '../core/quota.ts'
import type { Incoming } from './data-path.ts'
import type { Destination } from './destination.ts'
import type { FirstUse } from './first-use.ts'
import type { ForwardJob, ForwardOutcome } from './forward.ts'
import { bodyTooLarge } from './limit-refusals.ts'
import type { Metering } from './metering.ts'
import type { Metrics } from './metrics.ts'
import { REFUSALS, type Refusal } from './refusal.ts'
import type { Reading, Reads } from './reads.ts'
import { hasBody, readBody } from './request-body.ts'
import type { RouteReader } from './route-reader.ts'
import type { TableKey, TableRoute } from './route-table.ts'
import type { GatewaySettings } from './settings.ts'
import { checkSqHead, writes, type CheckedCall } from './sq-guard.ts'
import { containerHead, isSafe, speaksSq, sqHead, type OutgoingRequest } from './upstream-head.ts'

export type Granted = Extract<Access, { kind: 'granted' }>

export interface PassageParts {
  readonly routes: RouteReader
  readonly forward: (job: ForwardJob) => void
  readonly budget: ByteBudget
  readonly firstUse: FirstUse
  readonly metrics: Metrics
  readonly settings: GatewaySettings
  readonly allowance: Allowance
  readonly clearance: Clearance
  readonly reads: Reads
  readonly metering: Metering
}

export type Refuse = (incoming: Incoming, refusal: Refusal, entry: TableKey) => void

/** A request that was let through. */
interface Passed {
  readonly incoming: Incoming
  readonly access: Granted
  readonly account: Account
  readonly limitHeaders: readonly string[]
  /** Set for a call to SQ that concerns a phext. */
  readonly checked: CheckedCall | undefined
}

interface Body {
  readonly pieces: readonly Buffer[]
  readonly bytes: number
  readonly release: () => void
}

type Settle = Extract<Cleared, { kind: 'cleared' }>['settle']

const NO_BODY: Body = { pieces: [], bytes: 0, release: () => undefined }
const NOTHING_TO_SETTLE: Settle = () => undefined

export function createPassage(parts: PassageParts, refuse: Refuse): (incoming: Incoming, access: Granted) => void {
  const { routes, settings, metering } = parts

  function takeBack({ incoming, access, account }: Passed, refusal: Refusal): void {
    metering.takenBack(access.entry, account)
    refuse(incoming, refusal, access.entry)
  }

  function receive(passed: Passed): void {
    const { request, response, expectsContinue } = passed.incoming
    const limit = bodyLimit(passed.access.entry.route, settings)
    readBody(request, limit.value * 1024 * 1024, parts.budget, (end) => {
      if (end.kind === 'too-large') return takeBack(passed, bodyTooLarge(limit.value, limit.fairUse, routes.links))
      if (end.kind === 'no-memory') return takeBack(passed, REFUSALS.memoryFull)
      clear(passed, end)
    })
    if (expectsContinue && !response.writableEnded) response.writeContinue()
  }

  function clear(passed: Passed, body: Body): void {
    const { incoming, access, checked } = passed
    const { route } = access.entry
    if (!speaksSq(route.api)) return send(passed, body, NOTHING_TO_SETTLE)
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
    const { head, method, safe, sq } = outgoing(passed, body.bytes)
    parts.forward({
      destination: destinationOf(parts, passed, body),
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

  return (incoming, access) => {
    const { request, target } = incoming
    const { entry } = access
    const admission = parts.allowance.admit(entry.route, routes.links)
    if (admission.kind === 'refused') return refuse(incoming, admission.refusal, entry)
    metering.passed(entry)
    const unchecked: Passed = { incoming, access, account: admission.account, limitHeaders: admission.headers, checked: undefined }
    const sq = speaksSq(entry.route.api)
    if (sq && request.method === 'HEAD' && !isSafe('HEAD', target.path, true)) return takeBack(unchecked, REFUSALS.readOnlyMethod)
    const withBody = hasBody(request)
    const answered = sq && !withBody && isRead(request.method!) ? parts.reads.answer(readingOf(unchecked), { response: incoming.response, requestId: incoming.requestId, limitHeaders: admission.headers }) : undefined
    if (answered !== undefined) return record(unchecked, 0, { kind: 'answered', ...answered })
    const head = sq ? checkSqHead(request.method!, target.full) : undefined
    if (head?.kind === 'refused') return takeBack(unchecked, head.refusal)
    const passed = head?.checked === undefined ? unchecked : { ...unchecked, checked: head.checked }
    if (head?.checked !== undefined && writes(head.checked.call.command) && hasCondition(request)) return takeBack(passed, REFUSALS.conditionUnsupported)
    if (withBody) receive(passed)
    else clear(passed, NO_BODY)
  }
}

function destinationOf({ reads, budget, settings }: PassageParts, passed: Passed, body: Body): Destination {
  const { incoming, access, limitHeaders, checked } = passed
  const { request, response, requestId } = incoming
  const discardBody = request.method === 'HEAD' && speaksSq(access.entry.route.api)
  const options = { response, requestId, limitHeaders, discardBody, budget, bufferBytes: settings.answerBufferBytes }
  const isReading = checked !== undefined && body === NO_BODY && isRead(request.method!)
  return isReading ? reads.destination(readingOf(passed), checked, options) : toClient(options)
}

function readingOf({ incoming: { request, target }, access }: Passed): Reading {
  return { route: access.entry.route, target: target.full, method: request.method!, ifNoneMatch: request.headers['if-none-match'] }
}

function isRead(method: string): boolean {
  return method === 'GET' || method === 'HEAD'
}

/** SQ would do such a write without looking at the condition. */
function hasCondition({ headers }: IncomingMessage): boolean {
  return headers['if-match'] !== undefined || headers['if-none-match'] !== undefined || headers['if-unmodified-since'] !== undefined
}

function outgoing({ incoming, access }: Passed, bodyBytes: number): { head: string; method: string; safe: boolean; sq: boolean } {
  const { request, target, requestId } = incoming
  const { key, entry } = access
  const method = request.method!
  const sq = speaksSq(entry.route.api)
  const sent: OutgoingRequest = {
    method,
    target: target.full,
    rawHeaders: request.rawHeaders,
    bodyBytes,
    requestId,
    clientAddress: request.socket.remoteAddress ?? '',
    host: request.headers.host ?? '',
  }
  return { method, sq, safe: isSafe(method, target.path, sq), head: sq ? sqHead(sent, key) : containerHead(sent, entry.route.tenant, entry.id) }
}

function bodyLimit({ limits, fairUse }: TableRoute, { defaultBodyMb }: GatewaySettings): Ceiling {
  return ceilingOf('bodyMb', limits, fairUse) ?? { value: defaultBodyMb, fairUse: false }
}
