import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { diffTenant, isStop, orderChanges, takesOut, type TenantAction, type TenantChange } from '../../controller/core/change-set.ts'
import { desireTenant, type DesiredTenant } from '../../controller/core/desired.ts'
import type { Tenant, TenantId } from '../../controller/core/specs.ts'
import { containerProduct, keySpec, NOW, plan, sharedProduct, tenant, userId } from '../support/specs.ts'

const PLANS = { standard: plan('standard'), gold: plan('gold', { limits: { storageMb: 5000, requestsPerDay: 'unlimited' } }) }

function desired(spec: Partial<Tenant['spec']> = {}, id = 'user001'): DesiredTenant {
  return desireTenant(tenant(id, spec), sharedProduct(), PLANS[(spec.plan ?? 'standard') as keyof typeof PLANS], NOW)!
}

const profiles = (publicKey: string): Tenant['spec']['profiles'] => [{ username: 'ada', devices: [{ name: 'laptop', publicKey }] }]

const specs: fc.Arbitrary<Partial<Tenant['spec']>> = fc.record(
  {
    plan: fc.constantFrom('standard', 'gold'),
    state: fc.constantFrom('active', 'suspended', 'ended'),
    stateReason: fc.constantFrom('unpaid', 'abuse'),
    limits: fc.record({ storageMb: fc.constantFrom(1000, 2000, 'unlimited' as const), documents: fc.constantFrom(1, 2) }, { requiredKeys: [] }),
    keys: fc.uniqueArray(fc.record({ id: fc.constantFrom('k1', 'k2'), nonce: fc.constantFrom('a'.repeat(32), 'b'.repeat(32)), createdAt: fc.constant('2026-02-01T00:00:00Z') }), { selector: ({ id }) => id }),
    profiles: fc.constantFrom(profiles('ssh-ed25519 A')!, profiles('ssh-ed25519 B')!, []),
  },
  { requiredKeys: [] },
)
const state = specs.map((spec) => desired(spec))

describe('the change of a tenant', () => {
  it('is none where nothing differs, however the value was made', () => {
    fc.assert(
      fc.property(specs, (spec) => {
        expect(diffTenant(desired(spec), desired(spec))).toBeUndefined()
        expect(diffTenant(desired(spec), structuredClone(desired(spec)))).toBeUndefined()
      }),
    )
    expect(diffTenant(undefined, undefined)).toBeUndefined()
  })

  it('is none where only the order of fields in a file differs', () => {
    const { id, nonce, createdAt } = keySpec()
    expect(diffTenant(desired({ keys: [{ id, nonce, createdAt }] }), desired({ keys: [{ createdAt, nonce, id }] }))).toBeUndefined()
  })

  it('is there exactly where something that is served differs, and names field, from and to', () => {
    const served = ({ nextChangeAt: _, ...rest }: DesiredTenant): unknown => rest
    fc.assert(
      fc.property(state, state, (before, after) => {
        const change = diffTenant(before, after)
        let equal = true
        try {
          expect(served(after)).toEqual(served(before))
        } catch {
          equal = false
        }
        expect(change === undefined).toBe(equal)
        for (const { field, from, to } of change?.fields ?? []) {
          expect(field).not.toBe('')
          expect(from).not.toBe(to)
        }
        expect(new Set(change?.fields.map(({ field }) => field)).size).toBe(change?.fields.length ?? 0)
      }),
      { numRuns: 300 },
    )
  })

  it('turned round goes from there to here', () => {
    fc.assert(
      fc.property(state, state, (before, after) => {
        const turned = diffTenant(after, before)?.fields.map(({ field, from, to }) => ({ field, from: to, to: from })) ?? []
        const sorted = (fields: readonly { field: string }[]): unknown => fields.toSorted((a, b) => (a.field < b.field ? -1 : 1))
        expect(sorted(turned)).toEqual(sorted(diffTenant(before, after)?.fields ?? []))
      }),
    )
  })

  it('reaches the target: what was told last is the next start, and a second pass has nothing to do', () => {
    fc.assert(
      fc.property(fc.array(fc.option(state, { nil: undefined }), { minLength: 1 }), (wanted) => {
        let inForce: DesiredTenant | undefined
        for (const target of wanted) {
          if (diffTenant(inForce, target) !== undefined) inForce = target
          expect(diffTenant(inForce, target)).toBeUndefined()
        }
        expect(inForce).toEqual(wanted.at(-1))
      }),
    )
  })

  it.each<[TenantAction, DesiredTenant | undefined, DesiredTenant | undefined]>([
    ['create', undefined, desired()],
    ['remove', desired(), undefined],
    ['change', desired(), desired({ plan: 'gold' })],
    ['suspend', desired(), desired({ state: 'suspended' })],
    ['resume', desired({ state: 'suspended' }), desired()],
    ['end', desired({ state: 'suspended' }), desired({ state: 'ended' })],
    ['resume', desired({ state: 'ended' }), desired()],
  ])('%s', (action, before, after) => {
    expect(diffTenant(before, after)).toMatchObject({ tenant: 'user001', product: 'sq', action })
  })

  it('names every field that differs as it stands in files', () => {
    const before = desired({ limits: { storageMb: 2000 } })
    const after = desired({ plan: 'gold', state: 'suspended', stateReason: 'unpaid', keys: [keySpec(), keySpec('k2', { expiresAt: '2027-01-01T00:00:00Z' })] })
    expect(diffTenant(before, after)!.fields).toEqual([
      { field: 'plan', from: 'standard', to: 'gold' },
      { field: 'tier', from: 'standard', to: 'gold' },
      { field: 'state', from: 'active', to: 'suspended' },
      { field: 'stateReason', from: '(none)', to: 'unpaid' },
      { field: 'limits.storageMb', from: '2000', to: '5000' },
      { field: 'limits.requestsPerDay', from: '(none)', to: 'unlimited' },
      { field: 'keys', from: 'k1', to: 'k1; k2 until 2027-01-01T00:00:00Z' },
    ])
  })

  it('shows what differs where names are the same: a nonce, a device key', () => {
    const [keys] = diffTenant(desired(), desired({ keys: [keySpec('k1', { nonce: 'f'.repeat(32) })] }))!.fields
    expect(keys!.to).toContain('f'.repeat(32))
    const [devices] = diffTenant(desired({ profiles: profiles('ssh-ed25519 A')! }), desired({ profiles: profiles('ssh-ed25519 B')! }))!.fields
    expect([devices!.field, devices!.from.includes('ssh-ed25519 A'), devices!.to.includes('ssh-ed25519 B')]).toEqual(['profiles', true, true])
  })
})

