/** Stripe's customer portal: cards, invoices, another plan, cancelling. What a customer does there comes back as the subscription's present state. */
import Stripe from 'stripe'
import type { CatalogView } from '../../controller/core/catalog-view.ts'
import type { TenantId } from '../../controller/core/specs.ts'
import { HttpProblem } from '../../controller/web/http-problem.ts'
import { portalFor } from './catalogue-read.ts'
import { describeStripeError } from './fetch.ts'

export interface PortalOptions {
  readonly stripe: Pick<Stripe, 'billingPortal'>
  readonly catalog: () => CatalogView
  /** Where the customer comes back to. */
  readonly publicUrl: string
  readonly installation: string
}

/** The address of a page of a few minutes' life, for the owner alone. @throws HttpProblem where the tenant pays nothing, or Stripe can't be asked. */
export type PortalUrl = (tenant: TenantId) => Promise<string>

export function createPortal(options: PortalOptions): PortalUrl {
  return async (tenant) => {
    const spec = options.catalog().tenant(tenant)?.spec
    const customer = spec?.billing?.customer
    if (spec === undefined || customer === undefined) throw new HttpProblem({ status: 409, code: 'not-paid-for', title: 'Nothing to manage', detail: 'Nothing is paid for this account, so there is nothing to manage.' })
    try {
      // Offers the plans of this product alone. Before `billing sync` made it, the account's own settings hold.
      const configuration = await portalFor(options.stripe, options.installation, spec.product)
      const { url } = await options.stripe.billingPortal.sessions.create({ customer, ...(configuration !== undefined && { configuration }), return_url: new URL('/dashboard', options.publicUrl).href })
      return url
    } catch (cause) {
      if (!(cause instanceof Stripe.errors.StripeError)) throw cause
      throw new HttpProblem({ status: 502, code: 'payment-provider-failed', title: 'Payment provider failed', detail: 'The payment provider did not answer. Try again in a moment.', retryAfterSeconds: 10 }, { cause: describeStripeError(cause) })
    }
  }
}
