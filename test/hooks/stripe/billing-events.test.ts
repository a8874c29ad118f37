import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Tenant, TenantId } from '../../../controller/core/specs.ts'
import { parseEvent, workOf } from '../../../hooks/stripe/event.ts'
import { METADATA } from '../../../hooks/stripe/metadata.ts'
import { readSubscription } from '../../../hooks/stripe/subscription.ts'
import { openDesk } from './billing-desk.ts'
import { plan, STANDARD, FOUNDER } from './repository-double.ts'
import { sessionOf, subscriptionOf } from './stripe-account.ts'

const UPDATED = 'customer.subscription.updated'

describe('an event of a subscription', () => {
  it('makes a commit of how the subscription stands now, with reason, trace and event, and nothing personal', async () => {
    const desk = openDesk()
    await desk.customer(1)
    expect(desk.spec('user001').billing).toEqual({ customer: 'cus_1', subscription: 'sub_1', checkout: 'cs_1', paidPlan: 'sq-founder', interval: 'month', price: { amount: 1000, currency: 'usd' }, status: 'active' })
    desk.set('sub_1', { status: 'past_due', latest_invoice: { id: 'in_1', status: 'open', created: Date.parse('2026-03-09T00:00:00Z') / 1000, status_transitions: { finalized_at: null } } })
    await desk.tell('invoice.payment_failed', 'sub_1', 'evt_failed')
    await desk.work()
    expect(desk.spec('user001')).toMatchObject({ state: 'active', billing: { status: 'past_due', graceUntil: '2026-03-16T00:00:00Z' } })
    expect(desk.lastMessage()).toBe(
      `billing: user001 payment failed: runs until 2026-03-16T00:00:00Z; active -> past_due\n\n- user001: payment failed: runs until 2026-03-16T00:00:00Z; active -> past_due, event evt_failed\n\nTrace: ${'evt_failed'.padStart(32, '0')}\nEvent: evt_failed\n`,
    )
    expect(JSON.stringify(desk.log.lines) + desk.repository.commits.map(({ message }) => message).join()).not.toContain('@')
  })

  it('told many times in one batch is one change in one commit, and told again is none', async () => {
    const desk = openDesk()
    await desk.customer(1)
    await desk.customer(2)
    desk.set('sub_1', { status: 'unpaid' })
    desk.set('sub_2', { status: 'canceled' })
    for (const type of [UPDATED, 'invoice.payment_failed', 'customer.subscription.paused']) for (const id of ['sub_1', 'sub_2']) await desk.tell(type, id)
    await desk.work()
    expect(desk.repository.commits).toHaveLength(3)
    expect([desk.spec('user001').state, desk.spec('user002').state]).toEqual(['suspended', 'ended'])
    expect(desk.lastMessage()).toContain('billing: 2 tenants\n')
    for (const id of ['sub_1', 'sub_2']) await desk.tell(UPDATED, id)
    await desk.work()
    expect(desk.repository.commits).toHaveLength(3)
    expect(desk.settled.slice(-2)).toEqual([['done', 'agrees'], ['done', 'agrees']])
  })

  it('that was replayed long after tells of the present all the same', async () => {
    const desk = openDesk()
    await desk.customer(1)
    await desk.tell('customer.subscription.deleted', 'sub_1')
    await desk.work()
    expect(desk.spec('user001').state).toBe('active')
    expect(desk.repository.commits).toHaveLength(1)
  })

  it('that comes before its purchase waits for that, which reads the subscription anew', async () => {
    const desk = openDesk()
    const subscription = subscriptionOf('sub_1', { status: 'trialing', trial_end: Date.parse('2026-03-24T00:00:00Z') / 1000 })
    desk.account.subscriptions.set('sub_1', subscription)
    await desk.tell('customer.subscription.created', 'sub_1', 'evt_early')
    await desk.work()
    expect([desk.repository.tenants, desk.states()]).toEqual([[], { evt_early: 'ignored: it has no tenant yet: the purchase reads it anew' }])
    desk.account.sessions.set('cs_1', sessionOf('cs_1', subscription, { payment_status: 'no_payment_required' }))
    await desk.tell('checkout.session.completed', 'cs_1')
    await desk.tell(UPDATED, 'sub_1')
    await desk.work()
    expect(desk.spec('user001').billing).toMatchObject({ status: 'trialing', trialEndsAt: '2026-03-24T00:00:00Z' })
    expect(desk.settled.slice(-2)).toEqual([['done', 'provisioned'], ['done', 'agrees']])
  })

  it("of somebody else's product, or of another installation, is left alone", async () => {
    const desk = openDesk()
    desk.set('sub_8', { metadata: {} })
    desk.set('sub_9', { metadata: { [METADATA.plan]: 'sq-founder', [METADATA.installation]: 'another' } })
    for (const id of ['sub_8', 'sub_9', 'sub_gone']) await desk.tell(UPDATED, id)
    await desk.work()
    expect(desk.settled).toEqual(Array.from({ length: 3 }, () => ['ignored', 'not-ours']))
  })

  it('in a status that nobody knows is held and alerted once, and is let go when it is known again', async () => {
    const desk = openDesk()
    await desk.customer(1)
    desk.set('sub_1', { status: 'on_the_moon' })
    await desk.tell(UPDATED, 'sub_1', 'evt_odd')
    await desk.work()
    desk.inbox.recallHeld()
    await desk.work()
    expect(desk.states()['evt_odd']).toMatch(/^held: unknown-status: /)
    expect(desk.settled.filter(([kind]) => kind === 'held')).toHaveLength(1)
    desk.set('sub_1', { status: 'unpaid' })
    desk.inbox.recallHeld()
    await desk.work()
    expect([desk.states()['evt_odd'], desk.spec('user001').state]).toEqual(['done: billed', 'suspended'])
  })

  it('is tried again when Stripe does not answer, and when the repository cannot be written', async () => {
    const desk = openDesk()
    await desk.customer(1)
    desk.set('sub_1', { status: 'unpaid' })
    await desk.tell(UPDATED, 'sub_1')
    desk.account.onCall = () => {
      throw new Error('connection reset')
    }
    await desk.work()
    desk.account.onCall = () => undefined
    desk.repository.beforePush = () => {
      throw new Error('no space left')
    }
    desk.clock.now = new Date(desk.clock.now.getTime() + 600_000)
    await desk.work()
    expect(desk.settled.slice(1)).toEqual([['retry', 'stripe-failed'], ['retry', 'write-failed']])
    desk.repository.beforePush = () => 'go'
    desk.clock.now = new Date(desk.clock.now.getTime() + 600_000)
    await desk.work()
    expect(desk.spec('user001').state).toBe('suspended')
  })

  it('a change of plan takes a slot only where one is free, also when a purchase of the same batch takes the last', async () => {
    const desk = openDesk()
    desk.repository.plans = [{ ...FOUNDER, spec: { ...FOUNDER.spec, slots: 1 } }, STANDARD]
    await desk.customer(1, { plan: 'sq-standard', amount: 1500, metadata: { [METADATA.plan]: 'sq-standard', [METADATA.interval]: 'month' } })
    desk.set('sub_1', {})
    await desk.tell(UPDATED, 'sub_1', 'evt_move')
    const subscription = subscriptionOf('sub_2')
    desk.account.sessions.set('cs_2', sessionOf('cs_2', subscription))
    await desk.tell('checkout.session.completed', 'cs_2')
    await desk.work()
    expect([desk.spec('user001').plan, desk.spec('user002').plan]).toEqual(['sq-standard', 'sq-founder'])
    expect(desk.states()['evt_move']).toMatch(/^held: slots-gone: /)
  })

  it('in any order and number leads to what Stripe says at the end', async () => {
    const change = fc.record({ n: fc.integer({ min: 1, max: 3 }), status: fc.constantFrom('active', 'past_due', 'unpaid', 'paused', 'canceled'), plan: fc.constantFrom('sq-founder', 'sq-standard'), told: fc.integer({ min: 0, max: 3 }) })
    await fc.assert(
      fc.asyncProperty(fc.array(change, { maxLength: 8 }), fc.infiniteStream(fc.boolean()), async (changes, workNow) => {
        const desk = openDesk()
        for (const n of [1, 2, 3]) await desk.customer(n)
        const last = new Map<number, string>()
        for (const { n, status, plan: name, told } of changes) {
          if (last.get(n) === 'canceled') continue
          last.set(n, status)
          desk.set(`sub_${n}`, { status, plan: name, amount: name === 'sq-founder' ? 1000 : 1500 })
          for (let i = 0; i < told; i++) await desk.tell(UPDATED, `sub_${n}`)
          if (workNow.next().value) await desk.work()
        }
        // Late and doubled.
        for (const n of [3, 1, 2, 1]) await desk.tell('invoice.paid', `sub_${n}`)
        await desk.work()
        const states = { active: 'active', past_due: 'active', unpaid: 'suspended', paused: 'suspended', canceled: 'ended' } as Record<string, string>
        for (const n of [1, 2, 3]) expect([desk.spec(`user00${n}`).state, desk.spec(`user00${n}`).billing!.status]).toEqual([states[last.get(n) ?? 'active'], last.get(n) ?? 'active'])
        expect(desk.repository.tenants).toHaveLength(3)
      }),
      { numRuns: 25 },
    )
  }, 60_000)
})

