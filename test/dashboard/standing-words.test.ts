/** How a tenant stands, as its owner reads it. */
import { describe, expect, it, test } from 'vitest'
import type { ConditionUpdate } from '../../controller/core/status.ts'
import { NEW_STATUS, withConditions } from '../../controller/core/status.ts'
import type { CommitId, Tenant } from '../../controller/core/specs.ts'
import { billingWords, standingOf } from '../../controller/dashboard/standing-words.ts'
import { newRecord, type TenantRecord } from '../../controller/store/tenant-records.ts'
import { NOW, plan, tenant, userId } from '../support/specs.ts'

function record(conditions: readonly ConditionUpdate[], more: Partial<TenantRecord> = {}, nextAttemptAt?: string): TenantRecord {
  const status = { ...withConditions(NEW_STATUS, conditions, NOW), ...(nextAttemptAt !== undefined && { nextAttemptAt }) }
  return { ...newRecord(userId(1), 'sq', 'tenants/user001.yaml'), status, appliedRevision: 'a'.repeat(40) as CommitId, ...more }
}

const ready = (status: boolean, reason: string): ConditionUpdate => ({ type: 'Ready', status, reason, message: 'engine at /var/run/docker.sock: dial tcp 10.0.0.7' })

describe('standing', () => {
  test.each<[string, Partial<Tenant['spec']>, TenantRecord | undefined, string, RegExp]>([
    ['serves', {}, record([ready(true, 'Serving')]), 'Running', /served\.$/],
    ['was just bought', {}, undefined, 'Being set up', /few seconds/],
    ['is in the making', {}, record([ready(false, 'Progressing')]), 'Being set up', /few seconds/],
    ['waits for a machine', {}, record([ready(false, 'WaitingForEngine')], {}, '2026-03-01T12:05:00Z'), 'Waiting', /data is safe\. Next try: 1 March 2026, 12:05 UTC\.$/],
    ['fails for a reason that is only for operators', {}, record([ready(false, 'PortConflict')]), 'Waiting', /operator has been told/],
    ['has a file that is not valid', {}, record([ready(true, 'Serving'), { type: 'SpecValid', status: false, reason: 'BadFile', message: 'tenants/user001.yaml:3' }]), 'Running', /stays in force/],
    ['is held', {}, record([ready(true, 'Serving'), { type: 'Held', status: true, reason: 'AwaitingApproval', message: '' }]), 'Running', /wait on purpose/],
    ['was not paid for', { state: 'suspended', stateReason: 'payment failed', stateBy: 'billing' }, record([ready(false, 'Suspended')]), 'Suspended', /payment failed\. It goes on by itself once a payment arrives\. .* kept\.$/],
    ['was suspended by a person', { state: 'suspended', stateReason: 'abuse' }, record([]), 'Suspended', /abuse\. Requests/],
    ['has ended', { state: 'ended', stateReason: 'closed by its owner', endedAt: NOW }, record([], { dataUntil: '2026-03-31T12:00:00Z' }), 'Ended', /1 March 2026: closed by its owner\. What was stored is kept until 31 March 2026\.$/],
  ])('of one that %s', (_what, spec, status, title, text) => {
    const standing = standingOf(tenant('user001', spec), status, NOW)
    expect(standing.title).toBe(title)
    expect(standing.text).toMatch(text)
    // What an operator reads stays with the operator.
    expect(standing.text).not.toMatch(/docker|10\.0\.0\.7|tenants\//)
  })
})

describe('billing', () => {
  const FOUNDER = plan('founder', { prices: { month: { amount: 1500, currency: 'usd' }, year: { amount: 15_000, currency: 'usd' } } })
  const words = (spec: Partial<Tenant['spec']>) => billingWords(tenant('user001', spec), FOUNDER, NOW)

  it('says what is paid, and that a lower price is kept', () => {
    const billing = { subscription: 'sub_1', status: 'active', interval: 'month', price: { amount: 1000, currency: 'usd' } } as const
    expect(words({ billing })).toEqual({ price: '$10 a month, kept while you stay subscribed', status: 'Paid', lines: [] })
    expect(words({ billing: { ...billing, quantity: 3, price: { amount: 1500, currency: 'usd' } } }).price).toBe('$45 a month (3 units)')
    expect(words({ billing: { subscription: 'sub_1', interval: 'year' } }).price).toBe('$150 a year')
  })

  test.each<[Partial<Tenant['spec']>, string, RegExp]>([
    [{ billing: { subscription: 's', status: 'trialing', trialEndsAt: '2026-03-10T00:00:00Z' } }, 'In its free trial', /Free until 10 March 2026/],
    [{ billing: { subscription: 's', status: 'past_due', graceUntil: '2026-03-08T00:00:00Z' } }, 'A payment failed', /runs on until 8 March 2026, 00:00 UTC/],
    [{ billing: { subscription: 's', status: 'active', cancelAt: '2026-03-08T00:00:00Z' } }, 'Paid', /Cancelled: it runs until 8 March 2026/],
    [{ billing: { subscription: 's', status: 'paused' } }, 'Paused: the trial ended without a means of payment', /ended without a card/],
    [{ trial: { endsAt: '2026-03-08T00:00:00Z' } }, 'No subscription', /trial until 8 March 2026/],
    [{}, 'No subscription', /Nothing is charged/],
  ])('%#: tells what comes next', (spec, status, line) => {
    const told = words(spec)
    expect(told.status).toBe(status)
    expect(told.lines.join('\n')).toMatch(line)
  })
})