describe('the order of changes', () => {
  const actions: readonly TenantAction[] = ['create', 'change', 'suspend', 'resume', 'end', 'remove']
  const changes = fc.uniqueArray(fc.record({ n: fc.integer({ min: 1, max: 2000 }), action: fc.constantFrom(...actions) }), { selector: ({ n }) => n }).map((all) => all.map(({ n, action }): TenantChange => ({ tenant: userId(n), product: 'sq', action, fields: [] })))

  it('puts every stop before every start, and is otherwise by number', () => {
    fc.assert(
      fc.property(changes, (all) => {
        const ordered = orderChanges(all)
        expect(new Set(ordered)).toEqual(new Set(all))
        const number = (id: TenantId): number => Number(id.slice(4))
        ordered.slice(1).forEach((change, i) => {
          const before = ordered[i]!
          if (isStop(change.action)) expect(isStop(before.action)).toBe(true)
          if (isStop(change.action) === isStop(before.action)) expect(number(before.tenant)).toBeLessThan(number(change.tenant))
        })
        expect(orderChanges(all.toReversed())).toEqual(ordered)
      }),
    )
  })

  it('counts what takes a tenant out of service as stops', () => {
    expect(actions.filter(takesOut)).toEqual(['end', 'remove'])
    expect(actions.filter(isStop)).toEqual(['suspend', 'end', 'remove'])
  })
})

describe('the desired state', () => {
  it('is plan and own limits laid together, with the keys that are live', () => {
    const spec = { limits: { documents: 3 }, keys: [keySpec('k1', { revokedAt: '2026-02-13T00:00:00Z' }), keySpec('k2', { createdAt: '2026-02-14T00:00:00Z', expiresAt: '2026-04-01T00:00:00Z' })] }
    expect(desired(spec)).toMatchObject({ limits: { storageMb: 1000, documents: 3 }, keys: [{ id: 'k2' }], createdAt: '2026-02-12T13:15:00Z', place: { kind: 'shard', shard: 'sq-000' }, nextChangeAt: '2026-04-01T00:00:00Z' })
  })

  it('shares the plan\'s limits where a tenant has none of its own', () => {
    expect(desired().limits).toBe(PLANS.standard.spec.limits)
  })

  it('has a container for each tenant of such a product', () => {
    expect(desireTenant(tenant('ded001', { product: 'dedicated' }), containerProduct(), PLANS.standard, NOW)!.place).toEqual({ kind: 'container' })
  })

  it('is none for an id that is not of the product', () => {
    expect(desireTenant(tenant('ded001'), sharedProduct(), PLANS.standard, NOW)).toBeUndefined()
  })

  it('stays equal until the instant at which it says it changes', () => {
    const end = fc.option(fc.integer({ min: -5, max: 10 }).map((hours) => new Date(Date.parse(NOW) + hours * 3_600_000).toISOString()), { nil: undefined })
    const keys = fc.array(fc.record({ expiresAt: end, revokedAt: end }), { maxLength: 4 }).map((ends) => ends.map(({ expiresAt, revokedAt }, i) => keySpec(`k${i}`, { ...(expiresAt && { expiresAt }), ...(revokedAt && { revokedAt }) })))
    fc.assert(
      fc.property(keys, (all) => {
        const at = (now: string): DesiredTenant => desireTenant(tenant('user001', { keys: all }), sharedProduct(), PLANS.standard, now)!
        const now = at(NOW)
        const next = now.nextChangeAt
        const justBefore = new Date(Date.parse(next ?? '2030-01-01T00:00:00Z') - 1).toISOString()
        expect(at(justBefore)).toEqual(now)
        if (next !== undefined) expect(at(next).keys).not.toEqual(now.keys)
      }),
    )
  })
})
