import { describe, expect, it } from 'vitest'
import { containerNeeds, tenantContainer } from '../../controller/core/container.ts'
import { desireTenant, type DesiredTenant } from '../../controller/core/desired.ts'
import { deriveInstanceKey } from '../../controller/core/keys.ts'
import { routeOf } from '../../controller/core/route.ts'
import type { Tenant, TenantId } from '../../controller/core/specs.ts'
import { CONTAINER, containerProduct, digest, keySpec, mac, NOW, plan, tenant } from '../support/specs.ts'

const desired = (spec: Partial<Tenant['spec']> = {}): DesiredTenant => desireTenant(tenant('ded001', { product: 'dedicated', ...spec }), containerProduct(), plan('own', { limits: { memoryMb: 512 } }), NOW)!

describe('the container of a tenant', () => {
  it('takes memory and processors from the limits, and from the product where there are none', () => {
    expect(tenantContainer(CONTAINER, desired({ limits: { cpus: 2 } }), [])).toMatchObject({ name: 'ded001', tenant: 'ded001', memoryMb: 512, cpus: 2 })
    expect(containerNeeds(CONTAINER, {})).toEqual({ memoryMb: 256, cpus: 0.5 })
  })

  it('is an equal value for an equal tenant, without fields that are not set', () => {
    const files = [{ name: 'f', text: 'secret' }]
    const spec = tenantContainer(CONTAINER, desired(), files)
    expect(tenantContainer(structuredClone(CONTAINER), structuredClone(desired()), files)).toEqual(spec)
    expect(Object.keys(spec)).not.toContain('command')
    expect(Object.values(spec)).not.toContain(undefined)
    expect(tenantContainer({ ...CONTAINER, command: ['sq'], user: '1000', reload: ['true'] }, desired(), [])).toMatchObject({ command: ['sq'], user: '1000', reload: ['true'], binds: [] })
  })
})

const INSTANCE_KEY = deriveInstanceKey(mac, 1, 'ded001' as TenantId)

describe('the route of a tenant', () => {
  const route = (spec: Partial<Tenant['spec']>) => routeOf({ desired: desired(spec), api: '/api/v2/', upstream: { host: '127.0.0.1', port: 1 }, digestOf: ({ nonce = '' }) => digest(nonce), instanceKey: () => INSTANCE_KEY, awaitingFirstUse: false })

  it('names live keys by digest in every state, so that the gateway can say why a key is not served', () => {
    for (const state of ['active', 'suspended', 'ended'] as const) {
      expect(route({ state, stateReason: 'why', keys: [keySpec('k1'), keySpec('k2', { expiresAt: '2026-02-20T00:00:00Z' })] })).toMatchObject({ tenant: 'ded001', state, stateReason: 'why', keys: [{ id: 'k1', digest: digest(keySpec('k1').nonce) }] })
    }
  })

  it('holds no nonce, no email, and no key but the one that opens only its own SQ', () => {
    const { instanceKey, ...rest } = route({ owner: { email: 'ada@example.com', username: 'ada' } })
    expect(instanceKey).toBe(INSTANCE_KEY)
    const text = JSON.stringify(rest)
    for (const secret of [keySpec().nonce, 'pmb-', 'ada']) expect(text).not.toContain(secret)
  })

  it('tells when a key ends, by expiry or by revocation, whichever comes first', () => {
    const keys = [keySpec('k1', { expiresAt: '2026-05-01T00:00:00Z', revokedAt: '2026-04-01T00:00:00Z' }), keySpec('k2', { expiresAt: '2026-05-01T00:00:00Z' }), keySpec('k3')]
    expect(route({ keys }).keys.map(({ expiresAt }) => expiresAt)).toEqual(['2026-04-01T00:00:00Z', '2026-05-01T00:00:00Z', undefined])
  })

  it('leaves out what is not there', () => {
    const bare = routeOf({ desired: desired(), api: undefined, upstream: undefined, waiting: 'no engine', digestOf: () => 'd', instanceKey: () => INSTANCE_KEY, awaitingFirstUse: true })
    expect(bare).toMatchObject({ waiting: 'no engine', awaitingFirstUse: true })
    expect(Object.keys(bare)).not.toEqual(expect.arrayContaining(['api']))
    expect(Object.keys(bare)).not.toEqual(expect.arrayContaining(['upstream']))
  })
})
