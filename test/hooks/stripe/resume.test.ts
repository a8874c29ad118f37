/** A trial that ended without a card, from the pause to running again: through the double to the commit. */
import { expect, it } from 'vitest'
import type { TenantId } from '../../../controller/core/specs.ts'
import { METADATA } from '../../../hooks/stripe/metadata.ts'
import { workOnPurchases } from '../../../hooks/stripe/purchase-batch.ts'
import { createResume } from '../../../hooks/stripe/resume.ts'
import { openOffline, TRIAL } from '../../sandbox/offline.ts'
import { tenant } from '../../support/specs.ts'
import { openDesk } from './billing-desk.ts'

/** A tenant whose trial is over. */
async function paused() {
  const shop = openOffline()
  const desk = openDesk()
  const work = () => workOnPurchases({ ...desk.options, stripe: shop.stripe }, desk.inbox.open(100))
  const metadata = { [METADATA.plan]: 'sq-founder', [METADATA.interval]: 'month', [METADATA.installation]: 'inst-1' }
  const session = await shop.open({ ...TRIAL, metadata, subscription_data: { ...TRIAL.subscription_data, metadata } })
  const subscription = shop.double.pay(session).subscription!
  desk.clock.now = shop.double.now()
  await desk.tell('checkout.session.completed', session)
  await work()
  shop.pass(15)
  desk.clock.now = shop.double.now()
  await desk.tell('customer.subscription.paused', subscription)
  await work()
  let traces = 0
  let pokes = 0
  const resume = createResume({ stripe: shop.stripe, inbox: desk.inbox, now: desk.options.now, newTrace: () => String(++traces).padStart(32, 'e'), poke: () => void pokes++ })
  const owned = () => desk.repository.catalog().tenant('user001' as TenantId)!
  return { shop, desk, work, owned, subscription, customer: shop.double.subscription(subscription).customer, resume: () => resume(owned()), resumeOf: resume, pokes: () => pokes }
}

it('a card and one click, or two, take one payment, and the tenant is written down as running', async () => {
  const { shop, desk, work, owned, customer, subscription, resume, pokes } = await paused()
  expect(owned().spec).toMatchObject({ state: 'suspended', stateBy: 'billing', billing: { status: 'paused' } })
  shop.double.fixCard(customer)
  await work()
  expect(owned().spec.state).toBe('suspended')
  await Promise.all([resume(), resume()])
  await work()
  expect(shop.double.state.all('charge').map(({ amount }) => amount)).toEqual([1000])
  expect(shop.double.subscription(subscription)).toMatchObject({ status: 'active', billing_cycle_anchor: Math.floor(desk.clock.now.getTime() / 1000) })
  expect(owned().spec).toMatchObject({ state: 'active', billing: { status: 'active' } })
  expect([pokes(), desk.lastMessage()]).toEqual([2, expect.stringContaining('user001')])
})

it('without a card nothing is asked of Stripe, and the owner is told what to do', async () => {
  const { shop, owned, subscription, resume, pokes } = await paused()
  await expect(resume()).rejects.toMatchObject({ details: { status: 409, code: 'no-card', detail: expect.stringContaining('Add a card') as string } })
  expect([shop.double.subscription(subscription).status, owned().spec.state, pokes()]).toEqual(['paused', 'suspended', 0])
})

it('what runs already at Stripe is looked at and not paid again; what is paid for by nobody, or by another, is refused', async () => {
  const { shop, work, owned, customer, subscription, resume, resumeOf } = await paused()
  shop.double.fixCard(customer)
  shop.double.resume(subscription)
  await resume()
  await work()
  expect([shop.double.state.all('charge').length, owned().spec.state]).toEqual([1, 'active'])
  await expect(resumeOf(tenant('user009'))).rejects.toMatchObject({ details: { code: 'not-paid-for' } })
  await expect(resumeOf(tenant('user009', { billing: { customer: 'cus_other', subscription } }))).rejects.toThrow('another customer')
})
