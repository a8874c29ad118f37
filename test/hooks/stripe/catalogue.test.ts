/** The catalogue at Stripe as the plan files say: made, moved and left alone, against the double's account. */
import type Stripe from 'stripe'
import { describe, expect, it } from 'vitest'
import type { CatalogView } from '../../../controller/core/catalog-view.ts'
import type { Plan } from '../../../controller/core/specs.ts'
import { applyCatalogue } from '../../../hooks/stripe/catalogue-apply.ts'
import { catalogueChanges, type CatalogueStep } from '../../../hooks/stripe/catalogue-changes.ts'
import { portalFor, readCatalogue } from '../../../hooks/stripe/catalogue-read.ts'
import { wantedCatalogue } from '../../../hooks/stripe/catalogue.ts'
import { createStripeClient, STRIPE_API_VERSION } from '../../../hooks/stripe/client.ts'
import { endpointFault } from '../../../hooks/stripe/endpoint-check.ts'
import { HANDLED_EVENTS } from '../../../hooks/stripe/event.ts'
import { createHttpClient } from '../../../sandbox/in-process.ts'
import { openOffline } from '../../sandbox/offline.ts'
import { closing, SECRET_KEY } from '../../sandbox/shop.ts'
import { has } from '../../support/parts.ts'
import { catalogOf, FOUNDER, plan, STANDARD } from './repository-double.ts'
import { refusedByStripeMock, startStripeMock, type RecordedRequest } from './stripe-mock.ts'

const PUBLIC_URL = 'https://sq.example.com'
const METERED = plan('sq-metered', { meters: [{ of: 'requests', per: 1000, included: 50_000, price: { amount: 5, currency: 'usd' } }, { of: 'bytesOut', per: 3, price: { amount: 1, currency: 'usd' } }] })

function openAccount(first: readonly Plan[] = [FOUNDER, STANDARD, METERED]) {
  const { double } = openOffline({ catalog: 'none' })
  const requests: RecordedRequest[] = []
  const handle = (request: RecordedRequest) => {
    requests.push(request)
    return double.handle(request)
  }
  const stripe = createStripeClient({ secretKey: SECRET_KEY, httpClient: createHttpClient(handle), networkRetries: 0 })
  const secrets: string[] = []
  let catalog: CatalogView = catalogOf({ plans: first }, [])
  const changes = async (installation = 'inst-1') => {
    const wanted = wantedCatalogue(catalog, { installation, publicUrl: PUBLIC_URL })
    return catalogueChanges(wanted, await readCatalogue(stripe, wanted))
  }
  return {
    double, stripe, secrets, requests, changes,
    plans: (plans: readonly Plan[]) => void (catalog = catalogOf({ plans }, [])),
    async sync(dieAfter = Infinity): Promise<readonly CatalogueStep[]> {
      const { steps, problems } = await changes()
      expect(problems).toEqual([])
      await applyCatalogue({ stripe, installation: 'inst-1', keepSecret: (secret) => void secrets.push(secret), done: () => undefined }, steps.slice(0, dieAfter))
      return steps
    },
  }
}

const kinds = (steps: readonly CatalogueStep[]) => steps.map(({ kind }) => kind)
const byKey = async (stripe: Stripe, key: string) => (await stripe.prices.list({ lookup_keys: [key], expand: ['data.tiers'] })).data[0]!

