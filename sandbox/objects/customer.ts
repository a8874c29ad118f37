/** Customers, their cards and their visits to the billing portal. */
import type { Metadata } from './list.ts'

export type Customer = ReturnType<typeof customerObject>
export type PaymentMethod = ReturnType<typeof paymentMethodObject>
export type PortalSession = ReturnType<typeof portalSessionObject>

export function customerObject(id: string, createdAt: number, email: string | null, metadata: Metadata = {}) {
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
    invoice_settings: { custom_fields: null, default_payment_method: null as string | null, footer: null, rendering_options: null },
    livemode: false,
    metadata,
    name: null as string | null,
    next_invoice_sequence: 1,
    phone: null,
    preferred_locales: [],
    shipping: null,
    tax_exempt: 'none',
    test_clock: null,
  }
}

export function paymentMethodObject(id: string, createdAt: number, customer: string) {
  return {
    id,
    object: 'payment_method' as const,
    allow_redisplay: 'unspecified',
    billing_details: { address: null, email: null, name: null, phone: null, tax_id: null },
    card: { brand: 'visa', checks: null, country: 'US', display_brand: 'visa', exp_month: 8, exp_year: 2040, fingerprint: 'sandbox', funding: 'credit', generated_from: null, last4: '4242', networks: null, regulated_status: null, three_d_secure_usage: null, wallet: null },
    created: createdAt,
    customer,
    customer_account: null,
    livemode: false,
    metadata: {},
    type: 'card',
  }
}

export interface PortalVisit {
  readonly customer: string
  readonly configuration: string
  readonly returnUrl: string | null
  readonly url: string
}

export function portalSessionObject(id: string, createdAt: number, { customer, configuration, returnUrl, url }: PortalVisit) {
  return {
    id,
    object: 'billing_portal.session' as const,
    configuration,
    created: createdAt,
    customer,
    customer_account: null,
    flow: null,
    livemode: false,
    locale: null,
    on_behalf_of: null,
    return_url: returnUrl,
    url,
  }
}
