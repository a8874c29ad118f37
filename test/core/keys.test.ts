import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isWellFormedKey } from '../../controller/core/key-format.ts'
import { deriveKey, deriveProbeKey, earliest, isLive, isPast, keysOpen, liveKeys, nextKeyChange } from '../../controller/core/keys.ts'
import type { KeySpec, TenantId } from '../../controller/core/specs.ts'
import { keySpec, mac, NOW, userId } from '../support/specs.ts'

const identity = fc.record({ tenant: fc.constantFrom('user001', 'user002', 'user0011'), id: fc.constantFrom('k1', 'k2', '1k1'), nonce: fc.constantFrom('a'.repeat(32), `${'a'.repeat(31)}b`), master: fc.constantFrom(1, 2) })
const derive = ({ tenant, ...key }: { tenant: string; id: string; nonce: string; master?: number }): string => deriveKey(mac, tenant as TenantId, key)

describe('a derived key', () => {
  it('is the same for the same tenant, key, nonce and master, and another for any other', () => {
    fc.assert(
      fc.property(identity, identity, (one, other) => {
        expect(derive(one) === derive(other)).toBe(JSON.stringify(one) === JSON.stringify(other))
        expect(isWellFormedKey(derive(one))).toBe(true)
      }),
    )
  })

  it('is under the first master secret where none is named', () => {
    const key = { tenant: 'user001', id: 'k1', nonce: 'a'.repeat(32) }
    expect(derive(key)).toBe(derive({ ...key, master: 1 }))
  })

  it('stays as it is for ever: keys handed out depend on it', () => {
    expect(derive({ tenant: 'user001', id: 'k1', nonce: '5b1c0d9e7f3a42618b0c5d2e9f7a1364' })).toBe('pmb-v1-3d8c2897b805fd70b8d7647474adaa76bd1a0791')
  })

  it('depends on nothing else, so that a rename or an expiry changes no key', () => {
    expect(deriveKey(mac, userId(1), keySpec('k1', { name: 'laptop', expiresAt: NOW }))).toBe(deriveKey(mac, userId(1), keySpec()))
  })

  it('is never a probe key', () => {
    expect(deriveProbeKey(mac, 1, `user001\nk1\n${'a'.repeat(32)}`)).not.toBe(derive({ tenant: 'user001', id: 'k1', nonce: 'a'.repeat(32) }))
  })

  it('is refused where its master secret is gone', () => {
    expect(() => deriveKey(() => { throw new Error('master key version 9 is not in TENANTRY_MASTER_KEY') }, userId(1), keySpec('k1', { master: 9 }))).toThrow('version 9')
  })
})

const instant = fc.integer({ min: -20, max: 20 }).map((minutes) => Date.parse(NOW) + minutes * 60_000)
/** The same instant in other words: whole seconds, milliseconds, another zone. */
const timestamp = fc.tuple(instant, fc.nat(2)).map(([at, form]) => {
  const iso = new Date(at).toISOString()
  return form === 0 ? iso : form === 1 ? `${iso.slice(0, 19)}Z` : `${new Date(at + 3_600_000).toISOString().slice(0, 19)}+01:00`
})
const keys: fc.Arbitrary<KeySpec[]> = fc
  .array(fc.record({ expiresAt: fc.option(timestamp, { nil: undefined }), revokedAt: fc.option(timestamp, { nil: undefined }) }), { maxLength: 4 })
  .map((ends) => ends.map(({ expiresAt, revokedAt }, i) => keySpec(`k${i}`, { ...(expiresAt !== undefined && { expiresAt }), ...(revokedAt !== undefined && { revokedAt }) })))
const ids = (live: readonly KeySpec[]): string[] => live.map(({ id }) => id)

describe('live keys', () => {
  it('end at the instant itself', () => {
    expect([isLive(keySpec('k1', { expiresAt: NOW }), NOW), isLive(keySpec('k1', { revokedAt: NOW }), NOW), isLive(keySpec('k1', { expiresAt: '2026-03-01T12:00:00.001Z' }), NOW)]).toEqual([false, false, true])
  })

  it('are another set at the next change, and the same set until then', () => {
    fc.assert(
      fc.property(keys, instant, fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }), (all, at, share) => {
        const now = new Date(at).toISOString()
        const next = nextKeyChange(all, now)
        const end = next === undefined ? at + 10 * 3_600_000 : Date.parse(next)
        expect(end).toBeGreaterThan(at)
        const between = new Date(Math.min(end - 1, Math.floor(at + share * (end - at)))).toISOString()
        expect(ids(liveKeys(all, between))).toEqual(ids(liveKeys(all, now)))
        if (next !== undefined) expect(ids(liveKeys(all, next)).length).toBeLessThan(ids(liveKeys(all, now)).length)
      }),
      { numRuns: 500 },
    )
  })

  it('never come back', () => {
    fc.assert(
      fc.property(keys, instant, fc.nat(3_600_000), (all, at, later) => {
        const now = ids(liveKeys(all, new Date(at).toISOString()))
        for (const id of ids(liveKeys(all, new Date(at + later).toISOString()))) expect(now).toContain(id)
      }),
    )
  })

  it('are the list of the file itself where all live', () => {
    const all = [keySpec('k1'), keySpec('k2')]
    expect(liveKeys(all, NOW)).toBe(all)
  })

  it('open only an active tenant', () => {
    expect((['active', 'suspended', 'ended'] as const).filter(keysOpen)).toEqual(['active'])
  })
})

describe('instants', () => {
  it('are compared as such, whatever their zone and precision', () => {
    expect([isPast('2026-03-01T13:00:00+01:00', NOW), isPast('2026-03-01T12:00:00.5Z', NOW), isPast(undefined, NOW)]).toEqual([true, false, false])
    expect(earliest(['2026-03-01T12:00:00Z', undefined, '2026-03-01T12:30:00+01:00'])).toBe('2026-03-01T12:30:00+01:00')
    expect(earliest([])).toBeUndefined()
  })
})
