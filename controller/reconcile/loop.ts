/**
 * The loop: looks at the repository's tip and at what runs, works out what differs, and hands tenants to the queue. Whatever
 * pokes it only says "look"; what it does depends on what it finds. A failed look changes nothing and is tried again.
 */
import { backoffMs } from '../core/backoff.ts'
import { isStop, orderChanges, type TenantChange } from '../core/change-set.ts'
import type { ShardName } from '../core/placement.ts'
import type { CommitId, TenantId } from '../core/specs.ts'
import type { Executor } from './executor.ts'
import type { ReconcileDependencies } from './ports.ts'
import { createPacemaker } from './pacemaker.ts'
import { createKeyedQueue, type KeyedQueue } from './queue.ts'
import { destroyExpired } from './retire.ts'
import type { Source } from './source.ts'
import { startUp } from './start-up.ts'
import type { World } from './world.ts'

export interface LoopState {
  /** The tip that was looked at last, and the tip that was taken in. */
  readonly attempted: CommitId | undefined
  readonly applied: CommitId | undefined
  readonly lastSuccessAt: Date | undefined
  readonly lastError: string | undefined
  readonly ready: boolean
  readonly queueDepth: number
}

export interface Loop {
  /** Something may have changed: look soon. Many pokes are one look. */
  poke(): void
  /** A runtime says that something happened to a tenant or shard: look at exactly that. A hint only. */
  hint(name: TenantId | ShardName): void
  /** A shard serves on another port now: every member's route is written anew. */
  moved(shard: ShardName): void
  /** Whether something of the tenant is to be changed yet. */
  isBusy(id: TenantId): boolean
  /** Looks now and resolves when nothing is left to do. */
  settle(): Promise<void>
  readonly state: LoopState
  /** Stops looking and lets what runs end. */
  close(): Promise<void>
}

export interface LoopOptions {
  readonly deps: ReconcileDependencies
  readonly source: Source
  readonly executor: Executor
  readonly concurrency: number
  /** How often everything is looked at although nothing said so. */
  readonly resyncMs: number
  readonly onPass: (result: 'changed' | 'unchanged' | 'failed', seconds: number) => void
  /** Called when nothing is left to do, after the first look and whenever everything was looked at. */
  readonly onSettled?: () => void
  /** Called when everything that runs was looked at. */
  readonly onResync: (seconds: number) => void
  /** Called whenever a look may have changed what deciding code sees. */
  readonly onRevision: (revision: CommitId) => void
}

interface Progress {
  attempted: CommitId | undefined
  applied: CommitId | undefined
  lastSuccessAt: Date | undefined
  lastError: string | undefined
  ready: boolean
  failures: number
  /** On the clock of `performance.now()`. */
  resyncAt: number
}

/** The parts of a running loop that its functions share. */
interface Running {
  readonly options: LoopOptions
  readonly queue: KeyedQueue<TenantId>
  readonly progress: Progress
  /** Changes that were worked out and wait for their tenant's turn, so that the audit trail can name them. */
  readonly pending: Map<TenantId, TenantChange>
  /** Tenants that no look has handed on yet: a look that fails loses none. */
  readonly dirty: Set<TenantId>
}

const SOONEST_TIMER_MS = 50
const UNRECORDED_RETRY_MS = 5_000

export function createLoop(options: LoopOptions): Loop {
  const { deps, source, executor } = options
  const pending = new Map<TenantId, TenantChange>()
  const progress: Progress = { attempted: undefined, applied: undefined, lastSuccessAt: undefined, lastError: undefined, ready: false, failures: 0, resyncAt: 0 }
  const queue = createKeyedQueue<TenantId>({
    concurrency: options.concurrency,
    async run(id) {
      const change = pending.get(id)
      const { afterMs } = await executor.run(id, source.revision!, change).catch((err: unknown) => unrecorded(running, id, err))
      if (afterMs !== undefined) queue.addAfter(id, 'start', afterMs)
      else if (pending.get(id) === change) pending.delete(id)
    },
  })
  const running: Running = { options, queue, progress, pending, dirty: new Set() }
  const pacemaker = createPacemaker(() => look(running))

  return {
    poke: pacemaker.poke,
    hint: (name) => hint(running, name),
    moved(shard) {
      for (const summary of deps.world.summaries()) if (summary.shard === shard) queue.add(summary.tenant, 'start')
    },
    isBusy: (id) => pending.has(id),
    async settle() {
      await pacemaker.beat()
      await queue.idle()
    },
    get state() {
      const { attempted, applied, lastSuccessAt, lastError, ready } = progress
      return { attempted, applied, lastSuccessAt, lastError, ready, queueDepth: queue.depth }
    },
    async close() {
      await pacemaker.close()
      await queue.close()
      deps.log.debug({}, 'the loop has ended')
    },
  }
}

/** The executor folds every error into the tenant's status; what comes here could not even be written down (a full disk). */
function unrecorded({ options: { deps } }: Running, id: TenantId, err: unknown): { afterMs: number } {
  deps.log.error({ tenant: id, err }, 'what became of a tenant could not be recorded')
  return { afterMs: UNRECORDED_RETRY_MS }
}