describe('an empty account', () => {
  it('gets products, meters, prices, the portal and the endpoint, and a second run has nothing to do', async () => {
    const account = openAccount()
    expect(kinds(await account.sync())).toEqual([...Array<string>(3).fill('create-product'), ...Array<string>(2).fill('create-meter'), ...Array<string>(8).fill('create-price'), 'create-portal', 'create-endpoint'])
    expect(await account.changes()).toEqual({ steps: [], problems: [] })
    const { stripe } = account
    expect(await byKey(stripe, 'sq-founder_year')).toMatchObject({ unit_amount: 10000, currency: 'usd', product: 'tenantry_sq-founder', recurring: { interval: 'year' }, metadata: { tenantry_plan: 'sq-founder', tenantry_installation: 'inst-1' } })
    const [meter] = (await stripe.billing.meters.list()).data.filter(({ event_name: name }) => name === 'tenantry_sq-metered_requests')
    const requests = await byKey(stripe, 'sq-metered_requests')
    expect(requests).toMatchObject({ unit_amount: 5, recurring: { usage_type: 'metered', meter: meter!.id } })
    expect(requests.tiers).toBeUndefined()
    expect(await byKey(stripe, 'sq-metered_bytesout')).toMatchObject({ unit_amount: 1 })
    const [endpoint] = (await stripe.webhookEndpoints.list()).data
    expect(endpoint).toMatchObject({ url: `${PUBLIC_URL}/api/stripe/webhook`, api_version: STRIPE_API_VERSION, enabled_events: [...HANDLED_EVENTS].sort() })
    expect(account.secrets).toHaveLength(1)
  })

  it('is finished by the next run, wherever the first one died', async () => {
    const whole = (await openAccount().changes()).steps.length
    for (let n = 0; n <= whole; n++) {
      const account = openAccount()
      await account.sync(n)
      await account.sync()
      expect(await account.changes()).toEqual({ steps: [], problems: [] })
      expect(account.double.account.catalogue.prices()).toHaveLength(8)
    }
  })

  it('offers no plan with slots to those who change theirs in the portal, and has one portal for each product', async () => {
    const account = openAccount()
    await account.sync()
    const configuration = await account.stripe.billingPortal.configurations.retrieve((await portalFor(account.stripe, 'inst-1', 'sq'))!)
    const { products } = configuration.features.subscription_update
    expect(products!.map(({ product }) => product).sort()).toEqual(['tenantry_sq-metered', 'tenantry_sq-standard'])
    expect(await portalFor(account.stripe, 'inst-2', 'sq')).toBeUndefined()
  })
})

describe('a price that changed', () => {
  it('moves the lookup key to a new one; who pays the old one goes on paying it, and is counted', async () => {
    const account = openAccount([STANDARD])
    await account.sync()
    const { stripe, double } = account
    const old = await byKey(stripe, 'sq-standard_month')
    const session = await stripe.checkout.sessions.create({ mode: 'subscription', line_items: [{ price: old.id, quantity: 1 }], success_url: 'http://localhost/' })
    const { subscription } = double.pay(session.id)
    account.plans([plan('sq-standard', { prices: { month: { amount: 1700, currency: 'usd' }, year: { amount: 15000, currency: 'usd' } } })])
    const steps = await account.sync()
    expect(kinds(steps)).toEqual(['create-price', 'archive-price', 'update-portal'])
    expect(steps[0]).toMatchObject({ price: { amount: '1700' }, replaces: { id: old.id, subscribers: 1 } })
    expect(await byKey(stripe, 'sq-standard_month')).toMatchObject({ unit_amount: 1700, active: true })
    expect(await stripe.prices.retrieve(old.id)).toMatchObject({ active: false, lookup_key: null })
    expect(await account.changes()).toEqual({ steps: [], problems: [] })
    double.advance(new Date(double.now().getTime() + 40 * 86_400_000))
    expect(double.subscription(subscription!).items.data[0]!.price.unit_amount).toBe(1500)
    expect((await stripe.invoices.list({ subscription: subscription! })).data[0]!.amount_paid).toBe(1500)
  })

  it('back to what it was is sold again', async () => {
    const account = openAccount([STANDARD])
    await account.sync()
    account.plans([])
    expect(kinds(await account.sync())).toEqual(['archive-price', 'archive-price', 'archive-product'])
    account.plans([STANDARD])
    expect(kinds(await account.sync())).toEqual(['update-product', 'activate-price', 'activate-price'])
    expect(await account.changes()).toEqual({ steps: [], problems: [] })
  })
})

