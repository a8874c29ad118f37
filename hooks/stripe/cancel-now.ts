/** Ends a subscription at once, for an owner who closes the account: nothing is charged after it. Decides nothing about tenants. */
import type Stripe from 'stripe'
import type { Tenant } from '../../controller/core/specs.ts'

/** Nothing is charged for these any more. Source: https://docs.stripe.com/billing/subscriptions/overview#subscription-statuses */
const OVER: readonly string[] = ['canceled', 'incomplete_expired']

/** Does nothing where there is no subscription, or where it has ended already. */
export type CancelNow = (tenant: Tenant) => Promise<void>

export function createCancelNow(stripe: { readonly subscriptions: Pick<Stripe['subscriptions'], 'retrieve' | 'cancel'> }): CancelNow {
  return async (tenant) => {
    const id = tenant.spec.billing?.subscription
    if (id === undefined) return
    const found = await stripe.subscriptions.retrieve(id).catch((error: unknown) => {
      // What Stripe does not know is charged to nobody.
      if ((error as { readonly code?: string }).code === 'resource_missing') return undefined
      throw error
    })
    if (found === undefined || OVER.includes(found.status)) return
    const whose = typeof found.customer === 'string' ? found.customer : found.customer.id
    const expected = tenant.spec.billing?.customer
    if (expected !== undefined && whose !== expected) throw new Error(`the subscription in the file of ${tenant.metadata.name} is another customer's at Stripe: put spec.billing.subscription right`)
    await stripe.subscriptions.cancel(id)
  }
}
