import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { desireTenant, type DesiredTenant } from '../../controller/core/desired.ts'
import { isWellFormedKey } from '../../controller/core/key-format.ts'
import { deriveInstanceKey, deriveKey, isLive } from '../../controller/core/keys.ts'
import type { Tenant, TenantId } from '../../controller/core/specs.ts'
import { renderTenantsJson, type TenantsJsonInput } from '../../controller/core/tenants-json.ts'
import { derivedKeys, digest, keySpec, mac, NOW, plan, sharedProduct, tenant, userId } from '../support/specs.ts'

const SECRETS = { mac, masterVersion: 2, masterVersions: [2, 1], digest }
const folder = (id: TenantId): string => `/sq/data/${id}`

const desired = (spec: Tenant): DesiredTenant => desireTenant(spec, sharedProduct(), plan('standard'), NOW)!

function input(tenants: readonly Tenant[], changes: Partial<TenantsJsonInput> = {}): TenantsJsonInput {
  return { instance: 'sq-000', maxTenants: 500, defaultQuotaMb: 1000, members: tenants.map(desired), dataFolder: folder, probeFolder: '/sq/probe', ...changes }
}

interface Entry {
  readonly name: string
  readonly data_dir: string
  readonly [field: string]: unknown
}

function entriesOf(tenants: readonly Tenant[]): Map<string, Entry> {
  const { text } = renderTenantsJson(input(tenants), SECRETS)
  return new Map(Object.entries((JSON.parse(text) as { tenants: Record<string, Entry> }).tenants))
}

const end = fc.option(fc.constantFrom('2026-02-20T00:00:00Z', '2026-06-01T00:00:00Z'), { nil: undefined })
const members: fc.Arbitrary<Tenant[]> = fc
  .array(
    fc.record({
      state: fc.constantFrom('active', 'active', 'suspended', 'ended'),
      storageMb: fc.constantFrom(undefined, 5000, 'unlimited' as const),
      // Nonces are few on purpose: tenants may share one and still have keys of their own.
      keys: fc.array(fc.record({ nonce: fc.constantFrom('a'.repeat(32), 'b'.repeat(32)), expiresAt: end, revokedAt: end }), { maxLength: 3 }),
    }),
    { maxLength: 8 },
  )
  .map((all) =>
    all.map(({ state, storageMb, keys }, i) =>
      tenant(userId(i + 1), {
        state,
        ...(storageMb !== undefined && { limits: { storageMb } }),
        keys: keys.map(({ nonce, expiresAt, revokedAt }, k) => keySpec(`k${k + 1}`, { nonce, ...(expiresAt !== undefined && { expiresAt }), ...(revokedAt !== undefined && { revokedAt }) })),
      }),
    ),
  )

