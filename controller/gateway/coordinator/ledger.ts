/**
 * The one writer of usage.db: writes down what the workers post, all of a post or nothing of it. What could not be written stays in
 * memory and goes with the next post.
 */
import type { Periods } from '../../core/quota.ts'
import type { TenantId } from '../../core/specs.ts'
import type { KeyCounts, KeySpent, RefusalRecord, Usage } from '../../store/usage.ts'
import type { Log } from '../log.ts'
import type { Counted, KeyUse } from '../tallies.ts'

export interface Ledger {
  /** Added to what is pending; the next `flush` writes it. */
  add(counted: Counted): void
  stored(tenant: TenantId, bytes: number): void
  /** What could not be written down yet. */
  pending(tenant: TenantId): readonly KeyCounts[]
  readonly failures: number
  readonly lastFlushMs: number
  flush(): void
}

export interface LedgerOptions {
  readonly usage: Usage
  readonly periods: () => Periods
  readonly log: Log
}

const PRUNE_MS = 60_000
const MINUTE_MS = 60_000
const KEPT_REFUSALS = 10_000

export function createLedger({ usage, periods, log }: LedgerOptions): Ledger {
  let pending: KeyUse[] = []
  let spent: KeySpent[] = []
  let refusals: RefusalRecord[] = []
  const storage = new Map<TenantId, number>()
  let failures = 0
  let lastFlushMs = 0
  let prunedAtMs = -Infinity

  function write(): void {
    usage.write({
      counts: pending,
      lastUsed: pending.map(({ tenant, key, usedMinute }) => ({ tenant, key, at: new Date(usedMinute * MINUTE_MS).toISOString() })),
      storage: [...storage].map(([tenant, bytes]) => ({ tenant, day: periods().day, bytes })),
      spent,
      refusals,
    })
    // Only now: what was not committed stays pending.
    pending = []
    spent = []
    storage.clear()
  }

  return {
    add({ uses, spent: more, refusals: refused }) {
      spent = failures > 0 ? mergeSpent([...spent, ...more]) : spent.concat(more)
      pending = failures > 0 ? merge(pending, uses) : pending.concat(uses)
      refusals = refusals.concat(refused)
    },
    stored: (tenant, bytes) => void storage.set(tenant, bytes),
    pending: (tenant) => pending.filter((each) => each.tenant === tenant),
    get failures() {
      return failures
    },
    get lastFlushMs() {
      return lastFlushMs
    },
    flush() {
      const started = performance.now()
      try {
        if (pending.length > 0 || spent.length > 0 || storage.size > 0 || refusals.length > 0) write()
        if (started - prunedAtMs > PRUNE_MS) {
          prunedAtMs = started
          usage.prune(periods().day, KEPT_REFUSALS)
        }
      } catch (error) {
        if (failures++ % 60 === 0) log.error({ err: error, failures }, 'usage could not be written down: it is kept in memory and tried again')
      }
      refusals = []
      lastFlushMs = performance.now() - started
    },
  }
}

/** Bounds what is kept while nothing can be written: one entry a key and day. */
function merge(pending: readonly KeyUse[], uses: readonly KeyUse[]): KeyUse[] {
  const merged = new Map<string, KeyUse>()
  for (const use of [...pending, ...uses]) {
    const name = `${use.tenant} ${use.day} ${use.key}`
    const known = merged.get(name)
    merged.set(name, known === undefined ? use : sum(known, use))
  }
  return [...merged.values()]
}

function mergeSpent(all: readonly KeySpent[]): KeySpent[] {
  const merged = new Map<string, KeySpent>()
  for (const each of all) {
    const name = `${each.tenant} ${each.key}`
    merged.set(name, { ...each, requests: (merged.get(name)?.requests ?? 0) + each.requests })
  }
  return [...merged.values()]
}

function sum(a: KeyUse, b: KeyUse): KeyUse {
  const { requests, refused, errors, bytesIn, bytesOut } = a
  return { ...b, requests: requests + b.requests, refused: refused + b.refused, errors: errors + b.errors, bytesIn: bytesIn + b.bytesIn, bytesOut: bytesOut + b.bytesOut }
}
