/**
 * Stripe's objects in the shapes of the pinned API version, as far as Tenantry and its pages look at them; test/sandbox compares
 * their fields with those of stripe-mock. Pure: ids, times and prices are handed in.
 */
import { STRIPE_API_VERSION } from '../hooks/stripe/client.ts'
import type { CatalogPrice } from './double.ts'
import { formAt, textAt, textsAt, type Form } from './form.ts'

export type Metadata = Readonly<Record<string, string>>
export type Price = ReturnType<typeof priceObject>
export type Session = ReturnType<typeof sessionObject>
export type Customer = ReturnType<typeof customerObject>
export type Subscription = ReturnType<typeof subscriptionObject>
export type StripeEvent = ReturnType<typeof eventObject>

const DAY_SECONDS = 86_400
const DEFAULT_OPEN_SECONDS = DAY_SECONDS

/** The same id as long as the price is the same: a changed plan file is a new price. */
export function priceObject({ lookupKey, product, productTitle, amount, currency, interval }: CatalogPrice) {
  return {
    id: `price_${lookupKey.replace(/[^A-Za-z0-9]/g, '')}${amount}${currency}`,
    object: 'price' as const,
    active: true,
    billing_scheme: 'per_unit',
    created: 1_767_225_600,
    currency,
    custom_unit_amount: null,
    livemode: false,
    lookup_key: lookupKey,
    metadata: {},
    nickname: productTitle,
    product: `prod_${product.replace(/[^A-Za-z0-9]/g, '')}`,
    recurring: { interval, interval_count: 1, meter: null, usage_type: 'licensed' },
    tax_behavior: 'unspecified',
    tiers_mode: null,
    transform_quantity: null,
    type: 'recurring',
    unit_amount: amount,
    unit_amount_decimal: String(amount),
  }
}

/** What the session's public form leaves out until it is asked for, and what paying needs. Kept beside the session, never sent as such. */
export interface SessionTerms {
  readonly price: Price
  readonly quantity: number
  readonly trialDays: number
  readonly subscriptionMetadata: Metadata
}

export function sessionObject(id: string, createdAt: number, form: Form, { price, quantity, trialDays }: SessionTerms) {
  const dueNow = trialDays > 0 ? 0 : price.unit_amount * quantity
  return {
    id,
    object: 'checkout.session' as const,
    adaptive_pricing: { enabled: false },
    after_expiration: null,
    allow_promotion_codes: null,
    amount_subtotal: dueNow,
    amount_total: dueNow,
    automatic_tax: { enabled: false, liability: null, provider: null, status: null },
    billing_address_collection: null,
    cancel_url: textAt(form['cancel_url']) ?? null,
    client_reference_id: textAt(form['client_reference_id']) ?? null,
    client_secret: null,
    collected_information: null,
    consent: null,
    consent_collection: null,
    created: createdAt,
    currency: price.currency,
    currency_conversion: null,
    custom_fields: [],
    custom_text: { after_submit: null, shipping_address: null, submit: null, terms_of_service_acceptance: null },
    customer: null as string | null,
    customer_account: null,
    customer_creation: 'always',
    customer_details: null as ReturnType<typeof customerDetails> | null,
    customer_email: textAt(form['customer_email']) ?? null,
    discounts: [],
    expires_at: Number(textAt(form['expires_at']) ?? createdAt + DEFAULT_OPEN_SECONDS),
    integration_identifier: null,
    invoice: null,
    invoice_creation: null,
    livemode: false,
    locale: null,
    managed_payments: null,
    metadata: textsAt(form['metadata']),
    mode: 'subscription',
    origin_context: null,
    payment_intent: null,
    payment_link: null,
    payment_method_collection: textAt(form['payment_method_collection']) ?? 'always',
    payment_method_configuration_details: null,
    payment_method_options: {},
    payment_method_types: ['card'],
    payment_status: 'unpaid' as 'unpaid' | 'paid' | 'no_payment_required',
    permissions: null,
    phone_number_collection: { enabled: false },
    recovered_from: null,
    saved_payment_method_options: null,
    setup_intent: null,
    shipping_address_collection: null,
    shipping_cost: null,
    shipping_options: [],
    status: 'open' as 'open' | 'complete' | 'expired',
    submit_type: null,
    subscription: null as string | null,
    success_url: textAt(form['success_url']) ?? null,
    total_details: { amount_discount: 0, amount_shipping: 0, amount_tax: 0 },
    ui_mode: 'hosted_page',
    url: null as string | null,
    wallet_options: null,
  }
}

export function customerDetails(email: string) {
  return { address: null, business_name: null, email, individual_name: null, name: null, phone: null, tax_exempt: 'none', tax_ids: [] }
}

