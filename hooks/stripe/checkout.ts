/**
 * Starts a purchase: checks what was asked for, finds the price that `billing sync` or the sandbox made for the plan, and makes a
 * Checkout session that carries what the worker needs to know. Takes no slot and writes nothing.
 */
import { createHash } from 'node:crypto'
import Stripe from 'stripe'
import type { CatalogView } from '../../controller/core/catalog-view.ts'
import { closest } from '../../controller/core/closest.ts'
import { isEmail, isUsername, lookupKey, planOnSale } from '../../controller/core/purchase.ts'
import type { BillingInterval, Plan, Price } from '../../controller/core/specs.ts'
import { HttpProblem, type FieldProblem } from '../../controller/web/http-problem.ts'
import { METADATA } from './session.ts'

export interface CheckoutRequest {
  readonly plan: string
  readonly interval: BillingInterval
  readonly email: string
  readonly username: string
}

export interface CheckoutOptions {
  readonly stripe: Pick<Stripe, 'checkout' | 'prices'>
  readonly catalog: () => CatalogView
  /** Where the buyer comes back to. */
  readonly publicUrl: string
  readonly installation: string
  readonly now: () => Date
}

/** Two equal requests within a window are one session, so that a double click makes no second subscription. */
const WINDOW_MS = 5 * 60_000
/** Stripe wants at least 30 minutes; a little more, since its clock is another one. */
const OPEN_FOR_MS = 31 * 60_000

/**
 * @returns the address of the page on which to pay.
 * @throws HttpProblem where the request is invalid, the plan is sold out, the name is taken, or Stripe can't be asked.
 */
export async function startCheckout(options: CheckoutOptions, body: unknown): Promise<{ readonly url: string }> {
  const catalog = options.catalog()
  const request = parseRequest(body, catalog)
  const plan = catalog.plan(request.plan)!
  refuseUnavailable(catalog, plan, request)
  try {
    const price = await findPrice(options, request, plan.spec.prices[request.interval]!)
    return { url: await createSession(options, request, plan, price) }
  } catch (error) {
    throw error instanceof Stripe.errors.StripeError ? stripeProblem(error) : error
  }
}

const FIELDS: ReadonlySet<string> = new Set(['plan', 'interval', 'email', 'username'])

/** All that is wrong at once. */
function parseRequest(body: unknown, catalog: CatalogView): CheckoutRequest {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    throw invalid([{ field: '', message: 'Send a JSON object with plan, interval, email and username.' }])
  }
  const { plan, interval, email, username } = body as Record<string, unknown>
  const errors: FieldProblem[] = Object.keys(body)
    .filter((field) => !FIELDS.has(field))
    .map((field) => ({ field: field.slice(0, 100), message: 'There is no such field. Send plan, interval, email and username.' }))
  errors.push(...planProblems(plan, interval, catalog))
  if (typeof email !== 'string' || !isEmail(email)) errors.push({ field: 'email', message: 'Give an e-mail address, such as ada@example.com.' })
  if (typeof username !== 'string' || !isUsername(username)) {
    errors.push({ field: 'username', message: 'Choose 1 to 32 lower-case letters, digits and hyphens, starting with a letter and ending with a letter or digit.' })
  }
  if (errors.length > 0) throw invalid(errors)
  return { plan, interval, email, username } as CheckoutRequest
}

function planProblems(name: unknown, interval: unknown, catalog: CatalogView): FieldProblem[] {
  const names = [...catalog.plans()].map(({ metadata }) => metadata.name)
  const plan = typeof name === 'string' ? catalog.plan(name) : undefined
  if (plan === undefined) {
    const near = typeof name === 'string' ? closest(name, names) : undefined
    return [{ field: 'plan', message: near === undefined ? `Choose one of ${names.join(', ')}.` : `There is no such plan. Did you mean ${near}?` }]
  }
  const offered = Object.keys(plan.spec.prices)
  if (offered.length === 0) return [{ field: 'plan', message: `${plan.metadata.name} has no price: there is nothing to pay for.` }]
  return typeof interval === 'string' && offered.includes(interval) ? [] : [{ field: 'interval', message: `Choose ${offered.join(' or ')}.` }]
}

function invalid(errors: readonly FieldProblem[]): HttpProblem {
  const detail = errors.map(({ field, message }) => (field === '' ? message : `${field}: ${message}`)).join(' ')
  return new HttpProblem({ status: 400, code: 'invalid-request', title: 'Invalid request', detail, errors })
}

