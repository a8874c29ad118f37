/** Subscriptions and their items. A period belongs to an item, not to the subscription. */
import { listObject, type Metadata } from './list.ts'
import type { Price } from './price.ts'

export type Subscription = ReturnType<typeof subscriptionObject>
export type SubscriptionItem = ReturnType<typeof itemObject>

export interface Bought {
  readonly price: Price
  /** Undefined for a metered price. */
  readonly quantity?: number
}

export interface Period {
  readonly start: number
  readonly end: number
}

/** What happens when a trial ends and there is no card. */
export type WithoutCard = 'create_invoice' | 'pause' | 'cancel'

export interface SubscriptionTerms {
  readonly customer: string
  readonly status: string
  readonly items: readonly Bought[]
  readonly itemIds: readonly string[]
  readonly period: Period
  readonly trialEnd: number | null
  readonly withoutCard: WithoutCard
  readonly metadata: Metadata
  readonly paymentMethod: string | null
  readonly automaticTax: boolean
}

export function itemObject(id: string, createdAt: number, subscription: string, { price, quantity }: Bought, period: Period) {
  return {
    id,
    object: 'subscription_item' as const,
    billing_thresholds: null,
    created: createdAt,
    current_period_end: period.end,
    current_period_start: period.start,
    discounts: [],
    metadata: {},
    price,
    ...(quantity !== undefined && { quantity }),
    subscription,
    tax_rates: [],
  }
}

export function subscriptionObject(id: string, createdAt: number, terms: SubscriptionTerms) {
  const items = terms.items.map((bought, index) => itemObject(terms.itemIds[index]!, createdAt, id, bought, terms.period))
  return {
    id,
    object: 'subscription' as const,
    application: null,
    application_fee_percent: null,
    automatic_tax: { disabled_reason: null, enabled: terms.automaticTax, liability: terms.automaticTax ? { type: 'self' } : null },
    billing_cycle_anchor: terms.trialEnd ?? createdAt,
    billing_cycle_anchor_config: null,
    billing_mode: { flexible: null, type: 'classic' },
    billing_schedules: [],
    billing_thresholds: null,
    cancel_at: null as number | null,
    cancel_at_period_end: false,
    canceled_at: null as number | null,
    cancellation_details: { comment: null, feedback: null, feedback_option: null, reason: null as string | null },
    collection_method: 'charge_automatically',
    created: createdAt,
    currency: terms.items[0]!.price.currency,
    customer: terms.customer,
    customer_account: null,
    days_until_due: null,
    default_payment_method: terms.paymentMethod,
    default_source: null,
    default_tax_rates: [],
    description: null,
    discounts: [],
    ended_at: null as number | null,
    invoice_settings: { account_tax_ids: null, custom_fields: null, description: null, footer: null, issuer: { type: 'self' } },
    items: listObject(items, `/v1/subscription_items?subscription=${id}`),
    latest_invoice: null as string | null,
    livemode: false,
    managed_payments: null,
    metadata: terms.metadata,
    next_pending_invoice_item_invoice: null,
    on_behalf_of: null,
    pause_collection: null as { readonly behavior: string; readonly resumes_at: number | null } | null,
    payment_settings: { payment_method_options: null, payment_method_types: null, save_default_payment_method: 'off' },
    pending_invoice_item_interval: null,
    pending_setup_intent: null,
    pending_update: null,
    schedule: null,
    start_date: createdAt,
    status: terms.status,
    test_clock: null,
    transfer_data: null,
    trial_end: terms.trialEnd,
    trial_settings: { end_behavior: { missing_payment_method: terms.withoutCard } },
    trial_start: terms.trialEnd === null ? null : createdAt,
  }
}

export function periodOf({ items }: Subscription): Period {
  const item = items.data[0]!
  return { start: item.current_period_start, end: item.current_period_end }
}

export function withPeriod(subscription: Subscription, { start, end }: Period): Subscription['items'] {
  const data = subscription.items.data.map((item) => ({ ...item, current_period_start: start, current_period_end: end }))
  return { ...subscription.items, data }
}

/** The end of the period that begins at `start`, in calendar months or years from the anchor: the 31st is the last day of a shorter month. */
export function periodEnd(anchor: number, start: number, interval: 'month' | 'year'): number {
  for (let n = 1; ; n++) {
    const end = addMonths(anchor, n * (interval === 'year' ? 12 : 1))
    if (end > start) return end
  }
}

function addMonths(seconds: number, months: number): number {
  const from = new Date(seconds * 1000)
  const to = new Date(from)
  to.setUTCDate(1)
  to.setUTCMonth(to.getUTCMonth() + months)
  const lastDay = new Date(Date.UTC(to.getUTCFullYear(), to.getUTCMonth() + 1, 0)).getUTCDate()
  to.setUTCDate(Math.min(from.getUTCDate(), lastDay))
  return to.getTime() / 1000
}
