import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { editSpec, stringifyTenant } from '../../controller/specs/write.ts'
import { tenants } from './arbitrary-tenant.ts'
import { parseTenant, TENANT } from './support.ts'

const HAND_WRITTEN = `# Ada asked for more room
apiVersion: tenantry.dev/v1
kind: Tenant
metadata: {name: user001}

spec:
  product: sq        # the shared one
  plan:    sq-founder
  owner: {email: ada@example.com, username: ada}
  state: active      # active | suspended | ended
  limits: {storageMb: 5000}    # agreed by mail
  keys:
  - {id: k1, nonce: 5b1c0d9e7f3a42618b0c5d2e9f7a1364, createdAt: 2026-02-12T13:15:00Z}
  # the end
`

const lines = (text: string): string[] => text.split('\n')

describe('a tenant written', () => {
  it('reads back as itself, whatever it holds', () => {
    fc.assert(
      fc.property(tenants, (tenant) => {
        expect(parseTenant(stringifyTenant(tenant))).toEqual(tenant)
      }),
      { numRuns: 300 },
    )
  })

  it('is the same bytes for an equal tenant, whatever the order of its fields', () => {
    const tenant = parseTenant(TENANT)
    const reordered = { ...tenant, spec: Object.fromEntries(Object.entries(tenant.spec).reverse()) } as unknown as typeof tenant
    expect(stringifyTenant(reordered)).toBe(stringifyTenant(tenant))
  })

  it('has the fields in the order that people know, below the line that editors need', () => {
    expect(stringifyTenant(parseTenant(TENANT))).toBe(`# yaml-language-server: $schema=../../../schemas/tenant.schema.json
apiVersion: tenantry.dev/v1
kind: Tenant
metadata:
  name: user001
spec:
  product: sq
  plan: sq-founder
  owner:
    email: ada@example.com
    username: ada
  state: active
  limits:
    storageMb: 5000
  keys:
    - id: k1
      nonce: 5b1c0d9e7f3a42618b0c5d2e9f7a1364
      createdAt: 2026-02-12T13:15:00Z
  billing:
    customer: cus_A1
    subscription: sub_A1
    checkout: cs_test_A1
`)
  })
})

describe('a file edited', () => {
  it('changes the word that it was told to and not one other character', () => {
    expect(editSpec(HAND_WRITTEN, [{ path: ['spec', 'limits', 'storageMb'], value: 7000 }])).toBe(HAND_WRITTEN.replace('5000', '7000'))
  })

  it('adds and removes fields, with comments, alignment and brackets of the rest kept', () => {
    const edited = editSpec(HAND_WRITTEN, [
      { path: ['spec', 'stateReason'], value: 'payment failed: card' },
      { path: ['spec', 'state'], value: 'suspended' },
      { path: ['spec', 'keys', 0, 'revokedAt'], value: '2026-03-01T00:00:00Z' },
      { path: ['spec', 'keys', 1], value: { id: 'k2', nonce: '12345678901234567890123456789012', createdAt: '2026-03-01T00:00:00Z' } },
    ])
    expect(lines(HAND_WRITTEN).filter((line) => !lines(edited).includes(line))).toEqual([
      '  state: active      # active | suspended | ended',
      '  - {id: k1, nonce: 5b1c0d9e7f3a42618b0c5d2e9f7a1364, createdAt: 2026-02-12T13:15:00Z}',
    ])
    expect(parseTenant(edited).spec).toMatchObject({
      state: 'suspended',
      stateReason: 'payment failed: card',
      keys: [{ id: 'k1', revokedAt: '2026-03-01T00:00:00Z' }, { id: 'k2', nonce: '12345678901234567890123456789012' }],
    })
  })

  it('removes a field with its line, and only that', () => {
    const edited = editSpec(HAND_WRITTEN, [{ path: ['spec', 'limits'], value: undefined }])
    expect(edited).toBe(lines(HAND_WRITTEN).filter((line) => !line.includes('limits')).join('\n'))
  })

  it('opens an empty list, an empty field and a missing map', () => {
    const edited = editSpec('spec:\n  keys: []\n  limits:\n', [
      { path: ['spec', 'keys', 0], value: { id: 'k1' } },
      { path: ['spec', 'limits', 'storageMb'], value: 1 },
      { path: ['spec', 'hold', 'by'], value: 'grace' },
    ])
    expect(edited).toBe('spec:\n  keys:\n    - id: k1\n  limits:\n    storageMb: 1\n  hold:\n    by: grace\n')
  })

  it('quotes a word that would break the brackets it stands in, or become a number', () => {
    const edited = editSpec(HAND_WRITTEN, [{ path: ['spec', 'owner', 'username'], value: 'a, b: [c]' }])
    expect((parse(edited) as { spec: { owner: unknown } }).spec.owner).toEqual({ email: 'ada@example.com', username: 'a, b: [c]' })
    expect(editSpec('a: b\n', [{ path: ['a'], value: '0123' }])).toBe('a: "0123"\n')
  })

  it('leaves the text alone where there is nothing to remove', () => {
    expect(editSpec(HAND_WRITTEN, [{ path: ['spec', 'hold'], value: undefined }])).toBe(HAND_WRITTEN)
  })

  it('keeps the canonical form canonical', () => {
    fc.assert(
      fc.property(tenants, fc.constantFrom('suspended', 'active'), fc.integer({ min: 1, max: 9999 }), (tenant, state, storageMb) => {
        const edited = editSpec(stringifyTenant(tenant), [{ path: ['spec', 'state'], value: state }, { path: ['spec', 'limits', 'storageMb'], value: storageMb }])
        expect(parseTenant(edited)).toEqual({ ...tenant, spec: { ...tenant.spec, state, limits: { ...tenant.spec.limits, storageMb } } })
      }),
      { numRuns: 100 },
    )
  })

  it('refuses a text that is not YAML, and fields of a word', () => {
    expect(() => editSpec('a: [', [{ path: ['a'], value: 1 }])).toThrow('not valid YAML')
    expect(() => editSpec('a: b\n', [{ path: ['a', 'c'], value: 1 }])).toThrow('a is a single value')
  })
})
