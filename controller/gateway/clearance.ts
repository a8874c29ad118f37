/**
 * What every request to SQ has to be cleared for before SQ sees it, whoever makes it: a body that is safe, storage for its greatest
 * growth, and a note for all threads that a phext may be changing. The one place for it: customers' requests and those that the
 * gateway makes for them go through here.
 */
import type { ForwardOutcome } from './forward.ts'
import type { Refusal } from './refusal.ts'
import type { RouteReader } from './route-reader.ts'
import type { TableRoute } from './route-table.ts'
import type { PhextVersions, WriteTicket } from './shared/phext-versions.ts'
import { checkSqBody, growthOf, mayChange, storesBreaks, writes, type CheckedCall } from './sq-guard.ts'
import type { SqAccess } from './phext-sizes-asked.ts'
import type { StorageGuard } from './storage-guard.ts'
import type { Settlement } from './tenant-storage.ts'

export interface ClearanceParts {
  readonly routes: RouteReader
  readonly storage: StorageGuard
  readonly versions: PhextVersions
}

export interface SqRequest {
  readonly route: TableRoute
  readonly access: SqAccess
  /** Undefined for what the gateway does not know as a call on a phext. */
  readonly checked: CheckedCall | undefined
  readonly pieces: readonly Buffer[]
  readonly bytes: number
  /** Whoever asks has SQ read the file again as soon as this is written. */
  readonly loadsAfterwards?: boolean
}

export type Cleared =
  /** `settle` has to be called once, when the place at SQ is free again; with nothing where the request was never sent. */
  | { readonly kind: 'cleared'; readonly settle: (outcome: ForwardOutcome | undefined) => void }
  | { readonly kind: 'refused'; readonly refusal: Refusal }

export type Clearance = (request: SqRequest, decide: (cleared: Cleared) => void) => void

/** SQ gives up on a connection after 30 s: by then it is not at the write any more. */
const UNKNOWN_MS = 40_000
/** What one tenant may hold of the common table for good. */
const DISTRUSTED_PHEXTS = 100
const NO_TICKET: WriteTicket = { ends: () => undefined }

export function createClearance({ routes, storage, versions }: ClearanceParts): Clearance {
  const distrusted = new Map<string, Set<string>>()

  /** Breaks in a text: SQ holds it as one scroll until it reads the file again, and as several from then on. */
  function distrust(tenant: string, phext: string): void {
    const known = distrusted.get(tenant) ?? new Set()
    distrusted.set(tenant, known)
    if (known.has(phext)) return
    if (known.size < DISTRUSTED_PHEXTS) known.add(phext)
    versions.distrust(tenant, known.has(phext) ? phext : undefined)
  }

  function ticketFor({ route, checked, pieces, loadsAfterwards }: SqRequest): WriteTicket {
    if (checked === undefined) return versions.writeBegins(route.tenant, undefined)
    const { call } = checked
    if (!mayChange(call.command)) return NO_TICKET
    if (writes(call.command) && loadsAfterwards !== true && storesBreaks(checked, pieces)) distrust(route.tenant, call.phext)
    return versions.writeBegins(route.tenant, call.phext)
  }

  return (request, decide) => {
    const { route, access, checked, pieces, bytes } = request
    if (checked === undefined) return decide({ kind: 'cleared', settle: endOf(ticketFor(request)) })
    const fault = checkSqBody(checked, pieces)
    if (fault !== undefined) return decide({ kind: 'refused', refusal: fault })
    storage.reserve(route, access, routes.links, checked, growthOf(checked, pieces, bytes), (decision) => {
      if (decision.kind === 'refused') return decide(decision)
      const end = endOf(ticketFor(request))
      const settle = (outcome: ForwardOutcome | undefined): void => {
        decision.settle(settlementOf(outcome))
        end(outcome)
        if (outcome?.kind === 'answered' && checked.call.command === 'json-export') storage.exported(route, checked.call.phext)
      }
      decide({ kind: 'cleared', settle })
    })
  }
}

function endOf(ticket: WriteTicket): (outcome: ForwardOutcome | undefined) => void {
  if (ticket === NO_TICKET) return ticket.ends
  return (outcome) => {
    if (settlementOf(outcome) === 'unknown') setTimeout(() => ticket.ends(), UNKNOWN_MS).unref()
    else ticket.ends()
  }
}

/** SQ answers a write when it is on disk; what it answers with an error it did not do, or fell over in the middle of. */
function settlementOf(outcome: ForwardOutcome | undefined): Settlement {
  switch (outcome?.kind) {
    case undefined:
      return 'not-applied'
    case 'answered':
      return outcome.status < 300 ? 'applied' : outcome.status < 500 ? 'not-applied' : 'unknown'
    case 'refused':
      return outcome.delivered ? 'unknown' : 'not-applied'
    case 'broken':
      return 'unknown'
  }
}
