/** Calls around products and prices. */
import { tier, type Product, type PriceTerms } from '../objects/price.ts'
import { invalid } from '../refusal.ts'
import { flag, formAt, get, given, is, list, listAt, mergeMetadata, post, textAt, textsAt, type Call, type MakeRoutes } from './route.ts'

/** Stripe takes no more lookup keys a call. */
const MAX_LOOKUP_KEYS = 10

export const productRoutes: MakeRoutes = ({ catalogue }) => [
  list('/v1/products', ['active', 'ids', 'created', 'type'], (form) => {
    const ids = listAt(form['ids'])
    return catalogue.products().filter((each) => is(form, 'active', String(each.active)) && (ids.length === 0 || ids.includes(each.id)))
  }),
  get('/v1/products/:id', catalogue.product),
  post('/v1/products', ['id', 'name', 'active', 'description', 'metadata', 'unit_label', 'tax_code', 'url', 'statement_descriptor'], ({ form }) => {
    const name = textAt(form['name'])
    if (name === undefined) throw invalid('Missing required param: name.', 'name')
    const optional = given<Pick<Product, 'active'>>({ active: flag(form['active']) })
    return catalogue.createProduct(textAt(form['id']), { name, description: textAt(form['description']) ?? null, metadata: textsAt(form['metadata']), unitLabel: textAt(form['unit_label']) ?? null, ...optional })
  }),
  post('/v1/products/:id', ['name', 'active', 'description', 'metadata', 'unit_label', 'tax_code', 'url'], ({ id, form }) => {
    const metadata = form['metadata'] === undefined ? undefined : mergeMetadata(catalogue.product(id).metadata, form['metadata'])
    return catalogue.updateProduct(id, given({ name: textAt(form['name']), active: flag(form['active']), description: textAt(form['description']) as never, metadata }))
  }),
  list('/v1/prices', ['lookup_keys', 'product', 'active', 'currency', 'recurring', 'type'], (form) => {
    const keys = listAt(form['lookup_keys'])
    if (keys.length > MAX_LOOKUP_KEYS) throw invalid(`The maximum number of lookup keys is ${MAX_LOOKUP_KEYS}.`, 'lookup_keys')
    const prices = catalogue.prices().filter((price) => keys.length === 0 || (price.lookup_key !== null && keys.includes(price.lookup_key)))
    return prices.filter((price) => is(form, 'product', price.product) && is(form, 'active', String(price.active)) && is(form, 'currency', price.currency))
  }),
  get('/v1/prices/:id', (id) => catalogue.price(id)),
  post('/v1/prices', ['product', 'currency', 'unit_amount', 'unit_amount_decimal', 'recurring', 'lookup_key', 'transfer_lookup_key', 'nickname', 'metadata', 'active', 'billing_scheme', 'tiers', 'tiers_mode', 'tax_behavior'], (call) =>
    catalogue.createPrice(priceTerms(call), flag(call.form['transfer_lookup_key']) === true),
  ),
  post('/v1/prices/:id', ['active', 'lookup_key', 'transfer_lookup_key', 'nickname', 'metadata', 'tax_behavior'], ({ id, form }) => {
    const metadata = form['metadata'] === undefined ? undefined : mergeMetadata(catalogue.price(id).metadata, form['metadata'])
    const changes = given({ active: flag(form['active']), lookup_key: textAt(form['lookup_key']) as never, nickname: textAt(form['nickname']) as never, metadata })
    return catalogue.updatePrice(id, changes, flag(form['transfer_lookup_key']) === true)
  }),
]

function priceTerms({ form }: Call): PriceTerms {
  const recurring = formAt(form['recurring'])
  const interval = textAt(recurring['interval'])
  if (interval !== 'month' && interval !== 'year') throw invalid('The sandbox knows monthly and yearly prices.', 'recurring[interval]')
  const whole = textAt(form['unit_amount'])
  const decimal = textAt(form['unit_amount_decimal']) ?? whole ?? null
  const tiered = textAt(form['billing_scheme']) === 'tiered'
  if (tiered === (decimal !== null)) throw invalid('Give unit_amount or unit_amount_decimal, or tiers with billing_scheme=tiered.', 'unit_amount')
  const metered = textAt(recurring['usage_type']) === 'metered'
  if (metered && textAt(recurring['meter']) === undefined) throw invalid('Metered prices must be backed by meters.', 'recurring[meter]')
  return {
    product: textAt(form['product']) ?? '',
    currency: textAt(form['currency']) ?? '',
    amount: decimal !== null && /^\d+$/.test(decimal) ? Number(decimal) : null,
    amountDecimal: decimal,
    interval,
    lookupKey: textAt(form['lookup_key']) ?? null,
    nickname: textAt(form['nickname']) ?? null,
    metadata: textsAt(form['metadata']),
    meter: textAt(recurring['meter']) ?? null,
    taxBehavior: textAt(form['tax_behavior']) ?? 'unspecified',
    ...(tiered && { tiers: listAt(form['tiers']).map(formAt).map((each) => tier(textAt(each['up_to']) === 'inf' ? null : Number(textAt(each['up_to'])), textAt(each['unit_amount_decimal']) ?? textAt(each['unit_amount']) ?? '0')) }),
  }
}
