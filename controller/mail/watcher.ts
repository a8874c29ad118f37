/**
 * Asks about each tenant that something may have happened to: its file was touched, its keys were used, a time came. And, slowly, about
 * all of them, so that nothing depends on having been asked in time. What is due goes to the outbox, where a cause has one mail. Costs
 * what changed; the slow round goes through the inventory in small pieces.
 */
import { setTimeout as pause } from 'node:timers/promises'
import { mailsDue, type DueMail, type MailRules, type TenantFacts } from '../core/mails-due.ts'
import { isPast } from '../core/keys.ts'
import { maskKey } from '../core/key-format.ts'
import { periodsAt } from '../core/quota.ts'
import type { KeySpec, Plan, Platform, Tenant, TenantId, Timestamp } from '../core/specs.ts'
import { createPacemaker } from '../reconcile/pacemaker.ts'
import { transaction, type Store } from '../store/db.ts'
import type { MailConditions } from '../store/mails.ts'
import type { Meta } from '../store/meta.ts'
import type { TenantRecords } from '../store/tenant-records.ts'
import type { Mail } from './port.ts'
import type { Sender, SenderLog } from './sender.ts'

/** What the gateway counted, read beside it. */
export interface UsedSoFar {
  lastUsed(tenant: string): ReadonlyMap<string, Timestamp>
  usedSince(at: Timestamp): readonly string[]
  storageBytes(tenant: string): number | undefined
  keysSince(tenant: string, fromDay: string): readonly { readonly requests: number }[]
  close(): void
}

export interface WatcherOptions {
  readonly catalog: { readonly platform: Platform | undefined; tenant(id: TenantId): Tenant | undefined; tenants(): Iterable<Tenant>; planInForce(name: string): Plan | undefined }
  readonly records: Pick<TenantRecords, 'get' | 'after'>
  /** Undefined where no gateway ever ran. */
  readonly usage: () => UsedSoFar | undefined
  /** The key's text; undefined where it is not known. */
  readonly keyText: (tenant: TenantId, key: KeySpec) => string | undefined
  readonly sender: Pick<Sender, 'put' | 'pass'>
  readonly conditions: MailConditions
  readonly meta: Meta
  /** On which sender and conditions write. */
  readonly store: Store
  readonly now: () => Date
  readonly log: SenderLog
}

export interface MailWatcher {
  /** Something of these tenants may be others now. */
  touched(ids: Iterable<TenantId>): void
  /** Begins to ask; the repository was read. */
  start(): void
  /** Asks about all that is due to be asked, for tests. */
  round(): Promise<void>
  close(): Promise<void>
}

const SINCE = 'mails-since'
const ROUND_MS = 2_000
const USED_EVERY_MS = 60_000
const ALL_EVERY_MS = 6 * 3_600_000
/** A tenant is seldom not ready for longer; then the slow round finds it. */
const WAITS_AT_MOST_MS = 15 * 60_000
const PIECE = 100
const BETWEEN_PIECES_MS = 20

interface Watch {
  readonly options: WatcherOptions
  readonly dirty: Set<TenantId>
  /** Not ready yet, with when to leave it to the slow round. */
  readonly waiting: Map<TenantId, number>
  readonly timers: Map<TenantId, Timestamp>
  /** On the clock of `now`. */
  usedAskedAtMs: number
  allAskedAtMs: number
  closed: boolean
}

export function createMailWatcher(options: WatcherOptions): MailWatcher {
  const watch: Watch = { options, dirty: new Set(), waiting: new Map(), timers: new Map(), usedAskedAtMs: 0, allAskedAtMs: 0, closed: false }
  const pacemaker = createPacemaker(() => round(watch))
  return {
    touched(ids) {
      for (const id of ids) watch.dirty.add(id)
    },
    start: pacemaker.poke,
    round: pacemaker.beat,
    async close() {
      watch.closed = true
      await pacemaker.close()
    },
  }
}

async function round(watch: Watch): Promise<number> {
  const { options } = watch
  try {
    // An error never reads as "nobody is there": without a platform the repository was not read.
    if (options.catalog.platform === undefined) return ROUND_MS
    if (options.meta.get(SINCE) === undefined) await begin(watch)
    const ids = take(watch)
    await inPieces(watch, ids)
    if (options.now().getTime() - watch.allAskedAtMs >= ALL_EVERY_MS) await askAll(watch)
  } catch (err) {
    options.log.error({ err }, 'who is to get mail could not be found out; it is tried again')
  }
  return ROUND_MS
}

/** The first time: how things stand is not told, only what changes from here on. */
async function begin(watch: Watch): Promise<void> {
  const since = watch.options.now()
  const everybody = Array.from(watch.options.catalog.tenants(), ({ metadata }) => metadata.name)
  watch.dirty.clear()
  await inPieces(watch, everybody, since.toISOString())
  watch.options.meta.set(SINCE, since.toISOString())
  watch.allAskedAtMs = since.getTime()
}

