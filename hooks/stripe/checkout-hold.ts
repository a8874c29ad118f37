/**
 * Holds a slot and a user name for a buyer from before the Checkout session is made until it ends, so that whoever comes too late is told
 * so before paying. The store decides between two who ask at once: what is between looking and writing here waits for nothing.
 */
import { createHash } from 'node:crypto'
import Stripe from 'stripe'
import type { CatalogView } from '../../controller/core/catalog-view.ts'
import { planOnSale } from '../../controller/core/purchase.ts'
import type { Plan, Tenant } from '../../controller/core/specs.ts'
import type { CheckoutHold, CheckoutHolds } from '../../controller/store/checkout-holds.ts'
import { HttpProblem } from '../../controller/web/http-problem.ts'
import type { CheckoutRequest } from './checkout-request.ts'

export interface HoldOptions {
  readonly stripe: Pick<Stripe, 'checkout'>
  readonly catalog: () => CatalogView
  readonly holds: CheckoutHolds
  /** 32 random hex digits. */
  readonly newHold: () => string
  readonly now: () => Date
}

/** What is asked for, and for whom. */
export interface Order {
  readonly request: CheckoutRequest
  /** Who asks. */
  readonly client: string
  readonly plan: Plan
  /** The tenant that is to be paid for, where there is one already. */
  readonly tenant: Tenant | undefined
  /** When the session ends. */
  readonly expiresAtMs: number
}

/** How long after its session a hold lasts: the payment of the last second must be told of first. */
const LATE_WEBHOOK_MS = 5 * 60_000

/** A slot that is held for good by now is counted by the repository. */
function slotsHeld({ catalog, holds, now }: HoldOptions, plan: string, except: ReadonlySet<string>): number {
  const view = catalog()
  const held = holds.ofPlan(plan, now().toISOString())
  return held.filter(({ hold, session }) => !except.has(hold) && (session === null || view.tenantByCheckout(session) === undefined)).length
}

/** Slots of a plan that nobody else can have: taken in the repository, or held by an open session. */
export function slotsTaken(options: HoldOptions, plan: string, except: ReadonlySet<string> = new Set()): number {
  return options.catalog().slotsTaken(plan) + slotsHeld(options, plan, except)
}

/** The hold that the same request has already, or a new one. @throws HttpProblem where slot or name are taken or held. */
export function takeHold(options: HoldOptions, order: Order): { readonly hold: CheckoutHold; readonly isNew: boolean } {
  const { catalog, holds, now } = options
  const { request, plan, tenant } = order
  const at = now().toISOString()
  const digest = requestDigest(order)
  const before = holds.byRequest(digest, at)
  if (before !== undefined) return { hold: before, isNew: false }
  const buyer = buyerDigest(request.email)
  const others = namesakes(options, order)
  const own = others.filter((hold) => hold.buyer === buyer)
  const product = plan.spec.product
  const owner = request.username === undefined ? undefined : catalog().tenantByUsername(product, request.username)
  if (owner !== undefined && owner !== tenant?.metadata.name) throw nameTaken(request.username!)
  if (own.length < others.length) throw nameHeld(request.username!)
  const hasSlot = tenant?.spec.plan === plan.metadata.name && tenant.spec.state !== 'ended'
  if (!hasSlot) refuseSoldOut(options, plan, new Set(own.map(({ hold }) => hold)))
  for (const { hold } of own) holds.remove(hold)
  const expiresAt = new Date(order.expiresAtMs + LATE_WEBHOOK_MS).toISOString()
  const hold: CheckoutHold = { hold: options.newHold(), request: digest, session: null, plan: plan.metadata.name, product, username: request.username ?? null, buyer, takesSlot: hasSlot ? 0 : 1, expiresAt }
  holds.prune(at)
  holds.put(hold)
  return { hold, isNew: true }
}

/** Open sessions for the same name. */
function namesakes({ holds, now }: HoldOptions, { request, plan }: Order): readonly CheckoutHold[] {
  return request.username === undefined ? [] : holds.byUsername(plan.spec.product, request.username, now().toISOString())
}

/**
 * A buyer who begins again, with another plan or interval, pays once: the session begun before is ended at Stripe first.
 * @throws HttpProblem where that one is paid already.
 */
export async function endEarlier(options: HoldOptions, order: Order): Promise<void> {
  const buyer = buyerDigest(order.request.email)
  const digest = requestDigest(order)
  for (const { hold, session, buyer: by, request } of namesakes(options, order)) {
    if (by !== buyer || request === digest || session === null) continue
    if (await endSession(options.stripe, session)) options.holds.remove(hold)
    else throw new HttpProblem({ status: 409, code: 'already-paid', title: 'Already paid', detail: 'A purchase with this address and user name is paid already. It is served in a moment: look at your mail.' })
  }
}

/** The buyer came back without paying. */
export async function cancelHold({ stripe, holds }: HoldOptions, id: string): Promise<void> {
  const found = holds.byHold(id)
  if (found === undefined) return
  if (found.session === null || (await endSession(stripe, found.session))) holds.remove(id)
}

/** Whether the session is over without a payment. */
async function endSession(stripe: Pick<Stripe, 'checkout'>, session: string): Promise<boolean> {
  try {
    await stripe.checkout.sessions.expire(session)
    return true
  } catch (error) {
    if (!(error instanceof Stripe.errors.StripeInvalidRequestError)) throw error
    if (error.code === 'resource_missing') return true
    return (await stripe.checkout.sessions.retrieve(session)).status === 'expired'
  }
}

/** Says which plan is sold instead, by name and price. @throws HttpProblem */
function refuseSoldOut(options: HoldOptions, plan: Plan, except: ReadonlySet<string>): void {
  const catalog = options.catalog()
  const onSale = planOnSale(plan, (other) => catalog.plan(other), (other) => slotsTaken(options, other, except))
  if (onSale === plan) return
  const { name } = plan.metadata
  const held = slotsHeld(options, name, except)
  const taken = held === 0 ? `All ${plan.spec.slots} slots of ${name} are taken.` : `All ${plan.spec.slots} slots of ${name} are taken, ${held} of them by buyers who are paying now.`
  const instead = onSale === undefined ? 'Nothing takes its place at the moment.' : `Choose ${onSale.metadata.name} instead.`
  const offer = onSale && { plan: onSale.metadata.name, title: onSale.spec.title, prices: onSale.spec.prices }
  throw new HttpProblem({ status: 409, code: 'plan-sold-out', title: 'Sold out', detail: `${taken} ${instead}`, ...(offer && { offer }) })
}

function nameTaken(username: string): HttpProblem {
  return new HttpProblem({ status: 409, code: 'username-taken', title: 'Name taken', detail: `The user name ${username} is taken. Choose another one.` })
}

function nameHeld(username: string): HttpProblem {
  return new HttpProblem({ status: 409, code: 'username-taken', title: 'Name taken', detail: `Somebody is buying with the user name ${username} at this moment. Choose another one.` })
}

function requestDigest({ request, client, tenant, expiresAtMs }: Order): string {
  return digestOf(JSON.stringify([request, client, tenant?.metadata.name, expiresAtMs]))
}

function buyerDigest(email: string): string {
  return digestOf(email.toLowerCase())
}

function digestOf(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}
