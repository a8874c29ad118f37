import { describe, expect, it } from 'vitest'
import type { Platform, Tenant, TenantId, TenantSpec } from '../../../controller/core/specs.ts'
import { createBillingDifferences } from '../../../controller/store/billing-differences.ts'
import { compareOnce, endTrials, type CompareOptions } from '../../../hooks/stripe/compare.ts'
import { METADATA } from '../../../hooks/stripe/metadata.ts'
import { platform } from '../../support/specs.ts'
import { openDesk, type Desk } from './billing-desk.ts'
import { sessionOf, subscriptionOf } from './stripe-account.ts'

function comparing(desk: Desk, settings: Partial<Platform['spec']> = {}) {
  const healed: string[] = []
  let traces = 0
  const differences = createBillingDifferences(desk.db)
  const view = () => ({ ...desk.repository.catalog(), platform: platform(settings) })
  const options: CompareOptions = {
    ...desk.options,
    catalog: view,
    writer: { write: (decide) => desk.repository.writer.write((catalog) => decide({ ...catalog, platform: platform(settings) })) },
    differences,
    newTrace: () => String(++traces).padStart(32, 'c'),
    poke: () => void (async () => {
      while (desk.inbox.counts().pending > 0) await desk.work()
    })(),
    count: ({ healed: kind }) => void healed.push(kind),
  }
  return { options, differences, healed, heal: () => compareOnce(options, 'heal'), look: () => compareOnce(options, 'look') }
}

const kinds = ({ differences }: { readonly differences: readonly { readonly kind: string }[] }): string[] => differences.map(({ kind }) => kind).sort()

describe('with every webhook lost', () => {
  it('all buyers are served by the next comparison, each once', async () => {
    const desk = openDesk()
    for (let n = 1; n <= 150; n++) {
      const subscription = subscriptionOf(`sub_${n}`)
      desk.account.subscriptions.set(`sub_${n}`, subscription)
      desk.account.sessions.set(`cs_${n}`, sessionOf(`cs_${n}`, subscription))
    }
    const { heal, healed } = comparing(desk)
    const round = await heal()
    expect(round.differences).toEqual([])
    expect(healed).toEqual(Array.from({ length: 150 }, () => 'no-tenant'))
    expect(new Set(desk.repository.tenants.map(({ spec }) => spec.billing!.checkout)).size).toBe(150)
    const commits = desk.repository.commits.length
    expect((await heal()).healed).toEqual([])
    expect(desk.repository.commits).toHaveLength(commits)
  })

  it('who paid and cancelled before anybody heard of it is shown to a person; who only tried is nothing', async () => {
    const desk = openDesk()
    const buy = (n: number, status: string, more: Record<string, unknown>): void => {
      const subscription = subscriptionOf(`sub_${n}`, { status })
      desk.account.subscriptions.set(`sub_${n}`, subscription)
      desk.account.sessions.set(`cs_${n}`, sessionOf(`cs_${n}`, subscription, more))
    }
    buy(1, 'canceled', { amount_total: 1000 })
    buy(2, 'canceled', { amount_total: 0, payment_status: 'no_payment_required' })
    buy(3, 'active', { amount_total: 1000 })
    const { heal, healed } = comparing(desk)
    const { differences } = await heal()
    expect(differences).toMatchObject([{ kind: 'paid-and-gone', subject: 'sub_1', detail: expect.stringContaining('cs_1 was paid') as string, stops: false }])
    expect([healed, desk.repository.tenants.length]).toEqual([['no-tenant'], 1])
    // Served first, and gone then, is as it should be.
    desk.set('sub_3', { status: 'canceled' })
    await heal()
    expect([kinds(await heal()), desk.spec('user001').state]).toEqual([['paid-and-gone'], 'ended'])
  })

  it('whoever was never served and whose trial has paused since is shown to a person', async () => {
    const desk = openDesk()
    desk.account.subscriptions.set('sub_1', subscriptionOf('sub_1', { status: 'paused' }))
    const { differences, healed } = await comparing(desk).heal()
    expect(differences).toMatchObject([{ kind: 'no-tenant', subject: 'sub_1', detail: expect.stringContaining('paused') as string, stops: false }])
    expect([healed, desk.repository.tenants]).toEqual([[], []])
  })

  it('a buyer whose session is older than the look-back is found by the subscription', async () => {
    const desk = openDesk()
    const subscription = subscriptionOf('sub_1')
    desk.account.subscriptions.set('sub_1', subscription)
    desk.account.sessions.set('cs_1', sessionOf('cs_1', subscription, { metadata: {} }))
    const list = desk.account.stripe.checkout.sessions
    const found: unknown[] = []
    Object.assign(list, { list: (query: { subscription?: string }) => (found.push(query), Promise.resolve(query.subscription === undefined ? { data: [], has_more: false } : { data: [{ id: 'cs_1' }], has_more: false })) })
    desk.account.sessions.set('cs_1', sessionOf('cs_1', subscription))
    await comparing(desk).heal()
    expect(desk.spec('user001').billing).toMatchObject({ checkout: 'cs_1', subscription: 'sub_1' })
  })

  it('everything that changed is put right', async () => {
    const desk = openDesk()
    for (let n = 1; n <= 6; n++) await desk.customer(n)
    desk.set('sub_1', { status: 'canceled' })
    desk.set('sub_2', { plan: 'sq-standard', amount: 1500 })
    desk.set('sub_3', { quantity: 4 })
    desk.set('sub_4', { cancel_at: Date.parse('2026-04-01T00:00:00Z') / 1000 })
    desk.set('sub_5', { status: 'past_due' })
    const { heal, look, differences } = comparing(desk)
    expect(kinds(await look())).toEqual(['ended', 'fields', 'fields', 'plan', 'quantity'])
    expect([desk.spec('user001').state, differences.all().length]).toEqual(['active', 5])
    await heal()
    expect([desk.spec('user001').state, desk.spec('user002').plan, desk.spec('user003').billing!.quantity, desk.spec('user004').billing!.cancelAt, desk.spec('user005').billing!.graceUntil]).toEqual([
      'ended', 'sq-standard', 4, '2026-04-01T00:00:00Z', '2026-03-17T12:00:00Z',
    ])
    expect(differences.all()).toEqual([])
    desk.clock.now = new Date('2026-03-17T12:00:00Z')
    expect((await heal()).healed).toMatchObject([{ kind: 'grace-over', tenant: 'user005', stops: true }])
    expect(desk.spec('user005')).toMatchObject({ state: 'suspended', stateBy: 'billing' })
    desk.set('sub_5', {})
    expect((await heal()).healed).toMatchObject([{ kind: 'resumed' }])
    expect(desk.spec('user005').state).toBe('active')
  })
})

