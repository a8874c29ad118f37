import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Tenant } from '../../controller/core/specs.ts'
import { createSpecParser } from '../../controller/specs/parse.ts'
import { tenantEdits } from '../../controller/specs/tenant-edits.ts'
import { editSpec, stringifyTenant } from '../../controller/specs/write.ts'
import { tenants } from './arbitrary-tenant.ts'

const parser = createSpecParser()
const read = (text: string): Tenant => {
  const parsed = parser.parse('tenants/sq/000/user001.yaml', text)
  if (parsed.kind === 'bad') throw new Error(JSON.stringify(parsed.problems))
  return parsed.spec as Tenant
}

describe("a tenant's file with another spec", () => {
  it('keeps comments, order and every other field', () => {
    const text = `apiVersion: tenantry.dev/v1
kind: Tenant
metadata:
  name: user001
spec:
  product: sq
  plan: sq-founder   # the first hundred
  owner: { email: ada@example.com }
  state: active
  keys: []
  # Bought on a Tuesday.
  billing:
    subscription: sub_1
    graceUntil: 2026-03-01T00:00:00Z
`
    const tenant = read(text)
    const next = { ...tenant.spec, state: 'suspended' as const, stateReason: 'unpaid', stateBy: 'billing' as const, billing: { subscription: 'sub_1', status: 'unpaid' } }
    const edited = editSpec(text, tenantEdits(tenant.spec, next))
    expect(read(edited).spec).toEqual(next)
    expect(edited).toContain('plan: sq-founder   # the first hundred')
    expect(edited).toContain('# Bought on a Tuesday.\n  billing:\n    subscription: sub_1\n    status: unpaid\n')
  })

  it('says exactly that spec, whatever the two are, and nothing is edited where they are the same', () => {
    fc.assert(
      fc.property(tenants, tenants, (before, after) => {
        const { plan, state, stateReason, stateBy, endedAt, trial, owner, billing } = after.spec
        const fields = { plan, state, stateReason, stateBy, endedAt, trial, owner, billing }
        const wanted = Object.fromEntries(Object.entries({ ...before.spec, ...fields }).filter(([, value]) => value !== undefined)) as unknown as Tenant['spec']
        const edited = editSpec(stringifyTenant(before), tenantEdits(before.spec, wanted))
        expect(read(edited).spec).toEqual(wanted)
        expect(tenantEdits(wanted, wanted)).toEqual([])
      }),
      { numRuns: 60 },
    )
  })
})
