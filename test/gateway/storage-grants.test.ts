/** What a worker writes on what was reserved beforehand: never more than that, and told in full. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { TenantId } from '../../controller/core/specs.ts'
import { createStorageGrants, type Settle } from '../../controller/gateway/storage-grants.ts'
import type { Settlement } from '../../controller/gateway/tenant-storage.ts'

const TENANT = 'user001' as TenantId

interface Told {
  readonly bytes: number
  /** Growth of what was written on it, by what came of it. */
  readonly written: Record<Settlement, number>
  underWay: number
  ends: { settlement: Settlement; addedBytes: number }[]
}

function model() {
  const grants = createStorageGrants()
  const all: Told[] = []
  const open: { settle: Settle; growth: number; of: Told }[] = []
  let current: Told | undefined

  function write(growth: number, spare: number, limits: string): void {
    const taken = grants.take(TENANT, 'notes', growth, limits)
    if (taken !== undefined) return start(taken, growth, current!)
    const told: Told = { bytes: growth + spare, written: { applied: 0, 'not-applied': 0, unknown: 0 }, underWay: 0, ends: [] }
    all.push(told)
    current = told
    start(grants.begin(TENANT, 'notes', growth, { bytes: told.bytes, limits, end: (settlement, addedBytes) => void told.ends.push({ settlement, addedBytes }) }), growth, told)
  }

  function start(settle: Settle, growth: number, of: Told): void {
    of.underWay += growth
    open.push({ settle, growth, of })
  }

  function settle(which: number, settlement: Settlement): void {
    const [one] = open.splice(which % Math.max(1, open.length), 1)
    if (one === undefined) return
    one.of.underWay -= one.growth
    one.of.written[settlement] += one.growth
    one.settle(settlement)
  }
  return { grants, all, open, write, settle }
}

describe('storage grants', () => {
  it('are never overdrawn, and end once, when nothing is under way on them, with everything that was added', () => {
    const step = fc.oneof(
      fc.record({ kind: fc.constant('write' as const), growth: fc.nat(100), spare: fc.constantFrom(0, 50, 500), limits: fc.constantFrom('a', 'a', 'a', 'b') }),
      fc.record({ kind: fc.constant('settle' as const), which: fc.nat(20), settlement: fc.constantFrom<Settlement>('applied', 'applied', 'not-applied', 'unknown') }),
      fc.record({ kind: fc.constant('retire' as const) }),
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const { grants, all, open, write, settle } = model()
        for (const each of steps) {
          if (each.kind === 'write') write(each.growth, each.spare, each.limits)
          else if (each.kind === 'settle') settle(each.which, each.settlement)
          else grants.retireAll()
          for (const { bytes, written, underWay, ends } of all) {
            expect(written.applied + written.unknown + underWay).toBeLessThanOrEqual(bytes)
            if (underWay > 0) expect(ends).toEqual([])
          }
        }
        while (open.length > 0) settle(0, 'applied')
        grants.retireAll()
        for (const { written, ends } of all) {
          expect(ends).toHaveLength(1)
          if (written.unknown === 0 && ends[0]!.settlement !== 'unknown') expect(ends[0]).toEqual({ settlement: 'applied', addedBytes: written.applied })
          else expect(ends[0]!.settlement).toBe('unknown')
        }
      }),
    )
  })

  it('serve one phext of one tenant, under the limits that they were given for', () => {
    const grants = createStorageGrants()
    grants.begin(TENANT, 'notes', 10, { bytes: 100, limits: 'a', end: () => undefined })
    expect(grants.take(TENANT, 'other', 1, 'a')).toBeUndefined()
    expect(grants.take('user002' as TenantId, 'notes', 1, 'a')).toBeUndefined()
    expect(grants.take(TENANT, 'notes', 90, 'a')).toBeDefined()
    expect(grants.take(TENANT, 'notes', 1, 'a')).toBeUndefined()
  })
})
