/** Products and prices: those of the plan files, which are there by themselves, and those that were made through the API. */
import type { Ledger } from './ledger.ts'
import { found } from './money.ts'
import { offeredPrice, offeredProduct, priceObject, productObject, type Price, type PriceTerms, type Product, type ProductTerms } from './objects/price.ts'
import type { CatalogPrice } from './offers.ts'
import { invalid, StripeRefusal } from './refusal.ts'

export interface Catalogue {
  /** Newest first. */
  prices(): readonly Price[]
  price(id: string, param?: string): Price
  products(): readonly Product[]
  product(id: string): Product
  createProduct(id: string | undefined, terms: ProductTerms): Product
  updateProduct(id: string, changes: Partial<Pick<Product, 'active' | 'name' | 'description' | 'metadata' | 'unit_label'>>): Product
  createPrice(terms: PriceTerms, transferLookupKey: boolean): Price
  updatePrice(id: string, changes: Partial<Pick<Price, 'active' | 'nickname' | 'metadata' | 'lookup_key'>>, transferLookupKey: boolean): Price
}

export function createCatalogue(ledger: Ledger, offers: () => Iterable<CatalogPrice>): Catalogue {
  const { state } = ledger
  const made = (id: string): Price => found('price', id, state.get('price', id))
  const prices = (): Price[] => [...state.all('price').toReversed(), ...[...offers()].map(offeredPrice)]
  const products = (): Product[] => [...state.all('product').toReversed(), ...new Map([...offers()].map((offer) => [offer.product, offeredProduct(offer)])).values()]

  /** A lookup key is one price's: taken from it on request, otherwise refused. */
  function claim(lookupKey: string | null, transfer: boolean, except?: string): void {
    const holder = lookupKey === null ? undefined : state.all('price').find((price) => price.lookup_key === lookupKey && price.id !== except)
    if (holder === undefined) return
    if (!transfer) throw new StripeRefusal(400, `A price (\`${holder.id}\`) already uses that lookup key.`, { param: 'lookup_key' })
    state.put('price', holder.id, { ...holder, lookup_key: null })
  }

  return {
    prices,
    products,
    price(id, param) {
      const price = prices().find((each) => each.id === id)
      if (price === undefined && param !== undefined) throw new StripeRefusal(400, `No such price: '${id}'`, { code: 'resource_missing', param })
      return found('price', id, price)
    },
    product: (id) => found('product', id, products().find((product) => product.id === id)),
    createProduct(wanted, terms) {
      const id = wanted ?? ledger.newId('prod')
      if (state.get('product', id) !== undefined) throw new StripeRefusal(400, 'Product already exists.', { code: 'resource_already_exists', param: 'id' })
      const product = productObject(id, ledger.seconds(), terms)
      state.put('product', id, product)
      return product
    },
    updateProduct(id, changes) {
      const product = { ...found('product', id, state.get('product', id)), ...changes, updated: ledger.seconds() }
      state.put('product', id, product)
      return product
    },
    createPrice(terms, transfer) {
      if (!products().some(({ id }) => id === terms.product)) throw new StripeRefusal(400, `No such product: '${terms.product}'`, { code: 'resource_missing', param: 'product' })
      if (typeof terms.meter === 'string' && state.get('meter', terms.meter) === undefined) throw invalid(`No such meter: '${terms.meter}'`, 'recurring[meter]')
      claim(terms.lookupKey, transfer)
      const price = priceObject(ledger.newId('price'), ledger.seconds(), terms)
      state.put('price', price.id, price)
      return price
    },
    updatePrice(id, changes, transfer) {
      if (changes.lookup_key !== undefined) claim(changes.lookup_key, transfer, id)
      const price = { ...made(id), ...changes }
      state.put('price', id, price)
      return price
    },
  }
}
