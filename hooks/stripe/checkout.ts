/**
 * Starts a purchase: checks what was asked for, finds the price that `billing sync` or the sandbox made for the plan, holds slot and name,
 * and makes a Checkout session that carries what the worker needs to know. Writes nothing to the repository.
 */
import { createHash } from 'node:crypto'
import Stripe from 'stripe'
import { lookupKey, meterLookupKey } from '../../controller/core/purchase.ts'
import type { BillingInterval, Plan, Price, Tenant, TenantId } from '../../controller/core/specs.ts'
import { HttpProblem } from '../../controller/web/http-problem.ts'
import { endEarlier, takeHold, type HoldOptions, type Order } from './checkout-hold.ts'
import { parseRequest, type CheckoutRequest } from './checkout-request.ts'
import { describeStripeError } from './fetch.ts'
import { METADATA } from './metadata.ts'

export interface CheckoutOptions extends HoldOptions {
  readonly stripe: Pick<Stripe, 'checkout' | 'prices'>
  /** Where the buyer comes back to. */
  readonly publicUrl: string
  readonly installation: string
}

/** Two equal requests within a window are one session, so that a double click makes no second subscription. */
const WINDOW_MS = 5 * 60_000
/** Stripe wants at least 30 minutes; a little more, since its clock is another one. */
const OPEN_FOR_MS = 31 * 60_000

export interface StartedCheckout {
  /** The page on which to pay. */
  readonly url: string
  readonly plan: string
  /** The id of the session, which whoever sees the page knows. */
  readonly session: string
}

/**
 * `pays` is a tenant that there is and that is to be paid for: a trial. Whoever asks must have been found to own it. `client` is who
 * asks: equal requests of two are two sessions, since whoever began one is shown the key that comes of it.
 * @throws HttpProblem where the request is invalid, the plan is sold out, the name is taken, or Stripe can't be asked.
 */
export async function startCheckout(options: CheckoutOptions, body: unknown, { pays, client = '' }: { readonly pays?: TenantId; readonly client?: string } = {}): Promise<StartedCheckout> {
  const catalog = options.catalog()
  const request = parseRequest(body, catalog, pays === undefined)
  const plan = catalog.plan(request.plan)!
  const tenant = pays === undefined ? undefined : payable(catalog.tenant(pays), plan)
  const expiresAtMs = Math.ceil(options.now().getTime() / WINDOW_MS) * WINDOW_MS + OPEN_FOR_MS
  const order: Order = { request, client, plan, tenant, expiresAtMs }
  try {
    const prices = await findPrices(options, plan, request.interval)
    await endEarlier(options, order)
    return { ...(await openSession(options, order, prices)), plan: request.plan }
  } catch (error) {
    throw error instanceof Stripe.errors.StripeError ? stripeProblem(error) : error
  }
}

function payable(tenant: Tenant | undefined, plan: Plan): Tenant {
  const problem = (code: string, title: string, detail: string): HttpProblem => new HttpProblem({ status: 409, code, title, detail })
  if (tenant === undefined) throw problem('no-such-tenant', 'Not found', 'There is no such account.')
  const { billing, state, product } = tenant.spec
  if (billing?.subscription !== undefined && state !== 'ended') throw problem('already-paid', 'Already paid', 'This account has a subscription. Change it in the customer portal.')
  if (product !== plan.spec.product) throw problem('other-product', 'Another product', `${plan.metadata.name} is no plan of ${product}.`)
  return tenant
}

/** Of the plan and of what is paid for by use. Each must cost what the plan's file says: otherwise the purchase would be held after paying. */
async function findPrices({ stripe }: CheckoutOptions, { metadata, spec }: Plan, interval: BillingInterval): Promise<Stripe.Checkout.SessionCreateParams.LineItem[]> {
  const key = lookupKey(metadata.name, interval)
  const meters = (spec.meters ?? []).map((meter) => meterLookupKey(metadata.name, meter.of))
  const { data } = await stripe.prices.list({ lookup_keys: [key, ...meters], active: true, limit: 1 + meters.length })
  const found = (wanted: string): Stripe.Price => {
    // One key gives one price.
    const price = meters.length === 0 ? data[0] : data.find((each) => each.lookup_key === wanted)
    if (price === undefined) throw notForSale('price-missing', `Stripe has no active price with the lookup key ${wanted}.`)
    return price
  }
  const price = found(key)
  if (!isPrice(price, spec.prices[interval]!, interval)) throw notForSale('price-differs', `The price ${key} at Stripe is not the one of the plan.`)
  return [{ price: price.id, quantity: 1 }, ...meters.map((each) => ({ price: found(each).id }))]
}

