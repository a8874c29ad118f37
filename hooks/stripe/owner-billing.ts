/** What an owner does with a subscription at Stripe: opens the customer's own page there, or ends it now. Decides nothing about tenants. */
import type Stripe from 'stripe'
import type { Tenant } from '../../controller/core/specs.ts'
import type { OwnerBilling } from '../../controller/dashboard/parts.ts'

/** Nothing is charged for these any more. */
const OVER: readonly string[] = ['canceled', 'incomplete_expired']

export interface OwnerStripe {
  readonly billingPortal: { readonly sessions: Pick<Stripe['billingPortal']['sessions'], 'create'> }
  readonly subscriptions: Pick<Stripe['subscriptions'], 'retrieve' | 'cancel'>
}

export function createOwnerBilling(stripe: OwnerStripe): OwnerBilling {
  return {
    async portalUrl({ spec }, returnTo) {
      const customer = spec.billing?.customer
      if (customer === undefined) return undefined
      const { url } = await stripe.billingPortal.sessions.create({ customer, return_url: returnTo })
      return url
    },
    async cancelNow(tenant) {
      const id = tenant.spec.billing?.subscription
      if (id === undefined || (await isOver(stripe, tenant, id))) return
      await stripe.subscriptions.cancel(id)
    },
  }
}

/** A subscription that Stripe does not know is charged to nobody; one of another customer is not touched. */
async function isOver(stripe: OwnerStripe, { metadata, spec }: Tenant, id: string): Promise<boolean> {
  try {
    const { status, customer } = await stripe.subscriptions.retrieve(id)
    const whose = typeof customer === 'string' ? customer : customer.id
    if (spec.billing?.customer !== undefined && whose !== spec.billing.customer) throw new Error(`the subscription that the file of ${metadata.name} names is another customer's at Stripe: put billing.subscription right`)
    return OVER.includes(status)
  } catch (error) {
    if ((error as { code?: string }).code === 'resource_missing') return true
    throw error
  }
}
