/** Invoices, and which payment they were paid with. */
import { listObject } from './list.ts'
import type { Customer } from './customer.ts'
import type { Period, Subscription, SubscriptionItem } from './subscription.ts'

export type Invoice = ReturnType<typeof invoiceObject>
export type InvoicePayment = ReturnType<typeof invoicePaymentObject>
export type BillingReason = 'subscription_create' | 'subscription_cycle' | 'subscription_update'

export interface InvoiceTerms {
  readonly subscription: Subscription
  readonly customer: Customer
  readonly reason: BillingReason
  readonly period: Period
  readonly lines: readonly { readonly item: SubscriptionItem; readonly amount: number; readonly quantity: number; readonly proration?: boolean }[]
  readonly discount: number
}

export function invoiceObject(id: string, createdAt: number, { subscription, customer, reason, period, lines, discount }: InvoiceTerms) {
  const subtotal = lines.reduce((sum, { amount }) => sum + amount, 0)
  const total = Math.max(0, subtotal - discount)
  const data = lines.map((line, index) => lineObject(`il_${id.slice(3)}${index}`, id, subscription, period, line))
  return {
    id,
    object: 'invoice' as const,
    account_country: 'US',
    account_name: null,
    account_tax_ids: null,
    amount_due: total,
    amount_overpaid: 0,
    amount_paid: 0,
    amount_paid_off_stripe: 0,
    amount_remaining: total,
    amount_shipping: 0,
    application: null,
    attempt_count: 0,
    attempted: false,
    auto_advance: true,
    automatic_tax: { disabled_reason: null, enabled: subscription.automatic_tax.enabled, liability: subscription.automatic_tax.liability, provider: null, status: null },
    automatically_finalizes_at: null,
    billing_reason: reason as string,
    collection_method: 'charge_automatically',
    created: createdAt,
    currency: subscription.currency,
    custom_fields: null,
    customer: customer.id,
    customer_account: null,
    ...customerFields(customer),
    default_payment_method: null,
    default_source: null,
    default_tax_rates: [],
    description: null,
    discounts: [],
    due_date: null,
    effective_at: createdAt,
    ending_balance: 0,
    footer: null,
    from_invoice: null,
    hosted_invoice_url: null,
    invoice_pdf: null,
    issuer: { type: 'self' },
    last_finalization_error: null,
    latest_revision: null,
    lines: listObject(data, `/v1/invoices/${id}/lines`),
    livemode: false,
    metadata: {},
    next_payment_attempt: null as number | null,
    number: null,
    on_behalf_of: null,
    parent: { quote_details: null, subscription_details: { metadata: subscription.metadata, subscription: subscription.id }, type: 'subscription_details' },
    payment_settings: { default_mandate: null, payment_method_options: null, payment_method_types: null },
    period_end: period.end,
    period_start: period.start,
    post_payment_credit_notes_amount: 0,
    pre_payment_credit_notes_amount: 0,
    receipt_number: null,
    rendering: null,
    shipping_cost: null,
    shipping_details: null,
    starting_balance: 0,
    statement_descriptor: null,
    status: 'open' as 'draft' | 'open' | 'paid' | 'uncollectible' | 'void',
    status_transitions: { finalized_at: createdAt, marked_uncollectible_at: null, paid_at: null as number | null, voided_at: null as number | null },
    subtotal,
    subtotal_excluding_tax: subtotal,
    test_clock: null,
    total,
    total_discount_amounts: [],
    total_excluding_tax: total,
    total_pretax_credit_amounts: [],
    total_taxes: [],
    webhooks_delivered_at: createdAt,
  }
}

function customerFields({ email, name }: Customer) {
  return { customer_address: null, customer_email: email, customer_name: name, customer_phone: null, customer_shipping: null, customer_tax_exempt: 'none', customer_tax_ids: [] }
}

function lineObject(id: string, invoice: string, subscription: Subscription, period: Period, line: InvoiceTerms['lines'][number]) {
  const { item, amount, quantity, proration = false } = line
  const details = { invoice_item: null, proration, proration_details: { credited_items: null }, subscription: subscription.id, subscription_item: item.id }
  return {
    id,
    object: 'line_item' as const,
    amount,
    currency: subscription.currency,
    description: item.price.nickname,
    discount_amounts: [],
    discountable: true,
    discounts: [],
    invoice,
    livemode: false,
    metadata: {},
    parent: { invoice_item_details: null, subscription_item_details: details, type: 'subscription_item_details' },
    period: { end: period.end, start: period.start },
    pretax_credit_amounts: [],
    pricing: { price_details: { price: item.price.id, product: item.price.product }, type: 'price_details', unit_amount_decimal: item.price.unit_amount_decimal },
    quantity,
    quantity_decimal: String(quantity),
    subscription: subscription.id,
    subtotal: amount,
    taxes: [],
  }
}

export function invoicePaymentObject(id: string, createdAt: number, invoice: Invoice, paymentIntent: string) {
  return {
    id,
    object: 'invoice_payment' as const,
    amount_paid: invoice.amount_due,
    amount_requested: invoice.amount_due,
    created: createdAt,
    currency: invoice.currency,
    invoice: invoice.id,
    is_default: true,
    livemode: false,
    payment: { payment_intent: paymentIntent, type: 'payment_intent' },
    status: 'paid',
    status_transitions: { canceled_at: null, paid_at: createdAt },
  }
}
