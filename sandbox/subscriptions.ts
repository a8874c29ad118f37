/**
 * The life of a subscription: trial, renewal, pause, change, end. What the clock brings is in `fallDue`; what people and programs do
 * are the other functions.
 */
import { createBilling, type Billing, type RetryRules } from './billing.ts'
import type { Ledger } from './ledger.ts'
import type { Money } from './money.ts'
import type { BillingReason } from './objects/invoice.ts'
import { firstAmount } from './objects/session.ts'
import { periodEnd, periodOf, subscriptionObject, withPeriod, type Bought, type Period, type Subscription, type WithoutCard } from './objects/subscription.ts'
import { invalid } from './refusal.ts'
import type { BillingCycle } from './state.ts'
import { createSubscriptionBook, live, OVER, type SubscriptionBook } from './subscription-book.ts'

export interface NewSubscription {
  readonly customer: string
  readonly items: readonly Bought[]
  readonly trialDays: number
  readonly withoutCard: WithoutCard
  readonly metadata: Readonly<Record<string, string>>
  /** The first payment is settled later. */
  readonly waits: boolean
  readonly discount: number
  readonly automaticTax: boolean
}

export interface Subscriptions {
  get(id: string): Subscription
  create(terms: NewSubscription): Subscription
  /** Ends the waiting of one whose first payment is settled later. */
  settle(id: string, outcome: 'succeeded' | 'failed'): void
  /** Fields as they are, told as `updated`. */
  revise(id: string, changes: Partial<Subscription>): Subscription
  cancel(id: string, reason?: string): Subscription
  cancelAt(id: string, at: number | 'period-end' | null): Subscription
  /** Other prices or quantities in place of the present ones. */
  change(id: string, items: Subscription['items']['data'], proration: 'create_prorations' | 'always_invoice' | 'none', also?: Partial<Subscription>): Subscription
  pause(id: string): Subscription
  resume(id: string): Subscription
  endTrial(id: string): Subscription
  /** Tries the invoice that is not paid, as a customer does who follows its link. */
  payOpenInvoice(id: string): 'paid' | 'declined'
  /** When something happens by itself; Infinity where nothing does. */
  dueAt(subscription: Subscription): number
  fallDue(id: string): void
}

const DAY = 86_400
const WARNING_DAYS = 3
const RENEWS: ReadonlySet<string> = new Set(['active', 'past_due', 'unpaid'])

export interface SubscriptionsOptions {
  readonly ledger: Ledger
  readonly money: Money
  readonly retries: RetryRules
  /** Called after each change of one: its due time may be another. */
  readonly changed: (subscription: Subscription) => void
}

interface Parts {
  readonly ledger: Ledger
  readonly money: Money
  readonly book: SubscriptionBook
  readonly billing: Billing
}

export function createSubscriptions({ ledger, money, retries, changed }: SubscriptionsOptions): Subscriptions {
  const book = createSubscriptionBook(ledger, changed)
  const parts: Parts = { ledger, money, book, billing: createBilling(ledger, money, book, retries) }
  return {
    get: book.get,
    revise: (id, changes) => book.revise(id, changes),
    cancel: book.cancel,
    cancelAt: book.cancelAt,
    create: (terms) => create(parts, terms),
    settle(id, outcome) {
      if (book.get(id).status !== 'incomplete') throw invalid(`The subscription ${id} does not wait for a payment.`)
      book.revise(id, { status: outcome === 'succeeded' ? 'active' : 'incomplete_expired' })
      if (outcome === 'succeeded') parts.billing.bill(id, 'subscription_create')
    },
    change: (id, items, proration, also = {}) => change(parts, id, items, proration, also),
    pause: (id) => book.revise(live(book.get(id)).id, { status: 'paused' }, 'customer.subscription.paused'),
    resume(id) {
      const { status } = book.get(id)
      if (status !== 'paused') throw invalid(`The subscription ${id} is not paused: it is ${status}.`)
      return restart(parts, id, { status: 'active' }, 'subscription_cycle', 'customer.subscription.resumed')
    },
    endTrial: (id) => endTrial(parts, id),
    payOpenInvoice: parts.billing.collect,
    dueAt: (subscription) => dueAt(subscription, book.cycle(subscription.id)),
    fallDue: (id) => void fallDue(parts, id),
  }
}