describe('what no rule puts right is shown, with since when', () => {
  it('and nothing is done', async () => {
    const desk = openDesk()
    for (let n = 1; n <= 4; n++) await desk.customer(n)
    desk.repository.remove('user001' as TenantId)
    const edit = (id: string, changes: Partial<TenantSpec>): void => {
      const tenant = desk.repository.catalog().tenant(id as TenantId)!
      desk.repository.remove(id as TenantId)
      desk.repository.add({ ...tenant, spec: { ...tenant.spec, ...changes } })
    }
    edit('user002', { state: 'ended', stateReason: 'abuse', endedAt: '2026-03-10T00:00:00Z' })
    desk.account.subscriptions.delete('sub_3')
    desk.set('sub_4', { status: 'on_the_moon' })
    desk.set('sub_9', { metadata: {} })
    const commits = desk.repository.commits.length
    const { heal, differences } = comparing(desk)
    expect(kinds(await heal())).toEqual(['held', 'missing-at-stripe', 'paid-but-ended', 'removed'])
    desk.clock.now = new Date('2026-03-10T13:00:00Z')
    await heal()
    expect(new Set(differences.all().map(({ since }) => since))).toEqual(new Set(['2026-03-10T12:00:00.000Z']))
    expect(desk.repository.commits).toHaveLength(commits)
  })

  it('a payment that is held for a person is not put in again and again', async () => {
    const desk = openDesk()
    await desk.customer(1, { amount: 1 })
    expect(desk.settled).toEqual([['held', 'price-differs']])
    const { heal } = comparing(desk)
    expect(kinds(await heal())).toEqual(['no-tenant'])
    expect(Object.keys(desk.states())).toEqual(['evt_1'])
  })
})

describe('one comparison stops no more than it may', () => {
  async function manyEnded() {
    const desk = openDesk()
    for (let n = 1; n <= 20; n++) await desk.customer(n)
    for (let n = 1; n <= 4; n++) desk.set(`sub_${n}`, { status: n % 2 === 0 ? 'canceled' : 'unpaid' })
    desk.set('sub_9', { quantity: 2 })
    return desk
  }
  const stopped = (desk: Desk): string[] => desk.repository.tenants.filter(({ spec }) => spec.state !== 'active').map(({ metadata }) => metadata.name)

  it('above the limit nobody is stopped, what is safe is done, and a person lets exactly those through', async () => {
    const desk = await manyEnded()
    const { heal, look, differences, options } = comparing(desk)
    const held = await heal()
    expect(held.heldStops).toEqual({ asked: 4, allowed: 2 })
    expect([stopped(desk), desk.spec('user009').billing!.quantity]).toEqual([[], 2])
    expect(differences.approve((await look()).differences.filter(({ stops }) => stops), 'ada')).toBe(4)
    desk.set('sub_5', { status: 'unpaid' })
    desk.set('sub_6', { status: 'unpaid' })
    desk.set('sub_7', { status: 'unpaid' })
    expect((await compareOnce(options, 'heal')).heldStops).toEqual({ asked: 3, allowed: 2 })
    expect(stopped(desk)).toEqual(['user001', 'user002', 'user003', 'user004'])
  })

  it('within what the platform says it goes on by itself', async () => {
    const desk = await manyEnded()
    const { heal } = comparing(desk, { billing: { suspensionLimit: { count: 4, sharePercent: 50 } } })
    expect((await heal()).heldStops).toBeUndefined()
    expect(stopped(desk)).toHaveLength(4)
  })
})