export function lineItems(session: Session, { price, quantity }: SessionTerms) {
  const item = {
    id: `li_${session.id.slice(-24)}`,
    object: 'item' as const,
    adjustable_quantity: null,
    amount_discount: 0,
    amount_subtotal: session.amount_subtotal,
    amount_tax: 0,
    amount_total: session.amount_total,
    currency: price.currency,
    description: price.nickname,
    metadata: null,
    price,
    quantity,
  }
  return listObject([item], `/v1/checkout/sessions/${session.id}/line_items`)
}

export function customerObject(id: string, createdAt: number, email: string) {
  return {
    id,
    object: 'customer' as const,
    address: null,
    balance: 0,
    created: createdAt,
    currency: null,
    default_source: null,
    delinquent: false,
    description: null,
    discount: null,
    email,
    invoice_prefix: id.slice(-8).toUpperCase(),
    invoice_settings: { custom_fields: null, default_payment_method: null, footer: null, rendering_options: null },
    livemode: false,
    metadata: {},
    name: null,
    next_invoice_sequence: 1,
    phone: null,
    preferred_locales: [],
    shipping: null,
    tax_exempt: 'none',
    test_clock: null,
  }
}

export interface SubscriptionTerms extends SessionTerms {
  readonly customer: string
  readonly status: 'active' | 'trialing' | 'incomplete' | 'incomplete_expired'
}

export function subscriptionObject(id: string, createdAt: number, { price, quantity, trialDays, subscriptionMetadata, customer, status }: SubscriptionTerms) {
  const trialEnd = trialDays > 0 ? createdAt + trialDays * DAY_SECONDS : null
  const periodEnd = trialEnd ?? createdAt + (price.recurring.interval === 'year' ? 365 : 30) * DAY_SECONDS
  const item = {
    id: `si_${id.slice(4)}`,
    object: 'subscription_item' as const,
    billing_thresholds: null,
    created: createdAt,
    current_period_end: periodEnd,
    current_period_start: createdAt,
    discounts: [],
    metadata: {},
    price,
    quantity,
    subscription: id,
    tax_rates: [],
  }
  return {
    id,
    object: 'subscription' as const,
    application: null,
    application_fee_percent: null,
    automatic_tax: { disabled_reason: null, enabled: false, liability: null },
    billing_cycle_anchor: periodEnd,
    billing_cycle_anchor_config: null,
    billing_mode: { flexible: null, type: 'classic' },
    billing_schedules: [],
    billing_thresholds: null,
    cancel_at: null,
    cancel_at_period_end: false,
    canceled_at: null,
    cancellation_details: { comment: null, feedback: null, feedback_option: null, reason: null },
    collection_method: 'charge_automatically',
    created: createdAt,
    currency: price.currency,
    customer,
    customer_account: null,
    days_until_due: null,
    default_payment_method: null,
    default_source: null,
    default_tax_rates: [],
    description: null,
    discounts: [],
    ended_at: null,
    invoice_settings: { account_tax_ids: null, custom_fields: null, description: null, footer: null, issuer: { type: 'self' } },
    items: listObject([item], `/v1/subscription_items?subscription=${id}`),
    latest_invoice: null,
    livemode: false,
    managed_payments: null,
    metadata: subscriptionMetadata,
    next_pending_invoice_item_invoice: null,
    on_behalf_of: null,
    pause_collection: null,
    payment_settings: { payment_method_options: null, payment_method_types: null, save_default_payment_method: 'off' },
    pending_invoice_item_interval: null,
    pending_setup_intent: null,
    pending_update: null,
    schedule: null,
    start_date: createdAt,
    status: status as string,
    test_clock: null,
    transfer_data: null,
    trial_end: trialEnd,
    trial_settings: { end_behavior: { missing_payment_method: 'create_invoice' } },
    trial_start: trialEnd === null ? null : createdAt,
  }
}

/** `object` is copied: an event tells how things stood. */
export function eventObject(id: string, createdAt: number, type: string, object: object) {
  return {
    id,
    object: 'event' as const,
    api_version: STRIPE_API_VERSION,
    created: createdAt,
    data: { object: structuredClone(object) as { readonly id: string } },
    livemode: false,
    pending_webhooks: 1,
    request: { id: null, idempotency_key: null },
    type,
  }
}

export function listObject<T>(data: readonly T[], url: string, hasMore = false) {
  return { object: 'list' as const, data, has_more: hasMore, url }
}

/** What a new session sells and how, from the request's fields; undefined where a price is unknown. */
export function sessionTerms(form: Form, price: Price, item: Form): SessionTerms {
  const subscription = formAt(form['subscription_data'])
  return {
    price,
    quantity: Number(textAt(item['quantity']) ?? 1),
    trialDays: Number(textAt(subscription['trial_period_days']) ?? 0),
    subscriptionMetadata: textsAt(subscription['metadata']),
  }
}
