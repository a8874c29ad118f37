/**
 * Checkout sessions in the shapes of the pinned API version, as far as Tenantry and its pages look at them; test/sandbox compares the
 * fields of all objects with those of stripe-mock. Pure: ids, times and prices are handed in.
 */
import { formAt, textAt, textsAt, type Form } from '../form.ts'
import { listObject, type Metadata } from './list.ts'
import type { Bought, WithoutCard } from './subscription.ts'

export type Session = ReturnType<typeof sessionObject>

const DEFAULT_OPEN_SECONDS = 86_400

/** What the session's public form leaves out until it is asked for, and what paying needs. Kept beside the session, never sent as such. */
export interface SessionTerms {
  readonly items: readonly Bought[]
  readonly trialDays: number
  readonly withoutCard: WithoutCard
  readonly asksForCard: boolean
  readonly subscriptionMetadata: Metadata
}

/** What one item costs at the start; use is paid for afterwards. */
export function firstAmount({ price, quantity }: Bought): number {
  return quantity === undefined ? 0 : (price.unit_amount ?? 0) * quantity
}

export function sessionObject(id: string, createdAt: number, form: Form, { items, trialDays }: SessionTerms) {
  const dueNow = trialDays > 0 ? 0 : items.reduce((sum, item) => sum + firstAmount(item), 0)
  const taxes = textAt(formAt(form['automatic_tax'])['enabled']) === 'true'
  return {
    id,
    object: 'checkout.session' as const,
    adaptive_pricing: { enabled: false },
    after_expiration: null,
    allow_promotion_codes: 'allow_promotion_codes' in form ? textAt(form['allow_promotion_codes']) === 'true' : null,
    amount_subtotal: dueNow,
    amount_total: dueNow,
    automatic_tax: { enabled: taxes, liability: taxes ? { type: 'self' } : null, provider: taxes ? 'stripe' : null, status: taxes ? 'complete' : null },
    billing_address_collection: null,
    cancel_url: textAt(form['cancel_url']) ?? null,
    client_reference_id: textAt(form['client_reference_id']) ?? null,
    client_secret: null,
    collected_information: null,
    consent: null,
    consent_collection: null,
    created: createdAt,
    currency: items[0]!.price.currency,
    currency_conversion: null,
    custom_fields: [],
    custom_text: { after_submit: null, shipping_address: null, submit: null, terms_of_service_acceptance: null },
    customer: textAt(form['customer']) ?? null,
    customer_account: null,
    customer_creation: 'always',
    customer_details: null as ReturnType<typeof customerDetails> | null,
    customer_email: textAt(form['customer_email']) ?? null,
    discounts: [],
    expires_at: Number(textAt(form['expires_at']) ?? createdAt + DEFAULT_OPEN_SECONDS),
    integration_identifier: null,
    invoice: null as string | null,
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

export function lineItems(session: Session, { items, trialDays }: SessionTerms) {
  const data = items.map((bought, index) => {
    const amount = trialDays > 0 ? 0 : firstAmount(bought)
    return {
      id: `li_${session.id.slice(-22)}${String(index).padStart(2, '0')}`,
      object: 'item' as const,
      adjustable_quantity: null,
      amount_discount: 0,
      amount_subtotal: amount,
      amount_tax: 0,
      amount_total: amount,
      currency: bought.price.currency,
      description: bought.price.nickname,
      metadata: null,
      price: bought.price,
      quantity: bought.quantity ?? null,
    }
  })
  return listObject(data, `/v1/checkout/sessions/${session.id}/line_items`)
}

/** What a new session sells and how, from the request's fields. */
export function sessionTerms(form: Form, items: readonly Bought[]): SessionTerms {
  const subscription = formAt(form['subscription_data'])
  const behaviour = textAt(formAt(formAt(subscription['trial_settings'])['end_behavior'])['missing_payment_method'])
  const trialDays = Number(textAt(subscription['trial_period_days']) ?? 0)
  return {
    items,
    trialDays,
    withoutCard: behaviour === 'pause' || behaviour === 'cancel' ? behaviour : 'create_invoice',
    // Without a payment now, `if_required` asks for no card.
    asksForCard: !(trialDays > 0 && textAt(form['payment_method_collection']) === 'if_required'),
    subscriptionMetadata: textsAt(subscription['metadata']),
  }
}
