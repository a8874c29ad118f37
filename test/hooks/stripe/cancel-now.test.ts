/** When an owner closes the account: which subscriptions are cancelled at Stripe, and which are left. */
import { expect, test } from 'vitest'
import { createCancelNow } from '../../../hooks/stripe/cancel-now.ts'
import { tenant } from '../../support/specs.ts'

interface Found {
  readonly status: string
  readonly customer: string
}

function cancelling(found: Found | Error) {
  const cancelled: string[] = []
  const subscriptions = {
    retrieve: () => (found instanceof Error ? Promise.reject(found) : Promise.resolve(found)),
    cancel: (id: string) => Promise.resolve(cancelled.push(id)),
  }
  return { cancelled, cancelNow: createCancelNow({ subscriptions: subscriptions as never }) }
}

const PAID = tenant('user001', { billing: { customer: 'cus_1', subscription: 'sub_1' } })

test.each<[string, Found | Error, string[]]>([
  ['is cancelled where it is paid', { status: 'active', customer: 'cus_1' }, ['sub_1']],
  ['is cancelled where a payment failed', { status: 'past_due', customer: 'cus_1' }, ['sub_1']],
  ['is left where it has ended', { status: 'canceled', customer: 'cus_1' }, []],
  ['is left where Stripe knows none', Object.assign(new Error('No such subscription'), { code: 'resource_missing' }), []],
])('a subscription %s', async (_what, found, cancelled) => {
  const { cancelNow, cancelled: done } = cancelling(found)
  await cancelNow(PAID)
  expect(done).toEqual(cancelled)
})

test('one of another customer is never touched, and a fault is one', async () => {
  const other = cancelling({ status: 'active', customer: 'cus_2' })
  await expect(other.cancelNow(PAID)).rejects.toThrow('another customer')
  expect(other.cancelled).toEqual([])
  await expect(cancelling(new Error('no network')).cancelNow(PAID)).rejects.toThrow('no network')
})

test('a tenant without a subscription asks nothing of Stripe', async () => {
  const { cancelNow, cancelled } = cancelling(new Error('asked'))
  await cancelNow(tenant('user001'))
  expect(cancelled).toEqual([])
})
