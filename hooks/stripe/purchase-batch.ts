/**
 * One batch of due payments: fetch the sessions' present state, decide, commit once, settle once. An event is settled only after
 * the push is durable; dying anywhere means doing it again, and then the session's id in the repository finds the tenant.
 */
import type Stripe from 'stripe'
import { backoffMs } from '../../controller/core/backoff.ts'
import type { CatalogView } from '../../controller/core/catalog-view.ts'
import { allocatePurchases, type Purchase, type PurchaseOutcome } from '../../controller/core/purchase.ts'
import type { CommitId, Tenant, TenantId } from '../../controller/core/specs.ts'
import { parseTenantNumber } from '../../controller/core/tenant-id.ts'
import type { HighestNumbers } from '../../controller/store/highest-numbers.ts'
import type { Inbox, OpenEvent, Settlement } from '../../controller/store/inbox.ts'
import type { Timeline } from '../../controller/store/timeline.ts'
import type { Decide, Log, RepositoryWriter } from './ports.ts'
import { purchaseCommit, type Provisioned } from './purchase-commit.ts'
import { describeStripeError, fetchSessions, type SessionFetch } from './session-fetch.ts'
import { readSession } from './session.ts'

export interface PurchaseBatchOptions {
  readonly inbox: Pick<Inbox, 'settle' | 'servedBy'>
  readonly stripe: Pick<Stripe, 'checkout'>
  readonly writer: RepositoryWriter
  readonly highestNumbers: HighestNumbers
  readonly mark: Timeline['mark']
  readonly stringify: (tenant: Tenant) => string
  /** The installation's id: sessions that name another one are not ours. */
  readonly installation: string
  /** The version of the master secret for new keys. */
  readonly masterVersion: number
  readonly now: () => Date
  /** In [0, 1): jitter. */
  readonly chance: () => number
  /** 32 random hex digits. */
  readonly newNonce: () => string
  readonly log: Log
  /** Called once for each settled attempt; `reason` is one of a fixed set. */
  readonly count: (outcome: Settlement['kind'], reason: string) => void
}

/** What one attempt came to. */
type Verdict =
  | { readonly kind: 'done'; readonly reason: 'provisioned' | 'already'; readonly tenant: TenantId }
  | { readonly kind: 'ignored'; readonly reason: 'not-ours' | 'never-paid'; readonly note: string }
  | { readonly kind: 'held'; readonly reason: string; readonly detail: string }
  | { readonly kind: 'retry'; readonly reason: 'unpaid' | 'stripe-failed' | 'write-failed'; readonly note: string; readonly inMs: number }

/** What a purchase came to; a held one is never written. */
type Outcome = PurchaseOutcome | { readonly kind: 'held'; readonly reason: 'no-id-left'; readonly detail: string }

interface Bought {
  readonly event: OpenEvent
  readonly purchase: Purchase
  readonly nonce: string
}

const UNPAID_RECHECK_MS = 6 * 3_600_000
/** The slowest bank debits take two weeks; afterwards the buyer did not pay. */
const UNPAID_FOR_MS = 15 * 86_400_000
/** Held purchases are looked at again at once when the repository changes; this is for what changes at Stripe. */
const HELD_RECHECK_MS = 5 * 60_000

export async function workOnPurchases(options: PurchaseBatchOptions, events: readonly OpenEvent[]): Promise<void> {
  const sessions = await fetchSessions(options.stripe, events.flatMap(({ object }) => object ?? []))
  logFailedFetches(options.log, sessions)
  const verdicts = new Map<OpenEvent, Verdict>()
  const bought: Bought[] = []
  for (const event of events) {
    const read = readEvent(options, event, event.object === null ? undefined : sessions.get(event.object))
    if ('purchase' in read) bought.push({ event, purchase: read.purchase, nonce: options.newNonce() })
    else verdicts.set(event, read)
  }
  const revision = bought.length === 0 ? undefined : await commit(options, bought, verdicts)
  settle(options, verdicts, revision)
}

function logFailedFetches(log: Log, sessions: ReadonlyMap<string, SessionFetch>): void {
  const failed = [...sessions.values()].filter((fetched) => fetched.kind === 'failed')
  if (failed[0] === undefined) return
  log.warn({ failed: failed.length, first: describeStripeError(failed[0].error) }, 'Stripe did not tell about sessions; they are asked for again later')
}

function readEvent(options: PurchaseBatchOptions, event: OpenEvent, fetched: SessionFetch | undefined): Verdict | { readonly purchase: Purchase } {
  const inMs = backoffMs(event.attempts + 1, options.chance())
  if (fetched === undefined || fetched.kind === 'missing') {
    return { kind: 'held', reason: 'session-missing', detail: 'Stripe knows no such session: is STRIPE_SECRET_KEY of the account that sends the webhooks?' }
  }
  if (fetched.kind === 'failed') return { kind: 'retry', reason: 'stripe-failed', note: 'Stripe did not answer', inMs }
  const reading = readSession(fetched.session, options.installation)
  switch (reading.kind) {
    case 'purchase':
      return { purchase: reading.purchase }
    case 'ignored':
      return { kind: 'ignored', reason: 'not-ours', note: reading.note }
    case 'held':
      return reading
    case 'unpaid':
      return options.now().getTime() - Date.parse(event.receivedAt) > UNPAID_FOR_MS
        ? { kind: 'ignored', reason: 'never-paid', note: 'the payment never came' }
        : { kind: 'retry', reason: 'unpaid', note: reading.note, inMs: UNPAID_RECHECK_MS }
  }
}

