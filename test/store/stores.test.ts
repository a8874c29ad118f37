/** The tables of the store, each through its own module, on a real file. */
import { statSync } from 'node:fs'
import path from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import type { BlobId, CommitId } from '../../controller/core/specs.ts'
import { createAudit } from '../../controller/store/audit.ts'
import { openStore, transaction, type Store } from '../../controller/store/db.ts'
import { createDeletions } from '../../controller/store/deletions.ts'
import { createHighestNumbers } from '../../controller/store/highest-numbers.ts'
import { createMeta } from '../../controller/store/meta.ts'
import { createSpecCache } from '../../controller/store/spec-cache.ts'
import { createTenantRecords, newRecord } from '../../controller/store/tenant-records.ts'
import { createTimeline } from '../../controller/store/timeline.ts'
import { tenant, userId } from '../support/specs.ts'
import { tempFolder } from '../support/temp.ts'

const AT = '2026-03-01T12:00:00.000Z'
const revision = (digits: string): CommitId => digits.padEnd(40, '0') as CommitId
const [ONE, TWO] = [userId(1), userId(2)]

let file: string
let db: Store
beforeEach(() => {
  file = path.join(tempFolder('store'), 'store.db')
  db = open()
})

function open(): Store {
  const opened = openStore(file, 'rebuildable')
  onTestFinished(() => {
    if (opened.isOpen) opened.close()
  })
  return opened
}

const writes = (): number => (db.prepare('SELECT total_changes() AS n').get() as { n: number }).n

