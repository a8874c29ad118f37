import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { billTenant, isByPerson, standingOf, STANDINGS, type BillingContext, type BillingOutcome, type Subscription } from '../../controller/core/billing.ts'
import type { Plan, Tenant, TenantSpec } from '../../controller/core/specs.ts'
import { plan, tenant } from '../support/specs.ts'

const NOW = '2026-03-10T12:00:00Z'
const DUE = '2026-03-09T12:00:00Z'
const GRACE_END = '2026-03-16T12:00:00Z'
const MONTH = { amount: 1000, currency: 'usd' }
const STANDARD_MONTH = { amount: 1500, currency: 'usd' }

const FOUNDER = plan('founder', { slots: 2, successor: 'standard', prices: { month: MONTH }, limits: { storageMb: 1000, bodyMb: 16 } })
const STANDARD = plan('standard', { prices: { month: STANDARD_MONTH } })
const PLANS = [FOUNDER, STANDARD, plan('dedicated', { product: 'other' }), plan('generous', { graceDays: 30 })]

function context(changes: Partial<BillingContext> & { plans?: readonly Plan[] } = {}): BillingContext {
  const { plans = PLANS, ...rest } = changes
  return { plan: (name) => plans.find(({ metadata }) => metadata.name === name), slotsTaken: () => 0, bounds: {}, now: NOW, ...rest }
}

const subscription = (changes: Partial<Subscription> = {}): Subscription => ({ id: 'sub_1', customer: 'cus_1', status: 'active', item: { plan: 'founder', interval: 'month', price: MONTH, quantity: 1 }, ...changes })

/** As a purchase writes it. */
const buyer = (spec: Partial<TenantSpec> = {}): Tenant =>
  tenant('user001', { plan: 'founder', billing: { customer: 'cus_1', subscription: 'sub_1', checkout: 'cs_1', paidPlan: 'founder', interval: 'month', price: MONTH, status: 'active' }, ...spec })

const bill = (of: Tenant, changes: Partial<Subscription>, more?: Parameters<typeof context>[0]): BillingOutcome => billTenant(of, subscription(changes), context(more))
const withSpec = (of: Tenant, { spec }: BillingOutcome): Tenant => ({ ...of, spec })

