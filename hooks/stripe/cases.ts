/** Refunds and disputes, as they stand at Stripe now. They end nothing: what is found is put before a person. */
import type Stripe from 'stripe'
import type { BillingCase } from '../../controller/store/billing-cases.ts'
import { METADATA } from './metadata.ts'
import type { OpenEvent } from '../../controller/store/inbox.ts'
import { fetchEach, type Fetched } from './fetch.ts'
import { customerIdOf } from './subscription.ts'
import { workOf } from './event.ts'

/** A refund or dispute and the subscriptions that its customer has. */
export interface FoundCase {
  readonly case: Omit<BillingCase, 'tenant' | 'since' | 'updatedAt'>
  readonly subscriptions: readonly { readonly id: string; readonly isMarked: boolean }[]
}

type CaseStripe = Pick<Stripe, 'charges' | 'disputes' | 'subscriptions'>

export function fetchCases(stripe: CaseStripe, events: readonly OpenEvent[]): Promise<ReadonlyMap<string, Fetched<FoundCase>>> {
  const kinds = new Map(events.flatMap(({ type, object }) => (object === null ? [] : [[object, workOf(type)] as const])))
  return fetchEach(kinds.keys(), (id) => (kinds.get(id) === 'dispute' ? fetchDispute(stripe, id) : fetchRefund(stripe, id)))
}

async function fetchRefund(stripe: CaseStripe, id: string): Promise<FoundCase> {
  const charge = await stripe.charges.retrieve(id)
  const { amount_refunded: amount, currency } = charge
  return {
    case: { id, kind: 'refund', amount, currency, status: charge.refunded ? 'refunded in full' : 'refunded in part' },
    subscriptions: await subscriptionsOf(stripe, customerIdOf(charge.customer)),
  }
}

async function fetchDispute(stripe: CaseStripe, id: string): Promise<FoundCase> {
  const { amount, currency, status, charge } = await stripe.disputes.retrieve(id, { expand: ['charge'] })
  const customer = typeof charge === 'string' ? (await stripe.charges.retrieve(charge)).customer : charge.customer
  return { case: { id, kind: 'dispute', amount, currency, status: String(status) }, subscriptions: await subscriptionsOf(stripe, customerIdOf(customer)) }
}

async function subscriptionsOf(stripe: CaseStripe, customer: string | undefined): Promise<FoundCase['subscriptions']> {
  if (customer === undefined) return []
  const { data } = await stripe.subscriptions.list({ customer, status: 'all', limit: 100 })
  return data.map(({ id, metadata }) => ({ id, isMarked: metadata[METADATA.plan] !== undefined }))
}
