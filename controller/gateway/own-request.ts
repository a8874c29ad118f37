/**
 * A request that the gateway answers by itself with a tenant's data: MCP, export, import. It passes the same limits as one that goes to SQ,
 * and is counted once whatever it asks of SQ.
 */
import type { Allowance } from './allowance.ts'
import type { Incoming } from './data-path.ts'
import type { FirstUse } from './first-use.ts'
import type { Metering } from './metering.ts'
import type { Metrics } from './metrics.ts'
import type { Granted, Refuse } from './passage.ts'
import type { Refusal } from './refusal.ts'
import type { RouteReader } from './route-reader.ts'

export interface OwnRequest {
  readonly incoming: Incoming
  readonly access: Granted
  /** What the answer says about limits. */
  readonly limitHeaders: readonly string[]
  /** It came to nothing that the customer is to be charged for. */
  takeBack(refusal: Refusal): void
  /** It was worked on, and then refused: it counts. */
  refuse(refusal: Refusal, bytesIn: number): void
  /** Answered. Status 0: the client went away, or was cut off. */
  ended(status: number, bytesIn: number, bytesOut: number): void
}

export interface OwnRequestParts {
  readonly routes: RouteReader
  readonly allowance: Allowance
  readonly metering: Metering
  readonly metrics: Metrics
  readonly firstUse: FirstUse
}

/** Undefined where it was refused. */
export type AdmitOwn = (incoming: Incoming, access: Granted) => OwnRequest | undefined

export function createOwnRequests({ routes, allowance, metering, metrics, firstUse }: OwnRequestParts, refuse: Refuse): AdmitOwn {
  return (incoming, access) => {
    const { entry } = access
    const { route } = entry
    const admission = allowance.admit(entry, routes.links)
    if (admission.kind === 'refused') {
      refuse(incoming, admission.refusal, entry)
      return undefined
    }
    metering.passed(entry)
    const count = (status: number, bytesIn: number, bytesOut: number): void => {
      const answered = status !== 0
      metering.ended(entry, bytesIn, answered ? { kind: 'answered', status, bytesOut } : { kind: 'broken', upstreamError: false })
      metrics.bytes(route.product, bytesIn, answered ? bytesOut : 0)
    }
    return {
      incoming,
      access,
      limitHeaders: admission.headers,
      takeBack(refusal) {
        metering.takenBack(entry, admission.account)
        refuse(incoming, refusal, entry)
      },
      refuse(refusal, bytesIn) {
        count(refusal.status, bytesIn, 0)
        refuse(incoming, refusal, entry)
      },
      ended(status, bytesIn, bytesOut) {
        count(status, bytesIn, bytesOut)
        metrics.request(route.product, status)
        if (status >= 200 && status < 300 && route.awaitingFirstUse) firstUse.succeeded(route.tenant)
      },
    }
  }
}
