/** How subscriptions are paid: an invoice for each period, the attempts to collect it, and what follows from them. */
import type { Ledger } from './ledger.ts'
import type { Money } from './money.ts'
import type { BillingReason, InvoiceTerms } from './objects/invoice.ts'
import { firstAmount } from './objects/session.ts'
import { periodOf, type Subscription } from './objects/subscription.ts'
import { invalid } from './refusal.ts'
import type { SubscriptionBook } from './subscription-book.ts'
import { usageAmount } from './usage.ts'

/** What the account's settings say about payments that fail. */
export interface RetryRules {
  /** Days after the failed attempt before. */
  readonly afterDays: readonly number[]
  /** What becomes of the subscription after the last of them. */
  readonly then: 'canceled' | 'unpaid' | 'past_due'
}

export interface Billing {
  /** Makes an invoice for all items and has it paid, as far as the subscription collects. */
  bill(id: string, reason: BillingReason, discount?: number): void
  /** Tries the invoice that is not paid. */
  collect(id: string): 'paid' | 'declined'
  /** Has what a change within a period costs paid now. */
  billProrations(id: string): void
}

const DAY = 86_400

export function createBilling(ledger: Ledger, money: Money, book: SubscriptionBook, retries: RetryRules): Billing {
  function collect(id: string): 'paid' | 'declined' {
    const { invoice, attempts } = book.cycle(id)
    if (invoice === null) throw invalid(`Nothing is owed for ${id}.`)
    const pauseDays = retries.afterDays[attempts]
    const retryAt = pauseDays === undefined ? null : ledger.seconds() + pauseDays * DAY
    const outcome = money.attempt(invoice, retryAt)
    const { status } = book.get(id)
    if (outcome === 'paid') {
      book.revise(id, status === 'past_due' || status === 'unpaid' ? { status: 'active' } : {}, undefined, { invoice: null, attempts: 0, retryAt: null })
      return outcome
    }
    book.revise(id, status === 'active' ? { status: 'past_due' } : {}, undefined, { attempts: attempts + 1, retryAt })
    if (retryAt === null) giveUp(id)
    return outcome
  }

  function giveUp(id: string): void {
    if (retries.then === 'canceled') book.cancel(id, 'payment_failed')
    else if (retries.then === 'unpaid') book.revise(id, { status: 'unpaid' })
  }

  return {
    collect,
    bill(id, reason, discount = 0) {
      const subscription = book.get(id)
      const invoice = money.invoice({ subscription, reason, period: periodOf(subscription), lines: linesOf(ledger, book, subscription, reason), discount })
      book.put({ ...subscription, latest_invoice: invoice.id }, { prorations: 0 })
      const { pause_collection: pause, status } = subscription
      if (pause !== null) return money.setAside(invoice.id, pause.behavior === 'void' ? 'void' : pause.behavior === 'mark_uncollectible' ? 'uncollectible' : 'draft')
      if (status === 'unpaid') return money.setAside(invoice.id, 'draft')
      book.put(book.get(id), { invoice: invoice.id, attempts: 0 })
      collect(id)
    },
    billProrations(id) {
      const subscription = book.get(id)
      const item = subscription.items.data[0]!
      const lines = [{ item, amount: book.cycle(id).prorations, quantity: 1, proration: true }]
      const invoice = money.invoice({ subscription, reason: 'subscription_update', period: periodOf(subscription), lines, discount: 0 })
      book.put({ ...subscription, latest_invoice: invoice.id }, { prorations: 0, invoice: invoice.id, attempts: 0 })
      collect(id)
    },
  }
}

function linesOf({ state }: Ledger, book: SubscriptionBook, subscription: Subscription, reason: BillingReason): InvoiceTerms['lines'] {
  const { start } = periodOf(subscription)
  const lines = subscription.items.data.map((item) => {
    if (item.quantity !== undefined) return { item, amount: subscription.status === 'trialing' ? 0 : firstAmount(item), quantity: item.quantity }
    // Use is paid for afterwards: what was used in the period that ended as this one began.
    return { item, ...(reason === 'subscription_cycle' ? usageAmount(state, subscription.customer, item.price, start) : { amount: 0, quantity: 0 }) }
  })
  const { prorations } = book.cycle(subscription.id)
  return prorations === 0 ? lines : [...lines, { item: subscription.items.data[0]!, amount: prorations, quantity: 1, proration: true }]
}
