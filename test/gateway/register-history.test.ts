import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { findContradiction, type Operation } from './register-history.ts'

const op = (kind: 'read' | 'write', value: string, start: number, end: number): Operation => ({ kind, value, start, end })

/** By trying every order. */
function isLinearizable(initial: string, operations: readonly Operation[]): boolean {
  const go = (held: string, left: readonly Operation[]): boolean => {
    if (left.every(({ kind, end }) => kind === 'write' && end === Infinity)) return true
    const firstEnd = Math.min(...left.map(({ end }) => end))
    return left.some((next) => next.start <= firstEnd && (next.kind === 'write' || next.value === held) && go(next.kind === 'write' ? next.value : held, left.filter((each) => each !== next)))
  }
  return go(initial, operations)
}

describe('the check of a register\'s history', () => {
  it('finds stale reads, reads from the future and reads that go back', () => {
    expect(findContradiction('', [op('write', 'a', 0, 1), op('read', '', 2, 3)])).toMatch(/before and after|each read again|written/)
    expect(findContradiction('', [op('read', 'a', 0, 1), op('write', 'a', 2, 3)])).toMatch(/before it was written/)
    expect(findContradiction('', [op('read', 'x', 0, 1)])).toMatch(/never written/)
    expect(findContradiction('', [op('write', 'a', 0, 9), op('read', 'a', 1, 2), op('read', '', 3, 4)])).toBeDefined()
    expect(findContradiction('', [op('write', 'a', 0, 9), op('read', '', 1, 2), op('read', 'a', 3, 4)])).toBeUndefined()
    expect(findContradiction('', [op('write', 'a', 0, Infinity), op('read', '', 1, 2), op('read', 'a', 30, 40)])).toBeUndefined()
  })

  it('says what trying every order says', () => {
    const operation = fc.record({ kind: fc.constantFrom('read' as const, 'write' as const), value: fc.constantFrom('', 'a', 'b', 'c'), start: fc.nat(20), length: fc.integer({ min: 1, max: 8 }), lost: fc.nat(5) })
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 7 }), (drawn) => {
        const written = new Set([''])
        const operations = drawn
          .filter(({ kind, value }) => kind === 'read' || (!written.has(value) && written.add(value) !== undefined))
          // Ends and starts never at the same instant.
          .map(({ kind, value, start, length, lost }, at) => op(kind, value, start + at / 100, kind === 'write' && lost === 0 ? Infinity : start + length + at / 100 + 0.005))
        expect(findContradiction('', operations) === undefined).toBe(isLinearizable('', operations))
      }),
      { numRuns: 3000 },
    )
  })
})
