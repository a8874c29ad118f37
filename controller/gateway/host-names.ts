/**
 * Host names as tenants' addresses: `ID.SUFFIX` for products that have a suffix. Says only whom a name is for, never whether there is such
 * a tenant: that is told to nobody who does not hold its key. Pure.
 */
import type { HeaderFacts } from '../core/header-facts.ts'

export type HostMeaning =
  /** A name for everybody, such as the installation's own. */
  | { readonly kind: 'common' }
  | { readonly kind: 'tenant'; readonly product: string; readonly id: string }
  /** Under a product's suffix, but no tenant can have it. */
  | { readonly kind: 'nobody' }

const COMMON: HostMeaning = { kind: 'common' }
const NOBODY: HostMeaning = { kind: 'nobody' }
const LABEL = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/

/** Worked out once for each set of products. */
const known = new WeakMap<HeaderFacts['products'], readonly (readonly [suffix: string, product: string])[]>()

export function meaningOf(host: string | undefined, products: HeaderFacts['products']): HostMeaning {
  let suffixes = known.get(products)
  if (suffixes === undefined) known.set(products, (suffixes = suffixesOf(products)))
  if (host === undefined || suffixes.length === 0) return COMMON
  const name = host.toLowerCase().replace(/:\d*$/, '').replace(/\.$/, '')
  const found = suffixes.find(([suffix]) => name.endsWith(suffix))
  if (found === undefined) return COMMON
  const id = name.slice(0, -found[0].length)
  return LABEL.test(id) ? { kind: 'tenant', product: found[1], id } : NOBODY
}

/** The longest first: one may lie under another. */
function suffixesOf(products: HeaderFacts['products']): (readonly [string, string])[] {
  const suffixes = Object.entries(products).flatMap(([product, { hostSuffix }]) => (hostSuffix === undefined ? [] : [[`.${hostSuffix}`, product] as const]))
  return suffixes.sort(([a], [b]) => b.length - a.length)
}
