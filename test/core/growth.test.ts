import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { greatestGrowth, storedBytes } from '../../controller/core/growth.ts'
import { implodePhext, keyOf, parsePhext, serialisePhext, type Phext } from '../../controller/sq/bundled/phext.ts'

const BREAKS = ['\x01', '\x1f', '\x1e', '\x1d', '\x1c', '\x1a', '\x19', '\x18', '\x17']
const number = fc.oneof({ weight: 3, arbitrary: fc.integer({ min: 1, max: 4 }) }, fc.integer({ min: 1, max: 999 }), fc.constant(999))
const coordinate = fc.array(number, { minLength: 9, maxLength: 9 })
const text = fc.array(fc.oneof({ weight: 2, arbitrary: fc.constantFrom('a', 'é', '\n', '') }, fc.constantFrom(...BREAKS)), { maxLength: 12 }).map((parts) => parts.join(''))
const call = fc.record({ command: fc.constantFrom('insert', 'update', 'delete', 'restart'), coordinate, text })
const bytes = (value: string): number => Buffer.byteLength(value)

describe('the greatest growth of a write', () => {
  it('is never less than what the file grows by, whatever was written before and in between', () => {
    fc.assert(
      fc.property(fc.array(call, { maxLength: 40 }), (calls) => {
        let phext: Phext = new Map()
        let before = 0
        for (const { command, coordinate: at, text: added } of calls) {
          const key = keyOf(at)
          if (command === 'insert') phext.set(key, (phext.get(key) ?? '') + added)
          if (command === 'update') phext.set(key, added)
          if (command === 'delete') phext.delete(key)
          if (command === 'restart') phext = parsePhext(serialisePhext(phext))
          const after = bytes(serialisePhext(phext))
          const growth = command === 'restart' ? 0 : greatestGrowth({ command: command as 'insert', coordinate: at, textBytes: bytes(added) })
          expect(after - before).toBeLessThanOrEqual(growth)
          before = after
        }
      }),
      { numRuns: 300 },
    )
  })

  it('is reached in an empty phext: no smaller bound would do', () => {
    const at = [999, 999, 999, 999, 999, 999, 999, 999, 999]
    const phext: Phext = new Map([[keyOf(at), 'x']])
    expect(bytes(serialisePhext(phext))).toBe(greatestGrowth({ command: 'update', coordinate: at, textBytes: 1 }))
    expect(bytes(implodePhext(phext))).toBe(1 + 9 * 998)
  })

  it('counts bytes that are no UTF-8 as the characters that SQ puts in their place', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (received) => {
        expect(bytes(Buffer.from(received).toString('utf8'))).toBeLessThanOrEqual(storedBytes(received.length, false))
      }),
    )
  })
})