/** One look; answers when to look again. A failure changes nothing that runs. */
async function look(running: Running): Promise<number> {
  const { options, progress } = running
  const { deps } = options
  const startedAt = performance.now()
  const seconds = (): number => (performance.now() - startedAt) / 1000
  try {
    const changed = await takeIn(running)
    progress.lastSuccessAt = deps.now()
    progress.lastError = undefined
    progress.failures = 0
    options.onPass(changed > 0 ? 'changed' : 'unchanged', seconds())
    return nextLookIn(running)
  } catch (error) {
    progress.failures++
    progress.lastError = error instanceof Error ? error.message : String(error)
    deps.log.error({ err: error, failures: progress.failures }, 'the repository could not be taken in; nothing was changed')
    options.onPass('failed', seconds())
    return Math.min(backoffMs(progress.failures, deps.chance()), options.resyncMs)
  }
}

/** Brings the tip in, and what time or an approval has changed; answers how many tenants change. */
async function takeIn(running: Running): Promise<number> {
  const { options, progress, dirty } = running
  const { deps, source } = options
  const revision = await source.sync()
  progress.attempted = revision
  for (const id of source.drain()) dirty.add(id)
  const now = deps.now().toISOString()
  for (const id of deps.world.due(now)) dirty.add(id)
  for (const { tenant, approvedAt } of deps.deletions.all()) if (approvedAt !== null) dirty.add(tenant)
  const changed = progress.ready ? take(running, dirty, revision, now) : await first(running, dirty, revision, now)
  dirty.clear()
  if (progress.applied !== revision) options.onRevision(revision)
  progress.applied = revision
  if (performance.now() >= progress.resyncAt) await resync(running)
  return changed
}

/** The first look of this process: everything is dirty, and nearly everything is as it should be. Health is not waited for, or it would block the commit that mends it. */
async function first(running: Running, dirty: Set<TenantId>, revision: CommitId, now: string): Promise<number> {
  const { changes, work } = await startUp(running.options.deps, dirty, revision, now)
  enqueue(running, changes, work)
  running.progress.resyncAt = performance.now() + running.options.resyncMs
  running.progress.ready = true
  void running.queue.idle().then(() => running.options.onSettled?.())
  return changes.length
}

function take(running: Running, dirty: ReadonlySet<TenantId>, revision: CommitId, now: string): number {
  if (dirty.size === 0) return 0
  const { world, shards } = running.options.deps
  const before = shardsOf(world, dirty)
  const changes = world.advance(dirty, revision, now)
  for (const shard of new Set([...before, ...shardsOf(world, dirty)])) shards.invalidate(shard)
  enqueue(running, changes, dirty)
  return changes.length
}

function shardsOf(world: World, ids: Iterable<TenantId>): Set<ShardName> {
  const shards = new Set<ShardName>()
  for (const id of ids) {
    const place = world.desired(id)?.place
    if (place?.kind === 'shard') shards.add(place.shard)
  }
  return shards
}

function enqueue({ queue, pending }: Running, changes: readonly TenantChange[], ids: Iterable<TenantId>): void {
  const ordered = orderChanges(changes)
  for (const change of ordered) {
    pending.set(change.tenant, change)
    queue.add(change.tenant, isStop(change.action) ? 'stop' : 'start')
  }
  const changed = new Set(ordered.map(({ tenant }) => tenant))
  for (const id of ids) if (!changed.has(id)) queue.add(id, 'start')
}

/** Looks at what runs: one member of every shard that is used, and every container, is worked on again. Nothing is done where all is as wanted. */
async function resync({ options, progress, queue }: Running): Promise<void> {
  const { world, shards } = options.deps
  const startedAt = performance.now()
  progress.resyncAt = performance.now() + options.resyncMs
  const seen = new Set<ShardName>()
  for (const { tenant, shard, state } of world.summaries()) {
    if (state !== 'active') continue
    if (shard !== undefined) {
      if (seen.has(shard)) continue
      seen.add(shard)
      shards.distrust(shard)
    }
    queue.add(tenant, 'start')
  }
  void queue.idle().then(() => {
    options.onResync((performance.now() - startedAt) / 1000)
    options.onSettled?.()
  })
  await destroyExpired(options.deps)
}

function hint({ options, progress, queue }: Running, name: TenantId | ShardName): void {
  const { world, shards } = options.deps
  if (!progress.ready) return
  if (world.target(name as TenantId) !== undefined) return queue.add(name as TenantId, 'start')
  for (const { tenant, shard, state } of world.summaries()) {
    if (shard === undefined || shard !== name || state !== 'active') continue
    shards.distrust(shard)
    return queue.add(tenant, 'start')
  }
}

function nextLookIn({ options, progress }: Running): number {
  const { world, now } = options.deps
  const due = world.nextDue()
  const dueInMs = due === undefined ? Infinity : Math.max(SOONEST_TIMER_MS, Date.parse(due) - now().getTime())
  return Math.max(0, Math.min(progress.resyncAt - performance.now(), dueInMs, options.resyncMs))
}
