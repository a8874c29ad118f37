import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { deletionsAllowed, gateDeletions } from '../../controller/core/deletion-gate.ts'

describe('the deletion limit', () => {
  it.each([
    [{ count: 5, sharePercent: 10 }, 1000, 5],
    [{ count: 5, sharePercent: 10 }, 30, 3],
    [{ count: 5, sharePercent: 10 }, 3, 1], // a small installation can let somebody go
    [{ count: 0, sharePercent: 10 }, 1000, 0],
    [{ count: 5, sharePercent: 0 }, 1000, 0],
    [{ count: 0, sharePercent: 0 }, 3, 0], // no platform file that can be read
  ])('%o of %i tenants is %i', (limit, total, allowed) => {
    expect(deletionsAllowed(limit, total)).toBe(allowed)
  })

  it('opens for all or for none, and says how many were asked and allowed', () => {
    fc.assert(
      fc.property(fc.nat(20), fc.nat(100), fc.nat(1000), fc.nat(40), (count, sharePercent, total, asked) => {
        const limit = { count, sharePercent }
        const allowed = deletionsAllowed(limit, total)
        expect(allowed).toBeLessThanOrEqual(count)
        expect(allowed).toBeLessThanOrEqual(Math.max(1, (total * sharePercent) / 100))
        expect(gateDeletions(limit, total, asked)).toEqual(asked <= allowed ? { kind: 'open' } : { kind: 'held', allowed, asked })
      }),
    )
  })
})
