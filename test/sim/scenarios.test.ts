/** The situations that everybody who sells meets, each on the simulated seller with the real code, and with nothing else going wrong. */
import { describe, expect, it } from 'vitest'
import type { Tenant } from '../../controller/core/specs.ts'
import { createBillingCases } from '../../controller/store/billing-cases.ts'
import { HttpProblem } from '../../controller/web/http-problem.ts'
import { OLDER_VERSION } from '../../sandbox/versions.ts'
import { tempFolder } from '../support/temp.ts'
import { disagreements } from './agreement.ts'
import { CALM, type FaultRates } from './faults.ts'
import { WEBHOOK_SECRET } from './program.ts'
import { FOUNDER, SPECS, STANDARD } from './shop-specs.ts'
import { createWorld, type World } from './world.ts'

const MINUTE_DAYS = 1 / 1440

async function open(slots = 2, rates: Partial<FaultRates> = {}) {
  const founder = { ...FOUNDER, spec: { ...FOUNDER.spec, slots } }
  const specs = SPECS.map((spec) => (spec === FOUNDER ? founder : spec))
  const world = await createWorld({ seed: 'scenario', folder: tempFolder('sim'), rates: { ...CALM, ...rates }, specs, retries: { afterDays: [3, 5, 7], then: 'unpaid' } })
  const begin = (n: number, order: object = {}) => world.program().checkout({ plan: 'sq-founder', interval: 'month', email: `buyer${n}@example.com`, username: `buyer-${n}`, ...order })
  return {
    world,
    begin,
    /** Pays; the subscription's id. */
    pay: (session: string) => world.double.pay(session).subscription!,
    async buy(n: number, order: object = {}) {
      const subscription = world.double.pay(await begin(n, order)).subscription!
      await world.run(MINUTE_DAYS)
      return subscription
    },
    tenantOf: (subscription: string): Tenant['spec'] => world.repository.tenants().find(({ spec }) => spec.billing?.subscription === subscription)!.spec,
  }
}

async function refusal(work: Promise<unknown>): Promise<{ code: string; detail: string }> {
  const error = await work.then(() => undefined, (reason: unknown) => reason)
  if (!(error instanceof HttpProblem)) throw new Error(`was not refused: ${String(error)}`)
  return { code: error.details.code, detail: error.details.detail }
}

async function agrees(world: World): Promise<void> {
  await world.settle()
  expect(disagreements(world)).toEqual([])
}

describe('slots', () => {
  it('the 501st buyer is told before paying, and buys the successor', async () => {
    const { world, begin, pay, buy } = await open(500)
    for (let n = 1; n <= 500; n++) pay(await begin(n))
    await world.run(MINUTE_DAYS)
    expect(world.repository.catalog.slotsTaken('sq-founder')).toBe(500)
    const { code, detail } = await refusal(begin(501))
    expect([code, detail]).toEqual(['plan-sold-out', expect.stringContaining('sq-standard')])
    await buy(501, { plan: 'sq-standard' })
    expect(world.repository.tenants()).toHaveLength(501)
    expect(world.breaches).toEqual([])
  }, 120_000)

  it('of two buyers for the last slot the second is told while the first pays, and gets it when the first lets it go', async () => {
    const { world, begin, pay, buy } = await open(2)
    await buy(1)
    const first = await begin(2)
    expect((await refusal(begin(3))).code).toBe('plan-sold-out')
    await world.run(40 * MINUTE_DAYS)
    expect(world.double.session(first).status).toBe('expired')
    pay(await begin(3))
    await world.run(MINUTE_DAYS)
    expect(world.repository.catalog.slotsTaken('sq-founder')).toBe(2)
    await agrees(world)
  })

  it('when two pay for the last slot all the same, one is served and the other waits for a person', async () => {
    const { world, begin, pay } = await open(2)
    const [first, second] = [await begin(1), await begin(2)]
    world.repository.put({ ...FOUNDER, spec: { ...FOUNDER.spec, slots: 1 } })
    pay(first)
    pay(second)
    await world.run(1)
    expect(world.repository.catalog.slotsTaken('sq-founder')).toBe(1)
    const held = world.db.prepare("SELECT note FROM inbox WHERE state = 'held'").all() as { note: string }[]
    expect(held.map(({ note }) => note)).toEqual([expect.stringContaining('slots-gone')])
    await agrees(world)
  })
})

it('of two for one user name the second is told at once, while the first pays and afterwards', async () => {
  const { world, begin, pay } = await open()
  const first = await begin(1, { username: 'ada' })
  expect((await refusal(begin(2, { username: 'ada' }))).code).toBe('username-taken')
  pay(first)
  await world.run(MINUTE_DAYS)
  expect((await refusal(begin(2, { username: 'ada' }))).code).toBe('username-taken')
  await agrees(world)
})

it('a checkout that nobody pays leaves nothing behind', async () => {
  const { world, begin } = await open(1)
  const session = await begin(1)
  await world.run(1)
  expect([world.double.session(session).status, world.repository.tenants()]).toEqual(['expired', []])
  expect(await begin(2)).toMatch(/^cs_/)
  await agrees(world)
})

