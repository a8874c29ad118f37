/** A subscription's life through the real program: each step at Stripe becomes a commit, or is put before a person. */
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { parse } from 'yaml'
import type { TenantSpec } from '../../controller/core/specs.ts'
import type { BillingCheck, BillingOverview } from '../../controller/web/billing-admin.ts'
import { makeInstallation, type Installation } from '../support/installation.ts'
import { gitIn } from '../support/repository.ts'
import { openShop, type Shop } from '../support/stripe.ts'
import { tempFolder } from '../support/temp.ts'
import { waitFor } from '../support/wait.ts'

/** Asking git blocks this process, in which the double answers: not too often. */
const eventually: typeof waitFor = (condition, what) =>
  waitFor(async () => {
    await new Promise((resolve) => setTimeout(resolve, 100))
    return condition()
  }, what, 40_000)

interface Place {
  readonly shop: Shop
  readonly installation: Installation
  spec(id: string): TenantSpec
  /** Buys, waits until it is served; the tenant and its subscription. */
  customer(username: string): Promise<{ readonly id: string; readonly subscription: string }>
  lastMessage(): string
  billing(): Promise<BillingOverview>
}

async function open(options: Parameters<typeof openShop>[1] = {}, atEnd: (close: () => Promise<void>) => unknown = onTestFinished): Promise<Place> {
  const shop = await openShop(() => `${installation.run.localUrl}/api/stripe/webhook`, { retryMs: [40], ...options }, atEnd)
  const installation = makeInstallation(path.join(tempFolder(), 'home'), shop.environment, atEnd)
  await installation.start()
  const repository = path.join(installation.home, 'tenants.git')
  const tenantOf = (session: string): string | undefined => {
    try {
      return path.basename(gitIn(repository, 'grep', '--name-only', '--fixed-strings', '-e', session, 'main', '--', 'tenants'), '.yaml')
    } catch {
      return undefined
    }
  }
  return {
    shop,
    installation,
    spec: (id) => (parse(gitIn(repository, 'show', `main:tenants/sq/000/${id}.yaml`)) as { spec: TenantSpec }).spec,
    async customer(username) {
      const session = await shop.order({ plan: 'sq-founder', username })
      shop.double.pay(session, 'card', { withCard: true })
      const id = await eventually(() => tenantOf(session), `${username} is served`)
      return { id, subscription: shop.double.session(session).subscription! }
    },
    lastMessage: () => gitIn(repository, 'log', '-1', '--format=%B', 'main'),
    billing: async () => (await (await fetch(`${installation.run.adminUrl}/api/billing`, { headers: { authorization: `Bearer ${readFileSync(path.join(installation.home, 'admin-token'), 'utf8').trim()}` } })).json()) as BillingOverview,
  }
}

