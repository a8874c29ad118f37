/** The page on which one signs up: a form that leads to the payment page. What is wrong stands beside its field, and what was typed stays. */
import { randomUUID } from 'node:crypto'
import formbody from '@fastify/formbody'
import type { FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify'
import type { CatalogView } from '../../core/catalog-view.ts'
import { leadingOffer, offerFor, offersOf, type Offer } from '../../core/offers.ts'
import { isUsername } from '../../core/purchase.ts'
import type { BillingInterval, Product } from '../../core/specs.ts'
import type { CheckoutProof } from '../checkout-proof.ts'
import { addressOf, networkOf } from '../client-network.ts'
import { html, NOTHING, type Html } from '../html.ts'
import { HttpProblem } from '../http-problem.ts'
import { badge, button, field, notice, simplePage } from './components.ts'
import type { ByName } from './landing.ts'
import { productNamed } from './landing.ts'
import type { Brand } from './layout.ts'
import { shortTitle, slotsBar } from './offer.ts'
import type { Pages } from './pages.ts'
import { money, monthsSaved, PER, planLines, priceWords } from './words.ts'

export interface SignupOptions {
  readonly pages: Pages
  readonly catalog: () => CatalogView
  /** Starts the purchase for a client; answers where to pay. Equal requests of one form are one purchase. @throws HttpProblem */
  readonly begin: (address: string, body: unknown, about: { readonly form: string }) => Promise<{ readonly url: string; readonly session: string }>
  readonly proof: Pick<CheckoutProof, 'cookie'>
  /** How often a network may ask whether a name is free. @throws HttpProblem */
  readonly takeLook: (network: string) => void
  /** Origins to which a form's answer may lead, as the pages' policy says. */
  readonly checkoutOrigins: readonly string[]
}

type Values = Readonly<Record<'plan' | 'interval' | 'email' | 'username', string>>

interface Form {
  readonly values: Values
  readonly errors: Readonly<Partial<Record<string, string>>>
  /** What concerns no single field. */
  readonly trouble?: { readonly title: string; readonly text: string }
  /** The places went while the form was filled in, or others are paying for the last ones. */
  readonly soldOut?: 'nothing-instead' | 'sold-instead'
}

const MAX_BODY_BYTES = 16 * 1024
const NAME_HINT = 'Lower-case letters, digits and hyphens. It begins with a letter.'

export function createSignupRoutes(options: SignupOptions): FastifyPluginAsync {
  const { pages, catalog } = options
  return async (parent) => {
    await parent.register(async (app) => {
      if (!app.hasContentTypeParser('application/x-www-form-urlencoded')) await app.register(formbody, { bodyLimit: MAX_BODY_BYTES })
      app.get('/signup', (request, reply) => showForm(options, request, reply, front(request)))
      app.post('/signup', (request, reply) => submit(options, request, reply, front(request)))
      app.get<ByName>('/products/:name/signup', (request, reply) => showForm(options, request, reply, productNamed(catalog(), request.params.name)))
      app.post<ByName>('/products/:name/signup', (request, reply) => submit(options, request, reply, productNamed(catalog(), request.params.name)))
      app.get<ByName>('/products/:name/username', (request, reply) => {
        options.takeLook(networkOf(addressOf(request)))
        const product = productNamed(catalog(), request.params.name)
        return pages.sendPart(reply, usernameAnswer(catalog(), product, textOf(request.query, 'username')))
      })
    })
  }

  function front(request: FastifyRequest): Product {
    const product = pages.front(request)
    if (product === undefined) throw new HttpProblem({ status: 404, code: 'no-such-product', title: 'No such product', detail: 'Nothing is sold here yet.' })
    return product
  }
}

function textOf(from: unknown, name: string): string {
  const value = typeof from === 'object' && from !== null ? (from as Readonly<Record<string, unknown>>)[name] : undefined
  return typeof value === 'string' ? value.trim().slice(0, 300) : ''
}

const valuesOf = (from: unknown): Values => ({ plan: textOf(from, 'plan'), interval: textOf(from, 'interval'), email: textOf(from, 'email'), username: textOf(from, 'username') })

function showForm(options: SignupOptions, request: FastifyRequest, reply: FastifyReply, product: Product): FastifyReply {
  const cancelled = typeof request.query === 'object' && request.query !== null && 'cancelled' in request.query
  return sendForm(options, request, reply, product, { values: valuesOf(request.query), errors: {} }, 200, cancelled)
}

async function submit(options: SignupOptions, request: FastifyRequest, reply: FastifyReply, product: Product): Promise<FastifyReply> {
  const values = valuesOf(request.body)
  try {
    const { url, session } = await options.begin(addressOf(request), values, { form: textOf(request.body, 'form') })
    void reply.header('set-cookie', options.proof.cookie(request, session))
    return goAndPay(options, request, reply, product, url)
  } catch (error) {
    if (!(error instanceof HttpProblem)) throw error
    const { status, retryAfterSeconds } = error.details
    if (retryAfterSeconds !== undefined) void reply.header('retry-after', retryAfterSeconds)
    const { offer } = error.details
    return sendForm(options, request, reply, product, { values: { ...values, ...(offer && { plan: offer.plan }) }, ...whatIsWrong(error) }, status)
  }
}

/** A form's answer may only redirect to origins of the policy. Anywhere else, such as a payment page under the seller's own domain, the visitor is led by a page. */
function goAndPay({ pages, checkoutOrigins }: SignupOptions, request: FastifyRequest, reply: FastifyReply, product: Product, url: string): FastifyReply {
  if (checkoutOrigins.includes(new URL(url).origin)) return reply.header('cache-control', 'no-store').redirect(url, 303)
  const main = simplePage('narrow', 'One more step', 'Everything is ready. The payment page is the next one.', html`<p>${button('Go on to the payment', { href: url, size: 'large' })}</p>`)
  return pages.send(reply, { title: 'One more step', brand: pages.brand(request, product), main, personal: true })
}

function whatIsWrong({ details }: HttpProblem): Omit<Form, 'values'> {
  if (details.code === 'username-taken') return { errors: { username: details.detail } }
  if (details.code === 'plan-sold-out') return { errors: {}, soldOut: details.offer === undefined ? 'nothing-instead' : 'sold-instead' }
  if (details.errors === undefined) return { errors: {}, trouble: { title: details.title, text: details.detail } }
  const errors = Object.fromEntries(details.errors.map(({ field: name, message }) => [name, message]))
  const other = details.errors.find(({ field: name }) => !['email', 'username', 'interval'].includes(name))
  return { errors, ...(other && { trouble: { title: 'That did not work', text: other.message } }) }
}

function sendForm({ pages, catalog }: SignupOptions, request: FastifyRequest, reply: FastifyReply, product: Product, form: Form, status = 200, cancelled = false): FastifyReply {
  const brand = pages.brand(request, product)
  const offers = offersOf(catalog(), product.metadata.name)
  const asked = catalog().plan(form.values.plan)
  const wanted = asked?.spec.product === product.metadata.name ? offerFor(catalog(), asked) : leadingOffer(offers)
  const title = product.spec.site?.callToAction ?? 'Sign up'
  if (wanted === undefined || form.soldOut === 'nothing-instead' || Object.keys(wanted.plan.spec.prices).length === 0) return pages.send(reply, { title, brand, main: nothingLeft(brand), personal: true }, { status: status === 200 ? 200 : status })
  const lead = `${wanted.plan.spec.title}: your e-mail address and a name are all that is needed.`
  const main = html`<div class="wrap page signup"><div class="page-head"><h1>${title}</h1><p class="lead">${lead}</p></div>
<div class="beside"><div class="stack">${notices(form, wanted, cancelled)}${formHtml(product, brand, wanted, form)}</div>${summary(wanted, brand, offers.length > 1)}</div></div>`
  return pages.send(reply, { title, brand, main, live: true, path: `${brand.base}/signup`, personal: true }, { status })
}

function nothingLeft(brand: Brand): Html {
  return simplePage('narrow', 'Nothing is left right now', 'All places are taken, and nothing takes their place at the moment.', html`<p class="row">${button('See all plans', { href: `${brand.base}/pricing`, kind: 'quiet' })}${button('Get help', { href: '/support', kind: 'quiet' })}</p>`)
}

function notices({ trouble, soldOut }: Form, { follows, plan }: Offer, cancelled: boolean): Html {
  return html`${cancelled && notice('plain', 'Nothing was charged', 'You left the payment page, and that is fine. Everything is as it was: go on whenever you like.')}
${trouble !== undefined && notice('bad', trouble.title, trouble.text, 'alert')}
${(follows !== undefined || soldOut !== undefined) && notice('warn', 'All founder places are taken', html`<p>What is sold now is ${plan.spec.title}, at ${priceWords(plan)}.</p>${follows === undefined && html`<p>The last places are being paid for at this moment. If somebody turns back, one is free again within half an hour.</p>`}`, soldOut === undefined ? undefined : 'alert')}`
}

function formHtml({ metadata }: Product, brand: Brand, { plan }: Offer, { values, errors }: Form): Html {
  const check = html` hx-get="/products/${metadata.name}/username" hx-trigger="input changed delay:250ms" hx-target="#username-check" hx-sync="this:replace"`
  return html`<form class="form card" method="post" action="${brand.base}/signup">
<input type="hidden" name="plan" value="${plan.metadata.name}"><input type="hidden" name="form" value="${randomUUID()}">
${field({ name: 'email', label: 'E-mail address', type: 'email', value: values.email, error: errors['email'], autocomplete: 'email', maxLength: 254, hint: 'To sign in, and for what your instance and its bills need you to know. No advertising.' })}
${field({ name: 'username', label: 'Name', value: values.username, error: errors['username'], autocomplete: 'username', maxLength: 32, hint: NAME_HINT, attributes: check, after: html`<div id="username-check" role="status"></div>` })}
${intervals(plan.spec.prices, monthsSaved(plan), values.interval, errors['interval'])}
<div class="stack"><button class="button large wide">${plan.spec.trialDays === undefined ? 'Go on to the payment' : `Start ${plan.spec.trialDays} days free`}</button>
<p class="soft small">${plan.spec.trialDays === undefined ? 'The next page takes the payment, at Stripe. We never see your card.' : `No card is needed for the first ${plan.spec.trialDays} days. Payments go through Stripe: we never see your card.`}</p></div>
</form>`
}

function intervals(prices: Offer['plan']['spec']['prices'], saved: number, chosen: string, error: string | undefined): Html {
  const offered = (['month', 'year'] as const).flatMap((interval) => (prices[interval] === undefined ? [] : [{ interval, price: prices[interval] }]))
  if (offered.length === 1) return html`<input type="hidden" name="interval" value="${offered[0]!.interval}">`
  const first: BillingInterval = chosen === 'year' ? 'year' : 'month'
  const words: Readonly<Record<BillingInterval, string>> = { month: 'Monthly', year: 'Yearly' }
  return html`<fieldset class="field"><legend>Billing</legend>${error !== undefined && html`<p class="error">${error}</p>`}<div class="choices">
${offered.map(({ interval, price }) => html`<label class="choice"><input type="radio" name="interval" value="${interval}"${interval === first && html` checked`}><span><strong>${words[interval]}</strong><span class="numbers">${money(price)} ${PER[interval]}</span>${interval === 'year' && saved > 0 && html`<span class="soft">${saved} months free</span>`}</span></label>`)}
</div></fieldset>`
}

function summary({ plan, slots, later }: Offer, brand: Brand, more: boolean): Html {
  const { month, year } = plan.spec.prices
  const price = month ?? year!
  const normally = later?.spec.prices[month === undefined ? 'year' : 'month']
  return html`<aside class="card" aria-labelledby="summary-title"><div class="card-head"><h2 id="summary-title">${shortTitle(plan.spec.title, brand.title)}</h2>${plan.spec.trialDays !== undefined && badge('accent', `${plan.spec.trialDays} days free`)}</div>
<p class="price"><b class="numbers">${money(price)}</b> ${PER[month === undefined ? 'year' : 'month']}${normally !== undefined && normally.amount > price.amount && html` <span class="was">normally ${money(normally)}</span>`}</p>
<ul class="ticks">${planLines(plan).map((line) => html`<li>${line}</li>`)}</ul>
${slots !== undefined && slotsBar(slots)}
${more && html`<p class="small"><a href="${brand.base}/pricing">See all plans</a></p>`}</aside>`
}

/** What stands under the name while it is typed. */
function usernameAnswer(catalog: CatalogView, product: Product, username: string): Html {
  if (username === '') return NOTHING
  if (!isUsername(username)) return html`<p class="error">${NAME_HINT}</p>`
  const taken = catalog.tenantByUsername(product.metadata.name, username) !== undefined
  return taken ? html`<p class="error">${username} is taken. Choose another one.</p>` : html`<p class="ok">${username} is free.</p>`
}