function create({ ledger, book, billing }: Parts, terms: NewSubscription): Subscription {
  const now = ledger.seconds()
  const trialEnd = terms.trialDays > 0 ? now + terms.trialDays * DAY : null
  const period = { start: now, end: trialEnd ?? periodEnd(now, now, terms.items[0]!.price.recurring.interval) }
  const status = trialEnd !== null ? 'trialing' : terms.waits ? 'incomplete' : 'active'
  const paymentMethod = ledger.state.get('customer', terms.customer)?.invoice_settings.default_payment_method ?? null
  const itemIds = terms.items.map(() => ledger.newId('si'))
  const made = book.put(subscriptionObject(ledger.newId('sub'), now, { ...terms, status, period, trialEnd, paymentMethod, itemIds }))
  ledger.emit('customer.subscription.created', made)
  if (!terms.waits) billing.bill(made.id, 'subscription_create', terms.discount)
  return book.get(made.id)
}

function change({ ledger, book, billing, money }: Parts, id: string, items: Subscription['items']['data'], proration: string, also: Partial<Subscription>): Subscription {
  const before = live(book.get(id))
  const changed = { ...also, items: { ...before.items, data: items } }
  if (items[0]!.price.recurring.interval !== intervalOf(before) && before.status !== 'trialing') return restart({ ledger, book, billing, money }, id, changed, 'subscription_update')
  const difference = before.status === 'trialing' || proration === 'none' ? 0 : prorated(before, items, ledger.seconds())
  book.revise(id, changed, undefined, { prorations: book.cycle(id).prorations + difference })
  if (proration === 'always_invoice' && difference > 0) billing.billProrations(id)
  return book.get(id)
}

/** A new period from now on, paid now. */
function restart({ ledger, book, billing }: Parts, id: string, changes: Partial<Subscription>, reason: BillingReason, type?: string): Subscription {
  const subscription = { ...book.get(id), ...changes }
  const start = ledger.seconds()
  const period = { start, end: periodEnd(start, start, intervalOf(subscription)) }
  book.revise(id, { ...changes, billing_cycle_anchor: start, items: withPeriod(subscription, period) }, type)
  billing.bill(id, reason)
  return book.get(id)
}

function endTrial(parts: Parts, id: string): Subscription {
  const { ledger, book, money } = parts
  const subscription = book.get(id)
  const over = { trial_end: Math.min(subscription.trial_end ?? ledger.seconds(), ledger.seconds()) }
  if (!money.hasCard(subscription.customer)) {
    const behaviour: string = subscription.trial_settings.end_behavior.missing_payment_method
    if (behaviour === 'pause') return book.revise(id, { ...over, status: 'paused' }, 'customer.subscription.paused')
    if (behaviour === 'cancel') return book.cancel(id)
  }
  return restart(parts, id, { ...over, status: 'active' }, 'subscription_cycle')
}

function renew({ book, billing }: Parts, id: string): void {
  const subscription = book.get(id)
  const start = periodOf(subscription).end
  const period: Period = { start, end: periodEnd(subscription.billing_cycle_anchor, start, intervalOf(subscription)) }
  book.revise(id, { items: withPeriod(subscription, period) })
  billing.bill(id, 'subscription_cycle')
}

function fallDue(parts: Parts, id: string): void {
  const { ledger, book, billing } = parts
  const subscription = book.get(id)
  const now = ledger.seconds()
  if (isDue(subscription.cancel_at, now)) book.cancel(id)
  else if (subscription.status === 'trialing' && isDue(subscription.trial_end, now)) endTrial(parts, id)
  else if (subscription.status === 'trialing') ledger.emit('customer.subscription.trial_will_end', book.put(subscription, { toldOfTrialEnd: true }))
  else if (isDue(book.cycle(id).retryAt, now)) billing.collect(id)
  else renew(parts, id)
}

function isDue(at: number | null, now: number): boolean {
  return at !== null && at <= now
}

function dueAt(subscription: Subscription, { retryAt, toldOfTrialEnd }: BillingCycle): number {
  const { status, cancel_at: cancelAt, trial_end: trialEnd, created } = subscription
  if (OVER.has(status)) return Infinity
  const trial = status !== 'trialing' || trialEnd === null ? Infinity : toldOfTrialEnd ? trialEnd : Math.max(created, trialEnd - WARNING_DAYS * DAY)
  const renewal = RENEWS.has(status) ? periodOf(subscription).end : Infinity
  return Math.min(cancelAt ?? Infinity, trial, renewal, retryAt ?? Infinity)
}

function intervalOf({ items }: Subscription): 'month' | 'year' {
  return items.data[0]!.price.recurring.interval
}

/** What the rest of the period costs more, or less, with other items. */
function prorated(before: Subscription, items: Subscription['items']['data'], now: number): number {
  const { start, end } = periodOf(before)
  const sum = (of: Subscription['items']['data']) => of.reduce((total, item) => total + firstAmount(item), 0)
  return Math.round(((sum(items) - sum(before.items.data)) * Math.max(0, end - now)) / (end - start))
}