function take(watch: Watch): TenantId[] {
  const { dirty, waiting, timers, options } = watch
  const nowMs = options.now().getTime()
  const now = options.now().toISOString()
  const ids = new Set(dirty)
  dirty.clear()
  for (const id of waiting.keys()) ids.add(id)
  for (const [id, at] of timers) if (isPast(at, now)) ids.add(id)
  if (nowMs - watch.usedAskedAtMs >= USED_EVERY_MS) {
    // Times of use are whole minutes, and come a little later.
    const since = new Date(Math.max(watch.usedAskedAtMs, nowMs - 3_600_000) - 2 * USED_EVERY_MS).toISOString()
    withUsage(options, (usage) => usage?.usedSince(since).forEach((id) => ids.add(id as TenantId)))
    watch.usedAskedAtMs = nowMs
  }
  return [...ids]
}

async function askAll(watch: Watch): Promise<void> {
  watch.allAskedAtMs = watch.options.now().getTime()
  for (let last: TenantId | undefined; ; ) {
    const rows = watch.options.records.after(last, PIECE)
    if (rows.length === 0 || watch.closed) return
    await inPieces(watch, rows.map(({ tenant }) => tenant))
    last = rows.at(-1)!.tenant
  }
}

/** `before`: what is due is noted as told. */
async function inPieces(watch: Watch, ids: readonly TenantId[], before?: Timestamp): Promise<void> {
  for (let start = 0; start < ids.length && !watch.closed; start += PIECE) {
    const piece = ids.slice(start, start + PIECE)
    try {
      withUsage(watch.options, (usage) => transaction(watch.options.store, () => piece.forEach((id) => ask(watch, id, usage, before))))
    } catch (error) {
      for (const id of piece) watch.dirty.add(id)
      throw error
    }
    if (start + PIECE < ids.length) await pause(BETWEEN_PIECES_MS)
  }
}

function ask({ options, waiting, timers }: Watch, id: TenantId, usage: UsedSoFar | undefined, before: Timestamp | undefined): void {
  const { catalog, conditions, meta, now } = options
  const tenant = catalog.tenant(id)
  const platform = catalog.platform?.spec
  timers.delete(id)
  if (tenant === undefined || platform === undefined) return void waiting.delete(id)
  const rules: MailRules = { since: before ?? meta.get(SINCE)!, retentionDays: platform.retentionDays, keyOverlapHours: platform.keyOverlapHours, now: now().toISOString() }
  const due = mailsDue(factsOf(options, tenant, usage, rules.now), rules)
  // First the conditions: they name the causes.
  conditions.set(id, due.conditions)
  for (const mail of due.mails) tell(options, tenant, mail, before !== undefined)
  if (due.nextAt !== undefined) timers.set(id, due.nextAt)
  if (!due.waits) waiting.delete(id)
  else if (!waiting.has(id)) waiting.set(id, now().getTime() + WAITS_AT_MOST_MS)
  else if (waiting.get(id)! <= now().getTime()) waiting.delete(id)
}

function factsOf({ catalog, records, conditions }: WatcherOptions, tenant: Tenant, usage: UsedSoFar | undefined, now: Timestamp): TenantFacts {
  const { name } = tenant.metadata
  const monthStart = `${periodsAt(Date.parse(now)).month}-01`
  return {
    tenant,
    plan: catalog.planInForce(tenant.spec.plan),
    ready: records.get(name)?.status.conditions.some(({ type, status }) => type === 'Ready' && status) ?? false,
    storageBytes: usage?.storageBytes(name),
    requestsThisMonth: usage?.keysSince(name, monthStart).reduce((sum, { requests }) => sum + requests, 0) ?? 0,
    lastUsed: usage?.lastUsed(name) ?? new Map(),
    told: conditions.of(name),
  }
}

function tell({ sender, keyText }: WatcherOptions, { metadata, spec }: Tenant, { cause, notice, covered }: DueMail, before: boolean): void {
  if (before) return void sender.pass(cause, notice.kind, 'it was so before there was mail')
  if (covered) return void sender.pass(cause, notice.kind, 'told with a higher step')
  const about = { tenant: metadata.name, product: spec.product }
  const masked = (key: KeySpec | undefined): string => maskKey((key && keyText(metadata.name, key)) ?? '')
  const mail: Mail = notice.kind === 'welcome' ? { ...about, kind: 'welcome', key: masked(notice.key) } : notice.kind === 'old-key-used' ? { ...about, kind: 'old-key-used', key: `${notice.key.id} ${masked(notice.key)}`, endsAt: notice.endsAt } : { ...about, ...notice }
  sender.put(cause, spec.owner.email, mail)
}

function withUsage<T>({ usage }: WatcherOptions, work: (usage: UsedSoFar | undefined) => T): T {
  const opened = usage()
  try {
    return work(opened)
  } finally {
    opened?.close()
  }
}