function refuseUnavailable(catalog: CatalogView, plan: Plan, { username }: CheckoutRequest): void {
  const { name } = plan.metadata
  const onSale = planOnSale(plan, (other) => catalog.plan(other), (other) => catalog.slotsTaken(other))
  if (onSale !== plan) {
    const instead = onSale === undefined ? 'Nothing takes its place at the moment.' : `Choose ${onSale.metadata.name} instead.`
    throw new HttpProblem({ status: 409, code: 'plan-sold-out', title: 'Sold out', detail: `All ${plan.spec.slots} slots of ${name} are taken. ${instead}` })
  }
  if (catalog.tenantByUsername(plan.spec.product, username) !== undefined) {
    throw new HttpProblem({ status: 409, code: 'username-taken', title: 'Name taken', detail: `The user name ${username} is taken. Choose another one.` })
  }
}

/** The id of Stripe's price for the plan, which must cost what the plan's file says: otherwise the purchase would be held after paying. */
async function findPrice({ stripe }: CheckoutOptions, { plan, interval }: CheckoutRequest, wanted: Price): Promise<string> {
  const key = lookupKey(plan, interval)
  const { data } = await stripe.prices.list({ lookup_keys: [key], active: true, limit: 1 })
  const [price] = data
  if (price === undefined) throw notForSale('price-missing', `Stripe has no active price with the lookup key ${key}.`)
  if (price.unit_amount !== wanted.amount || price.currency !== wanted.currency) {
    throw notForSale('price-differs', `The price ${key} at Stripe is not the one of the plan.`)
  }
  return price.id
}

function notForSale(code: string, what: string): HttpProblem {
  return new HttpProblem({ status: 503, code, title: 'Not for sale right now', detail: `${what} Operator: run tenantry billing sync.`, retryAfterSeconds: 300 })
}

async function createSession(options: CheckoutOptions, request: CheckoutRequest, plan: Plan, price: string): Promise<string> {
  const params = sessionParams(options, request, plan, price)
  const idempotencyKey = `tenantry-checkout-${createHash('sha256').update(JSON.stringify(params)).digest('hex')}`
  const { url } = await options.stripe.checkout.sessions.create(params, { idempotencyKey })
  if (url === null) throw new Error('Stripe made a Checkout session without an address')
  return url
}

/** The same for equal requests of one window, as the idempotency key needs it. */
function sessionParams({ publicUrl, installation, now }: CheckoutOptions, request: CheckoutRequest, plan: Plan, price: string): Stripe.Checkout.SessionCreateParams {
  const { trialDays } = plan.spec
  const metadata = {
    [METADATA.plan]: request.plan,
    [METADATA.interval]: request.interval,
    [METADATA.username]: request.username,
    [METADATA.installation]: installation,
  }
  const windowEndMs = Math.ceil(now().getTime() / WINDOW_MS) * WINDOW_MS
  return {
    mode: 'subscription',
    line_items: [{ price, quantity: 1 }],
    customer_email: request.email,
    metadata,
    // A session's metadata does not reach its subscription by itself.
    subscription_data: {
      metadata,
      // A trial that ends without a card pauses: the data stays, and adding a card resumes it.
      ...(trialDays === undefined ? {} : { trial_period_days: trialDays, trial_settings: { end_behavior: { missing_payment_method: 'pause' } } }),
    },
    ...(trialDays === undefined ? {} : { payment_method_collection: 'if_required' }),
    success_url: new URL('/welcome?session={CHECKOUT_SESSION_ID}', publicUrl).href.replace(/%7B/g, '{').replace(/%7D/g, '}'),
    cancel_url: cancelUrl(publicUrl, request, plan),
    expires_at: (windowEndMs + OPEN_FOR_MS) / 1000,
  }
}

/** Back to the form, with what is not personal of it filled in. */
function cancelUrl(publicUrl: string, { interval }: CheckoutRequest, { metadata, spec }: Plan): string {
  const url = new URL(`/products/${spec.product}/signup`, publicUrl)
  url.search = new URLSearchParams({ plan: metadata.name, interval, cancelled: '' }).toString()
  return url.href
}

function stripeProblem(cause: Stripe.errors.StripeError): HttpProblem {
  const detail = 'The payment provider did not take the request. Nothing was charged. Try again in a moment.'
  return new HttpProblem({ status: 502, code: 'payment-provider-failed', title: 'Payment provider failed', detail, retryAfterSeconds: 10 }, { cause })
}
