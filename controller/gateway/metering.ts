/** Counts each request of a known key: what passed, what came of it, what was refused. */
import type { RefusalRecord } from '../store/usage.ts'
import type { ForwardOutcome } from './forward.ts'
import type { Metrics } from './metrics.ts'
import type { Refusal } from './refusal.ts'
import type { KeyLimit, TableKey } from './route-table.ts'
import type { Account, Allowance } from './allowance.ts'
import type { Tallies } from './tallies.ts'

export interface Metering {
  /** Let through: counts at once. */
  passed(entry: TableKey): void
  /** Let through before, and then came to nothing that the customer is answerable for, or to be charged for. */
  takenBack(entry: TableKey, account: Account): void
  ended(entry: TableKey, bytesIn: number, outcome: ForwardOutcome): void
  refused(requestId: string, refusal: Refusal, entry: TableKey | undefined): void
}

const NO_LIMITS: readonly KeyLimit[] = []

export interface MeteringOptions {
  readonly tallies: Tallies
  readonly allowance: Allowance
  readonly metrics: Metrics
  readonly now: () => Date
}

export function createMetering({ tallies, allowance, metrics, now }: MeteringOptions): Metering {
  const spend = ({ narrower, route }: TableKey, requests: 1 | -1): void => {
    for (const limit of narrower?.limits ?? NO_LIMITS) if (limit.requests !== undefined) tallies.spend(route.tenant, limit.key, requests)
  }
  const tallyOf = ({ id, route }: TableKey) => tallies.tally(route.tenant, id, now().getTime())

  return {
    passed(entry) {
      tallyOf(entry).requests++
      spend(entry, 1)
    },
    takenBack(entry, account) {
      tallyOf(entry).requests--
      spend(entry, -1)
      allowance.giveBack(account, entry)
    },
    ended(entry, bytesIn, outcome) {
      const tally = tallyOf(entry)
      tally.bytesIn += bytesIn
      if (outcome.kind !== 'refused') metrics.metered(entry.route.product)
      if (outcome.kind === 'answered') tally.bytesOut += outcome.bytesOut
      if (outcome.kind === 'answered' ? outcome.status >= 500 : outcome.upstreamError) tally.errors++
    },
    refused(requestId, refusal, entry) {
      if (entry !== undefined) tallyOf(entry).refused++
      tallies.refused(refusalRecord(requestId, now(), refusal, entry))
    },
  }
}

function refusalRecord(id: string, at: Date, refusal: Refusal, entry: TableKey | undefined): RefusalRecord {
  const { status, code, detail, measured } = refusal
  const { tenant, product, plan } = entry?.route ?? { tenant: '', product: '', plan: '' }
  return { id, at: at.toISOString(), tenant, key: entry?.id ?? '', product, plan, status, code, detail, measured }
}
