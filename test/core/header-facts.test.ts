import { describe, expect, it } from 'vitest'
import { createCatalog } from '../../controller/core/catalog.ts'
import { headerFactsOf } from '../../controller/core/header-facts.ts'
import { decodeHeader, encodeHeader } from '../../controller/gateway/route-log.ts'
import { newHeader } from '../../controller/gateway/route-files.ts'
import { NOW, plan, platform, put, sharedProduct } from '../support/specs.ts'

const cents = (month?: number, year?: number) => ({ ...(month !== undefined && { month: { amount: month, currency: 'usd' } }), ...(year !== undefined && { year: { amount: year, currency: 'usd' } }) })
const JWT = { issuer: 'https://id.example', audience: 'sq', jwksUrl: 'https://id.example/keys', tenantClaim: 'tenant' }

const specs = [
  platform({ links: { upgrade: 'https://more.example' } }),
  sharedProduct({ api: { path: '/api/v2/', hostSuffix: 'sq.example', jwt: JWT } }),
  plan('large', { prices: cents(5000) }),
  plan('free', { prices: {} }),
  plan('yearly', { prices: cents(undefined, 24_000) }),
  plan('small', { prices: cents(1000, 9000) }),
]

const factsOf = (files: typeof specs) => {
  const catalog = createCatalog()
  catalog.apply(files.map((spec) => put(spec)))
  return headerFactsOf(catalog)
}

describe('what the gateway knows beside the tenants', () => {
  it('is where people are sent, how products are reached, and which plan is the next dearer one', () => {
    const { links, products, plans } = factsOf(specs)
    expect(links).toEqual({ upgrade: 'https://more.example' })
    expect(products).toEqual({ sq: { title: 'sq', api: '/api/v2/', hostSuffix: 'sq.example', jwt: JWT } })
    expect(Object.entries(plans).map(([name, { next, price }]) => [name, next, price?.amount, price?.interval])).toEqual([
      ['free', 'small', undefined, undefined],
      ['large', undefined, 5000, 'month'],
      ['small', 'yearly', 1000, 'month'],
      ['yearly', 'large', 24_000, 'year'],
    ])
  })

  it('is the same text in whatever order the files came, and survives the header', () => {
    const facts = factsOf(specs)
    expect(JSON.stringify(factsOf(specs.toReversed()))).toBe(JSON.stringify(facts))
    expect(decodeHeader(encodeHeader(newHeader(facts, new Date(NOW))))).toMatchObject(facts)
  })

  it('is empty in a header that was written before there was any', () => {
    expect(decodeHeader('{"format":1,"generation":"g","log":"log-g","writtenAt":"","links":{}}')).toMatchObject({ links: {}, products: {}, plans: {} })
  })
})
