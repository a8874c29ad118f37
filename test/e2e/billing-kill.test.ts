/**
 * `kill -9` of the controller at random moments while customers buy, change, fail, pause and leave, with webhooks that are doubled, late
 * and lost. In the end repository and Stripe agree about everybody. TENANTRY_LONG=1 kills many times.
 */
import path from 'node:path'
import { expect, it } from 'vitest'
import { parse } from 'yaml'
import type { TenantSpec } from '../../controller/core/specs.ts'
import type { BillingCheck } from '../../controller/web/billing-admin.ts'
import { makeInstallation, type Installation } from '../support/installation.ts'
import { gitIn } from '../support/repository.ts'
import { openShop, type Shop } from '../support/stripe.ts'
import { tempFolder } from '../support/temp.ts'
import { waitFor } from '../support/wait.ts'

const LONG = process.env['TENANTRY_LONG'] === '1'
const KILLS = LONG ? 60 : 3
const PURCHASES_PER_ROUND = 4

it(`agrees with Stripe after ${KILLS} kills`, { timeout: LONG ? 3_600_000 : 400_000 }, async () => {
  const shop = await openShop(() => `${installation.run.localUrl}/api/stripe/webhook`, { retryMs: [40], faults: () => ({ copies: 1 + Math.floor(Math.random() * 2), delayMs: Math.random() * 80, drop: Math.random() < 0.2 }) })
  const installation = makeInstallation(path.join(tempFolder(), 'home'), shop.environment)
  await installation.start()
  const sessions: string[] = []
  for (let round = 0; round < KILLS; round++) {
    sessions.push(...(await livedUntilKilled(installation, shop, round)))
    await installation.start()
  }
  const check = await agreement(installation)
  expect(check.differences.filter(({ kind }) => kind !== 'missing-at-stripe')).toEqual([])

  const repository = path.join(installation.home, 'tenants.git')
  const specs = gitIn(repository, 'ls-tree', '-r', '--name-only', 'main', '--', 'tenants').split('\n').map((file) => (parse(gitIn(repository, 'show', `main:${file}`)) as { spec: TenantSpec }).spec)
  const states = { active: 'active', trialing: 'active', past_due: 'active', paused: 'suspended', unpaid: 'suspended', canceled: 'ended' } as Readonly<Record<string, string>>
  for (const session of sessions) {
    const of = specs.filter(({ billing }) => billing?.checkout === session)
    const subscription = shop.double.subscription(shop.double.session(session).subscription!)
    // Whoever left before being served is a person's to decide on, and never a tenant.
    if (of.length === 0) expect(subscription.status).toMatch(/^(canceled|paused)$/)
    else expect(of.map(({ state, billing }) => [state, billing!.status, billing!.price!.amount])).toEqual([[states[subscription.status], subscription.status, subscription.items.data[0]!.price.unit_amount]])
  }
})

/** Until a comparison finds nothing that it can put right. */
function agreement(installation: Installation): Promise<BillingCheck> {
  return waitFor(async () => {
    const { stdout } = await installation.cli('--json', 'billing', 'check', '--apply')
    const check = JSON.parse(stdout) as BillingCheck
    return check.differences.every(({ kind }) => kind === 'missing-at-stripe') && (await installation.metric('tenantry_inbox_events{state="pending"}')) === 0 && check
  }, 'Stripe and the repository agree', 60_000)
}

/** New customers come while the ones before change and leave, and in the middle of it the controller dies. */
async function livedUntilKilled(installation: Installation, shop: Shop, round: number): Promise<string[]> {
  const sessions = await Promise.all(Array.from({ length: PURCHASES_PER_ROUND }, (_, n) => shop.order({ plan: 'sq-founder', username: `buyer-${round}-${n}` })))
  const atRandom = (act: () => unknown): Promise<unknown> => new Promise((resolve) => setTimeout(resolve, Math.random() * 400)).then(act)
  const living = shop.double.subscriptions().filter(({ status }) => status !== 'canceled')
  await Promise.all([
    ...sessions.map((session) => atRandom(() => shop.double.pay(session, 'card', { withCard: true }))),
    ...living.map(({ id, customer }) => atRandom(() => changeSomething(shop, id, customer))),
    atRandom(() => installation.kill('SIGKILL')),
  ])
  return sessions
}

function changeSomething({ double }: Shop, id: string, customer: string): void {
  const { status } = double.subscription(id)
  const choice = Math.random()
  if (choice < 0.25) double.cancel(id)
  else if (choice < 0.4) double.cancel(id, 'period-end')
  else if (choice < 0.6 && status === 'active') double.changePlan(id, Math.random() < 0.5 ? 'sq-standard_month' : 'sq-founder_month')
  else if (choice < 0.8 && status === 'active') double.pause(id)
  else if (status === 'paused') double.resume(id)
  else double.failCard(customer)
}
