/** Fetches objects of Stripe as they stand now, a few side by side. Failures are values: one object's trouble is not another's. */
import Stripe from 'stripe'
import { SESSION_EXPANSIONS } from './session.ts'
import { SUBSCRIPTION_EXPANSIONS } from './subscription.ts'

export type Fetched<T> =
  | { readonly kind: 'found'; readonly value: T }
  /** Stripe says that there is none. */
  | { readonly kind: 'missing' }
  | { readonly kind: 'failed'; readonly error: unknown }

const CONCURRENCY = 16

/** One answer for each id; an id that occurs twice is asked for once. */
export async function fetchEach<T>(ids: Iterable<string>, fetchOne: (id: string) => Promise<T>): Promise<ReadonlyMap<string, Fetched<T>>> {
  const answers = new Map<string, Fetched<T>>()
  const queue = new Set(ids).values()
  const lane = async (): Promise<void> => {
    for (const id of queue) answers.set(id, await attempt(() => fetchOne(id)))
  }
  await Promise.all(Array.from({ length: CONCURRENCY }, lane))
  return answers
}

async function attempt<T>(fetchOne: () => Promise<T>): Promise<Fetched<T>> {
  try {
    return { kind: 'found', value: await fetchOne() }
  } catch (error) {
    return error instanceof Stripe.errors.StripeInvalidRequestError && error.code === 'resource_missing' ? { kind: 'missing' } : { kind: 'failed', error }
  }
}

export function fetchSessions(stripe: Pick<Stripe, 'checkout'>, ids: Iterable<string>): Promise<ReadonlyMap<string, Fetched<Stripe.Checkout.Session>>> {
  return fetchEach(ids, (id) => stripe.checkout.sessions.retrieve(id, { expand: SESSION_EXPANSIONS }))
}

export function fetchSubscriptions(stripe: Pick<Stripe, 'subscriptions'>, ids: Iterable<string>): Promise<ReadonlyMap<string, Fetched<Stripe.Subscription>>> {
  return fetchEach(ids, (id) => stripe.subscriptions.retrieve(id, { expand: SUBSCRIPTION_EXPANSIONS }))
}

/** What may be logged of an error of Stripe: no message, since it can quote what was sent. */
export function describeStripeError(error: unknown): object {
  if (!(error instanceof Stripe.errors.StripeError)) return { type: error instanceof Error ? error.name : typeof error }
  return { type: error.type, code: error.code, statusCode: error.statusCode, requestId: error.requestId }
}

/** The same as the cause of a problem: an error that is none of Stripe's is our own, and its words may be logged. */
export function loggableCause(error: unknown): unknown {
  return error instanceof Stripe.errors.StripeError ? describeStripeError(error) : error
}
