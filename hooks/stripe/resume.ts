/**
 * Resumes a subscription that Stripe paused because its trial ended without a card. A card alone does not do it: Stripe wants to be told,
 * and then takes the first payment at once. Writes nothing to the repository: the subscription is looked at through the inbox.
 * Source: https://docs.stripe.com/billing/subscriptions/trials/free-trials#create-free-trials-without-payment
 */
import { createHash } from 'node:crypto'
import Stripe from 'stripe'
import type { Tenant } from '../../controller/core/specs.ts'
import type { Inbox } from '../../controller/store/inbox.ts'
import { HttpProblem } from '../../controller/web/http-problem.ts'
import { loggableCause } from './fetch.ts'
import { customerIdOf } from './subscription.ts'

export interface ResumeOptions {
  readonly stripe: Pick<Stripe, 'subscriptions' | 'customers'>
  readonly inbox: Pick<Inbox, 'put'>
  readonly now: () => Date
  /** 32 random hex digits. */
  readonly newTrace: () => string
  /** The worker has something to do. */
  readonly poke: () => void
}

/** @throws HttpProblem where nothing is paused, there is no card yet, or Stripe does not take it. */
export type ResumePaid = (tenant: Tenant) => Promise<void>

/** A second click within it is the same request: nobody pays twice. */
const WINDOW_MS = 5 * 60_000

export function createResume(options: ResumeOptions): ResumePaid {
  return async ({ metadata: { name }, spec: { billing } }) => {
    const id = billing?.subscription
    if (id === undefined) throw problem('not-paid-for', 'Nothing to resume', 'Nothing is paid for it, so there is nothing to resume.')
    try {
      const found = await options.stripe.subscriptions.retrieve(id, { expand: ['customer'] })
      if (billing?.customer !== undefined && customerIdOf(found.customer) !== billing.customer) throw new Error(`the subscription in the file of ${name} is another customer's at Stripe: put spec.billing.subscription right`)
      if (found.status === 'paused') await resume(options, found)
    } catch (error) {
      throw asProblem(error)
    }
    // As if Stripe had told: then it is durable, and what is written is what the subscription is now.
    const trace = options.newTrace()
    await options.inbox.put({ id: `evt_resumed_${trace}`, type: 'customer.subscription.resumed', object: id, body: '', trace, receivedAt: options.now().toISOString() })
    options.poke()
  }
}

async function resume({ stripe, now }: ResumeOptions, subscription: Stripe.Subscription): Promise<void> {
  const { id, default_payment_method: own, customer } = subscription
  // Asked for before: without a card Stripe would make a bill that nothing pays.
  const usual = own ?? (typeof customer === 'object' && customer.deleted !== true ? (customer.invoice_settings.default_payment_method ?? customer.default_source) : undefined) ?? undefined
  const method = usual ?? (await stripe.customers.listPaymentMethods(customerIdOf(customer)!, { limit: 1 })).data[0]
  if (method === undefined) throw problem('no-card', 'There is no card yet', 'Add a card under “Add a card” first, then resume.')
  const card = typeof method === 'string' ? method : method.id
  const idempotencyKey = `tenantry-resume-${createHash('sha256').update(`${id} ${card} ${Math.floor(now().getTime() / WINDOW_MS)}`).digest('hex')}`
  // Of several cards none may be the one that bills are paid with.
  if (usual === undefined) await stripe.subscriptions.update(id, { default_payment_method: card })
  // The new period begins now: Stripe's default. Said aloud it has another form in the pinned version than in those before it.
  await stripe.subscriptions.resume(id, {}, { idempotencyKey })
}

function asProblem(error: unknown): unknown {
  if (error instanceof Stripe.errors.StripeCardError) return problem('card-declined', 'The card was not taken', 'The payment did not go through. Put in another card, and try again.', loggableCause(error))
  if (!(error instanceof Stripe.errors.StripeError)) return error
  return new HttpProblem({ status: 502, code: 'payment-provider-failed', title: 'Payment provider failed', detail: 'The payment provider did not take it. Look here again in a moment before you try again.', retryAfterSeconds: 10 }, { cause: loggableCause(error) })
}

function problem(code: string, title: string, detail: string, cause?: unknown): HttpProblem {
  return new HttpProblem({ status: 409, code, title, detail }, { cause })
}
