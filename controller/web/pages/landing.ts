/** A product's front page: its words from its own file, its numbers from the repository. */
import type { FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify'
import type { CatalogView } from '../../core/catalog-view.ts'
import { leadingOffer, offersOf, type Offer } from '../../core/offers.ts'
import type { Product, ProductSite } from '../../core/specs.ts'
import type { Assets } from '../assets.ts'
import { html, NOTHING, type Html } from '../html.ts'
import { HttpProblem } from '../http-problem.ts'
import { button, codeBlock } from './components.ts'
import { offerBox, plansGrid } from './offer.ts'
import type { Brand } from './layout.ts'
import type { Pages } from './pages.ts'

export interface LandingOptions {
  readonly pages: Pages
  readonly assets: Assets
  readonly catalog: () => CatalogView
  readonly publicUrl: () => string
}

export function createLandingRoutes(options: LandingOptions): FastifyPluginAsync {
  const { pages, catalog } = options
  return async (app) => {
    app.get('/', (request, reply) => sendLanding(options, request, reply, pages.front(request)))
    app.get('/pricing', (request, reply) => sendPricing(options, request, reply, pages.front(request)))
    app.get<ByName>('/products/:name', (request, reply) => sendLanding(options, request, reply, productNamed(catalog(), request.params.name)))
    app.get<ByName>('/products/:name/pricing', (request, reply) => sendPricing(options, request, reply, productNamed(catalog(), request.params.name)))
  }
}

export interface ByName {
  readonly Params: { readonly name: string }
}

/** @throws HttpProblem 404 where there is no such product with pages. */
export function productNamed(catalog: CatalogView, name: string): Product {
  const product = catalog.product(name)
  if (product?.spec.site === undefined) throw nothingSold('There is no such product.')
  return product
}

function nothingSold(detail: string): HttpProblem {
  return new HttpProblem({ status: 404, code: 'no-such-product', title: 'No such product', detail })
}

function sendLanding({ pages, assets, catalog, publicUrl }: LandingOptions, request: FastifyRequest, reply: FastifyReply, product: Product | undefined): FastifyReply {
  const site = product?.spec.site
  if (product === undefined || site === undefined) throw nothingSold('Nothing is sold here yet. Operator: give a product a `site`.')
  const brand = pages.brand(request, product)
  const offers = offersOf(catalog(), product.metadata.name)
  const main = html`${hero(product, site, brand, leadingOffer(offers), assets.of(product).picture)}
${points(site)}
${promises(site, leadingOffer(offers))}
${speaksSq(product) ? firstSteps(publicUrl()) : NOTHING}
${offers.length > 0 && html`<section class="section" id="pricing" aria-labelledby="pricing-title"><div class="wrap"><div class="section-head"><h2 id="pricing-title">Pricing</h2></div>${plansGrid(offers, brand)}</div></section>`}
${questions(site)}
${closing(site, brand)}`
  return pages.send(reply, { title: product.spec.title, description: site.lead, brand, main })
}

function sendPricing({ pages, catalog }: LandingOptions, request: FastifyRequest, reply: FastifyReply, product: Product | undefined): FastifyReply {
  if (product?.spec.site === undefined) throw nothingSold('Nothing is sold here yet.')
  const brand = pages.brand(request, product)
  const offers = offersOf(catalog(), product.metadata.name)
  const lead = leadingOffer(offers)
  const main = html`<div class="wrap page"><div class="page-head"><h1>Pricing</h1><p class="lead">${product.spec.tagline ?? product.spec.site.lead}</p></div>
<div class="stack-large">${lead?.slots !== undefined && html`<div class="card">${offerBox(lead)}</div>`}${plansGrid(offers, brand)}</div></div>
${questions(product.spec.site)}`
  return pages.send(reply, { title: 'Pricing', description: `What ${product.spec.title} costs.`, brand, path: `${brand.base}/pricing`, main })
}

function hero({ spec }: Product, site: ProductSite, brand: Brand, offer: Offer | undefined, picture: string | undefined): Html {
  return html`<section class="hero"><div class="wrap"><div>
${spec.tagline !== undefined && html`<p class="eyebrow">${spec.tagline}</p>`}
<h1>${site.headline}</h1>
<p class="lead">${site.lead}</p>
${offer !== undefined && offerBox(offer)}
<div class="row">${button(site.callToAction, { href: `${brand.base}/signup`, size: 'large' })}${offer?.plan.spec.trialDays !== undefined && html`<span class="soft">No credit card for the first ${offer.plan.spec.trialDays} days. Cancel anytime.</span>`}</div>
</div>${picture !== undefined && html`<img class="picture" src="${picture}" alt="${site.pictureText ?? ''}" width="480" height="420">`}</div></section>`
}

function points({ points = [] }: ProductSite): Html | false {
  return points.length > 0 && html`<section class="section" aria-labelledby="points-title"><div class="wrap"><div class="section-head"><h2 id="points-title">What you get</h2></div>
<div class="grid">${points.map(({ title, text }) => html`<div class="point"><h3>${title}</h3><p>${text}</p></div>`)}</div></div></section>`
}

function promises({ promises = [] }: ProductSite, offer: Offer | undefined): Html | false {
  if (promises.length === 0) return false
  const title = offer?.slots === undefined ? 'You can count on it' : `Join the first ${offer.slots.total}`
  return html`<section class="section" aria-labelledby="promises-title"><div class="wrap"><div class="section-head"><h2 id="promises-title">${title}</h2></div><ul class="ticks grid">${promises.map((line) => html`<li>${line}</li>`)}</ul></div></section>`
}

const speaksSq = ({ spec }: Product): boolean => spec.api?.path === '/api/v2/'

function firstSteps(url: string): Html {
  const code = `curl -H "Authorization: Bearer $KEY" "${url}/api/v2/update?c=user/preferences" \\
  --data-binary "Ada likes short answers."

# Weeks later, in another conversation:
curl -H "Authorization: Bearer $KEY" "${url}/api/v2/select?c=user/preferences"
Ada likes short answers.`
  return html`<section class="section" aria-labelledby="steps-title"><div class="wrap"><div class="section-head"><h2 id="steps-title">Remembered in two calls</h2><p class="lead">One call stores, one call recalls. Or through MCP and the OpenClaw skill, without writing any code.</p></div>
${codeBlock({ id: 'first-steps', title: 'Shell', code })}<p class="row">${button('Read the 5-minute guide', { href: '/guide', kind: 'quiet' })}</p></div></section>`
}

function questions({ questions = [] }: ProductSite): Html | false {
  return questions.length > 0 && html`<section class="section" aria-labelledby="questions-title"><div class="wrap reading"><div class="section-head"><h2 id="questions-title">Questions</h2></div>
<div class="questions">${questions.map(({ question, answer }) => html`<details><summary>${question}</summary><p>${answer}</p></details>`)}</div></div></section>`
}

function closing(site: ProductSite, brand: Brand): Html {
  return html`<section class="section closing"><div class="wrap stack"><h2>${site.headline}</h2><p class="row">${button(site.callToAction, { href: `${brand.base}/signup`, size: 'large' })}</p></div></section>`
}