describe('with webhooks', () => {
  let place: Place
  const ends: (() => Promise<void>)[] = []
  beforeAll(async () => {
    place = await open({}, (close) => ends.push(close))
    return async () => {
      for (const end of ends.reverse()) await end()
    }
  }, 90_000)

  it('a change of plan is the plan, with the price that is paid', async () => {
    const { id, subscription } = await place.customer('mover')
    expect(place.spec(id).billing).toMatchObject({ paidPlan: 'sq-founder', price: { amount: 1000, currency: 'usd' }, interval: 'month', status: 'active' })
    place.shop.double.changePlan(subscription, 'sq-standard_month')
    await eventually(() => place.spec(id).plan === 'sq-standard', 'the plan')
    expect(place.spec(id).billing).toMatchObject({ paidPlan: 'sq-standard', price: { amount: 1500, currency: 'usd' } })
    expect(place.lastMessage()).toMatch(/^billing: user\d+ plan sq-founder -> sq-standard/)
    expect(place.lastMessage()).toMatch(/^Event: evt_\w+$/m)
    expect(place.lastMessage()).not.toContain('@')
  })

  it('cancelled for the end of the period runs on, taken back runs on, ended is ended with its data kept', async () => {
    const { id, subscription } = await place.customer('leaver')
    place.shop.double.cancel(subscription, 'period-end')
    await eventually(() => place.spec(id).billing!.cancelAt, 'the cancellation')
    place.shop.double.undoCancel(subscription)
    await eventually(() => place.spec(id).billing!.cancelAt === undefined, 'the cancellation is taken back')
    expect(place.spec(id).state).toBe('active')
    place.shop.double.cancel(subscription)
    await eventually(() => place.spec(id).state === 'ended', 'the end')
    expect(place.spec(id)).toMatchObject({ stateBy: 'billing', stateReason: 'the subscription ended', endedAt: expect.any(String) as string })
  })

  it('paused is suspended with data kept, resumed goes on', async () => {
    const { id, subscription } = await place.customer('pauser')
    place.shop.double.pause(subscription)
    await eventually(() => place.spec(id).state === 'suspended', 'the suspension')
    await waitFor(async () => (await place.installation.tenant(id))?.status.conditions.some(({ reason }) => reason === 'Suspended'), 'nothing is served')
    place.shop.double.resume(subscription)
    await eventually(() => place.spec(id).state === 'active', 'running again')
    expect(place.spec(id)).not.toHaveProperty('stateBy')
  })

  it('a refund ends nothing and waits for a person, who says done', async () => {
    const { id, subscription } = await place.customer('unhappy')
    const { id: charge } = place.shop.double.refund(subscription, 400)
    const found = await waitFor(async () => (await place.billing()).cases[0], 'the refund is put before a person')
    expect(found).toMatchObject({ id: charge, kind: 'refund', tenant: id, amount: 400, currency: 'usd' })
    expect(place.spec(id).state).toBe('active')
    expect(await place.installation.metric('tenantry_billing_cases{kind="refund"}')).toBe(1)
    expect((await place.installation.cli('billing', 'done', charge)).code).toBe(0)
    expect((await place.billing()).cases).toEqual([])
    expect((await place.installation.cli('billing', 'done', charge)).code).toBe(2)
  })

  it('an old webhook that is replayed, in an old shape too, tells of how things stand now', async () => {
    const { id, subscription } = await place.customer('replayed')
    place.shop.double.pause(subscription)
    await eventually(() => place.spec(id).state === 'suspended', 'the suspension')
    place.shop.double.resume(subscription)
    await eventually(() => place.spec(id).state === 'active', 'running again')
    const before = place.lastMessage()
    const old = place.shop.double.events().filter(({ type, data }) => type.startsWith('customer.subscription.') && data.object.id === subscription)
    for (const { id: event } of old) await place.shop.double.replay(event)
    await waitFor(async () => (await place.installation.metric('tenantry_inbox_events{state="pending"}')) === 0, 'nothing is pending')
    expect([place.spec(id).state, place.lastMessage()]).toEqual(['active', before])
  })

  it("a webhook for somebody else's product does nothing", async () => {
    const before = place.lastMessage()
    const answer = await place.shop.post(JSON.stringify({ id: 'evt_foreign', object: 'event', type: 'customer.subscription.deleted', data: { object: { id: 'sub_foreign' } } }))
    expect(answer.status).toBe(200)
    await waitFor(async () => (await place.installation.metric('tenantry_inbox_events{state="pending"}')) === 0, 'nothing is pending')
    expect(place.lastMessage()).toBe(before)
  })

  it('the figures of income are counted from the repository, on the page, as JSON and as metrics', async () => {
    const { money, lastComparedAt } = await waitFor(async () => {
      const found = await place.billing()
      return found.lastComparedAt !== null && found
    }, 'a comparison')
    expect(lastComparedAt).not.toBeNull()
    expect(money.monthly['usd']).toBeGreaterThan(0)
    expect(money.endedIn30Days).toBeGreaterThan(0)
    expect(await place.installation.metric('tenantry_mrr{currency="usd"}')).toBeGreaterThan(0)
    const token = readFileSync(path.join(place.installation.home, 'admin-token'), 'utf8').trim()
    const page = await fetch(`${place.installation.run.adminUrl}/billing`, { headers: { authorization: `Bearer ${token}` } })
    const text = await page.text()
    expect([page.status, text.includes('<h1>Billing</h1>'), text.includes('@example.com')]).toEqual([200, true, false])
    expect((await fetch(`${place.installation.run.adminUrl}/api/billing`)).status).toBe(401)
  })
})

it('with every webhook lost, the comparison serves all buyers and puts right what changed', async () => {
  const { shop, installation, spec } = await open({ enabledEvents: [] })
  const sessions = await Promise.all(['ada', 'bob', 'cleo'].map((username) => shop.order({ plan: 'sq-founder', username })))
  for (const session of sessions) shop.double.pay(session)
  const found = await installation.cli('--json', 'billing', 'check')
  const check = JSON.parse(found.stdout) as BillingCheck
  expect([found.code, check.differences.filter(({ kind }) => kind === 'no-tenant').length]).toEqual([3, 3])
  const healed = JSON.parse((await installation.cli('--json', 'billing', 'check', '--apply')).stdout) as BillingCheck
  expect(healed.healed.map(({ kind }) => kind)).toEqual(['no-tenant', 'no-tenant', 'no-tenant'])
  expect(await installation.metric('tenantry_billing_healed_total{kind="no-tenant"}')).toBe(3)
  const served = gitIn(path.join(installation.home, 'tenants.git'), 'grep', '--name-only', '--fixed-strings', '-e', sessions[0]!, 'main', '--', 'tenants')
  const id = path.basename(served, '.yaml')
  shop.double.cancel(shop.double.session(sessions[0]!).subscription!)
  // A restart compares at once.
  await installation.kill('SIGKILL')
  await installation.start()
  await eventually(() => spec(id).state === 'ended', 'the end')
})
