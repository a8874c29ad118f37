/** When the purchase worker runs: soon after a poke, again when the next event is due, one batch at a time. What it does with a batch is in purchase-batch.ts. */
import { backoffMs } from '../../controller/core/backoff.ts'
import type { Inbox } from '../../controller/store/inbox.ts'
import { workOnPurchases, type PurchaseBatchOptions } from './purchase-batch.ts'

export interface PurchaseWorkerOptions extends PurchaseBatchOptions {
  readonly inbox: Inbox
}

export interface PurchaseWorker {
  /** There is something new in the inbox (`event`), or the repository changed, so that held purchases may fit now (`tip`). */
  poke(reason: 'event' | 'tip'): void
  /** Finishes the batch under way and starts nothing more. */
  close(): Promise<void>
}

/** Lets purchases of the same moment share a commit: briefly while it is quiet, so that one buyer waits for nothing, longer in a rush. */
const LINGER_MS = 10
const RUSH_LINGER_MS = 100
/** A batch of more than this is a rush. */
const QUIET_BATCH = 3
const BATCH = 400
/** A stream of commits makes held purchases look again at most this often. */
const RECALL_PAUSE_MS = 1000
const LONGEST_TIMER_MS = 3_600_000

/** Starts with what an earlier run left open. */
export function createPurchaseWorker(options: PurchaseWorkerOptions): PurchaseWorker {
  const { inbox, log } = options
  const nowMs = () => options.now().getTime()
  let timer: NodeJS.Timeout | undefined
  let timerDueMs = Infinity
  let running: Promise<void> | undefined
  let closed = false
  let poked = false
  let lingerMs = LINGER_MS
  let recallWanted = false
  let lastRecallMs = -Infinity
  let failures = 0

  /** Never puts off a run that is due earlier: a steady stream of pokes would starve it. */
  function startIn(inMs: number): void {
    const dueMs = performance.now() + Math.max(0, Math.min(inMs, LONGEST_TIMER_MS))
    if (closed || running !== undefined || dueMs >= timerDueMs) return
    clearTimeout(timer)
    timerDueMs = dueMs
    timer = setTimeout(start, Math.max(0, dueMs - performance.now()))
  }

  function start(): void {
    timerDueMs = Infinity
    running = workOnce().then((inMs) => {
      running = undefined
      startIn(inMs)
    })
  }

  /** Milliseconds until the next run. */
  async function workOnce(): Promise<number> {
    poked = false
    try {
      if (recallWanted && nowMs() - lastRecallMs >= RECALL_PAUSE_MS) {
        recallWanted = false
        lastRecallMs = nowMs()
        inbox.recallHeld()
      }
      const batch = inbox.open(BATCH)
      if (batch.length > 0) await workOnPurchases(options, batch)
      failures = 0
      lingerMs = batch.length > QUIET_BATCH ? RUSH_LINGER_MS : LINGER_MS
      return batch.length === BATCH ? 0 : nextInMs()
    } catch (error) {
      failures += 1
      log.error({ err: error, failures }, 'the purchase worker failed; it tries again')
      return backoffMs(failures, options.chance())
    }
  }

  function nextInMs(): number {
    const dueAt = inbox.nextDueAt()
    const dueInMs = poked ? 0 : dueAt === undefined ? Infinity : Date.parse(dueAt) - nowMs()
    const recallInMs = recallWanted ? lastRecallMs + RECALL_PAUSE_MS - nowMs() : Infinity
    return Math.max(lingerMs, Math.min(dueInMs, recallInMs))
  }

  startIn(0)
  return {
    poke(reason) {
      if (reason === 'tip') recallWanted = true
      poked = true
      if (failures === 0) startIn(lingerMs)
    },
    async close() {
      closed = true
      clearTimeout(timer)
      await running
    },
  }
}
