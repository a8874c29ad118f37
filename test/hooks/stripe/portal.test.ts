/** Stripe's portal as an owner is led to it: with the plans of the tenant's product, and without where `billing sync` never ran. */
import Stripe from 'stripe'
import { expect, it } from 'vitest'
import type { TenantId } from '../../../controller/core/specs.ts'
import { PORTAL_PRODUCT } from '../../../hooks/stripe/catalogue-read.ts'
import { METADATA } from '../../../hooks/stripe/metadata.ts'
import { createPortal } from '../../../hooks/stripe/portal.ts'
import { openOffline } from '../../sandbox/offline.ts'
import { tenant } from '../../support/specs.ts'
import { catalogOf } from './repository-double.ts'

const OWNER = 'user001' as TenantId

async function open() {
  const { double, stripe } = openOffline({ catalog: 'none' })
  const { id: customer } = await stripe.customers.create({ email: 'ada@example.com' })
  const catalog = () => catalogOf({}, [tenant(OWNER, { billing: { customer } }), tenant('user002')])
  const configurationFor = async (product: string, installation: string): Promise<string> => {
    const features = { invoice_history: { enabled: true } }
    return (await stripe.billingPortal.configurations.create({ features, metadata: { [METADATA.installation]: installation, [PORTAL_PRODUCT]: product } })).id
  }
  const portalUrl = createPortal({ stripe, catalog, publicUrl: 'https://example.com', installation: 'inst-1' })
  return { stripe, portalUrl, catalog, configurationFor, visits: () => double.state.all('portal_session').map(({ configuration, return_url: back }) => [configuration, back]) }
}

it('is the one of the product and of this installation', async () => {
  const { portalUrl, configurationFor, visits } = await open()
  await configurationFor('other', 'inst-1')
  await configurationFor('sq', 'inst-2')
  const own = await configurationFor('sq', 'inst-1')
  expect(await portalUrl(OWNER)).toMatch(/\/portal\/bps_/)
  expect(visits()).toEqual([[own, 'https://example.com/dashboard']])
})

it('is the account’s own where there is none for the product', async () => {
  const { portalUrl, visits } = await open()
  await portalUrl(OWNER)
  expect(visits()).toEqual([['bpc_default', 'https://example.com/dashboard']])
})

it('is refused where nothing is paid for', async () => {
  await expect((await open()).portalUrl('user002' as TenantId)).rejects.toMatchObject({ details: { code: 'not-paid-for' } })
})

it('is told to be away where Stripe fails, with nothing of Stripe’s words for the log', async () => {
  const { stripe, catalog } = await open()
  const fails = (): never => {
    throw new Stripe.errors.StripeInvalidRequestError({ message: 'no such customer ada@example.com', type: 'invalid_request_error', code: 'resource_missing' })
  }
  const { configurations } = stripe.billingPortal
  const portalUrl = createPortal({ stripe: { billingPortal: { configurations, sessions: { create: fails } } as never }, catalog, publicUrl: 'https://example.com', installation: 'inst-1' })
  await expect(portalUrl(OWNER)).rejects.toMatchObject({ details: { status: 502, code: 'payment-provider-failed' }, cause: { type: 'StripeInvalidRequestError', code: 'resource_missing' } })
  const caught: unknown = await portalUrl(OWNER).catch((error: unknown) => (error as Error).cause)
  expect(JSON.stringify(caught)).not.toContain('ada@example.com')
})