describe('a purchase for a tenant that there is', () => {
  const trialTenant: Tenant = {
    kind: 'Tenant',
    metadata: { name: 'user001' as TenantId },
    spec: { product: 'sq', plan: 'sq-founder', owner: { email: 'agent@example.com', username: 'agent' }, state: 'active', keys: [], trial: { endsAt: '2026-03-20T00:00:00Z' } },
  }
  const METADATA_OF = { [METADATA.plan]: 'sq-founder', [METADATA.interval]: 'month', [METADATA.installation]: 'inst-1', [METADATA.tenant]: 'user001' }

  it('makes it paid for: billing, address, no trial, and no second tenant', async () => {
    const desk = openDesk()
    desk.repository.add(trialTenant)
    await desk.customer(1, { metadata: METADATA_OF })
    expect(desk.repository.tenants).toHaveLength(1)
    expect(desk.spec('user001')).toMatchObject({ owner: { email: 'cs_1@example.com', username: 'agent' }, state: 'active', billing: { subscription: 'sub_1', checkout: 'cs_1' } })
    expect(desk.spec('user001')).not.toHaveProperty('trial')
    expect(desk.settled).toEqual([['done', 'paid-for']])
    expect(desk.lastMessage()).toContain('- user001 for agent on sq-founder, event evt_1; which was a trial')
  })

  it('twice is once, with the second put before a person', async () => {
    const desk = openDesk()
    desk.repository.add(trialTenant)
    await desk.customer(1, { metadata: METADATA_OF })
    await desk.customer(2, { metadata: METADATA_OF })
    expect(desk.spec('user001').billing!.subscription).toBe('sub_1')
    expect(desk.settled).toEqual([['done', 'paid-for'], ['held', 'already-paid']])
  })

  it('that ended by itself brings it back', async () => {
    const desk = openDesk()
    desk.repository.add({ ...trialTenant, spec: { ...trialTenant.spec, state: 'ended', stateBy: 'trial', stateReason: 'over', endedAt: '2026-03-09T00:00:00Z' } })
    await desk.customer(1, { metadata: METADATA_OF })
    expect(desk.spec('user001').state).toBe('active')
    expect(desk.spec('user001')).not.toHaveProperty('endedAt')
  })

  it.each([
    ['by-operator', { state: 'suspended' as const, stateReason: 'abuse' }],
    ['other-product', { product: 'spoq' }],
  ])('is held: %s', async (reason, changes) => {
    const desk = openDesk()
    desk.repository.add({ ...trialTenant, spec: { ...trialTenant.spec, ...changes } })
    await desk.customer(1, { metadata: METADATA_OF })
    expect(desk.settled).toEqual([['held', reason]])
  })
})