/** Commits what is to be provisioned and notes every purchase's verdict; the commit's id where one was made. */
async function commit(options: PurchaseBatchOptions, bought: readonly Bought[], verdicts: Map<OpenEvent, Verdict>): Promise<CommitId | undefined> {
  try {
    const { revision, result } = await options.writer.write(createDecide(options, bought))
    bought.forEach(({ event }, index) => verdicts.set(event, verdictOf(result[index]!)))
    return revision
  } catch (error) {
    options.log.error({ err: error, purchases: bought.length }, 'purchases could not be committed; they are tried again')
    for (const { event } of bought) {
      const inMs = backoffMs(event.attempts + 1, options.chance())
      verdicts.set(event, { kind: 'retry', reason: 'write-failed', note: 'the repository could not be written', inMs })
    }
    return undefined
  }
}

/** Numbers are raised in the store before the push. After a refused push the same numbers may be given again: nobody saw them. */
function createDecide({ highestNumbers, inbox, now, masterVersion, stringify }: PurchaseBatchOptions, bought: readonly Bought[]): Decide<Outcome[]> {
  const before = new Map<string, number>()
  const highestNumber = (product: string): number => {
    if (!before.has(product)) before.set(product, highestNumbers.get(product))
    return before.get(product)!
  }
  return (catalog) => {
    const purchases = bought.map(({ purchase }) => purchase)
    const nonces = bought.map(({ nonce }) => nonce)
    const inputs = { highestNumber, servedBy: inbox.servedBy, now: now().toISOString(), nonces, masterVersion }
    const result = allocatePurchases(catalog, purchases, inputs).map((outcome) => usable(catalog, outcome))
    const provisioned = result.flatMap((outcome, index): Provisioned[] => {
      const { event } = bought[index]!
      return outcome.kind === 'provision' ? [{ outcome, event: event.id, trace: event.trace }] : []
    })
    for (const [product, number] of highestOf(provisioned)) highestNumbers.raise(product, number)
    const request = purchaseCommit(provisioned, stringify)
    return request === undefined ? { result } : { commit: request, result }
  }
}

/** A file with a huge number in its name, valid or not, uses up all numbers: then the payment waits for a person instead of becoming a file that nobody takes in. */
function usable(catalog: CatalogView, outcome: PurchaseOutcome): Outcome {
  if (outcome.kind !== 'provision') return outcome
  const { metadata, spec } = outcome.tenant
  const product = catalog.product(spec.product)
  if (product !== undefined && parseTenantNumber(product, metadata.name) !== undefined) return outcome
  return { kind: 'held', reason: 'no-id-left', detail: `the next id of ${spec.product} would be ${metadata.name}, which is none: look for a file under tenants/ with a number far above the others` }
}

function highestOf(provisioned: readonly Provisioned[]): Map<string, number> {
  const highest = new Map<string, number>()
  for (const { outcome } of provisioned) {
    const { product } = outcome.tenant.spec
    highest.set(product, Math.max(highest.get(product) ?? 0, outcome.number))
  }
  return highest
}

function verdictOf(outcome: Outcome): Verdict {
  switch (outcome.kind) {
    case 'provision':
      return { kind: 'done', reason: 'provisioned', tenant: outcome.tenant.metadata.name }
    case 'already':
      return { kind: 'done', reason: 'already', tenant: outcome.tenant }
    case 'held':
      return outcome
  }
}

/** Writes what became of the batch in one transaction, then tells the log and the metrics. */
function settle(options: PurchaseBatchOptions, verdicts: ReadonlyMap<OpenEvent, Verdict>, revision: CommitId | undefined): void {
  const at = options.now()
  const settlements = [...verdicts].map(([event, verdict]) => settlementOf(event, verdict, at.getTime()))
  options.inbox.settle(settlements, () => {
    for (const [{ trace }, verdict] of verdicts) {
      if (verdict.kind !== 'done') continue
      const detail = verdict.reason === 'provisioned' ? revision : undefined
      options.mark({ trace, step: 'committed', at: at.toISOString(), tenant: verdict.tenant, ...(detail === undefined ? {} : { detail }) })
    }
  })
  for (const [event, verdict] of verdicts) report(options, event, verdict)
}

function settlementOf(event: OpenEvent, verdict: Verdict, atMs: number): Settlement {
  const { id } = event
  const after = (ms: number) => new Date(atMs + ms).toISOString()
  switch (verdict.kind) {
    case 'done':
      return { kind: 'done', id, note: verdict.reason, tenant: verdict.tenant }
    case 'ignored':
      return { kind: 'ignored', id, note: verdict.note }
    case 'held':
      return { kind: 'held', id, note: heldNote(verdict), nextAttemptAt: after(HELD_RECHECK_MS) }
    case 'retry': {
      const nextAttemptAt = after(verdict.inMs)
      // What waits for a person goes on waiting for one while it could not be looked at.
      if (event.state === 'held') return { kind: 'held', id, note: event.note ?? verdict.note, nextAttemptAt }
      return { kind: 'retry', id, note: verdict.note, nextAttemptAt }
    }
  }
}

function heldNote({ reason, detail }: Extract<Verdict, { kind: 'held' }>): string {
  return `${reason}: ${detail}`
}

/** Each hold is alerted once, not at every look. */
function report({ log, count }: PurchaseBatchOptions, event: OpenEvent, verdict: Verdict): void {
  const isNews = verdict.kind !== 'held' || event.state !== 'held' || event.note !== heldNote(verdict)
  if (!isNews) return
  count(verdict.kind, verdict.reason)
  const fields = { event: event.id, trace: event.trace, reason: verdict.reason }
  if (verdict.kind === 'held') log.warn({ ...fields, detail: verdict.detail }, 'purchase held: a person has to decide')
  else if (verdict.kind === 'done') log.info({ ...fields, tenant: verdict.tenant }, 'purchase served')
}
