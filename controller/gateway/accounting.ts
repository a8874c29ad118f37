/** Limits, metering and storage put together over one file, HOME/gateway/usage.db, with their order of start and end. */
import { openUsageOrAnew, usagePath } from '../store/usage.ts'
import { createAllowance, type Allowance } from './allowance.ts'
import { createLedger, type Ledger } from './ledger.ts'
import type { Log } from './log.ts'
import { createMetering, type Metering } from './metering.ts'
import type { Metrics } from './metrics.ts'
import type { Links } from './route-log.ts'
import type { TableKey } from './route-table.ts'
import { createStorageGuard, type StorageGuard } from './storage-guard.ts'
import { usageReport } from './usage-report.ts'

export interface AccountingOptions {
  readonly home: string
  readonly flushMs: number
  readonly metrics: Metrics
  readonly now: () => Date
  readonly log: Log
}

export interface Accounting {
  readonly allowance: Allowance
  readonly storage: StorageGuard
  readonly metering: Metering
  readonly ledger: Ledger
  usageReport(entry: TableKey, links: Links): Promise<object>
  start(): void
  /** After the last answer: what it counted is written down. */
  close(): void
}

export function createAccounting({ home, flushMs, metrics, now, log }: AccountingOptions): Accounting {
  const steadyMs = (): number => performance.now()
  const nowMs = (): number => now().getTime()
  const usage = openUsageOrAnew(usagePath(home), now(), (error, what) => log.error({ err: error, what }, 'usage.db cannot be used'))
  const ledger = createLedger({ usage, nowMs, log, flushMs })
  const allowance = createAllowance({ ledger, nowMs, steadyMs })
  const storage = createStorageGuard({ home, usage, ledger, steadyMs, log })
  const metering = createMetering({ ledger, allowance, metrics, now })
  let closed = false
  return {
    allowance,
    storage,
    metering,
    ledger,
    usageReport: (entry, links) => usageReport({ allowance, ledger, storage, usage }, entry, links, now()),
    start() {
      ledger.start()
      storage.start()
    },
    close() {
      if (closed) return
      closed = true
      storage.close()
      ledger.close()
      usage.close()
    },
  }
}