describe('a refund or a dispute', () => {
  it('ends nothing and is put before a person, again when more is refunded', async () => {
    const desk = openDesk()
    await desk.customer(1)
    desk.account.charges.set('ch_1', { id: 'ch_1', customer: 'cus_1', amount_refunded: 400, currency: 'usd', refunded: false })
    await desk.tell('charge.refunded', 'ch_1')
    desk.account.disputes.set('dp_1', { id: 'dp_1', charge: { id: 'ch_1', customer: 'cus_1' }, amount: 1000, currency: 'usd', status: 'needs_response' })
    await desk.tell('charge.dispute.created', 'dp_1')
    await desk.work()
    expect(desk.repository.commits).toHaveLength(1)
    expect(desk.cases.open()).toMatchObject([
      { id: 'ch_1', kind: 'refund', tenant: 'user001', amount: 400, currency: 'usd', status: 'refunded in part' },
      { id: 'dp_1', kind: 'dispute', tenant: 'user001', amount: 1000, status: 'needs_response' },
    ])
    expect(desk.cases.counts()).toEqual({ refund: 1, dispute: 1 })
    expect(desk.cases.settle('ch_1', 'ada', '2026-03-10T13:00:00Z')).toBe(true)
    await desk.tell('charge.refunded', 'ch_1')
    await desk.work()
    expect(desk.cases.open().map(({ id }) => id)).toEqual(['dp_1'])
    desk.account.charges.set('ch_1', { id: 'ch_1', customer: 'cus_1', amount_refunded: 1000, currency: 'usd', refunded: true })
    await desk.tell('charge.refunded', 'ch_1')
    await desk.work()
    expect(desk.cases.open().map(({ id, amount }) => [id, amount])).toEqual([['ch_1', 1000], ['dp_1', 1000]])
  })

  it("of somebody else's customer is left alone", async () => {
    const desk = openDesk()
    desk.account.charges.set('ch_1', { id: 'ch_1', customer: 'cus_other', amount_refunded: 400, currency: 'usd', refunded: true })
    await desk.tell('charge.refunded', 'ch_1')
    await desk.work()
    expect([desk.cases.open(), desk.settled]).toEqual([[], [['ignored', 'not-ours']]])
  })
})

