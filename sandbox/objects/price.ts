/** Products and prices in the shapes of the pinned API version. */
import type { CatalogPrice } from '../offers.ts'
import type { Metadata } from './list.ts'

export type Product = ReturnType<typeof productObject>
export type Price = ReturnType<typeof priceObject>
export type PriceTier = ReturnType<typeof tier>

export interface ProductTerms {
  readonly name: string
  readonly active?: boolean
  readonly description?: string | null
  readonly metadata?: Metadata
  readonly unitLabel?: string | null
}

export function productObject(id: string, createdAt: number, { name, active = true, description = null, metadata = {}, unitLabel = null }: ProductTerms) {
  return {
    id,
    object: 'product' as const,
    active,
    created: createdAt,
    default_price: null,
    description,
    images: [],
    livemode: false,
    marketing_features: [],
    metadata,
    name,
    package_dimensions: null,
    shippable: null,
    statement_descriptor: null,
    tax_code: null,
    unit_label: unitLabel,
    updated: createdAt,
    url: null,
  }
}

export interface PriceTerms {
  readonly product: string
  readonly currency: string
  /** Null where the price is made of tiers, or finer than the currency's smallest unit. */
  readonly amount: number | null
  readonly amountDecimal: string | null
  readonly interval: 'month' | 'year'
  readonly lookupKey: string | null
  readonly nickname: string | null
  readonly metadata?: Metadata
  readonly active?: boolean
  readonly meter?: string | null
  readonly tiers?: readonly PriceTier[]
  readonly taxBehavior?: string
}

export function priceObject(id: string, createdAt: number, terms: PriceTerms) {
  const { meter = null, tiers } = terms
  return {
    id,
    object: 'price' as const,
    active: terms.active ?? true,
    billing_scheme: tiers === undefined ? 'per_unit' : 'tiered',
    created: createdAt,
    currency: terms.currency,
    custom_unit_amount: null,
    livemode: false,
    lookup_key: terms.lookupKey,
    metadata: terms.metadata ?? {},
    nickname: terms.nickname,
    product: terms.product,
    recurring: { interval: terms.interval, interval_count: 1, meter, usage_type: meter === null ? 'licensed' : 'metered' },
    tax_behavior: terms.taxBehavior ?? 'unspecified',
    ...(tiers !== undefined && { tiers }),
    tiers_mode: tiers === undefined ? null : 'graduated',
    transform_quantity: null,
    type: 'recurring',
    unit_amount: terms.amount,
    unit_amount_decimal: terms.amountDecimal,
  }
}

/** `upTo` null: without an end. */
export function tier(upTo: number | null, amountDecimal: string) {
  return { flat_amount: null, flat_amount_decimal: null, unit_amount: /^\d+$/.test(amountDecimal) ? Number(amountDecimal) : null, unit_amount_decimal: amountDecimal, up_to: upTo }
}

const PLAN_FILES_SINCE = 1_767_225_600

/** The price of a plan file as if it had been made at Stripe. The same id as long as the price is the same: a changed plan file is a new price. */
export function offeredPrice({ lookupKey, product, productTitle, amount, currency, interval }: CatalogPrice): Price {
  const id = `price_${lookupKey.replace(/[^A-Za-z0-9]/g, '')}${amount}${currency}`
  const terms = { product: offeredProductId(product), currency, amount, amountDecimal: String(amount), interval, lookupKey, nickname: productTitle }
  return priceObject(id, PLAN_FILES_SINCE, terms)
}

export function offeredProduct({ product, productTitle }: CatalogPrice): Product {
  return productObject(offeredProductId(product), PLAN_FILES_SINCE, { name: productTitle })
}

function offeredProductId(product: string): string {
  return `prod_${product.replace(/[^A-Za-z0-9]/g, '')}`
}
