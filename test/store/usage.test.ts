import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { daysBefore } from '../../controller/core/quota.ts'
import { openUsage, openUsageOrAnew, readUsage, usagePath, type RefusalRecord, type Usage, type UsageBatch } from '../../controller/store/usage.ts'
import { tempFolder } from '../support/temp.ts'

const TODAY = '2026-11-21'
const counts = (over: object = {}) => ({ tenant: 'user001', key: 'k1', day: TODAY, requests: 1, refused: 0, errors: 0, bytesIn: 10, bytesOut: 20, ...over })
const batch = (over: Partial<UsageBatch> = {}): UsageBatch => ({ counts: [], lastUsed: [], storage: [], refusals: [], ...over })
const refusal = (id: string, over: Partial<RefusalRecord> = {}): RefusalRecord => ({ id, at: `${TODAY}T00:00:00.000Z`, tenant: 'user001', key: 'k1', product: 'sq', plan: 'p', status: 429, code: 'rate-exceeded', detail: 'd', measured: { limit: 'x', value: 1 }, ...over })

function open(file = path.join(tempFolder('usage'), 'usage.db')): { usage: Usage; file: string } {
  const usage = openUsage(file)
  onTestFinished(() => usage.close())
  return { usage, file }
}

describe('what was used', () => {
  it('adds up by tenant, key and day, and is there after opening again', () => {
    const { usage, file } = open()
    usage.write(batch({ counts: [counts(), counts({ key: 'k2', requests: 5 }), counts({ day: '2026-11-01' }), counts({ tenant: 'user002' })] }))
    usage.write(batch({ counts: [counts({ requests: 2, refused: 3, errors: 1 })], storage: [{ tenant: 'user001', day: TODAY, bytes: 77 }], lastUsed: [{ tenant: 'user001', key: 'k1', at: 'now' }] }))
    usage.close()
    const again = open(file).usage
    expect(again.history('user001', '2026-11-01')).toEqual([
      { day: TODAY, requests: 8, refused: 3, errors: 1, bytesIn: 30, bytesOut: 60, storageBytes: 77 },
      { day: '2026-11-01', requests: 1, refused: 0, errors: 0, bytesIn: 10, bytesOut: 20, storageBytes: null },
    ])
    expect(again.keysSince('user001', TODAY)).toMatchObject([{ key: 'k1', requests: 3 }, { key: 'k2', requests: 5 }])
    expect(again.requestsSince('2026-11-01', TODAY)).toEqual(new Map([['user001', { month: 9, day: 8 }], ['user002', { month: 1, day: 1 }]]))
    expect([again.lastUsed('user001').get('k1'), again.storageBytes('user001'), again.storageBytes('user009')]).toEqual(['now', 77, undefined])
  })

  it('is written as a whole batch or not at all', () => {
    const { usage } = open()
    const bad = [counts(), counts({ requests: null })]
    expect(() => usage.write(batch({ counts: bad }))).toThrow()
    expect(usage.history('user001', TODAY)).toEqual([])
    usage.write(batch({ counts: [counts()] }))
    expect(usage.history('user001', TODAY)).toMatchObject([{ requests: 1 }])
  })

  it('is kept by day for a year and by month for good, refusals to a number', () => {
    const { usage } = open()
    usage.write(batch({ counts: [counts({ day: daysBefore(TODAY, 367) }), counts({ day: daysBefore(TODAY, 366) })], refusals: Array.from({ length: 30 }, (_, at) => refusal(`r${at}`)) }))
    usage.prune(TODAY, 10)
    expect(usage.history('user001', '2000-01-01')).toMatchObject([{ day: daysBefore(TODAY, 366) }])
    expect(usage.months('user001')).toMatchObject([{ month: daysBefore(TODAY, 367).slice(0, 7), requests: 2, bytesOut: 40 }])
    usage.prune(TODAY, 10)
    usage.write(batch({ counts: [counts({ day: daysBefore(TODAY, 368), requests: 4 })], storage: [{ tenant: 'user001', day: daysBefore(TODAY, 368), bytes: 9 }] }))
    usage.prune(TODAY, 10)
    expect(usage.months('user001')).toMatchObject([{ requests: 6, storageBytes: 9 }])
    expect(usage.storageBytes('user001')).toBe(9)
    expect(usage.refusalsOf('user001', 100).map(({ id }) => id)).toEqual(Array.from({ length: 10 }, (_, at) => `r${29 - at}`))
    expect(usage.refusal('r29')).toEqual(refusal('r29'))
    expect(usage.refusal('r3')).toBeUndefined()
  })

  it('is told by month, from days and from what was laid together alike, with what was stored last', () => {
    const { usage } = open()
    usage.write(batch({ counts: [counts({ day: '2026-10-03' }), counts({ day: '2026-10-31', key: 'k2' }), counts({ day: '2026-11-01' }), counts({ day: '2026-11-01', tenant: 'user002' })] }))
    usage.write(batch({ storage: [{ tenant: 'user001', day: '2026-10-31', bytes: 7 }, { tenant: 'user001', day: '2026-10-03', bytes: 5 }] }))
    const told = [{ month: '2026-11', requests: 1, storageBytes: null }, { month: '2026-10', requests: 2, bytesIn: 2 * counts().bytesIn, storageBytes: 7 }]
    expect(usage.months('user001')).toMatchObject(told)
    usage.prune('2027-11-02', 10)
    expect(usage.history('user001', '2000-01-01')).toMatchObject([{ day: '2026-11-01' }])
    expect(usage.months('user001')).toMatchObject(told)
  })

  it('can be read by others while it is written', () => {
    const home = tempFolder('usage')
    expect(readUsage(usagePath(home))).toBeUndefined()
    const { usage } = open(usagePath(home))
    const reader = readUsage(usagePath(home))!
    onTestFinished(() => reader.close())
    usage.write(batch({ refusals: [refusal('r1', { measured: undefined })] }))
    expect(reader.refusal('r1')).toEqual(refusal('r1', { measured: undefined }))
  })
})

describe('a file that cannot be used', () => {
  it('is put aside where it is damaged, and counting begins anew', () => {
    const folder = tempFolder('usage')
    const file = path.join(folder, 'usage.db')
    writeFileSync(file, 'this is no database'.repeat(500))
    const told: string[] = []
    const usage = openUsageOrAnew(file, new Date('2026-11-21T00:00:00Z'), (_, what) => told.push(what))
    usage.write(batch({ counts: [counts()] }))
    usage.close()
    expect(told[0]).toContain('put aside')
    expect(readdirSync(folder)).toContain('usage.db.damaged-2026-11-21T00-00-00-000Z')
    expect(open(file).usage.history('user001', TODAY)).toHaveLength(1)
  })

  it('does not end the service: counts are kept in memory', () => {
    const file = path.join(tempFolder('usage'), 'usage.db')
    mkdirSync(file)
    const told: string[] = []
    const usage = openUsageOrAnew(file, new Date(), (_, what) => told.push(what))
    usage.write(batch({ counts: [counts()] }))
    expect(usage.history('user001', TODAY)).toHaveLength(1)
    expect(told[0]).toContain('in memory')
    usage.close()
  })
})
