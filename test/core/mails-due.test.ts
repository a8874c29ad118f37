/** What customers are told, from how things stand. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { mailsDue, type MailRules, type TenantFacts } from '../../controller/core/mails-due.ts'
import type { Tenant, Timestamp } from '../../controller/core/specs.ts'
import { keySpec, plan, tenant } from '../support/specs.ts'

const NOW = '2026-03-10T12:00:00Z'
const rules: MailRules = { since: '2026-01-01T00:00:00Z', retentionDays: 30, keyOverlapHours: 24, now: NOW }
const STANDARD = plan('standard', { limits: { storageMb: 100, requestsPerMonth: 1000 } })
const MB = 1024 * 1024

const facts = (spec: Partial<Tenant['spec']>, more: Partial<TenantFacts> = {}): TenantFacts => ({ tenant: tenant('user001', spec), plan: STANDARD, ready: true, storageBytes: undefined, requestsThisMonth: 0, lastUsed: new Map(), told: new Map(), ...more })
const causes = (given: TenantFacts, at: Partial<MailRules> = {}): string[] => mailsDue(given, { ...rules, ...at }).mails.filter(({ covered }) => !covered).map(({ cause }) => cause)
const bought = { billing: { checkout: 'cs_1' } }

describe('welcome', () => {
  test('is for who bought it, once it is ready', () => {
    expect(causes(facts(bought))).toEqual(['welcome/user001'])
    expect(mailsDue(facts(bought, { ready: false }), rules)).toMatchObject({ mails: [], waits: true })
  })

  test('is for who claimed a trial', () => {
    expect(causes(facts({ trial: { endsAt: '2026-03-30T00:00:00Z', claimedAt: '2026-03-09T00:00:00Z' } }))).toEqual(['welcome/user001'])
    expect(causes(facts({ trial: { endsAt: '2026-03-30T00:00:00Z' } }))).toEqual([])
  })

  test('is not for who was imported, or came before there was mail', () => {
    expect(causes(facts({}))).toEqual([])
    expect(causes(facts(bought), { since: '2026-03-01T00:00:00Z' })).toEqual([])
  })

  test('hints at the newest key that may everything', () => {
    const keys = [keySpec('k1'), keySpec('k2'), keySpec('k3', { access: { readOnly: true } }), keySpec('k4', { revokedAt: '2026-03-01T00:00:00Z' })]
    expect(mailsDue(facts({ ...bought, keys }), rules).mails[0]!.notice).toMatchObject({ kind: 'welcome', key: { id: 'k2' } })
  })
})

describe('payments', () => {
  test('a failed one is told for each grace', () => {
    const due = (graceUntil: Timestamp): string[] => causes(facts({ billing: { status: 'past_due', graceUntil } }))
    expect(due('2026-03-17T12:00:00Z')).toEqual(['payment-failed/user001/2026-03-17T12:00:00Z'])
    expect(due('2026-04-17T12:00:00Z')).not.toEqual(due('2026-03-17T12:00:00Z'))
  })

  test('a suspension by a rule is told once until it ends, and anew when it comes again; one by a person is theirs to tell', () => {
    const suspended = facts({ state: 'suspended', stateBy: 'billing', stateReason: 'payment is overdue' })
    const first = mailsDue(suspended, rules)
    expect(first.mails).toMatchObject([{ cause: `suspended/user001/${NOW}`, notice: { reason: 'payment is overdue' } }])
    const later = { ...rules, now: '2026-03-12T12:00:00Z' }
    expect(mailsDue({ ...suspended, told: first.conditions }, later).mails).toEqual(first.mails)
    const back = mailsDue(facts({}, { told: first.conditions }), later)
    expect([back.mails, back.conditions.size]).toEqual([[], 0])
    expect(mailsDue({ ...suspended, told: back.conditions }, { ...rules, now: '2026-05-01T00:00:00Z' }).mails[0]!.cause).toBe('suspended/user001/2026-05-01T00:00:00Z')
    expect(causes(facts({ state: 'suspended' }))).toEqual([])
  })
})

describe('the end', () => {
  test('is told when it is cancelled, as long as it is to come', () => {
    const cancelled = facts({ billing: { cancelAt: '2026-03-31T00:00:00Z' } })
    expect(causes(cancelled)).toEqual(['ending/user001/2026-03-31T00:00:00Z'])
    expect(causes(cancelled, { now: '2026-04-01T00:00:00Z' })).toEqual([])
  })

  test('is told with the time until which data is kept, as long as there is some', () => {
    const ended = facts({ state: 'ended', endedAt: '2026-03-01T00:00:00Z' })
    expect(mailsDue(ended, rules).mails).toEqual([{ cause: 'ended/user001/2026-03-01T00:00:00Z', notice: { kind: 'ended', dataUntil: '2026-03-31T00:00:00Z' } }])
    expect(causes(ended, { now: '2026-04-01T00:00:00Z' })).toEqual([])
  })

  test('of a trial is told three days before, of whichever kind', () => {
    for (const spec of [{ trial: { endsAt: '2026-03-13T12:00:00Z' } }, { billing: { status: 'trialing', trialEndsAt: '2026-03-13T12:00:00Z' } }]) {
      expect(causes(facts(spec), { now: '2026-03-10T11:59:59Z' })).toEqual([])
      expect(mailsDue(facts(spec), { ...rules, now: '2026-03-10T11:59:59Z' }).nextAt).toBe('2026-03-10T12:00:00Z')
      expect(causes(facts(spec))).toEqual(['trial-ends/user001/2026-03-13T12:00:00Z'])
    }
    expect(causes(facts({ billing: { status: 'active', trialEndsAt: '2026-03-13T12:00:00Z' } }))).toEqual([])
  })
})

describe('quotas', () => {
  const stored = (mb: number, told?: ReadonlyMap<string, Timestamp>): TenantFacts => facts({}, { storageBytes: mb * MB, ...(told && { told }) })

  test('storage is told at 80 and at 95 %, the higher step alone where both are reached', () => {
    expect(causes(stored(79.9))).toEqual([])
    expect(causes(stored(80))).toEqual([`quota/user001/storage/80/${NOW}`])
    expect(causes(stored(96))).toEqual([`quota/user001/storage/95/${NOW}`])
  })

  test('storage that goes up and down around a step is told once, and again after it fell clearly below', () => {
    let told: ReadonlyMap<string, Timestamp> = new Map()
    const sent = new Set<string>()
    const mails: string[] = []
    const days = [79, 81, 79, 82, 75, 80, 96, 94, 95, 91, 85, 96, 60, 80]
    days.forEach((mb, index) => {
      const due = mailsDue(stored(mb, told), { ...rules, now: `2026-03-${String(index + 1).padStart(2, '0')}T00:00:00Z` })
      told = due.conditions
      for (const { cause, covered } of due.mails) {
        if (!sent.has(cause) && !covered) mails.push(`${mb}: ${cause.split('/')[3]}`)
        sent.add(cause)
      }
    })
    expect(mails).toEqual(['81: 80', '96: 95', '96: 95', '80: 80'])
  })

  test('requests are told once a month and step', () => {
    const used = (requestsThisMonth: number): string[] => causes(facts({}, { requestsThisMonth }))
    expect([used(799), used(800), used(949), used(950), used(5000)]).toEqual([[], ['quota/user001/requests/2026-03/80'], ['quota/user001/requests/2026-03/80'], ['quota/user001/requests/2026-03/95'], ['quota/user001/requests/2026-03/95']])
  })

  test('nothing is told of what has no limit, or only a fair-use one', () => {
    const unlimited = plan('standard', { limits: { requestsPerMonth: 'unlimited' }, fairUse: { requestsPerMonth: 1000 } })
    expect(causes(facts({}, { plan: unlimited, requestsThisMonth: 990, storageBytes: 1e12 }))).toEqual([])
  })
})

describe('a replaced key', () => {
  const rotated = [keySpec('k1', { expiresAt: '2026-03-11T10:00:00Z' }), keySpec('k2', { createdAt: '2026-03-10T10:00:00Z' })]
  const used = (at: Timestamp, keys = rotated): string[] => causes(facts({ keys }, { lastUsed: new Map([['k1', at]]) }))

  test('that is used after the replacement is told, once a replacement', () => {
    expect(used('2026-03-10T11:00:00.000Z')).toEqual(['old-key-used/user001/k1/2026-03-11T10:00:00Z'])
    expect(used('2026-03-10T09:59:00.000Z')).toEqual([])
  })

  test('is none where a key simply has an end, or has ended', () => {
    expect(used('2026-03-10T11:00:00.000Z', [rotated[0]!, keySpec('k2')])).toEqual([])
    expect(used('2026-03-10T11:00:00.000Z', [{ ...rotated[0]!, revokedAt: '2026-03-10T11:30:00Z' }, rotated[1]!])).toEqual([])
  })
})

test('asked as often as one likes, the causes of what still holds stay the same', () => {
  const states = fc.constantFrom<Partial<Tenant['spec']>>({}, bought, { state: 'suspended', stateBy: 'billing' }, { state: 'ended', endedAt: '2026-03-09T00:00:00Z' }, { billing: { status: 'past_due' } }, { billing: { status: 'past_due', graceUntil: '2026-03-20T00:00:00Z' } })
  fc.assert(
    fc.property(states, fc.integer({ min: 0, max: 120 }), fc.array(fc.integer({ min: 0, max: 600 }), { maxLength: 6 }), (spec, mb, minutes) => {
      const given = facts(spec, { storageBytes: mb * MB })
      const first = mailsDue(given, rules)
      let told = first.conditions
      for (const after of minutes) {
        const again = mailsDue({ ...given, told }, { ...rules, now: new Date(Date.parse(NOW) + after * 60_000).toISOString() })
        expect(again.mails).toEqual(first.mails)
        told = again.conditions
      }
    }),
  )
})
