/** Does the steps of a catalogue's changes at Stripe, one after the other. Dying between two of them is no harm: the next run finds what is left to do. */
import Stripe from 'stripe'
import { ownMetadata, type WantedEndpoint, type WantedPortal, type WantedPrice } from './catalogue.ts'
import { priceIds, type CatalogueStep } from './catalogue-changes.ts'
import { PORTAL_PRODUCT, type CatalogueStripe } from './catalogue-read.ts'
import { METADATA } from './metadata.ts'

export interface ApplyOptions {
  readonly stripe: CatalogueStripe
  readonly installation: string
  /** The secret of a new endpoint, which Stripe tells once: to be kept before anything else is done. */
  readonly keepSecret: (secret: string) => void
  readonly done: (step: CatalogueStep) => void
}

export async function applyCatalogue(options: ApplyOptions, steps: readonly CatalogueStep[]): Promise<void> {
  for (const step of steps) {
    await apply(options, step)
    options.done(step)
  }
}

async function apply(options: ApplyOptions, step: CatalogueStep): Promise<unknown> {
  const { stripe, installation } = options
  switch (step.kind) {
    case 'create-product':
      return stripe.products.create({ id: step.product.id, name: step.product.name, metadata: ownMetadata(installation, step.product.plan) })
    case 'update-product':
      return stripe.products.update(step.product.id, { name: step.product.name, active: true })
    case 'archive-product':
      return stripe.products.update(step.id, { active: false })
    case 'create-meter':
      return stripe.billing.meters.create({ display_name: step.meter.displayName, event_name: step.meter.eventName, default_aggregation: { formula: 'sum' } })
    case 'create-price':
      return createPrice(options, step.price)
    case 'activate-price':
      return stripe.prices.update(step.id, { active: true })
    case 'archive-price':
      return stripe.prices.update(step.price.id, { active: false })
    case 'create-portal':
      return stripe.billingPortal.configurations.create({ ...(await portalParams(options, step.portal)), metadata: { [METADATA.installation]: installation, [PORTAL_PRODUCT]: step.portal.product } })
    case 'update-portal':
      return stripe.billingPortal.configurations.update(step.id, await portalParams(options, step.portal))
    case 'create-endpoint':
      return createEndpoint(options, step.endpoint)
    case 'update-endpoint':
      return stripe.webhookEndpoints.update(step.id, { url: step.endpoint.url, enabled_events: eventsOf(step.endpoint) })
    case 'disable-endpoint':
      return stripe.webhookEndpoints.update(step.endpoint.id, { disabled: true })
  }
}

async function createPrice({ stripe, installation }: ApplyOptions, price: WantedPrice): Promise<unknown> {
  const { eventName } = price
  const each = Stripe.Decimal.from(price.amount)
  const meter = eventName === undefined ? undefined : await meterOf(stripe, eventName)
  return stripe.prices.create({
    product: price.product,
    currency: price.currency,
    lookup_key: price.lookupKey,
    transfer_lookup_key: true,
    nickname: price.lookupKey,
    metadata: ownMetadata(installation, price.plan),
    recurring: { interval: price.interval, ...(meter !== undefined && { usage_type: 'metered', meter }) },
    unit_amount_decimal: each,
  })
}

async function meterOf({ billing }: CatalogueStripe, eventName: string): Promise<string> {
  const meters = await billing.meters.list({ status: 'active', limit: 100 }).autoPagingToArray({ limit: 10_000 })
  const meter = meters.find(({ event_name: name }) => name === eventName)
  if (meter === undefined) throw new Error(`Stripe has no active meter ${eventName} although it was made: run this again`)
  return meter.id
}

/** What may be changed there, and never a quantity: what a tenant has more of is for its own page to sell. */
async function portalParams({ stripe }: ApplyOptions, portal: WantedPortal): Promise<Stripe.BillingPortal.ConfigurationUpdateParams & Stripe.BillingPortal.ConfigurationCreateParams> {
  const keys = [...portal.offers.values()].flat()
  const byKey = new Map<string | null, string>()
  for (let n = 0; n < keys.length; n += 10) for (const { id, lookup_key: key } of (await stripe.prices.list({ lookup_keys: keys.slice(n, n + 10), active: true, limit: 100 })).data) byKey.set(key, id)
  const products = [...priceIds(portal, byKey)].map(([product, prices]) => ({ product, prices })).filter(({ prices }) => prices.length > 0)
  return {
    business_profile: { headline: portal.headline },
    ...(portal.returnUrl !== undefined && { default_return_url: portal.returnUrl }),
    features: {
      customer_update: { enabled: true, allowed_updates: ['address', 'tax_id'] },
      invoice_history: { enabled: true },
      payment_method_update: { enabled: true },
      subscription_cancel: { enabled: true, mode: 'at_period_end' },
      subscription_update: products.length === 0 ? { enabled: false } : { enabled: true, default_allowed_updates: ['price'], proration_behavior: 'create_prorations', products },
    },
  }
}

async function createEndpoint({ stripe, installation, keepSecret }: ApplyOptions, endpoint: WantedEndpoint): Promise<void> {
  const { secret } = await stripe.webhookEndpoints.create({
    url: endpoint.url,
    enabled_events: eventsOf(endpoint),
    api_version: endpoint.apiVersion as Stripe.WebhookEndpointCreateParams.ApiVersion,
    description: 'Tenantry',
    metadata: { [METADATA.installation]: installation },
  })
  if (secret === undefined) throw new Error('Stripe made the webhook endpoint and did not tell its secret: look it up in the dashboard and set STRIPE_WEBHOOK_SECRET')
  keepSecret(secret)
}

function eventsOf({ events }: WantedEndpoint): Stripe.WebhookEndpointCreateParams.EnabledEvent[] {
  return events as Stripe.WebhookEndpointCreateParams.EnabledEvent[]
}
