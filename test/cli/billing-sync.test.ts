/** `tenantry billing sync` as an operator types it, against an account that a double holds. */
import { readFileSync, statSync } from 'node:fs'
import path from 'node:path'
import { expect, it } from 'vitest'
import { readSettings } from '../../controller/settings.ts'
import { createStripeDouble } from '../../sandbox/double.ts'
import { closing, SECRET_KEY, WEBHOOK_SECRET } from '../sandbox/shop.ts'
import { terminal } from './support.ts'

async function open() {
  const double = await createStripeDouble({ port: 0, secretKey: SECRET_KEY, webhookSecret: WEBHOOK_SECRET, now: () => new Date(), catalog: 'none' })
  closing.push(() => double.close())
  const environment = { STRIPE_SECRET_KEY: SECRET_KEY, STRIPE_API_BASE: double.url, PUBLIC_URL: 'https://sq.example.com' }
  return { double, environment, term: await terminal(undefined, environment) }
}

it('shows what would be done, does it when told, keeps the secret in a file, and then has nothing to do', async () => {
  const { double, environment, term } = await open()
  const dry = await term.run('billing', 'sync', '--check')
  expect([dry.code, dry.out]).toEqual([3, expect.stringMatching(/\+ price +standard_month +15\.00 usd a month[^]*Nothing was changed/)])
  expect(double.account.catalogue.prices()).toEqual([])
  const applied = await term.run('billing', 'sync', '--apply')
  expect([applied.code, applied.out]).toEqual([0, expect.stringContaining('stripe-webhook-secret')])
  expect(double.account.catalogue.prices().length).toBeGreaterThan(0)
  const file = path.join(term.home, 'stripe-webhook-secret')
  const secret = readFileSync(file, 'utf8').trim()
  expect([statSync(file).mode & 0o777, double.state.all('endpoint')[0]!.secret]).toEqual([0o600, secret])
  expect(`${applied.out}${applied.error}`).not.toContain(secret)
  expect(readSettings({ ...environment, TENANTRY_HOME: term.home }, term.folder).stripe).toMatchObject({ kind: 'account', webhookSecret: secret })
  const again = await term.run('billing', 'sync', '--check')
  expect([again.code, again.out]).toEqual([0, 'Nothing to do: Stripe has what the plan files say.\n'])
  expect(await term.json('billing', 'sync')).toEqual({ steps: [], problems: [], notes: [], applied: false })
}, 60_000)

it('does nothing while something of somebody else stands in the way', async () => {
  const { double, term } = await open()
  double.account.catalogue.createProduct('x', { name: 'X' })
  double.account.catalogue.createPrice({ product: 'x', currency: 'usd', amount: 1, amountDecimal: '1', interval: 'month', lookupKey: 'standard_month', nickname: null }, false)
  const { code, out } = await term.run('billing', 'sync', '--apply')
  expect([code, out]).toEqual([2, expect.stringContaining('The lookup key standard_month is held by the price')])
  expect(double.account.catalogue.prices()).toHaveLength(1)
})

it('says in the sandbox that there is nothing to sync', async () => {
  const { code, error } = await (await terminal()).run('billing', 'sync')
  expect([code, error]).toEqual([2, expect.stringContaining('Set STRIPE_SECRET_KEY')])
})
