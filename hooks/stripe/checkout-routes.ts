/** The public routes around buying: start a checkout, and how many founder slots are claimed. Claimed numbers come from the repository alone. */
import type { FastifyPluginAsync } from 'fastify'
import type { CatalogView } from '../../controller/core/catalog-view.ts'
import type { Plan, TenantId } from '../../controller/core/specs.ts'
import { cancelHold } from './checkout-hold.ts'
import { startCheckout, type CheckoutOptions, type StartedCheckout } from './checkout.ts'
import { describeStripeError } from './fetch.ts'
import { createCheckoutLimit } from './checkout-limit.ts'
import type { CheckoutProof } from '../../controller/web/checkout-proof.ts'
import { addressOf, networkOf } from '../../controller/web/client-network.ts'
import { createProblemHandler, HttpProblem } from '../../controller/web/http-problem.ts'
import type { Log } from './ports.ts'

export interface FoundingProgress {
  readonly claimed: number
  readonly total: number
  readonly remaining: number
  /** With one decimal, at most 100. */
  readonly percentage: number
}

const MAX_BODY_BYTES = 16 * 1024
/** The product whose plan with slots is the founding offer. */
const FOUNDING_PRODUCT = 'sq'

/**
 * Starts a purchase for the client at an address, within its limit; `body` is what it sent. `pays` is the tenant that is to be paid for,
 * where there is one: the caller has found that it belongs to who asks. `form` tells apart forms that were sent from one network. @throws HttpProblem as `startCheckout`
 */
export type BeginPurchase = (address: string, body: unknown, about?: { readonly pays?: TenantId; readonly form?: string }) => Promise<StartedCheckout>

export interface Checkout {
  readonly routes: FastifyPluginAsync
  readonly begin: BeginPurchase
}

interface CheckoutRoutesOptions extends CheckoutOptions {
  readonly proof: Pick<CheckoutProof, 'cookie'>
  readonly log: Log
}

export function createCheckout(options: CheckoutRoutesOptions): Checkout {
  const limit = createCheckoutLimit(() => performance.now())
  const begin: BeginPurchase = async (address, body, { pays, form = '' } = {}) => {
    limit.take(address)
    if (isScarce(options.catalog(), body)) limit.takeScarce(address)
    return startCheckout(options, body, { ...(pays !== undefined && { pays }), client: `${networkOf(address)} ${form}` })
  }
  return { begin, routes: createCheckoutRoutes(options, begin) }
}

function isScarce(catalog: CatalogView, body: unknown): boolean {
  const name = typeof body === 'object' && body !== null ? (body as Readonly<Record<string, unknown>>)['plan'] : undefined
  const plan = typeof name === 'string' ? catalog.plan(name) : undefined
  return plan?.spec.slots !== undefined || plan?.spec.trialDays !== undefined
}

function createCheckoutRoutes(options: CheckoutRoutesOptions, begin: BeginPurchase): FastifyPluginAsync {
  return async (parent) => {
    await parent.register(async (app) => {
      app.setErrorHandler(createProblemHandler(options.log))
      app.post('/api/checkout', { bodyLimit: MAX_BODY_BYTES }, async (request, reply) => {
        const { url, plan, session } = await begin(addressOf(request), request.body)
        void reply.headers({ 'set-cookie': options.proof.cookie(request, session), 'cache-control': 'no-store' })
        return { url, plan }
      })
      // Where Stripe sends a buyer who turns back: what was held is free again at once.
      app.get<{ Querystring: Readonly<Record<string, unknown>> }>('/api/checkout/cancel', async ({ query }, reply) => {
        if (typeof query['hold'] === 'string') await cancelHold(options, query['hold']).catch((err: unknown) => options.log.warn({ first: describeStripeError(err) }, 'a session that was turned back from goes on until it ends by itself'))
        return reply.redirect(backTo(options.catalog(), query), 303)
      })
      app.get('/api/founding-progress', async () => {
        const progress = foundingProgress(options.catalog())
        if (progress !== undefined) return progress
        throw new HttpProblem({ status: 404, code: 'no-founding-plan', title: 'No founding offer', detail: `No plan of the product ${FOUNDING_PRODUCT} has slots.` })
      })
    })
  }
}

/** The form of the plan, or, for whoever pays for what there is, the dashboard. */
function backTo(catalog: CatalogView, { plan: name, interval }: Readonly<Record<string, unknown>>): string {
  const plan = typeof name === 'string' ? catalog.plan(name) : undefined
  if (plan === undefined) return '/dashboard'
  const query = new URLSearchParams({ plan: plan.metadata.name, interval: interval === 'year' ? 'year' : 'month', cancelled: '' })
  return `/products/${plan.spec.product}/signup?${query.toString()}`
}

/** Of the plan of product `sq` that has slots; the first by name where several have. */
export function foundingProgress(catalog: CatalogView): FoundingProgress | undefined {
  const withSlots = [...catalog.plans()].filter(({ spec }) => spec.product === FOUNDING_PRODUCT && spec.slots !== undefined)
  const [plan] = withSlots.sort((a: Plan, b: Plan) => (a.metadata.name < b.metadata.name ? -1 : 1))
  if (plan === undefined) return undefined
  const claimed = catalog.slotsTaken(plan.metadata.name)
  const total = plan.spec.slots!
  const percentage = total === 0 ? 100 : Math.min(100, Math.round((claimed / total) * 1000) / 10)
  return { claimed, total, remaining: Math.max(0, total - claimed), percentage }
}