describe('how a subscription stands', () => {
  it.each([
    ['active', { state: 'active' }],
    ['trialing', { state: 'active' }],
    ['unpaid', { state: 'suspended', stateBy: 'billing', stateReason: 'payment failed and is not tried again' }],
    ['paused', { state: 'suspended', stateBy: 'billing', stateReason: 'the trial ended without a means of payment' }],
    ['canceled', { state: 'ended', stateBy: 'billing', endedAt: NOW }],
    ['incomplete_expired', { state: 'ended', stateBy: 'billing', endedAt: NOW }],
  ] as const)('%s becomes the state', (status, state) => {
    const { spec, holds } = bill(buyer(), { status })
    expect(spec).toMatchObject(state)
    expect(spec.billing!.status).toBe(status)
    expect(holds).toEqual([])
  })

  it('a first payment that is awaited changes nothing', () => {
    const of = buyer()
    expect(bill(of, { status: 'incomplete' })).toEqual({ spec: of.spec, acts: [], holds: [] })
  })

  it('a status that nobody knows changes nothing and is put before a person', () => {
    const of = buyer()
    const { spec, holds } = bill(of, { status: 'on_the_moon' })
    expect(spec).toBe(of.spec)
    expect(holds).toMatchObject([{ reason: 'unknown-status' }])
    expect(bill(of, { status: 'constructor' }).holds).toHaveLength(1)
  })

  it('a payment that is due runs until the grace ends, counted from the bill and only once', () => {
    const due = bill(buyer(), { status: 'past_due', dueSince: DUE })
    expect(due.spec).toMatchObject({ state: 'active', billing: { status: 'past_due', graceUntil: GRACE_END } })
    expect(due.acts.map(({ text }) => text)).toContain(`payment failed: runs until ${GRACE_END}`)
    const later = bill(withSpec(buyer(), due), { status: 'past_due', dueSince: '2026-03-12T12:00:00Z' }, { now: '2026-03-13T00:00:00Z' })
    expect(later.spec.billing!.graceUntil).toBe(GRACE_END)
    const over = bill(withSpec(buyer(), due), { status: 'past_due', dueSince: DUE }, { now: GRACE_END })
    expect(over.spec).toMatchObject({ state: 'suspended', stateBy: 'billing', stateReason: 'payment failed and the grace is over' })
    // Stripe makes the next month's bill while this one is not paid: no second grace.
    const next = bill(withSpec(buyer(), over), { status: 'past_due', dueSince: '2026-04-09T12:00:00Z' }, { now: '2026-04-10T00:00:00Z' })
    expect(next.spec.state).toBe('suspended')
  })

  it('a grace that ended before this bill was made, with the tenant still running, was paid for in between', () => {
    const of = buyer({ billing: { ...buyer().spec.billing, status: 'past_due', graceUntil: '2026-02-16T12:00:00Z' } })
    expect(bill(of, { status: 'past_due', dueSince: DUE }).spec).toMatchObject({ state: 'active', billing: { graceUntil: GRACE_END } })
  })

  it('the grace is as long as the plan says, and begins now where Stripe names no bill', () => {
    const of = buyer({ plan: 'generous', billing: { ...buyer().spec.billing, paidPlan: 'generous' } })
    expect(bill(of, { status: 'past_due', item: { plan: 'generous', interval: 'month', price: MONTH, quantity: 1 } }).spec.billing!.graceUntil).toBe('2026-04-09T12:00:00Z')
  })

  it('paid again resumes what billing suspended, and leaves nothing of it behind', () => {
    const suspended = withSpec(buyer(), bill(buyer(), { status: 'unpaid' }))
    const { spec, acts } = bill(suspended, { status: 'active' })
    expect(spec).toEqual(buyer().spec)
    expect(acts.map(({ kind }) => kind)).toContain('resume')
  })

  it('cancelled for the end of the period runs on and says until when; taken back says nothing', () => {
    const cancelled = withSpec(buyer(), bill(buyer(), { cancelAt: '2026-04-01T00:00:00Z' }))
    expect(cancelled.spec).toMatchObject({ state: 'active', billing: { cancelAt: '2026-04-01T00:00:00Z' } })
    expect(bill(cancelled, {}).spec).toEqual(buyer().spec)
    expect(bill(cancelled, { status: 'canceled', cancelAt: '2026-04-01T00:00:00Z' }).spec.billing).not.toHaveProperty('cancelAt')
  })

  it('an agent trial that is paid for is one no more', () => {
    const of = buyer({ trial: { endsAt: '2026-03-20T00:00:00Z' } })
    expect(bill(of, {}).spec).not.toHaveProperty('trial')
    const ended = buyer({ trial: { endsAt: '2026-03-01T00:00:00Z' }, state: 'ended', stateBy: 'trial', endedAt: '2026-03-01T00:00:00Z', stateReason: 'the trial ended' })
    expect(bill(ended, {}).spec).toEqual(buyer().spec)
  })

  it.each([['suspended', {}], ['ended', { endedAt: '2026-03-01T00:00:00Z' }]] as const)('what a person %s stays so', (state, more) => {
    const of = buyer({ state, stateReason: 'abuse', ...more })
    for (const status of Object.keys(STANDINGS)) expect(bill(of, { status }).spec).toMatchObject({ state, stateReason: 'abuse' })
  })
})

