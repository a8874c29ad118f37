/** Reads the catalogue at Stripe, as far as it concerns this installation, as the values that catalogue-changes.ts compares. */
import type Stripe from 'stripe'
import { portalText, type FoundCatalogue, type FoundEndpoint, type FoundPortal, type FoundPrice, type FoundProduct, type WantedCatalogue } from './catalogue.ts'
import { METADATA } from './metadata.ts'

export type CatalogueStripe = Pick<Stripe, 'products' | 'prices' | 'billing' | 'billingPortal' | 'webhookEndpoints' | 'subscriptions'>

/** On a portal's configuration: which of our products it is for. */
export const PORTAL_PRODUCT = 'tenantry_product'
const PAGE = 100
/** Stripe takes no more lookup keys a call. */
const LOOKUP_KEYS = 10
const MOST = 10_000

export async function readCatalogue(stripe: CatalogueStripe, wanted: WantedCatalogue): Promise<FoundCatalogue> {
  const { installation } = wanted
  const products = await readProducts(stripe, wanted)
  const meters = await stripe.billing.meters.list({ status: 'active', limit: PAGE }).autoPagingToArray({ limit: MOST })
  const events = new Map(meters.map(({ id, event_name: name }) => [id, name]))
  const endpoints = await stripe.webhookEndpoints.list({ limit: PAGE }).autoPagingToArray({ limit: MOST })
  return {
    products,
    meters: meters.map(({ event_name: eventName, default_aggregation: { formula } }) => ({ eventName, formula })),
    prices: await readPrices(stripe, wanted, products, events),
    portals: await readPortals(stripe, installation),
    endpoints: endpoints.map((endpoint) => readEndpoint(endpoint, installation)),
  }
}

function ownerOf(metadata: Stripe.Metadata | null, installation: string): 'ours' | 'theirs' {
  return metadata?.[METADATA.installation] === installation ? 'ours' : 'theirs'
}

/** All of ours, and whatever has an id that we want. */
async function readProducts({ products }: CatalogueStripe, { installation, products: wanted }: WantedCatalogue): Promise<FoundProduct[]> {
  const all = await products.list({ limit: PAGE }).autoPagingToArray({ limit: MOST })
  const ids = new Set(wanted.map(({ id }) => id))
  return all.map(({ id, name, active, metadata }) => ({ id, name, active, owner: ownerOf(metadata, installation) })).filter(({ id, owner }) => owner === 'ours' || ids.has(id))
}

async function readPrices(stripe: CatalogueStripe, wanted: WantedCatalogue, products: readonly FoundProduct[], events: ReadonlyMap<string, string>): Promise<FoundPrice[]> {
  const found = new Map<string, Stripe.Price>()
  const take = (prices: readonly Stripe.Price[]) => prices.forEach((price) => found.set(price.id, price))
  const keys = wanted.prices.map(({ lookupKey }) => lookupKey)
  const expand = ['data.tiers']
  for (let n = 0; n < keys.length; n += LOOKUP_KEYS) take((await stripe.prices.list({ lookup_keys: keys.slice(n, n + LOOKUP_KEYS), limit: PAGE, expand })).data)
  for (const { id, owner } of products) if (owner === 'ours') take(await stripe.prices.list({ product: id, active: true, limit: PAGE, expand }).autoPagingToArray({ limit: MOST }))
  return Promise.all([...found.values()].map((price) => readPrice(stripe, price, wanted, events)))
}

async function readPrice(stripe: CatalogueStripe, price: Stripe.Price, wanted: WantedCatalogue, events: ReadonlyMap<string, string>): Promise<FoundPrice> {
  const { recurring, tiers } = price
  const [first, last] = [tiers?.[0], tiers?.at(-1)]
  const meter = recurring?.meter ?? undefined
  const eventName = meter === undefined ? undefined : (events.get(meter) ?? meter)
  const terms = {
    product: typeof price.product === 'string' ? price.product : price.product.id,
    currency: price.currency,
    amount: String((tiers === undefined ? price.unit_amount_decimal : last?.unit_amount_decimal) ?? price.unit_amount ?? ''),
    interval: (recurring?.interval_count === 1 ? recurring.interval : 'other') as 'month',
    ...(eventName !== undefined && { eventName }),
    ...(typeof first?.up_to === 'number' && { included: first.up_to }),
  }
  const owner = ownerOf(price.metadata, wanted.installation)
  const isAsWanted = wanted.prices.some((each) => each.lookupKey === price.lookup_key && each.amount === terms.amount && each.product === terms.product)
  const subscribers = owner === 'ours' && !isAsWanted ? await countSubscribers(stripe, price.id) : 0
  return { ...terms, id: price.id, lookupKey: price.lookup_key, active: price.active, owner, subscribers }
}

async function countSubscribers({ subscriptions }: CatalogueStripe, price: string): Promise<number> {
  return (await subscriptions.list({ price, limit: PAGE }).autoPagingToArray({ limit: MOST })).length
}

async function readPortals({ billingPortal }: CatalogueStripe, installation: string): Promise<FoundPortal[]> {
  const all = await billingPortal.configurations.list({ active: true, limit: PAGE, expand: ['data.features.subscription_update.products'] }).autoPagingToArray({ limit: MOST })
  return all.flatMap((configuration): FoundPortal[] => {
    const product = configuration.metadata?.[PORTAL_PRODUCT]
    if (product === undefined || ownerOf(configuration.metadata, installation) === 'theirs') return []
    const offers = new Map((configuration.features.subscription_update.products ?? []).map((each) => [each.product, each.prices]))
    return [{ id: configuration.id, product, text: portalText(configuration.business_profile.headline, configuration.default_return_url, offers) }]
  })
}

function readEndpoint({ id, url, api_version: apiVersion, enabled_events: events, status, metadata }: Stripe.WebhookEndpoint, installation: string): FoundEndpoint {
  return { id, url, apiVersion, events, enabled: status === 'enabled', owner: ownerOf(metadata, installation) }
}

/** The portal for customers of one of our products; undefined before `billing sync` made it. */
export async function portalFor({ billingPortal }: Pick<Stripe, 'billingPortal'>, installation: string, product: string): Promise<string | undefined> {
  const all = await billingPortal.configurations.list({ active: true, limit: PAGE }).autoPagingToArray({ limit: MOST })
  return all.find(({ metadata }) => metadata?.[PORTAL_PRODUCT] === product && ownerOf(metadata, installation) === 'ours')?.id
}