it('a card that fails in month two: runs through the grace, is suspended, and goes on with the same key when it is paid', async () => {
  const { world, buy, tenantOf } = await open()
  const id = await buy(1)
  const [key] = tenantOf(id).keys
  const { customer } = world.double.subscription(id)
  world.double.failCard(customer)
  await world.run(29)
  expect(tenantOf(id)).toMatchObject({ state: 'active', billing: { status: 'past_due' } })
  await world.run(12)
  expect(tenantOf(id)).toMatchObject({ state: 'suspended', stateBy: 'billing' })
  world.double.fixCard(customer)
  world.double.payOpenInvoice(id)
  await world.run(MINUTE_DAYS)
  expect(tenantOf(id)).toMatchObject({ state: 'active', keys: [key], billing: { status: 'active' } })
  await agrees(world)
})

it('a plan change at Stripe changes plan and price in the repository', async () => {
  const { world, buy, tenantOf } = await open()
  const id = await buy(1)
  world.double.changePlan(id, 'sq-standard_year')
  await world.run(MINUTE_DAYS)
  expect(tenantOf(id)).toMatchObject({ plan: 'sq-standard', billing: { interval: 'year', price: { amount: 15000 } } })
  expect(world.repository.catalog.slotsTaken('sq-founder')).toBe(0)
  await agrees(world)
})

it('a founder keeps the price for life while it rises for others', async () => {
  const { world, buy, tenantOf } = await open()
  const id = await buy(1)
  world.repository.put({ ...FOUNDER, spec: { ...FOUNDER.spec, prices: { month: { amount: 9900, currency: 'usd' } } } })
  await world.sync()
  const other = await buy(2)
  await world.run(65)
  expect([tenantOf(id).billing!.price!.amount, tenantOf(other).billing!.price!.amount]).toEqual([1000, 9900])
  const paid = world.double.state.all('invoice').filter(({ parent }) => parent.subscription_details.subscription === id)
  expect(paid.map(({ amount_paid: amount }) => amount)).toEqual([1000, 1000, 1000])
  await agrees(world)
})

it('a refund ends nothing and is put before a person', async () => {
  const { world, buy, tenantOf } = await open()
  const id = await buy(1)
  world.double.refund(id, 400)
  await world.run(MINUTE_DAYS)
  expect(tenantOf(id).state).toBe('active')
  expect(createBillingCases(world.db).open()).toMatchObject([{ kind: 'refund', amount: 400 }])
  await agrees(world)
})

it('old webhooks played again after everything, in older shapes too, change nothing', async () => {
  const { world, buy, tenantOf } = await open()
  const id = await buy(1)
  world.double.cancel(id)
  await world.run(1)
  expect(tenantOf(id).state).toBe('ended')
  const commits = world.repository.commits.length
  for (const event of world.double.events()) {
    for (const version of [OLDER_VERSION, undefined]) {
      // Under another id, so that it is not known as a double.
      const again = { ...event, id: `${event.id}again${version === undefined ? '' : 'old'}` }
      const message = world.double.sign(again, { url: '', secret: WEBHOOK_SECRET, enabledEvents: ['*'], apiVersion: '2026-10-28.endive' }, version)
      expect(await world.program().receive(message)).toBe(200)
    }
  }
  await world.run(1)
  expect(world.repository.commits).toHaveLength(commits)
  expect(tenantOf(id).state).toBe('ended')
  await agrees(world)
})

it('webhooks for somebody else’s product become nothing', async () => {
  const { world } = await open()
  const product = await world.outside.products.create({ name: 'A book club' })
  const price = await world.outside.prices.create({ product: product.id, currency: 'usd', unit_amount: 700, recurring: { interval: 'month' } })
  const { id } = await world.outside.checkout.sessions.create({ mode: 'subscription', line_items: [{ price: price.id, quantity: 1 }], success_url: 'https://example.org/' })
  const { subscription } = world.double.pay(id)
  await world.run(40)
  world.double.dispute(subscription!)
  world.double.cancel(subscription!)
  await world.run(10)
  expect([world.repository.tenants(), createBillingCases(world.db).open()]).toEqual([[], []])
  expect(world.db.prepare("SELECT count(*) AS n FROM inbox WHERE state IN ('pending', 'held')").get()).toEqual({ n: 0 })
  await agrees(world)
})

it('with every webhook lost, all buyers are served by the next comparison', async () => {
  const { world, begin, pay, tenantOf } = await open(3, { drop: 1 })
  const ids: string[] = []
  for (const [n, order] of [{}, { interval: 'year' }, { plan: STANDARD.metadata.name }, { plan: 'sq-trial' }].entries()) ids.push(pay(await begin(n, order)))
  await world.run(0.1)
  expect(world.repository.tenants()).toEqual([])
  await world.alive((program) => program.compare())
  await world.alive((program) => program.work())
  for (const id of ids) expect(tenantOf(id).state).toBe('active')
  await agrees(world)
})