describe("an event's ids", () => {
  const event = (type: string, object: object) => parseEvent(JSON.stringify({ id: 'evt_1', type, data: { object } }))

  it('are found in every version of its shape', () => {
    for (const invoice of [
      { id: 'in_1', subscription: 'sub_1' },
      { id: 'in_1', subscription: { id: 'sub_1' } },
      { id: 'in_1', parent: { type: 'subscription_details', subscription_details: { subscription: 'sub_1' } } },
      { id: 'in_1', subscription: null, parent: { subscription_details: { subscription: { id: 'sub_1' } } } },
    ]) expect(event('invoice.paid', invoice)?.object).toBe('sub_1')
    expect(event('invoice.paid', { id: 'in_1', parent: null })?.object).toBeNull()
    expect(event('customer.subscription.deleted', { id: 'sub_1' })?.object).toBe('sub_1')
  })

  it('belong to the work that the type asks for, also of types that Stripe adds later', () => {
    expect(['customer.subscription.brand_new', 'charge.dispute.funds_withdrawn', 'checkout.session.expired', 'customer.created', 'constructor'].map(workOf)).toEqual(['subscription', 'dispute', 'session', undefined, undefined])
  })
})

describe("Stripe's subscription as a value", () => {
  const read = (changes: Parameters<typeof subscriptionOf>[1]) => readSubscription(subscriptionOf('sub_1', changes) as never)

  it('is cancelled in either of the two ways to say it', () => {
    expect(read({ cancel_at_period_end: true }).cancelAt).toBe('2027-01-15T08:00:00Z')
    expect(read({ cancel_at: 1_700_000_000, cancel_at_period_end: true }).cancelAt).toBe('2023-11-14T22:13:20Z')
    expect(read({})).not.toHaveProperty('cancelAt')
  })

  it('knows its plan by the lookup key, or by the mark on a price whose key has moved on', () => {
    const items = (price: object) => ({ items: { data: [{ price: { unit_amount: 1000, currency: 'usd', recurring: { interval: 'month', interval_count: 1 }, ...price }, quantity: 1 }], has_more: false } })
    expect(read(items({ lookup_key: 'sq-founder_month' })).item).toMatchObject({ plan: 'sq-founder' })
    expect(read(items({ lookup_key: null, metadata: { [METADATA.plan]: 'sq-founder' } })).item).toMatchObject({ plan: 'sq-founder' })
    expect(read(items({ lookup_key: null })).item).not.toHaveProperty('plan')
    expect(read(items({ recurring: { interval: 'week', interval_count: 1 } })).item).toHaveProperty('fault')
  })

  it('looks past what is paid for by use', () => {
    const fixed = { unit_amount: 1000, currency: 'usd', lookup_key: 'sq-founder_month', recurring: { interval: 'month', interval_count: 1, usage_type: 'licensed' } }
    const metered = { unit_amount: 1, currency: 'usd', recurring: { interval: 'month', interval_count: 1, usage_type: 'metered' } }
    expect(read({ items: { data: [{ price: metered }, { price: fixed, quantity: 2 }], has_more: false } }).item).toMatchObject({ plan: 'sq-founder', quantity: 2 })
  })
})

it('a plan that no file names any more is put before a person', async () => {
  const desk = openDesk()
  await desk.customer(1)
  desk.set('sub_1', { plan: 'sq-gone', amount: 700 })
  await desk.tell(UPDATED, 'sub_1', 'evt_gone')
  desk.repository.plans = [FOUNDER, plan('sq-standard')]
  await desk.work()
  expect(desk.states()['evt_gone']).toMatch(/^held: unknown-plan: /)
})
