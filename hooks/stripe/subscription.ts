/**
 * Reads a subscription of Stripe as the value that the core decides on. Only what is asked for by name is looked at, and every enum is
 * taken as text: what Stripe adds later is for the core to hold.
 */
import type Stripe from 'stripe'
import type { Subscription, SubscriptionItem } from '../../controller/core/billing.ts'
import { timestampOf } from '../../controller/core/timestamp.ts'
import type { BillingInterval, Price } from '../../controller/core/specs.ts'
import { METADATA } from './metadata.ts'

/** What must be expanded in a subscription for `readSubscription`: the bill that may be due. */
export const SUBSCRIPTION_EXPANSIONS = ['latest_invoice']

const CUSTOMER_ID = /^cus_[A-Za-z0-9_]+$/
const SUBSCRIPTION_ID = /^sub_[A-Za-z0-9_]+$/
const MOST_UNITS = 1000

export function readSubscription(subscription: Stripe.Subscription): Subscription {
  const { id, status, items, trial_end: trialEnd } = subscription
  const customer = matching(idOf(subscription.customer), CUSTOMER_ID)
  const cancelAt = cancelAtOf(subscription)
  const dueSince = dueSinceOf(subscription.latest_invoice)
  return {
    id,
    ...(customer !== undefined && { customer }),
    status: String(status),
    item: readItem(items.data, items.has_more),
    ...(typeof trialEnd === 'number' && { trialEndsAt: timestampOf(trialEnd * 1000) }),
    ...(cancelAt !== undefined && { cancelAt: timestampOf(cancelAt * 1000) }),
    ...(dueSince !== undefined && { dueSince: timestampOf(dueSince * 1000) }),
  }
}

/** Of the two ways to say it; the end of the period stands on the items. */
function cancelAtOf({ cancel_at: at, cancel_at_period_end: atPeriodEnd, items }: Stripe.Subscription): number | undefined {
  if (typeof at === 'number') return at
  return atPeriodEnd ? items.data[0]?.current_period_end : undefined
}

function dueSinceOf(invoice: Stripe.Subscription['latest_invoice']): number | undefined {
  if (invoice === null || typeof invoice !== 'object' || invoice.status === 'paid' || invoice.status === 'void') return undefined
  return invoice.status_transitions?.finalized_at ?? invoice.created
}

interface Line {
  readonly price: Stripe.Price | null
  readonly quantity?: number | null
}

/** The one thing of a fixed price among the items; what is paid for by use stands beside it. */
export function readItem(lines: readonly Line[], hasMore = false): SubscriptionItem | { readonly fault: string } {
  const fixed = lines.filter(({ price }) => price?.recurring?.usage_type !== 'metered')
  const [line, ...others] = fixed
  if (line === undefined || others.length > 0 || hasMore) return { fault: `there are ${fixed.length} items with a fixed price instead of one` }
  const { price } = line
  const quantity = line.quantity ?? 1
  if (!Number.isInteger(quantity) || quantity < 1 || quantity > MOST_UNITS) return { fault: `the quantity is ${String(quantity)}` }
  if (typeof price?.unit_amount !== 'number') return { fault: 'the item has no fixed price' }
  const { recurring } = price
  const interval: string | undefined = recurring?.interval
  if ((interval !== 'month' && interval !== 'year') || recurring?.interval_count !== 1) return { fault: `the price recurs every ${String(recurring?.interval_count)} ${String(interval)}` }
  const plan = planOf(price, interval)
  const paid: Price = { amount: price.unit_amount, currency: price.currency }
  return { ...(plan !== undefined && { plan }), interval, price: paid, quantity }
}

/** By the lookup key, or, once that moved to a newer price, by the mark that `billing sync` leaves on each. */
function planOf(price: Stripe.Price, interval: BillingInterval): string | undefined {
  const { lookup_key: key } = price
  const marked = price.metadata?.[METADATA.plan]
  if (marked !== undefined && marked !== '') return marked
  return key?.endsWith(`_${interval}`) === true ? key.slice(0, -interval.length - 1) : undefined
}

export function subscriptionIdOf(value: string | { readonly id: string } | null | undefined): string | undefined {
  return matching(idOf(value), SUBSCRIPTION_ID)
}

export function customerIdOf(value: string | { readonly id: string } | null | undefined): string | undefined {
  return matching(idOf(value), CUSTOMER_ID)
}

function idOf(value: string | { readonly id: string } | null | undefined): string | undefined {
  return typeof value === 'string' ? value : value?.id
}

function matching(id: string | undefined, form: RegExp): string | undefined {
  return id !== undefined && form.test(id) ? id : undefined
}
