/** A price as `tenantry billing sync` would have made it at Stripe. */
export interface CatalogPrice {
  readonly lookupKey: string
  readonly product: string
  /** What the pay page shows: the plan's title. */
  readonly productTitle: string
  readonly amount: number
  readonly currency: string
  readonly interval: 'month' | 'year'
}
