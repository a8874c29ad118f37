import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { backoffMs } from '../../controller/core/backoff.ts'
import { NEW_STATUS, specCondition, withConditions, withoutCondition, withRepair, type ConditionUpdate } from '../../controller/core/status.ts'

const update: fc.Arbitrary<ConditionUpdate> = fc.record({ type: fc.constantFrom('Ready', 'SpecValid', 'Held'), status: fc.boolean(), reason: fc.constantFrom('Serving', 'Failed'), message: fc.constantFrom('', 'a', 'b') })
const passes = fc.array(fc.uniqueArray(update, { selector: ({ type }) => type }), { minLength: 1, maxLength: 8 })
const at = (pass: number): string => `2026-03-01T12:00:${String(pass).padStart(2, '0')}Z`

describe('conditions', () => {
  it('say since when status and reason are what they are; a message moves nothing', () => {
    fc.assert(
      fc.property(passes, (all) => {
        let status = NEW_STATUS
        const since = new Map<string, { words: string; from: string }>()
        all.forEach((updates, pass) => {
          status = withConditions(status, updates, at(pass))
          for (const { type, status: value, reason } of updates) {
            const words = `${value} ${reason}`
            if (since.get(type)?.words !== words) since.set(type, { words, from: at(pass) })
          }
          expect(new Map(status.conditions.map((one) => [one.type as string, one.since]))).toEqual(new Map([...since].map(([type, { from }]) => [type, from])))
        })
      }),
    )
  })

  it('are an equal value after a pass that changed nothing', () => {
    fc.assert(
      fc.property(passes, (all) => {
        const status = all.reduce((before, updates, pass) => withConditions(before, updates, at(pass)), NEW_STATUS)
        const again = withConditions(status, status.conditions.map(({ since: _, ...rest }) => rest), at(59))
        expect(JSON.stringify(again)).toBe(JSON.stringify(status))
      }),
    )
  })

  it('can be taken away, and a status without them is left as it is', () => {
    const status = withConditions(NEW_STATUS, [{ type: 'Held', status: true, reason: 'OnHold', message: '' }], at(0))
    expect(withoutCondition(status, 'Held').conditions).toEqual([])
    expect(withoutCondition(status, 'Ready')).toBe(status)
  })

  it('say what is wrong with a file: where, what, what to do, and how much more', () => {
    const finding = { file: 'tenants/user001.yaml', field: 'spec.plan', message: 'there is no plan `x` in force', fix: 'Add the plan first.' }
    expect(specCondition([])).toMatchObject({ status: true, reason: 'InForce' })
    expect(specCondition([finding, finding]).message).toBe('tenants/user001.yaml spec.plan: there is no plan `x` in force. Add the plan first. (and 1 more: tenantry validate)')
    expect(specCondition([{ ...finding, field: '', line: 3, column: 5 } as typeof finding]).message).toBe('tenants/user001.yaml:3:5 there is no plan `x` in force. Add the plan first.')
  })
})

describe('repairs', () => {
  it('are kept newest first, five of them', () => {
    const status = Array.from({ length: 7 }, (_, n) => ({ at: at(n), action: `repair ${n}`, drift: [] })).reduce(withRepair, NEW_STATUS)
    expect(status.repairs.map(({ action }) => action)).toEqual([6, 5, 4, 3, 2].map((n) => `repair ${n}`))
  })
})

describe('backoff', () => {
  it('lies between half and all of a time that doubles from 250 ms to five minutes, for ever', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 100_000 }), fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), (failures, chance) => {
        const full = Math.min(300_000, 250 * 2 ** (failures - 1))
        const ms = backoffMs(failures, chance)
        expect(ms).toBeGreaterThanOrEqual(full / 2)
        expect(ms).toBeLessThanOrEqual(full)
      }),
    )
    expect([1, 2, 3, 11, 12, 1000].map((failures) => backoffMs(failures, 0) * 2)).toEqual([250, 500, 1000, 256_000, 300_000, 300_000])
  })
})
