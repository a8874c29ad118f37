/**
 * The way of a payment, on real parts (the real SQ where there is one, otherwise the bundled one): a signed webhook becomes a
 * commit, the commit a served tenant, and the key works. Whatever comes twice, out of order or unsigned changes nothing.
 */
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { makeInstallation } from '../support/installation.ts'
import { cloneRepository, gitIn } from '../support/repository.ts'
import { openShop, type Shop } from '../support/stripe.ts'
import { tempFolder } from '../support/temp.ts'
import { waitFor } from '../support/wait.ts'
import { fetchBack, store } from './requests.ts'

interface Bought {
  readonly tenant: string
  readonly key: string
  readonly endpoint: string
  readonly ready: boolean
}

it('a purchase in the sandbox answers with a key that stores and fetches', async () => {
  const installation = makeInstallation(path.join(tempFolder(), 'home'))
  const { localUrl } = await installation.start()
  const bought = await installation.json<Bought>('buy', '--plan', 'sq-founder', '--email', 'ada@example.com', '--username', 'lovelace')
  expect(bought).toMatchObject({ tenant: 'user006', ready: true })
  expect(bought.endpoint).toMatch(/^http:\/\/localhost:\d+\/api\/v2$/)
  expect(await store(localUrl, bought.key, 'remember me')).toEqual({ status: 200, text: 'Updated 11 bytes' })
  expect(await fetchBack(localUrl, bought.key)).toEqual({ status: 200, text: 'remember me' })
})