describe('the store', () => {
  test('is readable by its owner alone, and opens again with what is in it', () => {
    createMeta(db).set('a', '1')
    db.close()
    expect(statSync(file).mode & 0o777).toBe(0o600)
    expect(createMeta(open()).get('a')).toBe('1')
  })

  test('of a newer program is refused, and stays as it was', () => {
    db.close()
    const raw = new DatabaseSync(file)
    raw.exec('PRAGMA user_version = 999')
    raw.close()
    expect(() => open()).toThrow(/newer Tenantry \(store version 999/)
  })

  test('can be opened by several at once, of which the first makes it', () => {
    const one = path.join(tempFolder('store'), 'store.db')
    const opened = [openStore(one, 'durable'), openStore(one, 'rebuildable')]
    createMeta(opened[0]!).set('a', '1')
    expect(createMeta(opened[1]!).get('a')).toBe('1')
    for (const each of opened) each.close()
  })

  test('does all of a transaction or nothing', () => {
    const meta = createMeta(db)
    expect(() =>
      transaction(db, () => {
        meta.set('a', '1')
        throw new Error('half-way')
      }),
    ).toThrow('half-way')
    expect(meta.get('a')).toBeUndefined()
    transaction(db, () => meta.set('a', '2'))
    expect(meta.get('a')).toBe('2')
  })
})

describe('single values', () => {
  test('are written only where they differ, and found by their beginning', () => {
    const meta = createMeta(db)
    meta.set('in-force/Plan/a', '1')
    meta.set('in-force/Plan/b', '2')
    meta.set('in%', '3')
    const before = writes()
    meta.set('in-force/Plan/a', '1')
    expect(writes()).toBe(before)
    expect(meta.startingWith('in-force/').map(({ name }) => name)).toEqual(['in-force/Plan/a', 'in-force/Plan/b'])
    meta.delete('in%')
    expect(meta.get('in%')).toBeUndefined()
  })
})

describe("tenants' records", () => {
  test('are written only where they differ', () => {
    const records = createTenantRecords(db)
    const record = { ...newRecord(ONE, 'sq', 'tenants/user001.yaml'), appliedBlob: 'b'.repeat(40) as BlobId }
    records.put(record)
    expect(records.get(ONE)).toEqual(record)
    const before = writes()
    records.put({ ...record })
    expect(writes()).toBe(before)
    records.put({ ...record, removedAt: AT, dataUntil: AT })
    expect(records.retained().map(({ tenant: id }) => id)).toEqual([ONE])
    expect([...records.all()]).toHaveLength(records.count())
    records.remove(ONE)
    expect(records.get(ONE)).toBeUndefined()
  })
})

describe('held removals', () => {
  test('are approved by a unique beginning of their revision, all at once, and once', () => {
    const deletions = createDeletions(db)
    deletions.hold(revision('abcd1'), [ONE, TWO])
    deletions.hold(revision('abcd2'), [userId(3)])
    for (const not of ['', 'abc', 'abcd', 'ABCD1', '%', 'abcd_', 'ffff', 'abcd1; DROP TABLE deletions']) expect(deletions.approve(not, 'ada', AT)).toEqual([])
    expect(deletions.approve('abcd1', 'ada', AT)).toEqual([ONE, TWO])
    expect(deletions.approve('abcd1', 'bob', AT)).toEqual([])
    expect(deletions.all().map(({ tenant: id, approvedAt }) => [id, approvedAt])).toEqual([[ONE, AT], [TWO, AT], [userId(3), null]])
    deletions.forget(ONE)
    expect(deletions.all()).toHaveLength(2)
  })

  test('that are held again stay as they are', () => {
    const deletions = createDeletions(db)
    deletions.hold(revision('abcd'), [ONE])
    deletions.approve('abcd', 'ada', AT)
    deletions.hold(revision('abcd'), [ONE])
    expect(deletions.all()).toMatchObject([{ tenant: ONE, approvedAt: AT }])
  })
})

describe('numbers', () => {
  test('are only ever raised', () => {
    const numbers = createHighestNumbers(db)
    expect(numbers.get('sq')).toBe(0)
    numbers.raise('sq', 7)
    numbers.raise('sq', 3)
    numbers.raise('spoq', 1)
    expect([numbers.get('sq'), numbers.get('spoq')]).toEqual([7, 1])
  })
})

describe('a timeline', () => {
  test('keeps the first time of each step, and belongs to the tenant that any step names', () => {
    const timeline = createTimeline(db)
    timeline.mark({ trace: 't', step: 'webhook-received', at: '2026-03-01T12:00:00.000Z' })
    timeline.mark({ trace: 't', step: 'committed', at: '2026-03-01T12:00:00.050Z', tenant: ONE })
    timeline.mark({ trace: 't', step: 'committed', at: '2026-03-01T12:00:09.000Z', tenant: ONE })
    expect(timeline.of(ONE).map(({ step, at }) => [step, at])).toEqual([['webhook-received', '2026-03-01T12:00:00.000Z'], ['committed', '2026-03-01T12:00:00.050Z']])
    expect(timeline.traceOf(ONE)).toBe('t')
    expect(timeline.at('t', 'ready')).toBeUndefined()
    expect(timeline.of(TWO)).toEqual([])
  })
})

describe('the audit trail', () => {
  test('answers the newest first, for one tenant or for all', () => {
    const audit = createAudit(db)
    for (const [n, id] of [ONE, TWO, ONE].entries()) audit.add({ at: AT, actor: 'ada', action: `a${n}`, tenant: id, detail: '' })
    expect(audit.list({ limit: 2 }).map(({ action }) => action)).toEqual(['a2', 'a1'])
    expect(audit.list({ tenant: ONE, limit: 9 }).map(({ action }) => action)).toEqual(['a2', 'a0'])
  })
})

describe('parsed specs', () => {
  test('are found by blob, kept once, and pruned to what is asked for', () => {
    const cache = createSpecCache(db)
    const [a, b] = ['a'.repeat(40), 'b'.repeat(40)] as [BlobId, BlobId]
    cache.putMany([{ blob: a, spec: tenant('user001') }, { blob: b, spec: tenant('user002') }, { blob: a, spec: tenant('user001') }])
    expect(cache.getMany([a, 'c'.repeat(40) as BlobId])).toEqual(new Map([[a, tenant('user001')]]))
    expect([...cache.all()]).toHaveLength(cache.count())
    expect(cache.prune((blob) => blob === a)).toBe(1)
    expect(cache.getMany([a, b]).size).toBe(1)
  })
})
