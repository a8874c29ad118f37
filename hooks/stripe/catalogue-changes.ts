/**
 * What has to be done at Stripe so that the catalogue is as the plan files say. Pure, and nothing where nothing is to do. Touches
 * only what carries this installation's mark; where something else stands in the way, it says so instead. A price at Stripe cannot
 * change: a new one takes over its lookup key, and whoever pays the old one goes on paying it.
 */
import type { FoundCatalogue, FoundEndpoint, FoundPrice, PriceTerms, WantedCatalogue, WantedEndpoint, WantedMeter, WantedPortal, WantedPrice, WantedProduct } from './catalogue.ts'
import { portalText } from './catalogue.ts'

export type CatalogueStep =
  | { readonly kind: 'create-product'; readonly product: WantedProduct }
  | { readonly kind: 'update-product'; readonly product: WantedProduct; readonly was: string }
  | { readonly kind: 'archive-product'; readonly id: string; readonly name: string }
  | { readonly kind: 'create-meter'; readonly meter: WantedMeter }
  /** `replaces`: the price that has the lookup key until then. */
  | { readonly kind: 'create-price'; readonly price: WantedPrice; readonly replaces?: FoundPrice }
  | { readonly kind: 'activate-price'; readonly id: string; readonly price: WantedPrice }
  /** Nobody new can buy it; who pays it goes on. */
  | { readonly kind: 'archive-price'; readonly price: FoundPrice }
  | { readonly kind: 'create-portal'; readonly portal: WantedPortal }
  | { readonly kind: 'update-portal'; readonly id: string; readonly portal: WantedPortal }
  | { readonly kind: 'create-endpoint'; readonly endpoint: WantedEndpoint; readonly instead?: FoundEndpoint }
  | { readonly kind: 'update-endpoint'; readonly id: string; readonly endpoint: WantedEndpoint }
  | { readonly kind: 'disable-endpoint'; readonly endpoint: FoundEndpoint }

export interface CatalogueChanges {
  readonly steps: readonly CatalogueStep[]
  /** What a person has to put right first; while there are any, nothing is done. */
  readonly problems: readonly string[]
}

interface Noted {
  readonly steps: CatalogueStep[]
  readonly problems: string[]
}

/** In the order in which they are done: what is referred to is made before. */
export function catalogueChanges(wanted: WantedCatalogue, found: FoundCatalogue): CatalogueChanges {
  const noted: Noted = { steps: [], problems: [] }
  compareProducts(wanted, found, noted)
  compareMeters(wanted, found, noted)
  comparePrices(wanted, found, noted)
  archiveProducts(wanted, found, noted)
  comparePortals(wanted, found, noted)
  if (wanted.endpoint !== undefined) compareEndpoints(wanted.endpoint, found, noted)
  return noted
}

function compareProducts({ products }: WantedCatalogue, found: FoundCatalogue, { steps, problems }: Noted): void {
  for (const product of products) {
    const there = found.products.find(({ id }) => id === product.id)
    if (there === undefined) steps.push({ kind: 'create-product', product })
    else if (there.owner === 'theirs') problems.push(`The product ${product.id} is not of this installation and is left alone. Rename the plan, or use another Stripe account.`)
    else if (there.name !== product.name || !there.active) steps.push({ kind: 'update-product', product, was: there.active ? there.name : `${there.name} (archived)` })
  }
}

function archiveProducts({ products }: WantedCatalogue, found: FoundCatalogue, { steps }: Noted): void {
  for (const { id, name, active, owner } of found.products) {
    if (owner === 'ours' && active && !products.some((product) => product.id === id)) steps.push({ kind: 'archive-product', id, name })
  }
}

function compareMeters({ meters }: WantedCatalogue, found: FoundCatalogue, { steps, problems }: Noted): void {
  for (const meter of meters) {
    const there = found.meters.find(({ eventName }) => eventName === meter.eventName)
    if (there === undefined) steps.push({ kind: 'create-meter', meter })
    else if (there.formula !== 'sum') problems.push(`The meter ${meter.eventName} at Stripe counts by ${there.formula} instead of sum. Deactivate it in Stripe's dashboard and run this again.`)
  }
}

