/**
 * Webhook events on their way to becoming commits. An event is answered only after it lies here durably, and stays open until
 * what it asks for is durable elsewhere. Events that arrive together share one transaction, since each transaction costs a
 * sync of the disk. Knows nothing of Stripe's types.
 */
import type { TenantId, Timestamp } from '../core/specs.ts'
import { transaction, type Store } from './db.ts'
import type { Timeline } from './timeline.ts'

export type InboxState = 'pending' | 'done' | 'ignored' | 'held'

export interface ReceivedEvent {
  readonly id: string
  readonly type: string
  /** The id of the object that the event is about. */
  readonly object: string | null
  readonly body: string
  readonly trace: string
  readonly receivedAt: Timestamp
  /** Why nothing is to be done with it; absent: it is to be worked on. */
  readonly ignore?: string
}

export interface OpenEvent {
  readonly id: string
  readonly type: string
  readonly object: string | null
  readonly trace: string
  readonly receivedAt: Timestamp
  readonly state: 'pending' | 'held'
  /** Attempts so far. */
  readonly attempts: number
  readonly note: string | null
}

/** What became of one attempt. `held` waits for a person and is looked at again at `nextAttemptAt`, or when `recallHeld` is called. */
export type Settlement =
  | { readonly kind: 'done'; readonly id: string; readonly note: string; readonly tenant?: TenantId }
  | { readonly kind: 'ignored'; readonly id: string; readonly note: string }
  | { readonly kind: 'held' | 'retry'; readonly id: string; readonly note: string; readonly nextAttemptAt: Timestamp }

export interface InboxCounts {
  readonly pending: number
  readonly held: number
  /** When the longest-waiting pending event came in. */
  readonly oldestPending: Timestamp | undefined
}

export interface Inbox {
  /** Resolves when the event is durable; rejects when it could not be stored. */
  put(event: ReceivedEvent): Promise<'stored' | 'duplicate'>
  /** Events whose time has come, oldest first. */
  open(limit: number): readonly OpenEvent[]
  /** Writes the outcome of a batch, and runs `also` in the same transaction. */
  settle(settlements: readonly Settlement[], also?: () => void): void
  /** When the next open event is due. */
  nextDueAt(): Timestamp | undefined
  /** Makes held events due now; how many. */
  recallHeld(): number
  /** The tenant that any event about this object was done with. */
  servedBy(object: string): TenantId | undefined
  counts(): InboxCounts
  /** Whether an event about this object is still open. */
  isOpen(object: string): boolean
  /** Whether one is open and was not held. */
  isPending(object: string): boolean
  /** Events that wait for a person, oldest first. */
  held(): readonly OpenEvent[]
}

interface Waiting {
  readonly event: ReceivedEvent
  readonly resolve: (outcome: 'stored' | 'duplicate') => void
  readonly reject: (error: unknown) => void
}

export interface InboxOptions {
  readonly now: () => Date
  readonly mark: Timeline['mark']
  /** In a rush, a transaction starts this long after the last one ended; an event that comes alone waits for nothing. */
  readonly rushPauseMs?: number
}

export function createInbox(db: Store, { now, mark, rushPauseMs = RUSH_PAUSE_MS }: InboxOptions): Inbox {
  const timestamp = (): Timestamp => now().toISOString()
  const sql = statements(db)
  const setHeld = sql.update('held')
  const setPending = sql.update('pending')
  return {
    put: createGroupedInsert(db, { mark, timestamp, rushPauseMs }),
    open: (limit) => sql.open.all(timestamp(), limit) as unknown as OpenEvent[],
    settle(settlements, also) {
      transaction(db, () => {
        for (const settlement of settlements) {
          if (settlement.kind === 'done') sql.done.run(settlement.note, settlement.tenant ?? null, settlement.id)
          else if (settlement.kind === 'ignored') sql.ignored.run(settlement.note, settlement.id)
          else (settlement.kind === 'held' ? setHeld : setPending).run(settlement.note, settlement.nextAttemptAt, settlement.id)
        }
        also?.()
      })
    },
    nextDueAt: () => (sql.nextDue.get() as { at: string | null }).at ?? undefined,
    recallHeld: () => Number(sql.recall.run(timestamp()).changes),
    servedBy: (object) => (sql.served.get(object) as { tenant: string } | undefined)?.tenant as TenantId | undefined,
    isPending: (object) => sql.isPending.get(object) !== undefined,
    isOpen: (object) => sql.isOpen.get(object) !== undefined,
    held: () => sql.held.all() as unknown as OpenEvent[],
    counts() {
      const rows = sql.counts.all() as { state: InboxState; n: number; oldest: string }[]
      const of = (state: InboxState) => rows.find((row) => row.state === state)
      return { pending: of('pending')?.n ?? 0, held: of('held')?.n ?? 0, oldestPending: of('pending')?.oldest }
    },
  }
}

