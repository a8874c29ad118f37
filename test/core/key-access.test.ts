import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { accessInForce } from '../../controller/core/key-access.ts'
import { ancestorsOf, endOf, liveKeys, nextKeyChange } from '../../controller/core/keys.ts'
import type { KeyAccess, KeySpec } from '../../controller/core/specs.ts'
import { keySpec, NOW } from '../support/specs.ts'

const at = (minutes: number): string => new Date(Date.parse(NOW) + minutes * 60_000).toISOString()
const PHEXTS = ['', 'a', 'b', 'c']
const access: fc.Arbitrary<KeyAccess> = fc.record({ readOnly: fc.constant(true as const), phexts: fc.subarray(PHEXTS, { minLength: 1 }), requestsPerSecond: fc.integer({ min: 1, max: 9 }), requests: fc.integer({ min: 1, max: 99 }) }, { requiredKeys: [] })
const end = fc.integer({ min: -5, max: 5 }).map(at)
/** Each key may come from one before it, from none, or, wrongly, from one that is not there or comes after it. */
const families: fc.Arbitrary<KeySpec[]> = fc
  .array(fc.record({ access, parent: fc.integer({ min: -1, max: 6 }), expiresAt: end, revokedAt: end }, { requiredKeys: [] }), { maxLength: 6 })
  .map((made) => made.map(({ parent = -1, ...rest }, n) => keySpec(`k${n}`, { ...rest, ...(parent >= 0 && { parent: `k${parent}` }) })))
const find = (keys: readonly KeySpec[], id: string | undefined): KeySpec | undefined => keys.find((key) => key.id === id)

describe('a key made from another', () => {
  it('never may more than any key above it', () => {
    fc.assert(
      fc.property(families, (keys) => {
        for (const key of keys) {
          const own = accessInForce(key, keys)
          for (const above of ancestorsOf(key, keys)) {
            const theirs = accessInForce(above, keys)
            if (theirs?.readOnly) expect(own?.readOnly).toBe(true)
            if (theirs?.phexts) expect(theirs.phexts).toEqual(expect.arrayContaining([...(own?.phexts ?? ['everything'])]))
          }
          for (const phext of own?.phexts ?? []) expect(key.access?.phexts ?? PHEXTS).toContain(phext)
        }
      }),
      { numRuns: 500 },
    )
  })

  it('lives exactly while it and all above it live, and never in a circle or without its parent', () => {
    fc.assert(
      fc.property(families, (keys) => {
        const live = liveKeys(keys, NOW)
        for (const key of live) if (key.parent !== undefined) expect(live).toContain(find(keys, key.parent))
        for (const key of keys) {
          const ended = Date.parse(key.expiresAt ?? at(9)) <= Date.parse(NOW) || Date.parse(key.revokedAt ?? at(9)) <= Date.parse(NOW)
          const line = ancestorsOf(key, keys)
          if (live.includes(key)) expect(ended).toBe(false)
          else if (!ended && line.every((above) => live.includes(above))) expect((line.at(-1) ?? key).parent).toBeDefined()
        }
      }),
      { numRuns: 500 },
    )
  })

  it('ends by itself with the first that ends above it', () => {
    const keys = [keySpec('k1', { expiresAt: at(2) }), keySpec('k2', { parent: 'k1', expiresAt: at(5) }), keySpec('k3', { parent: 'k2' })]
    expect(keys.map((key) => endOf(key, keys))).toEqual([at(2), at(2), at(2)])
    expect(nextKeyChange(keys, NOW)).toBe(at(2))
    expect(liveKeys(keys, at(2))).toEqual([])
    expect(liveKeys([{ ...keys[0]!, revokedAt: NOW }, ...keys.slice(1)], NOW)).toEqual([])
  })

  it('keeps its own rate and budget, since its requests count against those above as well', () => {
    const keys = [keySpec('k1', { access: { requestsPerSecond: 5, requests: 10, phexts: ['a', 'b'] } }), keySpec('k2', { parent: 'k1', access: { requests: 100, readOnly: true, phexts: ['b', 'c'] } }), keySpec('k3', { parent: 'k2' })]
    expect(keys.map((key) => accessInForce(key, keys))).toEqual([{ requestsPerSecond: 5, requests: 10, phexts: ['a', 'b'] }, { readOnly: true, phexts: ['b'], requests: 100 }, { readOnly: true, phexts: ['b'] }])
    expect(accessInForce(keySpec('k1'), [keySpec('k1')])).toBeUndefined()
  })
})
