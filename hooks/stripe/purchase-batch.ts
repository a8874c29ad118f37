/**
 * One batch of due events: fetch what they are about as it stands now, decide, commit once, settle once. An event is settled only after
 * the push is durable; dying anywhere means doing it again, and then the repository says what was done. What an event itself says is
 * never looked at, so that neither order nor doubles nor age of events matter.
 */
import type Stripe from 'stripe'
import { backoffMs } from '../../controller/core/backoff.ts'
import type { CommitId } from '../../controller/core/specs.ts'
import type { BillingCases } from '../../controller/store/billing-cases.ts'
import type { CheckoutHolds } from '../../controller/store/checkout-holds.ts'
import type { Inbox, OpenEvent } from '../../controller/store/inbox.ts'
import type { Timeline } from '../../controller/store/timeline.ts'
import { createDecide, type Batch, type BatchResult, type DecisionOptions } from './batch-decision.ts'
import { fetchCases } from './cases.ts'
import { workOf, type EventWork } from './event.ts'
import { describeStripeError, fetchSessions, fetchSubscriptions, type Fetched } from './fetch.ts'
import type { Log, RepositoryWriter } from './ports.ts'
import { readSession } from './session.ts'
import { report, settlementOf, type Reporting, type Verdict } from './verdict.ts'

export interface PurchaseBatchOptions extends DecisionOptions, Reporting {
  readonly inbox: Pick<Inbox, 'settle' | 'servedBy'>
  readonly stripe: Pick<Stripe, 'checkout' | 'subscriptions' | 'charges' | 'disputes'>
  readonly writer: RepositoryWriter
  readonly holds: Pick<CheckoutHolds, 'release' | 'extend'>
  readonly cases: Pick<BillingCases, 'put'>
  readonly mark: Timeline['mark']
  /** In [0, 1): jitter. */
  readonly chance: () => number
  /** 32 random hex digits. */
  readonly newNonce: () => string
}

type Fetches = Readonly<Record<EventWork, ReadonlyMap<string, Fetched<unknown>>>>

const UNPAID_RECHECK_MS = 6 * 3_600_000
/** The slowest bank debits take two weeks; afterwards the buyer did not pay. */
const UNPAID_FOR_MS = 15 * 86_400_000

export async function workOnPurchases(options: PurchaseBatchOptions, events: readonly OpenEvent[]): Promise<void> {
  const verdicts = new Map<OpenEvent, Verdict>()
  const batch = await readBatch(options, events, verdicts)
  const isEmpty = batch.purchases.length + batch.subscriptions.size + batch.cases.length === 0
  const { revision, cases } = isEmpty ? NOTHING : await commit(options, batch, verdicts)
  settle(options, verdicts, { revision, cases })
}

const NOTHING = { revision: undefined, cases: [] } as const

/** Fetches and reads; what needs no decision has its verdict at once. */
async function readBatch(options: PurchaseBatchOptions, events: readonly OpenEvent[], verdicts: Map<OpenEvent, Verdict>): Promise<Batch> {
  const about = (work: EventWork): OpenEvent[] => events.filter(({ type, object }) => object !== null && workOf(type) === work)
  const ids = (work: EventWork): string[] => about(work).map(({ object }) => object!)
  const cases = [...about('charge'), ...about('dispute')]
  const [sessions, subscriptions, found] = await Promise.all([fetchSessions(options.stripe, ids('session')), fetchSubscriptions(options.stripe, ids('subscription')), fetchCases(options.stripe, cases)])
  logFailedFetches(options.log, [...sessions.values(), ...subscriptions.values(), ...found.values()])
  const fetches: Fetches = { session: sessions, subscription: subscriptions, charge: found, dispute: found }
  for (const event of events) {
    const verdict = unreadable(options, event, fetches)
    if (verdict !== undefined) verdicts.set(event, verdict)
  }
  const readable = (work: EventWork): OpenEvent[] => about(work).filter((event) => !verdicts.has(event))
  const purchases = readable('session').flatMap((event) => {
    const read = readPurchase(options, event, valueOf(sessions.get(event.object!))!)
    if ('purchase' in read) return [{ event, purchase: read.purchase, nonce: options.newNonce() }]
    verdicts.set(event, read)
    return []
  })
  const bySubscription = Map.groupBy(readable('subscription'), ({ object }) => object!)
  return {
    purchases,
    subscriptions: new Map([...bySubscription].map(([id, of]) => [id, { events: of, standing: valueOf(subscriptions.get(id)) }])),
    cases: cases.filter((event) => !verdicts.has(event)).map((event) => ({ event, found: valueOf(found.get(event.object!))! })),
  }
}

function valueOf<T>(fetched: Fetched<T> | undefined): T | undefined {
  return fetched?.kind === 'found' ? fetched.value : undefined
}

