/** Every page: one layout, nothing from elsewhere, what files say as text, and headers that keep it to itself. */
import fastify from 'fastify'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { AnySpec } from '../../../controller/core/specs.ts'
import { createProblemHandler } from '../../../controller/web/http-problem.ts'
import { createGuideRoutes } from '../../../controller/web/pages/guide.ts'
import { createLandingRoutes } from '../../../controller/web/pages/landing.ts'
import { SITE, testPages } from '../../support/pages.ts'
import { containerProduct, plan, platform, sharedProduct, tenant } from '../../support/specs.ts'

function site(specs?: readonly AnySpec[], publicUrl = 'https://sq.example') {
  const { pages, assets, catalog } = testPages(specs, publicUrl)
  const app = fastify()
  app.setErrorHandler(createProblemHandler({ error: () => undefined }))
  void app.register(assets.routes)
  void app.register(createLandingRoutes({ pages, assets, catalog: () => catalog, publicUrl: () => publicUrl }))
  void app.register(createGuideRoutes(pages, () => publicUrl))
  onTestFinished(() => app.close())
  return app
}

const addresses = (body: string): string[] => [...body.matchAll(/ (?:src|href)="([^"]*)"/g)].map(([, address]) => address!)

describe('a page', () => {
  test('has headers that let it load from itself alone, and lead to the payment page', async () => {
    const { headers } = await site().inject('/')
    expect(headers['content-security-policy']).toBe("default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self' https://checkout.stripe.com; base-uri 'none'; frame-ancestors 'none'")
    expect(headers).toMatchObject({ 'x-content-type-options': 'nosniff', 'referrer-policy': 'same-origin', 'strict-transport-security': 'max-age=31536000' })
    expect((await site(undefined, 'http://localhost:8080').inject('/')).headers['strict-transport-security']).toBeUndefined()
  })

  test.each(['/', '/pricing', '/guide'])('has no style or script in itself, and asks nobody else: %s', async (url) => {
    const { body } = await site().inject(url)
    expect(body).not.toMatch(/<style|<script(?! src=)| style="| on[a-z]+="/)
    for (const [, source] of body.matchAll(/<(?:link|script|img)[^>]* (?:src|href)="([^"]*)"/g)) expect(source).toMatch(/^\/assets\//)
  })

  test('shows what files hold as text', async () => {
    const evil = '"><script>alert(1)</script>'
    const app = site([platform({ site: { product: 'sq', name: evil } }), sharedProduct({ title: evil, tagline: evil, site: { ...SITE, headline: evil, pictureText: evil, picture: '<svg/>', points: [{ title: evil, text: evil }], promises: [evil], questions: [{ question: evil, answer: evil }] } }), plan('a', { title: evil, summary: evil, features: [evil] })])
    for (const url of ['/', '/pricing', '/guide']) expect((await app.inject(url)).body).not.toContain('<script>alert')
  })

  test('takes the address of the installation as text', async () => {
    const { body } = await site(undefined, 'https://sq.example/"<b>').inject('/guide')
    expect(body).not.toContain('<b>')
    expect(body).toContain('https://sq.example/&#34;&#60;b&#62;')
  })

  test('has one first heading, and links within it lead somewhere', async () => {
    const { body } = await site().inject('/guide')
    expect(body.match(/<h1/g)).toHaveLength(1)
    for (const [, target] of body.matchAll(/href="#([^"]+)"/g)) expect(body).toContain(`id="${target}"`)
  })
})

describe('assets', () => {
  test('are kept for ever under an address that carries their hash, in the smallest form that is taken', async () => {
    const app = site()
    const urls = addresses((await app.inject('/')).body).filter((url) => url.startsWith('/assets/'))
    expect(urls.length).toBeGreaterThan(3)
    for (const url of urls) {
      const plain = await app.inject({ url })
      expect([plain.statusCode, plain.headers['cache-control'], plain.headers['content-encoding']]).toEqual([200, 'public, max-age=31536000, immutable', undefined])
      const small = await app.inject({ url, headers: { 'accept-encoding': 'gzip, br' } })
      expect([small.headers['content-encoding'], small.headers['vary']]).toEqual(['br', 'accept-encoding'])
      expect((await app.inject({ url, headers: { 'accept-encoding': 'gzip;q=1, br;q=0' } })).headers['content-encoding']).toBe('gzip')
    }
  })

  test('of another version are not there', async () => {
    expect((await site().inject('/assets/site.aaaaaaaaaaaa.css')).statusCode).toBe(404)
    expect((await site().inject('/assets/..%2f..%2fpackage.json')).statusCode).toBe(404)
  })
})

describe('whose site it is', () => {
  const products = [platform({ site: { product: 'spoq' } }), sharedProduct({ title: 'SQ Cloud', site: { ...SITE, headline: 'SQ remembers', hosts: ['sq.example.com'] } }), containerProduct({ title: 'Spoq Cloud', site: { ...SITE, headline: 'A computer of your own' }, tenantId: { prefix: 'spoq', digits: 3 } }, 'spoq'), containerProduct({ title: 'Hidden' }, 'hidden')]

  test.each([
    ['the host\'s product', 'sq.example.com', 'SQ remembers'],
    ['the host\'s product, with a port', 'SQ.example.com:8080', 'SQ remembers'],
    ['the platform\'s first product', 'example.com', 'A computer of your own'],
  ])('%s', async (_name, host, headline) => {
    expect((await site(products).inject({ url: '/', headers: { host: 'ignored', 'x-forwarded-host': host } })).body).toContain(headline)
  })

  test('each has its own address, colours and prices; a product without words has none', async () => {
    const app = site([...products, plan('p', { product: 'spoq', title: 'Spoq Cloud', prices: { month: { amount: 1500, currency: 'usd' } } })])
    const { body } = await app.inject('/products/spoq/pricing')
    expect(body).toContain('$15')
    expect(body).toMatch(/\/assets\/product-spoq\.[\w-]+\.css/)
    expect((await app.inject('/products/sq')).body).toContain('href="/products/sq/signup"')
    expect((await app.inject('/products/hidden')).statusCode).toBe(404)
  })
})

describe('founder places', () => {
  const specs = (slots: number): AnySpec[] => [
    platform(),
    sharedProduct({ title: 'SQ Cloud', site: SITE }),
    plan('founder', { title: 'SQ Cloud Founder', slots, successor: 'standard' }),
    plan('standard', { title: 'SQ Cloud Standard', prices: { month: { amount: 1500, currency: 'usd' } } }),
    tenant('user001', { plan: 'founder' }),
    tenant('user002', { plan: 'founder' }),
    tenant('user003', { plan: 'founder', state: 'ended', endedAt: '2026-01-01T00:00:00Z' }),
  ]

  test('are counted from the tenants', async () => {
    const { body } = await site(specs(5)).inject('/')
    expect(body).toMatch(/data-part="claimed">2</)
    expect(body).toMatch(/data-part="remaining">3</)
    expect(body).toContain('normally $15')
    expect(body).not.toContain('signup?plan=standard')
  })

  test('that are gone give way to the plan that follows', async () => {
    const { body } = await site(specs(2)).inject('/')
    expect(body).toContain('signup?plan=standard')
    expect(body).not.toContain('signup?plan=founder')
    expect(body).toContain('$15')
    expect(body).not.toContain('$10')
  })
})
