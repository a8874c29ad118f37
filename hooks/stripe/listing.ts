/** Everything of ours at Stripe, page after page. A page that cannot be had fails the whole: a part of the truth would read as "nobody pays". */
import { setTimeout as wait } from 'node:timers/promises'
import type Stripe from 'stripe'
import type { BillingListing } from '../../controller/core/billing-compare.ts'
import { ownerOf } from './metadata.ts'
import { readSubscription, SUBSCRIPTION_EXPANSIONS, subscriptionIdOf } from './subscription.ts'

export type ListingStripe = Pick<Stripe, 'checkout' | 'subscriptions'>

const PAGE = 100
/** Leaves Stripe's limits to buyers. */
const PAUSE_MS = 50
/** Bank debits settle within two weeks of the session. */
const LOOK_BACK_SECONDS = 16 * 86_400

export async function listBilling(stripe: ListingStripe, { installation, isOurs, now }: { readonly installation: string; readonly isOurs: (subscription: string) => boolean; readonly now: Date }): Promise<BillingListing> {
  const subscriptions: { standing: ReturnType<typeof readSubscription>; isMarked: boolean }[] = []
  for await (const subscription of everyOne((after) => stripe.subscriptions.list({ status: 'all', limit: PAGE, expand: SUBSCRIPTION_EXPANSIONS.map((name) => `data.${name}`), ...after }))) {
    const isMarked = ownerOf(subscription.metadata, installation) === 'ours'
    if (isMarked || isOurs(subscription.id)) subscriptions.push({ standing: readSubscription(subscription), isMarked })
  }
  const sessions: { id: string; subscription?: string; isCharged: boolean }[] = []
  const created = { gte: Math.floor(now.getTime() / 1000) - LOOK_BACK_SECONDS }
  for await (const session of everyOne((after) => stripe.checkout.sessions.list({ status: 'complete', created, limit: PAGE, ...after }))) {
    if (ownerOf(session.metadata, installation) !== 'ours' || session.payment_status === 'unpaid') continue
    const subscription = subscriptionIdOf(session.subscription)
    sessions.push({ id: session.id, isCharged: session.payment_status === 'paid' && (session.amount_total ?? 0) > 0, ...(subscription !== undefined && { subscription }) })
  }
  return { subscriptions, sessions }
}

/** The session that made a subscription, however long ago. */
export async function sessionOfSubscription(stripe: ListingStripe, subscription: string): Promise<string | undefined> {
  const { data } = await stripe.checkout.sessions.list({ subscription, limit: 1 })
  return data[0]?.id
}

async function* everyOne<T extends { readonly id: string }>(page: (after: { starting_after?: string }) => Promise<Stripe.ApiList<T>>): AsyncGenerator<T> {
  for (let after: { starting_after?: string } = {}; ; await wait(PAUSE_MS)) {
    const { data, has_more: more } = await page(after)
    yield* data
    if (!more) return
    const last = data.at(-1)
    if (last === undefined) throw new Error('Stripe says that there is more and gives nothing')
    after = { starting_after: last.id }
  }
}