function logFailedFetches(log: Log, fetches: readonly Fetched<unknown>[]): void {
  const failed = fetches.filter((fetched) => fetched.kind === 'failed')
  if (failed[0] === undefined) return
  log.warn({ failed: failed.length, first: describeStripeError(failed[0].error) }, 'Stripe did not answer; events are looked at again later')
}

/** Why there is nothing to decide on. */
function unreadable(options: PurchaseBatchOptions, event: OpenEvent, fetches: Fetches): Verdict | undefined {
  const work = workOf(event.type)
  if (work === undefined) return { kind: 'ignored', reason: 'not-ours', note: 'nothing is done with events of this type' }
  const fetched = event.object === null ? undefined : fetches[work].get(event.object)
  if (fetched?.kind === 'failed') return { kind: 'retry', reason: 'stripe-failed', note: 'Stripe did not answer', inMs: backoffMs(event.attempts + 1, options.chance()) }
  if (fetched?.kind === 'found' || work === 'subscription') return undefined
  const detail = `Stripe knows no such ${work}: is STRIPE_SECRET_KEY of the account that sends the webhooks?`
  return { kind: 'held', reason: `${work}-missing`, detail }
}

function readPurchase(options: PurchaseBatchOptions, event: OpenEvent, session: Stripe.Checkout.Session): Verdict | { readonly purchase: Batch['purchases'][number]['purchase'] } {
  const reading = readSession(session, options.installation)
  switch (reading.kind) {
    case 'purchase':
      return { purchase: reading.purchase }
    case 'ignored':
      return { kind: 'ignored', reason: 'not-ours', note: reading.note }
    case 'expired':
      return { kind: 'ignored', reason: 'expired', note: 'the session expired' }
    case 'never-paid':
      return NEVER_PAID
    case 'held':
      return reading
    case 'unpaid':
      return event.type === 'checkout.session.async_payment_failed' || options.now().getTime() - Date.parse(event.receivedAt) > UNPAID_FOR_MS
        ? NEVER_PAID
        : { kind: 'retry', reason: 'unpaid', note: reading.note, inMs: UNPAID_RECHECK_MS }
  }
}

const NEVER_PAID: Verdict = { kind: 'ignored', reason: 'never-paid', note: 'the payment never came' }

interface Committed {
  /** Where one was made. */
  readonly revision: CommitId | undefined
  readonly cases: BatchResult['cases']
}

/** Commits what is to be written and notes every verdict. */
async function commit(options: PurchaseBatchOptions, batch: Batch, verdicts: Map<OpenEvent, Verdict>): Promise<Committed> {
  try {
    const { revision, result } = await options.writer.write(createDecide(options, batch))
    for (const [event, verdict] of result.verdicts) verdicts.set(event, verdict)
    return { revision, cases: result.cases }
  } catch (error) {
    const events = [...batch.purchases, ...batch.cases].map(({ event }) => event).concat([...batch.subscriptions.values()].flatMap(({ events: of }) => of))
    options.log.error({ err: error, events: events.length }, 'purchases could not be committed; they are tried again')
    for (const event of events) {
      const inMs = backoffMs(event.attempts + 1, options.chance())
      verdicts.set(event, { kind: 'retry', reason: 'write-failed', note: 'the repository could not be written', inMs })
    }
    return NOTHING
  }
}

/** Writes what became of the batch in one transaction, then tells the log and the metrics. */
function settle(options: PurchaseBatchOptions, verdicts: ReadonlyMap<OpenEvent, Verdict>, { revision, cases }: Committed): void {
  const now = options.now()
  const at = now.toISOString()
  const settlements = [...verdicts].map(([event, verdict]) => settlementOf(event, verdict, now.getTime()))
  options.inbox.settle(settlements, () => {
    for (const [event, verdict] of verdicts) {
      if (workOf(event.type) === 'session') settleHold(options, event, verdict)
      if (verdict.kind !== 'done' || workOf(event.type) !== 'session') continue
      const detail = verdict.reason === 'already' ? undefined : revision
      options.mark({ trace: event.trace, step: 'committed', at, tenant: verdict.tenant, ...(detail === undefined ? {} : { detail }) })
    }
    for (const each of cases) {
      if (options.cases.put(each, at)) options.log.warn({ case: each.id, kind: each.kind, tenant: each.tenant, amount: each.amount, currency: each.currency }, 'a refund or dispute: a person has to look')
    }
  })
  for (const [event, verdict] of verdicts) report(options, event, verdict)
}

/** A session that became a tenant, or never will, holds nothing any more; one that waits for a bank holds on. */
function settleHold({ holds }: PurchaseBatchOptions, { object, receivedAt }: OpenEvent, verdict: Verdict): void {
  if (verdict.kind === 'done' || verdict.kind === 'ignored') holds.release(object!)
  if (verdict.kind === 'retry' && verdict.reason === 'unpaid') holds.extend(object!, new Date(Date.parse(receivedAt) + UNPAID_FOR_MS).toISOString())
}