describe('what is paid for', () => {
  const STANDARD_ITEM = { plan: 'standard', interval: 'month', price: STANDARD_MONTH, quantity: 1 } as const

  it('another plan at Stripe becomes the plan, with its price', () => {
    const { spec, acts } = bill(buyer(), { item: STANDARD_ITEM })
    expect(spec).toMatchObject({ plan: 'standard', billing: { paidPlan: 'standard', price: STANDARD_MONTH } })
    expect(acts[0]).toEqual({ kind: 'plan', text: 'plan founder -> standard' })
  })

  it("a founder's slot is not taken by a change of plan where all are taken", () => {
    const of = buyer({ plan: 'standard', billing: { ...buyer().spec.billing, paidPlan: 'standard', price: STANDARD_MONTH } })
    const held = bill(of, {}, { slotsTaken: () => 2 })
    expect(held.spec).toEqual(of.spec)
    expect(held.holds).toMatchObject([{ reason: 'slots-gone' }])
    expect(bill(of, {}, { slotsTaken: () => 1 }).spec.plan).toBe('founder')
  })

  it('a held change of plan does not keep a payment that failed from having its grace', () => {
    const of = buyer({ plan: 'standard', billing: { ...buyer().spec.billing, paidPlan: 'standard', price: STANDARD_MONTH } })
    const { spec, holds } = bill(of, { status: 'past_due', dueSince: DUE }, { slotsTaken: () => 2 })
    expect([spec.plan, spec.billing!.graceUntil, holds.length]).toEqual(['standard', GRACE_END, 1])
  })

  it('the successor that was sold for a full plan is no change of plan, whenever it is looked at', () => {
    const of = buyer({ plan: 'standard' })
    expect(bill(of, {}).spec).toBe(of.spec)
    const unrecorded = buyer({ plan: 'standard', billing: { customer: 'cus_1', subscription: 'sub_1', checkout: 'cs_1' } })
    expect(bill(unrecorded, {}).spec).toMatchObject({ plan: 'standard', billing: { paidPlan: 'founder', price: MONTH } })
  })

  it('a plan that an operator gave stays until the customer chooses another', () => {
    const of = buyer({ plan: 'generous' })
    expect(bill(of, {}).spec).toBe(of.spec)
    expect(bill(of, { item: STANDARD_ITEM }).spec.plan).toBe('standard')
  })

  it('the price that was paid is kept while the plan file changes, also when its lookup key has moved on', () => {
    const plans = PLANS.map((each) => (each === FOUNDER ? plan('founder', { prices: { month: { amount: 9900, currency: 'usd' } } }) : each))
    const of = buyer()
    expect(bill(of, {}, { plans }).spec).toBe(of.spec)
    expect(bill(of, { item: { interval: 'month', price: MONTH, quantity: 1 } }, { plans }).spec).toBe(of.spec)
  })

  it('units are counted, up to what the platform lets anybody have', () => {
    const item = { plan: 'founder', interval: 'month', price: MONTH, quantity: 3 } as const
    expect(bill(buyer(), { item }).spec.billing!.quantity).toBe(3)
    expect(bill(buyer(), { item }, { bounds: { storageMb: 2000 } })).toMatchObject({ spec: buyer().spec, holds: [{ reason: 'over-bounds' }] })
    const three = withSpec(buyer(), bill(buyer(), { item }))
    expect(bill(three, {}).spec).toEqual(buyer().spec)
  })

  it.each([
    ['unknown-plan', { plan: 'gone' }],
    ['other-product', { plan: 'dedicated' }],
  ] as const)('%s is put before a person', (reason, change) => {
    const of = buyer()
    expect(bill(of, { item: { interval: 'month', price: MONTH, quantity: 1, ...change } })).toMatchObject({ spec: of.spec, holds: [{ reason }] })
    expect(bill(of, { item: { fault: 'there are 2 items' } })).toMatchObject({ spec: of.spec, holds: [{ reason: 'item-unclear' }] })
  })
})

