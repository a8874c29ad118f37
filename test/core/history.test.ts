/** What an owner is told of the history of a tenant: the change in words, and by whom. */
import fc from 'fast-check'
import { describe, expect, it, test } from 'vitest'
import { changerOf, changerWords, changesBetween } from '../../controller/core/history.ts'
import type { KeySpec, Tenant } from '../../controller/core/specs.ts'
import { tenants } from '../specs/arbitrary-tenant.ts'
import { keySpec, tenant } from '../support/specs.ts'

const TITLES = { plan: (name: string) => ({ standard: 'Standard', founder: 'Founder' })[name] ?? name }
const between = (was: Partial<Tenant['spec']>, is: Partial<Tenant['spec']>): string[] => changesBetween(tenant('user001', was), tenant('user001', is), TITLES).map(({ field, text }) => `${field}: ${text}`)

describe('sentences', () => {
  it('tell of the beginning and of the end of a file', () => {
    expect(changesBetween(undefined, tenant('user001'), TITLES)).toEqual([{ field: '', text: 'Created on Standard' }])
    expect(changesBetween(tenant('user001'), undefined, TITLES)[0]!.text).toContain('data kept')
    expect(changesBetween(undefined, undefined, TITLES)).toEqual([])
  })

  const K1 = keySpec()
  const keys = (...all: KeySpec[]): Partial<Tenant['spec']> => ({ keys: all })
  test.each<[Partial<Tenant['spec']>, Partial<Tenant['spec']>, string[]]>([
    [{}, {}, []],
    [{}, { plan: 'founder' }, ['plan: Plan changed from Standard to Founder']],
    [{}, { state: 'suspended', stateReason: 'payment failed' }, ['state: Suspended: payment failed']],
    [{ state: 'suspended' }, {}, ['state: In service again']],
    [{}, { state: 'ended' }, ['state: Ended']],
    [{}, { limits: { storageMb: 5000 } }, ['limits.storageMb: Limit of storage: 5 GB']],
    [{ limits: { storageMb: 5000, requestsPerDay: 10 } }, { limits: { storageMb: 'unlimited' } }, ['limits.storageMb: Limit of storage: unlimited instead of 5 GB', "limits.requestsPerDay: Limit of requests a day: the plan's again"]],
    [keys(K1), keys(K1, keySpec('k2', { name: 'reader', parent: 'k1', access: { readOnly: true }, expiresAt: '2026-04-01T12:30:00Z' })), ['keys.k2: Key k2 “reader” made from k1: read-only, until 1 April 2026, 12:30 UTC']],
    [keys(K1), keys(keySpec('k1', { revokedAt: '2026-03-01T12:00:00Z' })), ['keys.k1: Key k1 revoked']],
    [keys(keySpec('k1', { revokedAt: '2026-03-01T12:00:00Z' })), keys(K1), ['keys.k1: Key k1 works again: its revocation was taken back']],
    [keys(K1), keys(keySpec('k1', { name: 'laptop' })), ['keys.k1: Key k1 is called “laptop”']],
    [keys(K1), keys(keySpec('k1', { expiresAt: '2026-03-01T12:00:00Z' })), ['keys.k1: Key k1 works until 1 March 2026, 12:00 UTC']],
    [keys(K1), keys(keySpec('k1', { access: { phexts: ['notes'] } })), ['keys.k1: Key k1 may: phexts notes']],
    [keys(K1, keySpec('k2')), keys(K1), ['keys.k2: Key k2 was taken off the list']],
    [{ billing: { status: 'trialing', trialEndsAt: '2026-03-01T00:00:00Z' } }, { billing: { status: 'past_due', graceUntil: '2026-03-08T00:00:00Z' } }, ['billing.status: A payment failed', 'billing.graceUntil: It runs until 8 March 2026, 00:00 UTC while the payment is due']],
    [{ billing: {} }, { billing: { cancelAt: '2026-03-08T00:00:00Z' } }, ['billing.cancelAt: Cancelled: runs until 8 March 2026']],
    [{ billing: { cancelAt: '2026-03-08T00:00:00Z' } }, { billing: {} }, ['billing.cancelAt: The cancellation was taken back']],
    [{ billing: { status: 'active' } }, { billing: { status: 'active', price: { amount: 1000, currency: 'usd' }, interval: 'year', quantity: 2 } }, ['billing.price: Price: $10 a year', 'billing.quantity: Quantity: 2 instead of 1']],
    [{ owner: { email: 'a@example.com' } }, { owner: { email: 'b@example.com', listedAs: 'Ada' } }, ['owner.email: The owner’s address is another', 'owner.listedAs: On the founders page as “Ada”']],
    [{}, { hold: { until: '2026-03-08T00:00:00Z', reason: 'a move', by: 'Op' } }, ['hold: Changes wait until 8 March 2026, 00:00 UTC: a move']],
    [{ profiles: [{ username: 'ada', devices: [{ name: 'pad', publicKey: 'ssh-ed25519 A' }] }] }, { profiles: [{ username: 'ada', devices: [{ name: 'phone', publicKey: 'ssh-ed25519 A' }] }] }, ['profiles: Device phone of ada may log in', 'profiles: Device pad of ada may no longer log in']],
  ])('%#: %j to %j', (was, is, texts) => expect(between(was, is)).toEqual(texts))

  const valid = tenants.filter(({ spec: { keys: all } }) => new Set(all.map(({ id }) => id)).size === all.length)

  it('tell neither addresses nor what keys are made from, whatever changes', () => {
    fc.assert(
      fc.property(valid, valid, (was, is) => {
        const told = changesBetween(was, is, TITLES).map(({ text }) => text).join('\n')
        for (const { spec } of [was, is]) {
          expect(told).not.toContain(spec.owner.email)
          for (const { nonce, digest } of spec.keys) for (const secret of [nonce, digest]) if (secret !== undefined) expect(told).not.toContain(secret)
        }
        expect(changesBetween(was, was, TITLES)).toEqual([])
      }),
    )
  })
})

describe('who did it', () => {
  const OWN = 'Tenantry <tenantry@localhost>'
  const by = (author: string, subject: string, ...values: string[]) => changerOf('user001', { author, subject, trailers: values.map((value) => ({ name: 'By', value })) })

  test.each([
    [by(OWN, 'purchase: user001 on standard'), 'Payment'],
    [by(OWN, 'billing: user001 suspended'), 'Payment'],
    [by(OWN, 'keys: 2 changes asked for by 2 tenants', 'key k7 of user002', 'key k3 of user001'), 'An agent, with key k3'],
    [by(OWN, 'keys: 2 changes asked for by 2 tenants', 'owner of user001', 'key k3 of user002'), 'You'],
    [by(OWN, 'keys: x', 'owner of user002'), 'Tenantry'],
    [by('Op <op@example.com>', 'purchase: looks like one', 'owner of user001'), 'The operator'],
  ])('%#: %j', (changer, words) => expect(changerWords(changer)).toBe(words))
})
