import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createKeptEntries } from '../../controller/gateway/kept-entries.ts'

describe('entries in bounded memory', () => {
  it('are found until they leave for others, the unused first', () => {
    const entries = createKeptEntries<number>(1600)
    const owner = {}
    for (let at = 0; at < 4; at++) entries.put(owner, 'a', `n${at}`, at, 100)
    expect(entries.find(owner, 'a', 'n0')).toBe(0)
    entries.put(owner, 'a', 'n4', 4, 100)
    expect(entries.find(owner, 'a', 'n0')).toBe(0)
    expect(entries.find(owner, 'a', 'n1')).toBeUndefined()
    expect([entries.bytes, entries.evictions]).toEqual([400, 1])
  })

  it('of one tenant leave those of others alone', () => {
    const entries = createKeptEntries<number>(1600)
    const owner = {}
    entries.put(owner, 'quiet', 'only', 1, 50)
    for (let at = 0; at < 1000; at++) entries.put(owner, 'loud', `n${at}`, at, 100)
    expect(entries.find(owner, 'quiet', 'only')).toBe(1)
    entries.put(owner, 'loud', 'huge', 1, 101)
    expect(entries.find(owner, 'loud', 'huge')).toBeUndefined()
    expect(entries.bytes).toBe(450)
  })

  it('go with their owner', () => {
    const entries = createKeptEntries<number>(1600)
    const [before, after] = [{}, {}]
    entries.put(before, 'a', 'x', 1, 100)
    expect(entries.find(after, 'a', 'x')).toBeUndefined()
    entries.put(after, 'a', 'y', 2, 100)
    expect([entries.find(before, 'a', 'x'), entries.find(after, 'a', 'x'), entries.bytes]).toEqual([undefined, undefined, 100])
  })

  it('never take more than is allowed, and give back what was put', () => {
    const step = fc.record({ act: fc.constantFrom('put', 'put', 'find', 'remove'), tenant: fc.constantFrom('a', 'b', 'c', 'd', 'e'), name: fc.nat(9), owner: fc.nat(1), bytes: fc.integer({ min: 1, max: 80 }) })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const owners = [{}, {}]
        const entries = createKeptEntries<number>(1000)
        const model = new Map<string, { value: number; owner: number; bytes: number }>()
        steps.forEach(({ act, tenant, name, owner, bytes }, value) => {
          const key = `${tenant}/${name}`
          if (act === 'put') {
            entries.put(owners[owner]!, tenant, String(name), value, bytes)
            if (bytes <= 1000 / 16) model.set(key, { value, owner, bytes })
          } else if (act === 'remove') {
            entries.remove(tenant, String(name))
            model.delete(key)
          } else {
            const found = entries.find(owners[owner]!, tenant, String(name))
            if (found !== undefined) expect(model.get(key)).toMatchObject({ value: found, owner })
          }
          let held = 0
          const byTenant = new Map<string, number>()
          for (const [each, kept] of model) {
            const [of, called] = each.split('/') as [string, string]
            if (entries.find(owners[kept.owner]!, of, called) !== kept.value) continue
            held += kept.bytes
            byTenant.set(of, (byTenant.get(of) ?? 0) + kept.bytes)
          }
          expect(entries.bytes).toBe(held)
          expect(held).toBeLessThanOrEqual(1000)
          for (const sum of byTenant.values()) expect(sum).toBeLessThanOrEqual(250)
        })
      }),
      { numRuns: 60 },
    )
  })
})