describe('tenants.json', () => {
  it('maps exactly the live keys of active tenants, each to its own tenant and folder, and one probe to an empty one', () => {
    fc.assert(
      fc.property(members, (tenants) => {
        const entries = entriesOf(tenants)
        const wanted = new Map<string, TenantId>()
        for (const { metadata, spec } of tenants) {
          if (spec.state === 'active') {
            for (const key of derivedKeys(spec)) if (isLive(key, NOW)) wanted.set(deriveKey(mac, metadata.name, key), metadata.name)
            for (const version of SECRETS.masterVersions) wanted.set(deriveInstanceKey(mac, version, metadata.name), metadata.name)
          }
        }
        const { probeKey } = renderTenantsJson(input(tenants), SECRETS)
        expect(new Set(entries.keys())).toEqual(new Set([...wanted.keys(), probeKey]))
        for (const [key, { name, data_dir }] of entries) {
          expect(isWellFormedKey(key)).toBe(true)
          expect([name, data_dir]).toEqual(key === probeKey ? ['tenantry-probe', '/sq/probe'] : [wanted.get(key), folder(wanted.get(key)!)])
        }
      }),
    )
  })

  it('gives no key of one tenant the folder of another', () => {
    fc.assert(
      fc.property(members, (tenants) => {
        const entries = entriesOf(tenants)
        for (const { metadata, spec } of tenants) {
          const own = new Set<string>([...derivedKeys(spec).map((key) => deriveKey(mac, metadata.name, key)), ...SECRETS.masterVersions.map((version) => deriveInstanceKey(mac, version, metadata.name))])
          for (const [key, { data_dir }] of entries) expect(data_dir === folder(metadata.name)).toBe(own.has(key))
        }
      }),
    )
  })

  it('is the same text, byte for byte, a second time', () => {
    fc.assert(
      fc.property(members, (tenants) => {
        expect(renderTenantsJson(input(structuredClone(tenants)), SECRETS)).toEqual(renderTenantsJson(input(tenants), SECRETS))
      }),
    )
  })

  it('has another probe key exactly when anything in it is other', () => {
    const inputs = fc.record({
      tenants: members,
      instance: fc.constantFrom('sq-000', 'sq-001'),
      maxTenants: fc.constantFrom(10, 500),
      defaultQuotaMb: fc.constantFrom(null, 1000),
      probeFolder: fc.constantFrom('/sq/probe', '/other'),
      root: fc.constantFrom('/a', '/b'),
    })
    const render = ({ tenants, root, ...changes }: { tenants: Tenant[]; root: string } & Partial<TenantsJsonInput>) => renderTenantsJson(input(tenants, { ...changes, dataFolder: (id) => `${root}/${id}` }), SECRETS)
    fc.assert(
      fc.property(inputs, inputs, fc.boolean(), (one, other, nearly) => {
        const a = render(one)
        const b = render(nearly ? { ...one, probeFolder: other.probeFolder, maxTenants: other.maxTenants } : other)
        expect(a.probeKey === b.probeKey).toBe(a.text === b.text)
      }),
      { numRuns: 300 },
    )
  })

  it('has a probe key of its own for each instance, also where all else is equal', () => {
    const probe = (instance: string): string => renderTenantsJson(input([], { instance }), SECRETS).probeKey
    expect(probe('sq-000')).not.toBe(probe('sq-001'))
  })

  it('carries the fields that people and tools look for', () => {
    const ada = tenant('user001', { limits: { storageMb: 5000 } })
    const { text, probeKey } = renderTenantsJson(input([ada, tenant('user002', { limits: { storageMb: 'unlimited' } })]), SECRETS)
    const key = deriveKey(mac, userId(1), keySpec())
    expect(JSON.parse(text)).toMatchObject({
      max_tenants: 500,
      default_quota_mb: 1000,
      tenants: {
        [key]: { name: 'user001', data_dir: '/sq/data/user001', id: 'user001', key_id: 'k1', quota_mb: 5000, enabled: true, tier: 'standard', created_at: '2026-02-12T13:15:00Z' },
        [deriveKey(mac, userId(2), keySpec())]: { quota_mb: null },
        [probeKey]: { name: 'tenantry-probe', data_dir: '/sq/probe' },
      },
    })
    expect(text.endsWith('}\n')).toBe(true)
  })

  it('holds no key that SQ could not keep to what it may, or whose text nobody has; the gateway reaches its tenant all the same', () => {
    const narrow = [keySpec('k2', { access: { readOnly: true } }), keySpec('k3', { parent: 'k1' }), { id: 'k4', digest: digest('handed out before'), createdAt: NOW }]
    const entries = entriesOf([tenant('user001', { keys: [keySpec('k1'), ...narrow] }), tenant('user002', { keys: narrow.slice(2) })])
    const instances = [1, 2].flatMap((n) => SECRETS.masterVersions.map((version) => deriveInstanceKey(mac, version, userId(n))))
    const { probeKey } = renderTenantsJson(input([tenant('user001', { keys: [keySpec('k1'), ...narrow] }), tenant('user002', { keys: narrow.slice(2) })]), SECRETS)
    expect(new Set(entries.keys())).toEqual(new Set([deriveKey(mac, userId(1), keySpec('k1')), ...instances, probeKey]))
  })

  it('is a good file for nobody at all', () => {
    expect(entriesOf([])).toHaveProperty('size', 1)
  })

  it('fails as a whole where one key cannot be derived, so that nobody is left out silently', () => {
    const secrets = { ...SECRETS, mac: () => { throw new Error('unknown master') } }
    expect(() => renderTenantsJson(input([tenant('user001')]), secrets)).toThrow('unknown master')
  })
})