describe('what is not ours', () => {
  it('is left alone, and said where it stands in the way', async () => {
    const account = openAccount([STANDARD])
    const { stripe, double } = account
    await stripe.products.create({ id: 'theirs', name: 'Theirs' })
    const { id } = await stripe.prices.create({ product: 'theirs', currency: 'usd', unit_amount: 1, recurring: { interval: 'month' }, lookup_key: 'sq-standard_month' })
    await stripe.products.create({ id: 'tenantry_sq-standard', name: 'Somebody’s' })
    await stripe.webhookEndpoints.create({ url: `${PUBLIC_URL}/api/stripe/webhook`, enabled_events: ['*'] })
    const before = JSON.stringify([double.state.all('product'), double.state.all('price'), double.state.all('endpoint')])
    const { problems } = await account.changes()
    expect(problems).toEqual([expect.stringContaining('tenantry_sq-standard'), expect.stringContaining(id), expect.stringContaining('webhook endpoint')])
    expect(JSON.stringify([double.state.all('product'), double.state.all('price'), double.state.all('endpoint')])).toBe(before)
  })

  it('of another installation on the same account is theirs too', async () => {
    const account = openAccount([STANDARD])
    await account.sync()
    const { steps, problems } = await account.changes('inst-2')
    expect(problems.length).toBeGreaterThan(0)
    expect(steps.filter(({ kind }) => kind.startsWith('archive') || kind.startsWith('update') || kind.startsWith('disable'))).toEqual([])
  })
})

describe('the webhook endpoint', () => {
  it('of another version is replaced in two runs, so that no event goes unheard', async () => {
    const account = openAccount([STANDARD])
    const metadata = { tenantry_installation: 'inst-1' }
    const old = await account.stripe.webhookEndpoints.create({ url: `${PUBLIC_URL}/api/stripe/webhook`, enabled_events: ['*'], api_version: '2024-06-20', metadata })
    expect(await endpointFault(account.stripe, PUBLIC_URL)).toContain('2024-06-20')
    expect(kinds(await account.sync())).toContain('create-endpoint')
    expect((await account.stripe.webhookEndpoints.retrieve(old.id)).status).toBe('enabled')
    expect(kinds(await account.sync())).toEqual(['disable-endpoint'])
    expect(await account.changes()).toEqual({ steps: [], problems: [] })
    expect(await endpointFault(account.stripe, PUBLIC_URL)).toBeUndefined()
  })

  it('that is missing, or lacks an event, is said and mended', async () => {
    const account = openAccount([STANDARD])
    expect(await endpointFault(account.stripe, PUBLIC_URL)).toContain('no webhook endpoint')
    await account.sync()
    const [endpoint] = (await account.stripe.webhookEndpoints.list()).data
    await account.stripe.webhookEndpoints.update(endpoint!.id, { enabled_events: ['invoice.paid'] })
    expect(await endpointFault(account.stripe, PUBLIC_URL)).toContain('does not send checkout.session.completed')
    expect(kinds(await account.sync())).toEqual(['update-endpoint'])
    expect(await endpointFault(account.stripe, PUBLIC_URL)).toBeUndefined()
  })
})

it.skipIf(!has('stripe-mock'))('every call is one that the real interface takes', async () => {
  const mock = await startStripeMock()
  closing.push(() => mock.stop())
  const account = openAccount()
  await account.sync()
  account.plans([plan('sq-standard', { title: 'Other', prices: { month: { amount: 1700, currency: 'usd' } } })])
  const [endpoint] = (await account.stripe.webhookEndpoints.list()).data
  await account.stripe.webhookEndpoints.update(endpoint!.id, { enabled_events: ['invoice.paid'] })
  await account.sync()
  expect(await refusedByStripeMock(mock.url, account.requests)).toEqual([])
})