describe('with a Stripe account', () => {
  const installation = makeInstallation(path.join(tempFolder(), 'home'), {}, afterAll)
  let shop: Shop
  const repository = (): string => path.join(installation.home, 'tenants.git')
  const tenantOf = (session: string): string | undefined =>
    gitIn(repository(), 'grep', '--name-only', '--fixed-strings', '-e', session, 'main', '--', 'tenants').split('\n')[0]?.match(/([^/]+)\.yaml$/)?.[1]
  const ready = (session: string): Promise<string> =>
    waitFor(async () => {
      const id = tenantOf(session)
      return id !== undefined && (await installation.tenant(id))?.status.conditions.some(({ type, status }) => type === 'Ready' && status) === true && id
    }, `${session} is served`)
  const files = (): string[] => gitIn(repository(), 'ls-tree', '-r', '--name-only', 'main', '--', 'tenants/sq').split('\n')

  beforeAll(async () => {
    shop = await openShop(() => `${installation.run.localUrl}/api/stripe/webhook`, { retryMs: [50] }, () => undefined)
    await installation.start(shop.environment)
    return () => shop.double.close()
  })

  it('a signed webhook becomes one commit and a key that works', async () => {
    const session = await shop.buy({ plan: 'sq-standard', username: 'noether' })
    const id = await ready(session)
    const [key] = installation.keysOf(id)
    expect(await store(installation.run.localUrl, key!, 'from a webhook')).toMatchObject({ status: 200 })
    expect(await fetchBack(installation.run.localUrl, key!)).toEqual({ status: 200, text: 'from a webhook' })
    const message = gitIn(repository(), 'log', '-1', '--format=%B', 'main')
    expect(message).toContain(id)
    expect(message).toContain('sq-standard')
    expect(message).toContain('evt_')
  })

  it('an event that comes again, by any name and in any order, makes no second tenant', async () => {
    const session = await shop.buy({ plan: 'sq-standard', username: 'hopper' })
    const id = await ready(session)
    const before = files()
    const event = shop.double.events().findLast(({ type, data }) => type === 'checkout.session.completed' && (data.object as { id: string }).id === session)!
    await Promise.all([shop.double.replay(event.id), shop.double.replay(event.id)])
    // The same session under other events: as Stripe does for payments that settle later, and before the first event too.
    const other = { ...event, id: `${event.id}again` }
    const late = { ...event, id: `${event.id}late`, type: 'checkout.session.async_payment_succeeded' }
    for (const each of [late, other]) expect((await shop.post(JSON.stringify(each))).status).toBe(200)
    await waitFor(async () => (await installation.metric('tenantry_inbox_events{state="pending"}')) === 0, 'nothing is pending')
    expect(files()).toEqual(before)
    expect(tenantOf(session)).toBe(id)
  })

  it('the success of a bank debit may come before the event that announced it', async () => {
    const session = await shop.order({ plan: 'sq-standard', username: 'curie' })
    shop.double.pay(session, 'later')
    shop.double.settle(session, 'succeeded')
    const id = await ready(session)
    expect(files().filter((file) => file.endsWith(`/${id}.yaml`))).toHaveLength(1)
    expect(gitIn(repository(), 'grep', '--name-only', '-e', session, 'main').split('\n')).toHaveLength(1)
  })

  it('what nothing is done with is answered 2xx; what is not signed, 400', async () => {
    const unknown = { id: 'evt_unknown', object: 'event', type: 'invoice.paid', data: { object: { id: 'in_1', object: 'invoice' } } }
    expect((await shop.post(JSON.stringify(unknown))).status).toBe(200)
    const forged = await shop.post(JSON.stringify({ ...unknown, id: 'evt_forged' }), 'whsec_somebody_else')
    expect([forged.status, ((await forged.json()) as { code: string }).code]).toEqual([400, 'signature-invalid'])
    expect(await installation.metric('tenantry_webhooks_total{outcome="refused"}')).toBeGreaterThan(0)
  })

  it('with its slots gone a purchase goes to the successor where that costs the same, otherwise it waits and is served when slots are added', async () => {
    const clone = cloneRepository(repository())
    const few = (text: string, slots: number): string => text.replace(/slots: \d+/, `slots: ${slots}`)
    const taken = (await installation.metric('tenantry_plan_slots{plan="sq-founder",kind="taken"}'))!
    clone.edit('plans/sq-founder.yaml', (text) => few(text, taken + 1))
    clone.push('founders are nearly full')
    const sessions = [await shop.order({ plan: 'sq-founder', username: 'lamarr' }), await shop.order({ plan: 'sq-founder', username: 'bell' })]
    await waitFor(async () => (await installation.metric('tenantry_plan_slots{plan="sq-founder",kind="total"}')) === taken + 1, 'the plan is in force')
    for (const session of sessions) shop.double.pay(session)
    await waitFor(async () => (await installation.metric('tenantry_inbox_events{state="held"}')) === 1, 'one purchase is held')
    expect(sessions.filter((session) => commits(session) > 0)).toHaveLength(1)
    await waitFor(async () => (await installation.metric('tenantry_plan_slots{plan="sq-founder",kind="taken"}')) === taken + 1, 'the metrics show the last slot as taken')
    expect(installation.log().includes('sq-founder is full and sq-standard costs 1500 usd a month; paid 1000 usd a month')).toBe(true)

    clone.edit('plans/sq-founder.yaml', (text) => few(text, taken + 2))
    clone.push('one more founder')
    const ids = await Promise.all(sessions.map(ready))
    expect(new Set(ids).size).toBe(2)
    expect(await installation.metric('tenantry_inbox_events{state="held"}')).toBe(0)

    clone.edit('plans/sq-standard.yaml', (text) => text.replace('amount: 1500', 'amount: 1000'))
    clone.push('the standard plan costs what founders pay')
    await waitFor(() => gitIn(repository(), 'show', 'main:plans/sq-standard.yaml').includes('amount: 1000'), 'pushed')
    const next = await ready(await shop.buy({ plan: 'sq-founder', username: 'franklin' }))
    expect(clone.git('fetch', '--quiet') + clone.git('show', `origin/main:tenants/sq/000/${next}.yaml`)).toContain('plan: sq-standard')
  })

  const commits = (session: string): number => Number(gitIn(repository(), 'log', '--format=%h', '-S', session, 'main').split('\n').filter((line) => line !== '').length)
})

it('refuses to start with an account and no webhook secret', async () => {
  const installation = makeInstallation(path.join(tempFolder(), 'home'), { STRIPE_SECRET_KEY: 'sk_live_abcdefgh', STRIPE_WEBHOOK_SECRET: '' })
  const { code, stderr } = await installation.cli('up')
  expect(code).toBe(2)
  expect(stderr).toContain('STRIPE_WEBHOOK_SECRET is empty')
  expect(stderr).not.toContain('sk_live_abcdefgh')
  expect(() => readFileSync(path.join(installation.home, 'run.json'))).toThrow()
})