function isPrice({ unit_amount: paid, currency: paidIn, recurring }: Stripe.Price, { amount, currency }: Price, interval: BillingInterval): boolean {
  return paid === amount && paidIn === currency && recurring?.interval === interval && recurring.interval_count === 1
}

function notForSale(code: string, what: string): HttpProblem {
  return new HttpProblem({ status: 503, code, title: 'Not for sale right now', detail: `${what} Operator: run tenantry billing sync.`, retryAfterSeconds: 300 })
}

/** What is held for a session that could not be made is free again at once; a crash in between frees it when the session would have ended. */
async function openSession(options: CheckoutOptions, order: Order, items: readonly Stripe.Checkout.SessionCreateParams.LineItem[]): Promise<Pick<StartedCheckout, 'url' | 'session'>> {
  const { hold: { hold, expiresAt }, isNew } = takeHold(options, order)
  try {
    const params = sessionParams(options, order, { items, hold })
    const idempotencyKey = `tenantry-checkout-${createHash('sha256').update(JSON.stringify(params)).digest('hex')}`
    const { url, id } = await options.stripe.checkout.sessions.create(params, { idempotencyKey })
    if (url === null) throw new Error('Stripe made a Checkout session without an address')
    options.holds.opened(hold, id, expiresAt)
    return { url, session: id }
  } catch (error) {
    // Whoever asked for the same at the same time may have it.
    if (isNew) options.holds.remove(hold)
    throw error
  }
}

/** The same for equal requests of one window, as the idempotency key needs it. */
function sessionParams({ publicUrl, installation }: CheckoutOptions, { request, plan, tenant, expiresAtMs }: Order, { items, hold }: { items: readonly Stripe.Checkout.SessionCreateParams.LineItem[]; hold: string }): Stripe.Checkout.SessionCreateParams {
  const { trialDays, promotionCodes, automaticTax } = plan.spec
  const { quantity = 1 } = request
  const metadata = {
    [METADATA.plan]: request.plan,
    [METADATA.interval]: request.interval,
    ...(request.username !== undefined && { [METADATA.username]: request.username }),
    [METADATA.installation]: installation,
    ...(tenant !== undefined && { [METADATA.tenant]: tenant.metadata.name }),
  }
  return {
    mode: 'subscription',
    line_items: items.map((item) => (item.quantity === undefined ? item : { ...item, quantity })),
    customer_email: request.email,
    metadata,
    // A session's metadata does not reach its subscription by itself.
    subscription_data: {
      metadata,
      // A trial that ends without a card pauses: the data stays. A card alone does not resume it: the owner does, in the dashboard (resume.ts).
      ...(trialDays === undefined ? {} : { trial_period_days: trialDays, trial_settings: { end_behavior: { missing_payment_method: 'pause' } } }),
    },
    ...(trialDays === undefined ? {} : { payment_method_collection: 'if_required' }),
    ...(promotionCodes === true && { allow_promotion_codes: true }),
    ...(automaticTax === true && { automatic_tax: { enabled: true } }),
    success_url: new URL('/welcome?session={CHECKOUT_SESSION_ID}', publicUrl).href.replace(/%7B/g, '{').replace(/%7D/g, '}'),
    cancel_url: cancelUrl(publicUrl, request, { hold, pays: tenant !== undefined }),
    expires_at: expiresAtMs / 1000,
  }
}

/** By way of what frees the hold, back to where the buyer came from, with what is not personal of the form filled in. */
function cancelUrl(publicUrl: string, { plan, interval }: CheckoutRequest, { hold, pays }: { readonly hold: string; readonly pays: boolean }): string {
  const url = new URL('/api/checkout/cancel', publicUrl)
  url.search = new URLSearchParams({ hold, ...(pays ? {} : { plan, interval }) }).toString()
  return url.href
}

/** What Stripe says quotes what the buyer typed: none of it reaches a log. */
function stripeProblem(error: Stripe.errors.StripeError): HttpProblem {
  if (error instanceof Stripe.errors.StripeInvalidRequestError && error.param === 'customer_email') {
    const message = 'The payment provider takes no such address. Give one that can receive mail.'
    return new HttpProblem({ status: 400, code: 'invalid-request', title: 'Invalid request', detail: `email: ${message}`, errors: [{ field: 'email', message }] })
  }
  const detail = 'The payment provider did not take the request. Nothing was charged. Try again in a moment.'
  return new HttpProblem({ status: 502, code: 'payment-provider-failed', title: 'Payment provider failed', detail, retryAfterSeconds: 10 }, { cause: describeStripeError(error) })
}
