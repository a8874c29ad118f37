import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { limitFindings, mergeLimits } from '../../controller/core/limits.ts'
import type { Limits, Product } from '../../controller/core/specs.ts'
import { limits as anyLimits } from '../specs/arbitrary-tenant.ts'

const PROPERTY = { numRuns: 300 }

describe('plan and own limits merged', () => {
  const merges = (rule: (plan: Limits, own: Limits, merged: Limits) => void): void => {
    fc.assert(
      fc.property(anyLimits, anyLimits, (plan, own) => {
        rule(plan, own, mergeLimits(plan, own))
      }),
      PROPERTY,
    )
  }

  it('own wins, the plan fills the rest, and nothing else appears', () => {
    merges((plan, own, merged) => expect(merged).toEqual({ ...plan, ...own }))
  })
  it('merging again changes nothing', () => {
    merges((_plan, own, merged) => expect(mergeLimits(merged, own)).toBe(merged))
  })
  it("is the plan's object itself where nothing differs", () => {
    merges((plan) => {
      expect(mergeLimits(plan, undefined)).toBe(plan)
      expect(mergeLimits(plan, {})).toBe(plan)
      expect(mergeLimits(plan, { ...plan })).toBe(plan)
    })
  })
  it('leaves plan and own as they were', () => {
    merges((plan, own) => {
      const before = structuredClone([plan, own])
      mergeLimits(Object.freeze(plan), Object.freeze(own))
      expect([plan, own]).toEqual(before)
    })
  })
})

const SHARED = { kind: 'Product', metadata: { name: 'sq' }, spec: { title: 'SQ', tenantId: { prefix: 'user', digits: 3 }, run: { kind: 'shared-sq', engine: 'process', tenantsPerShard: 500 } } } satisfies Product

describe('limits make sense', () => {
  const findings = (limits: Limits, more: { fairUse?: Limits; bounds?: Record<string, number>; product?: Product } = {}): string[] =>
    limitFindings({ file: 'f', field: 'spec.limits', limits, inForce: limits, fairUse: more.fairUse, bounds: more.bounds, product: more.product }).map(({ field, message, fix }) => `${field}: ${message}. ${fix}`)

  it.each<[string, string[], string[]]>([
    ['inside the bounds', findings({ storageMb: 100 }, { bounds: { storageMb: 100 } }), []],
    ['over a bound', findings({ storageMb: 101 }, { bounds: { storageMb: 100 } }), ["spec.limits.storageMb: 101 is over the platform's bound of 100. Set at most 100, or raise spec.bounds.storageMb in platform.yaml."]],
    ['unlimited without bound', findings({ documents: 'unlimited' }), []],
    ['unlimited under a ceiling', findings({ documents: 'unlimited' }, { bounds: { documents: 5 }, fairUse: { documents: 5 } }), []],
    ['unlimited without ceiling', findings({ documents: 'unlimited' }, { bounds: { documents: 5 } }), ['spec.limits.documents: `unlimited` needs a fair-use ceiling, because the platform bounds it to 5. State spec.fairUse.documents in the plan, or set a number.']],
    ['a burst alone', findings({ burst: 5 }), ['spec.limits.burst: a burst means nothing without a steady rate. Set requestsPerSecond as well, or remove burst.']],
    ['memory in a shared SQ', findings({ memoryMb: 64 }, { product: SHARED }), ['spec.limits.memoryMb: tenants of sq share one SQ and have no memoryMb of their own. Remove it.']],
    ['profiles without SSH', findings({ profiles: 1 }, { product: SHARED }), ['spec.limits.profiles: tenants of sq have no SSH log-in. Remove it.']],
  ])('%s', (_name, found, wanted) => {
    expect(found).toEqual(wanted)
  })
})