function comparePrices({ prices }: WantedCatalogue, found: FoundCatalogue, { steps, problems }: Noted): void {
  const kept = new Set<string>()
  for (const price of prices) {
    const holder = found.prices.find(({ lookupKey }) => lookupKey === price.lookupKey)
    if (holder?.owner === 'theirs') {
      kept.add(holder.id)
      problems.push(`The lookup key ${price.lookupKey} is held by the price ${holder.id}, which is not of this installation. Take the key from it in Stripe's dashboard, or rename the plan.`)
    } else if (holder === undefined) steps.push({ kind: 'create-price', price })
    else if (!samePrice(holder, price)) steps.push({ kind: 'create-price', price, replaces: holder })
    else {
      kept.add(holder.id)
      if (!holder.active) steps.push({ kind: 'activate-price', id: holder.id, price })
    }
  }
  for (const price of found.prices) if (price.owner === 'ours' && price.active && !kept.has(price.id)) steps.push({ kind: 'archive-price', price })
}

function samePrice(a: PriceTerms, b: PriceTerms): boolean {
  const same = (['product', 'currency', 'amount', 'interval', 'eventName'] as const).every((field) => a[field] === b[field])
  return same && (a.included ?? 0) === (b.included ?? 0)
}

function comparePortals({ portals }: WantedCatalogue, found: FoundCatalogue, { steps }: Noted): void {
  // A price that is yet to be made has no id, so a portal that offers it differs from what is there.
  const settled = new Map(found.prices.filter(({ owner }) => owner === 'ours').map((price) => [price.lookupKey, price.id]))
  for (const step of steps) if (step.kind === 'create-price') settled.set(step.price.lookupKey, 'to be made')
  for (const portal of portals) {
    const there = found.portals.find(({ product }) => product === portal.product)
    if (there === undefined) steps.push({ kind: 'create-portal', portal })
    else if (there.text !== portalText(portal.headline, portal.returnUrl ?? null, priceIds(portal, settled))) steps.push({ kind: 'update-portal', id: there.id, portal })
  }
}

/** The ids of the prices that a portal offers, by Stripe's product. */
export function priceIds({ offers }: WantedPortal, byLookupKey: ReadonlyMap<string | null, string>): Map<string, string[]> {
  return new Map([...offers].map(([product, keys]) => [product, keys.flatMap((key) => byLookupKey.get(key) ?? [])]))
}

/**
 * An endpoint's version is fixed when it is made. A new one is made beside one of another version, which is disabled by the next run,
 * once the new one's secret is in use: so no event goes unheard.
 */
function compareEndpoints(endpoint: WantedEndpoint, found: FoundCatalogue, { steps, problems }: Noted): void {
  const enabled = found.endpoints.filter((each) => each.enabled)
  const foreign = enabled.find(({ owner, url }) => owner === 'theirs' && url === endpoint.url)
  if (foreign !== undefined) problems.push(`The webhook endpoint ${foreign.id} has this installation's address and was not made by it: every event would come twice. Delete it in Stripe's dashboard and run this again.`)
  const ours = enabled.filter(({ owner }) => owner === 'ours')
  const current = ours.find(({ apiVersion, url }) => apiVersion === endpoint.apiVersion && url === endpoint.url) ?? ours.find(({ apiVersion }) => apiVersion === endpoint.apiVersion)
  if (current === undefined) {
    const [former] = ours
    steps.push({ kind: 'create-endpoint', endpoint, ...(former !== undefined && { instead: former }) })
    return
  }
  const isSame = current.url === endpoint.url && JSON.stringify([...current.events].sort()) === JSON.stringify([...endpoint.events].sort())
  if (!isSame) steps.push({ kind: 'update-endpoint', id: current.id, endpoint })
  for (const former of ours) if (former !== current) steps.push({ kind: 'disable-endpoint', endpoint: former })
}
