/** Fetches Checkout sessions as they stand now, a few side by side. Failures are values: one session's trouble is not another's. */
import Stripe from 'stripe'
import { SESSION_EXPANSIONS } from './session.ts'

export type SessionFetch =
  | { readonly kind: 'session'; readonly session: Stripe.Checkout.Session }
  /** Stripe says that there is none. */
  | { readonly kind: 'missing' }
  | { readonly kind: 'failed'; readonly error: unknown }

const CONCURRENCY = 16

/** One answer for each id; an id that occurs twice is asked for once. */
export async function fetchSessions(stripe: Pick<Stripe, 'checkout'>, ids: Iterable<string>): Promise<ReadonlyMap<string, SessionFetch>> {
  const answers = new Map<string, SessionFetch>()
  const queue = new Set(ids).values()
  const lane = async (): Promise<void> => {
    for (const id of queue) answers.set(id, await fetchSession(stripe, id))
  }
  await Promise.all(Array.from({ length: CONCURRENCY }, lane))
  return answers
}

async function fetchSession(stripe: Pick<Stripe, 'checkout'>, id: string): Promise<SessionFetch> {
  try {
    return { kind: 'session', session: await stripe.checkout.sessions.retrieve(id, { expand: SESSION_EXPANSIONS }) }
  } catch (error) {
    return error instanceof Stripe.errors.StripeInvalidRequestError && error.code === 'resource_missing' ? { kind: 'missing' } : { kind: 'failed', error }
  }
}

/** What may be logged of an error of Stripe: no message, since it can quote what was sent. */
export function describeStripeError(error: unknown): object {
  if (!(error instanceof Stripe.errors.StripeError)) return { type: error instanceof Error ? error.name : typeof error }
  return { type: error.type, code: error.code, statusCode: error.statusCode, requestId: error.requestId }
}
