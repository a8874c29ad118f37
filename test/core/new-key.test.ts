import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isLive, liveKeys } from '../../controller/core/keys.ts'
import { newKey, nextKeyId, spentKeys, wishFault, withDescendants } from '../../controller/core/new-key.ts'
import type { KeySpec } from '../../controller/core/specs.ts'
import { keySpec, NOW } from '../support/specs.ts'

const making = { nonce: '0'.repeat(32), masterVersion: 1, now: NOW }
const ended = { revokedAt: '2026-02-20T00:00:00Z' }
const child = (n: number, changes: Parameters<typeof keySpec>[1] = {}): KeySpec => keySpec(`k${n}`, { parent: 'k1', ...changes })

describe('a new key', () => {
  it('has an id that no key had before', () => {
    expect(nextKeyId([])).toBe('k1')
    expect(nextKeyId([keySpec('k3', ended), keySpec('k1'), keySpec('phone')])).toBe('k4')
    expect(newKey([keySpec('k1')], { access: {} }, making)).toEqual({ id: 'k2', nonce: making.nonce, createdAt: NOW })
    expect(newKey([], { name: 'a' }, { ...making, masterVersion: 2 })).toMatchObject({ id: 'k1', master: 2, name: 'a' })
  })

  it('makes room by taking out what is spent, never a key that lives, one that people made, or the highest id', () => {
    const keys = fc.array(fc.record({ made: fc.boolean(), dead: fc.boolean() }), { minLength: 100, maxLength: 160 }).map((all) => [keySpec('k1'), ...all.map(({ made, dead }, n) => keySpec(`k${n + 2}`, { ...(made && { parent: 'k1' }), ...(dead && ended) }))])
    fc.assert(
      fc.property(keys, (all) => {
        const spent = spentKeys(all, NOW)
        const gone = spent.map((at) => all[at]!)
        for (const key of gone) expect([isLive(key, NOW), key.parent]).toEqual([false, 'k1'])
        const rest = [...all]
        for (const at of spent) rest.splice(at, 1)
        expect(rest).toEqual(all.filter((key) => !gone.includes(key)))
        expect(nextKeyId(rest)).toBe(nextKeyId(all))
        expect(liveKeys(rest, NOW)).toEqual(liveKeys(all, NOW))
      }),
    )
    expect(spentKeys([keySpec('k1'), child(2, ended)], NOW)).toEqual([])
  })

  it('is not made from a key that ended, that has twenty, that is five down, or for what that one may not', () => {
    const fault = (keys: readonly KeySpec[], wish: object = {}) => wishFault(keys, { parent: 'k1', ...wish }, NOW)?.code
    expect(fault([keySpec('k1')])).toBeUndefined()
    expect(fault([keySpec('k1', ended)])).toBe('parent-ended')
    expect(fault([])).toBe('parent-ended')
    expect(fault([keySpec('k1')], { expiresAt: NOW })).toBe('ends-in-the-past')
    const twenty = Array.from({ length: 20 }, (_none, n) => child(n + 2))
    expect(fault([keySpec('k1'), ...twenty])).toBe('too-many-child-keys')
    expect(fault([keySpec('k1'), ...twenty.slice(1), child(2, ended)])).toBeUndefined()
    const line = Array.from({ length: 6 }, (_none, n) => keySpec(`k${n + 1}`, n === 0 ? {} : { parent: `k${n}` }))
    expect([fault(line, { parent: 'k5' }), fault(line, { parent: 'k6' })]).toEqual([undefined, 'too-many-generations'])
    const narrow = [keySpec('k1', { access: { phexts: ['a'] } })]
    expect([fault(narrow, { access: { phexts: ['a'] } }), fault(narrow, { access: { phexts: ['a', 'b'] } })]).toEqual([undefined, 'phext-outside'])
    expect(fault([keySpec('k1'), ...Array.from({ length: 199 }, (_none, n) => keySpec(`k${n + 2}`))])).toBe('too-many-keys')
  })

  it('goes with all that were made from it', () => {
    const keys = [keySpec('k1'), child(2), keySpec('k3', { parent: 'k2' }), keySpec('k4')]
    expect(withDescendants(keys, 'k1').map(({ id }) => id)).toEqual(['k1', 'k2', 'k3'])
    expect(withDescendants(keys, 'k4').map(({ id }) => id)).toEqual(['k4'])
  })
})
