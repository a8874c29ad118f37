/** What a test, or a person at the sandbox, does to the account: buy, fail, refund, change, end. Each as Stripe would do it, with its events. */
import type { Account } from './account.ts'
import type { Payment, PayOptions } from './checkout.ts'
import type { Charge } from './objects/charge.ts'
import type { StripeEvent } from './objects/list.ts'
import type { Session } from './objects/session.ts'
import type { Subscription } from './objects/subscription.ts'
import { invalid, missing } from './refusal.ts'

export interface Controls {
  /** Completes a session, as the pay page does; its subscription's id is in it. */
  pay(session: string, payment?: Payment, options?: PayOptions): Session
  /** Ends the waiting of a session that was paid `later`. */
  settle(session: string, outcome: 'succeeded' | 'failed'): void
  expire(session: string): void
  session(id: string): Session
  subscription(id: string): Subscription
  subscriptions(): readonly Subscription[]
  /** Payments of this customer fail from now on. */
  failCard(customer: string): void
  /** The customer's new card pays; what is owed is tried again when it is due, or by `payOpenInvoice`. */
  fixCard(customer: string): void
  payOpenInvoice(subscription: string): 'paid' | 'declined'
  /** Of the last charge of the customer of a subscription: all that is left, or an amount. Its charge afterwards. */
  refund(subscription: string, amount?: number): Charge
  /** About the last charge; the dispute's id. */
  dispute(subscription: string): string
  closeDispute(dispute: string, outcome: 'won' | 'lost'): void
  cancel(subscription: string, when?: 'now' | 'period-end' | Date): void
  undoCancel(subscription: string): void
  pause(subscription: string): void
  resume(subscription: string): void
  /** The status stays active; null: collect again. */
  pauseCollection(subscription: string, behavior: 'void' | 'keep_as_draft' | 'mark_uncollectible' | null): void
  /** To the price that has the lookup key now, and to another quantity where one is given. */
  changePlan(subscription: string, lookupKey: string, quantity?: number): void
  endTrial(subscription: string): void
  events(): readonly StripeEvent[]
  event(id: string): StripeEvent
}

/** `account` is brought up to now before each. */
export function createControls(account: () => Account): Controls {
  const parts = (): Account => account()
  const lastCharge = (subscription: string): Charge => {
    const { subscriptions, ledger } = parts()
    const { customer } = subscriptions.get(subscription)
    const charge = ledger.state.all('charge').findLast((each) => each.customer === customer)
    if (charge === undefined) throw invalid(`Nothing was paid for ${subscription} yet.`)
    return charge
  }
  const event = (id: string): StripeEvent => {
    const known = parts().ledger.state.get('event', id)
    if (known === undefined) throw missing('event', id)
    return known
  }
  return {
    pay: (session, payment = 'card', options = {}) => parts().checkout.pay(session, payment, options),
    settle: (session, outcome) => void parts().checkout.settle(session, outcome),
    expire: (session) => void parts().checkout.expire(session),
    session: (id) => parts().checkout.session(id).session,
    subscription: (id) => parts().subscriptions.get(id),
    subscriptions: () => parts().ledger.state.all('subscription'),
    failCard: (customer) => parts().money.failCard(customer),
    fixCard: (customer) => parts().money.addCard(customer),
    payOpenInvoice: (subscription) => parts().subscriptions.payOpenInvoice(subscription),
    refund(subscription, amount) {
      const { id } = lastCharge(subscription)
      parts().money.refund(id, amount)
      return lastCharge(subscription)
    },
    dispute: (subscription) => parts().money.dispute(lastCharge(subscription).id).id,
    closeDispute: (dispute, outcome) => void parts().money.closeDispute(dispute, outcome),
    cancel(subscription, when = 'now') {
      const { subscriptions } = parts()
      if (when === 'now') subscriptions.cancel(subscription)
      else subscriptions.cancelAt(subscription, when === 'period-end' ? when : Math.floor(when.getTime() / 1000))
    },
    undoCancel: (subscription) => void parts().subscriptions.cancelAt(subscription, null),
    pause: (subscription) => void parts().subscriptions.pause(subscription),
    resume: (subscription) => void parts().subscriptions.resume(subscription),
    pauseCollection: (subscription, behavior) => void parts().subscriptions.revise(subscription, { pause_collection: behavior === null ? null : { behavior, resumes_at: null } }),
    changePlan: (subscription, lookupKey, quantity) => changePlan(parts(), subscription, lookupKey, quantity),
    endTrial: (subscription) => void parts().subscriptions.endTrial(subscription),
    events: () => parts().ledger.state.all('event'),
    event,
  }
}

export function changePlan({ catalogue, subscriptions }: Account, subscription: string, lookupKey: string, quantity?: number): void {
  const price = catalogue.prices().find((each) => each.lookup_key === lookupKey && each.active)
  if (price === undefined) throw missing('price', lookupKey, 'lookup_key')
  const [first, ...others] = subscriptions.get(subscription).items.data
  subscriptions.change(subscription, [{ ...first!, price, ...(quantity !== undefined && { quantity }) }, ...others], 'create_prorations')
}