describe('for any subscription and tenant', () => {
  const when = fc.integer({ min: 0, max: 60 }).map((days) => new Date(Date.parse('2026-02-01T00:00:00Z') + days * 86_400_000).toISOString().replace('.000Z', 'Z'))
  const status = fc.constantFrom(...Object.keys(STANDINGS), 'new_at_stripe')
  const maybe = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined })
  const item = fc.oneof(
    fc.record({ plan: fc.constantFrom('founder', 'standard', 'generous', 'dedicated', 'gone'), interval: fc.constantFrom('month' as const, 'year' as const), price: fc.constantFrom(MONTH, STANDARD_MONTH), quantity: fc.integer({ min: 1, max: 4 }) }),
    fc.constant({ fault: 'unclear' }),
  )
  const subscriptions = fc.record({ id: fc.constantFrom('sub_1', 'sub_2'), status, item, trialEndsAt: maybe(when), cancelAt: maybe(when), dueSince: maybe(when) }).map((of) => Object.fromEntries(Object.entries(of).filter(([, value]) => value !== undefined)) as unknown as Subscription)
  const tenants = fc
    .record({ state: fc.constantFrom('active' as const, 'suspended' as const, 'ended' as const), by: fc.constantFrom('billing' as const, 'trial' as const, undefined), plan: fc.constantFrom('founder', 'standard', 'generous'), graceUntil: maybe(when), trial: fc.boolean() })
    .map(({ state, by, plan: name, graceUntil, trial }) =>
      buyer({
        plan: name,
        state,
        ...(state !== 'active' && { stateReason: 'so it is', ...(by && { stateBy: by }) }),
        ...(state === 'ended' && { endedAt: '2026-02-01T00:00:00Z' }),
        ...(trial && { trial: { endsAt: '2026-02-20T00:00:00Z' } }),
        billing: { ...buyer().spec.billing, ...(graceUntil !== undefined && { graceUntil }) },
      }),
    )
  const slots = fc.integer({ min: 0, max: 3 })
  const all = (rule: (of: Tenant, about: Subscription, more: BillingContext) => void): void =>
    fc.assert(fc.property(tenants, subscriptions, when, slots, (of, about, now, taken) => rule(of, about, context({ now, slotsTaken: () => taken }))), { numRuns: 2000 })

  it('looking again changes nothing', () => {
    all((of, about, more) => {
      const once = withSpec(of, billTenant(of, about, more))
      const again = billTenant(once, about, more)
      expect(again.spec).toBe(once.spec)
      expect(again.acts).toEqual([])
    })
  })

  it('however many events tell of it, in whatever order, the present subscription alone says what becomes of it', () => {
    fc.assert(
      fc.property(tenants, fc.array(subscriptions, { minLength: 1, maxLength: 5 }), fc.array(fc.nat(4), { maxLength: 6 }), (of, history, told) => {
        // Each event is about some past standing, but what is fetched is the last.
        const present = history.at(-1)!
        const direct = withSpec(of, billTenant(of, present, context()))
        const byEvents = told.reduce((now) => withSpec(now, billTenant(now, present, context())), direct)
        expect(byEvents.spec).toEqual(direct.spec)
      }),
    )
  })

  it("another tenant's subscription changes nothing", () => {
    all((of, about, more) => {
      if (about.id !== 'sub_1') expect(billTenant(of, about, more)).toEqual({ spec: of.spec, acts: [], holds: [] })
    })
  })

  it('what a person set stays, and what ended stays ended unless it is paid for', () => {
    all((of, about, more) => {
      const { state } = billTenant(of, about, more).spec
      if (isByPerson(of.spec)) expect(state).toBe(of.spec.state)
      const standing = standingOf(about.status)?.standing
      if (of.spec.state === 'ended' && standing !== 'run' && standing !== 'grace') expect(state).toBe('ended')
    })
  })

  it('is a file that says one thing: an end has its time, and nothing that runs has a reason not to', () => {
    all((of, about, more) => {
      const { spec } = billTenant(of, about, more)
      expect(spec.endedAt !== undefined).toBe(spec.state === 'ended')
      if (spec.state === 'active') expect([spec.stateBy, spec.stateReason]).toEqual([undefined, undefined])
      expect(spec.billing).toMatchObject({ customer: 'cus_1', subscription: 'sub_1', checkout: 'cs_1' })
      expect([spec.owner, spec.keys, spec.product]).toEqual([of.spec.owner, of.spec.keys, of.spec.product])
    })
  })

  it('takes no slot where none is free', () => {
    all((of, about, more) => {
      const { spec } = billTenant(of, about, more)
      const isNew = spec.plan === 'founder' && spec.state !== 'ended' && (of.spec.plan !== 'founder' || of.spec.state === 'ended')
      if (isNew) expect(more.slotsTaken('founder')).toBeLessThan(2)
    })
  })
})