describe('a listing that is not whole', () => {
  it.each(['list subscriptions', 'list sessions'])('reads as nothing: %s fails', async (what) => {
    const desk = openDesk()
    for (let n = 1; n <= 3; n++) await desk.customer(n)
    desk.set('sub_1', { status: 'canceled' })
    const { heal, differences } = comparing(desk)
    desk.account.onCall = (call) => {
      if (call === what) throw new Error('connection reset')
    }
    await expect(heal()).rejects.toThrow('connection reset')
    expect([differences.all(), desk.repository.commits.length]).toEqual([[], 3])
  })

  it('fails on any page of many, and changes nothing', async () => {
    const desk = openDesk()
    for (let n = 1; n <= 3; n++) await desk.customer(n)
    for (let n = 100; n < 250; n++) desk.set(`sub_${n}`, { metadata: {} })
    let pages = 0
    desk.account.onCall = (call) => {
      if (call === 'list subscriptions' && ++pages === 2) throw new Error('rate limited')
    }
    await expect(comparing(desk).heal()).rejects.toThrow('rate limited')
    expect(desk.repository.tenants.every(({ spec }) => spec.state === 'active')).toBe(true)
  })

  it('an account that is another one stops nobody', async () => {
    const desk = openDesk()
    for (let n = 1; n <= 3; n++) await desk.customer(n)
    desk.account.subscriptions.clear()
    desk.account.sessions.clear()
    expect(kinds(await comparing(desk).heal())).toEqual(['missing-at-stripe', 'missing-at-stripe', 'missing-at-stripe'])
    expect(desk.repository.tenants.every(({ spec }) => spec.state === 'active')).toBe(true)
  })
})

describe('trials that agents began', () => {
  const trial = (n: number, spec: Partial<TenantSpec> = {}): Tenant => ({
    kind: 'Tenant',
    metadata: { name: `user00${n}` as TenantId },
    spec: { product: 'sq', plan: 'sq-standard', owner: { email: 'agent@example.com' }, state: 'active', keys: [], trial: { endsAt: '2026-03-10T00:00:00Z' }, ...spec },
  })

  it('end with their time where nobody claimed them, and are suspended first where somebody did', async () => {
    const desk = openDesk()
    for (const tenant of [
      trial(1),
      trial(2, { trial: { endsAt: '2026-03-11T00:00:00Z' } }),
      trial(3, { trial: { endsAt: '2026-03-10T00:00:00Z', claimedAt: '2026-03-05T00:00:00Z' } }),
      trial(4, { billing: { subscription: 'sub_4' } }),
      trial(5, { state: 'suspended', stateReason: 'abuse' }),
    ]) desk.repository.add(tenant)
    const { options } = comparing(desk)
    expect(await endTrials(options)).toBe(2)
    expect(['user001', 'user002', 'user003', 'user004', 'user005'].map((id) => [desk.spec(id).state, desk.spec(id).stateBy])).toEqual([['ended', 'trial'], ['active', undefined], ['suspended', 'trial'], ['active', undefined], ['suspended', undefined]])
    expect(desk.lastMessage()).toBe('trial: 2 are over\n\n- user001 ended: the trial ended and nobody paid\n- user003 suspended: the trial ended: pay to go on\n')
    expect(await endTrials(options)).toBe(0)
    desk.clock.now = new Date('2026-03-18T00:00:00Z')
    // One at a time: the platform lets a revision take out so many.
    expect([await endTrials(options), await endTrials(options)]).toEqual([1, 1])
    expect([desk.spec('user002').state, desk.spec('user003').state]).toEqual(['ended', 'active'].map(() => 'ended'))
  })

  it('end no more at a time than one revision may take out of service', async () => {
    const desk = openDesk()
    for (let n = 1; n <= 9; n++) desk.repository.add(trial(n))
    const { options } = comparing(desk, { deletionLimit: { count: 2, sharePercent: 100 } })
    expect([await endTrials(options), await endTrials(options)]).toEqual([2, 2])
  })
})

it('a subscription of another installation is nobody here', async () => {
  const desk = openDesk()
  desk.set('sub_1', { metadata: { [METADATA.plan]: 'sq-founder', [METADATA.installation]: 'another' } })
  expect((await comparing(desk).heal()).differences).toEqual([])
})
