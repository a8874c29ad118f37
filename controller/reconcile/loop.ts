/**
 * The loop: looks at the repository's tip and at what runs, works out what differs, and hands tenants to the queue. Whatever
 * pokes it only says "look"; what it does depends on what it finds. A failed look changes nothing and is tried again.
 */
import { backoffMs } from '../core/backoff.ts'
import { isStop, orderChanges, type TenantChange } from '../core/change-set.ts'
import type { DesiredTenant } from '../core/desired.ts'
import type { ShardName } from '../core/placement.ts'
import type { CommitId, TenantId } from '../core/specs.ts'
import type { Executor } from './executor.ts'
import type { ReconcileDependencies } from './ports.ts'
import { createKeyedQueue } from './queue.ts'
import { destroyExpired } from './retire.ts'
import type { Source } from './source.ts'
import { startUp } from './start-up.ts'

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
  /** Called whenever a look may have changed what deciding code sees. */
  readonly onRevision: (revision: CommitId) => void
}

/** Changes that were worked out and wait for their tenant's turn, so that the audit trail can name them. */
type Pending = Map<TenantId, TenantChange>

export function createLoop(options: LoopOptions): Loop {
  const { deps, source, executor } = options
  const pending: Pending = new Map()
  const status = { attempted: undefined as CommitId | undefined, applied: undefined as CommitId | undefined, lastSuccessAt: undefined as Date | undefined, lastError: undefined as string | undefined, ready: false, failures: 0 }
  let pass: Promise<void> | undefined
  let again = false
  let closed = false
  let timer: NodeJS.Timeout | undefined
  let resyncAt = 0

  const queue = createKeyedQueue<TenantId>({
    concurrency: options.concurrency,
    async run(id) {
      const change = pending.get(id)
      const { afterMs } = await executor.run(id, source.revision!, change)
      if (afterMs !== undefined) queue.addAfter(id, 'start', afterMs)
      else if (pending.get(id) === change) pending.delete(id)
    },
  })

  /** One look. */
  async function look(): Promise<void> {
    const startedAt = performance.now()
    try {
      const revision = await source.sync()
      status.attempted = revision
      const dirty = source.drain()
      const now = deps.now().toISOString()
      for (const id of deps.world.due(now)) dirty.add(id)
      for (const { tenant, approvedAt } of deps.deletions.all()) if (approvedAt !== null) dirty.add(tenant)
      const changed = status.ready ? take(dirty, revision, now) : await first(dirty, revision, now)
      if (status.applied !== revision) options.onRevision(revision)
      status.applied = revision
      if (performance.now() >= resyncAt) await resync()
      succeed(changed, startedAt)
    } catch (error) {
      fail(error, startedAt)
    }
  }

  /** The first look of this process: everything is dirty, and nearly everything is as it should be. */
  async function first(dirty: Set<TenantId>, revision: CommitId, now: string): Promise<number> {
    const { changes, work } = await startUp(deps, dirty, revision, now)
    enqueue(changes, work)
    resyncAt = performance.now() + options.resyncMs
    status.ready = true
    return changes.length
  }

  function take(dirty: ReadonlySet<TenantId>, revision: CommitId, now: string): number {
    if (dirty.size === 0) return 0
    const shardsBefore = shardsOf(dirty)
    const changes = deps.world.advance(dirty, revision, now)
    for (const shard of new Set([...shardsBefore, ...shardsOf(dirty)])) deps.shards.invalidate(shard)
    enqueue(changes, dirty)
    return changes.length
  }

  function shardsOf(ids: Iterable<TenantId>): Set<ShardName> {
    const shards = new Set<ShardName>()
    for (const id of ids) {
      const place = deps.world.desired(id)?.place
      if (place?.kind === 'shard') shards.add(place.shard)
    }
    return shards
  }

  function enqueue(changes: readonly TenantChange[], ids: Iterable<TenantId>): void {
    for (const change of orderChanges(changes)) {
      pending.set(change.tenant, change)
      queue.add(change.tenant, isStop(change.action) ? 'stop' : 'start')
    }
    for (const id of ids) if (!pending.has(id)) queue.add(id, 'start')
  }

  /** Looks at what runs. A member of every shard that is used, and every container, is worked on again; nothing is done where all is as wanted. */
  async function resync(): Promise<void> {
    resyncAt = performance.now() + options.resyncMs
    const seen = new Set<ShardName>()
    for (const desired of deps.world.allDesired()) {
      if (needsLook(desired, seen)) queue.add(desired.tenant, 'start')
    }
    await destroyExpired(deps)
  }

  function needsLook({ place, state }: DesiredTenant, seen: Set<ShardName>): boolean {
    if (place.kind === 'container') return state === 'active'
    if (state !== 'active' || seen.has(place.shard)) return false
    seen.add(place.shard)
    deps.shards.distrust(place.shard)
    return true
  }

  function succeed(changed: number, startedAt: number): void {
    status.lastSuccessAt = deps.now()
    status.lastError = undefined
    status.failures = 0
    options.onPass(changed > 0 ? 'changed' : 'unchanged', (performance.now() - startedAt) / 1000)
  }

  function fail(error: unknown, startedAt: number): void {
    status.failures++
    status.lastError = error instanceof Error ? error.message : String(error)
    deps.log.error({ err: error, failures: status.failures }, 'the repository could not be taken in; nothing was changed')
    options.onPass('failed', (performance.now() - startedAt) / 1000)
    later(backoffMs(status.failures, deps.chance()))
  }

  function run(): Promise<void> {
    if (closed) return Promise.resolve()
    if (pass !== undefined) {
      again = true
      return pass
    }
    clearTimeout(timer)
    pass = look().finally(() => {
      pass = undefined
      if (again) {
        again = false
        void run()
      } else if (status.failures === 0) later(Math.max(0, Math.min(resyncAt - performance.now(), untilDue())))
    })
    return pass
  }

  function untilDue(): number {
    const at = deps.world.nextDue()
    return at === undefined ? options.resyncMs : Math.max(50, Date.parse(at) - deps.now().getTime())
  }

  function later(ms: number): void {
    clearTimeout(timer)
    if (!closed) timer = setTimeout(() => void run(), Math.min(ms, options.resyncMs))
  }

  return {
    poke: () => void run(),
    hint(name) {
      if (!status.ready) return
      if (deps.world.target(name as TenantId) !== undefined) return queue.add(name as TenantId, 'start')
      for (const desired of deps.world.allDesired()) {
        if (desired.place.kind !== 'shard' || desired.place.shard !== name || desired.state !== 'active') continue
        deps.shards.distrust(name as ShardName)
        return queue.add(desired.tenant, 'start')
      }
    },
    async settle() {
      if (pass !== undefined) await pass
      await run()
      await queue.idle()
    },
    get state() {
      return { ...status, queueDepth: queue.depth }
    },
    async close() {
      closed = true
      clearTimeout(timer)
      await pass
      await queue.close()
    },
  }
}
