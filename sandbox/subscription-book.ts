/** Subscriptions as they are kept, with what Stripe knows of them and does not show; each change is told by its event. */
import { formerly, type Ledger } from './ledger.ts'
import { found } from './money.ts'
import { periodOf, type Subscription } from './objects/subscription.ts'
import { invalid } from './refusal.ts'
import type { BillingCycle } from './state.ts'

export interface SubscriptionBook {
  get(id: string): Subscription
  cycle(id: string): BillingCycle
  put(subscription: Subscription, cycle?: Partial<BillingCycle>): Subscription
  /** Told as `updated` where a field really changes, and as `type` in any case where one is named. */
  revise(id: string, changes: Partial<Subscription>, type?: string, cycle?: Partial<BillingCycle>): Subscription
  cancel(id: string, reason?: string): Subscription
  cancelAt(id: string, at: number | 'period-end' | null): Subscription
}

const NEW_CYCLE: BillingCycle = { invoice: null, attempts: 0, retryAt: null, toldOfTrialEnd: false, prorations: 0 }
export const OVER: ReadonlySet<string> = new Set(['canceled', 'incomplete_expired'])

/** `changed` is called after each change: the due time of the subscription may be another. */
export function createSubscriptionBook(ledger: Ledger, changed: (subscription: Subscription) => void): SubscriptionBook {
  const { state, seconds } = ledger
  const get = (id: string): Subscription => found('subscription', id, state.get('subscription', id))
  const cycle = (id: string): BillingCycle => state.get('cycle', id) ?? NEW_CYCLE

  function put(subscription: Subscription, changes?: Partial<BillingCycle>): Subscription {
    if (changes !== undefined) state.put('cycle', subscription.id, { ...cycle(subscription.id), ...changes })
    state.put('subscription', subscription.id, subscription)
    changed(subscription)
    return subscription
  }

  function revise(id: string, changes: Partial<Subscription>, type?: string, cycleChanges?: Partial<BillingCycle>): Subscription {
    const before = get(id)
    const former = formerly(before, changes)
    const after = put({ ...before, ...changes }, cycleChanges)
    if (type !== undefined) ledger.emit(type, after)
    else if (Object.keys(former).length > 0) ledger.emit('customer.subscription.updated', after, former)
    return after
  }

  return {
    get,
    cycle,
    put,
    revise,
    cancel(id, reason = 'cancellation_requested') {
      const subscription = live(get(id))
      const at = seconds()
      const details = { ...subscription.cancellation_details, reason }
      const changes = { status: 'canceled', canceled_at: subscription.canceled_at ?? at, ended_at: at, cancellation_details: details }
      return revise(id, changes, 'customer.subscription.deleted', { retryAt: null, invoice: null })
    },
    cancelAt(id, at) {
      const subscription = live(get(id))
      const reason = at === null ? null : 'cancellation_requested'
      const end = at === 'period-end' ? periodOf(subscription).end : at
      const details = { ...subscription.cancellation_details, reason }
      return revise(id, { cancel_at: end, cancel_at_period_end: at === 'period-end', canceled_at: at === null ? null : seconds(), cancellation_details: details })
    },
  }
}

export function live(subscription: Subscription): Subscription {
  if (!OVER.has(subscription.status)) return subscription
  throw invalid('A canceled subscription can only update its cancellation_details and metadata.')
}