function statements(db: Store) {
  const open = "state IN ('pending', 'held')"
  return {
    open: db.prepare(
      `SELECT id, type, object, trace, received_at AS receivedAt, state, attempts, note
       FROM inbox WHERE ${open} AND next_attempt_at <= ? ORDER BY received_at, id LIMIT ?`,
    ),
    done: db.prepare("UPDATE inbox SET state = 'done', attempts = attempts + 1, note = ?, tenant = ? WHERE id = ?"),
    ignored: db.prepare("UPDATE inbox SET state = 'ignored', attempts = attempts + 1, note = ? WHERE id = ?"),
    update: (state: 'pending' | 'held') => db.prepare(`UPDATE inbox SET state = '${state}', attempts = attempts + 1, note = ?, next_attempt_at = ? WHERE id = ?`),
    nextDue: db.prepare(`SELECT min(next_attempt_at) AS at FROM inbox WHERE ${open}`),
    recall: db.prepare("UPDATE inbox SET next_attempt_at = ?1 WHERE state = 'held' AND next_attempt_at > ?1"),
    served: db.prepare('SELECT tenant FROM inbox WHERE object = ? AND tenant IS NOT NULL LIMIT 1'),
    isPending: db.prepare(`SELECT 1 FROM inbox WHERE object = ? AND ${open} AND state = 'pending' LIMIT 1`),
    isOpen: db.prepare(`SELECT 1 FROM inbox WHERE object = ? AND ${open} LIMIT 1`),
    held: db.prepare(`SELECT id, type, object, trace, received_at AS receivedAt, state, attempts, note FROM inbox WHERE ${open} AND state = 'held' ORDER BY received_at, id LIMIT 1000`),
    counts: db.prepare(`SELECT state, count(*) AS n, min(received_at) AS oldest FROM inbox WHERE ${open} GROUP BY state`),
  }
}

const RUSH_PAUSE_MS = 5

/** Inserts that come close together go in one transaction; each caller still hears only after it. */
function createGroupedInsert(db: Store, { mark, timestamp, rushPauseMs }: { readonly mark: Timeline['mark']; readonly timestamp: () => Timestamp; readonly rushPauseMs: number }): Inbox['put'] {
  const insert = db.prepare(
    'INSERT OR IGNORE INTO inbox (id, type, object, body, received_at, trace, state, next_attempt_at, note) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)',
  )
  let queue: Waiting[] = []
  let endedAtMs = -Infinity

  function store({ id, type, object, body, receivedAt, trace, ignore }: ReceivedEvent): 'stored' | 'duplicate' {
    const state: InboxState = ignore === undefined ? 'pending' : 'ignored'
    if (insert.run(id, type, object, body, receivedAt, trace, state, receivedAt, ignore ?? null).changes === 0) return 'duplicate'
    if (state === 'pending') {
      mark({ trace, step: 'webhook-received', at: receivedAt, detail: id })
      mark({ trace, step: 'webhook-stored', at: timestamp() })
    }
    return 'stored'
  }

  function flush(): void {
    const batch = queue
    queue = []
    try {
      const outcomes = transaction(db, () => batch.map(({ event }) => store(event)))
      batch.forEach(({ resolve }, index) => resolve(outcomes[index]!))
    } catch (error) {
      for (const { reject } of batch) reject(error)
    }
    endedAtMs = performance.now()
  }

  function scheduleFlush(): void {
    const pauseMs = endedAtMs + rushPauseMs - performance.now()
    if (pauseMs > 0) setTimeout(flush, pauseMs)
    else setImmediate(flush)
  }

  return (event) =>
    new Promise((resolve, reject) => {
      if (queue.push({ event, resolve, reject }) === 1) scheduleFlush()
    })
}
