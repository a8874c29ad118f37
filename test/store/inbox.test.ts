import { afterEach, describe, expect, it } from 'vitest'
import { openStore, type Store } from '../../controller/store/db.ts'
import { createHighestNumbers } from '../../controller/store/highest-numbers.ts'
import { createInbox, type ReceivedEvent } from '../../controller/store/inbox.ts'
import { createTimeline } from '../../controller/store/timeline.ts'
import type { TenantId } from '../../controller/core/specs.ts'
import { tempFolder } from '../support/temp.ts'

const open: Store[] = []
afterEach(() => {
  for (const db of open.splice(0)) if (db.isOpen) db.close()
})

const at = (seconds: number): string => new Date(Date.UTC(2026, 1, 12) + seconds * 1000).toISOString()

function setUp(file = `${tempFolder()}/store.db`) {
  const db = openStore(file, 'durable')
  open.push(db)
  const clock = { seconds: 100 }
  const timeline = createTimeline(db)
  const inbox = createInbox(db, { now: () => new Date(at(clock.seconds)), mark: timeline.mark })
  return { file, db, clock, timeline, inbox }
}

const event = (n: number, changes: Partial<ReceivedEvent> = {}): ReceivedEvent => ({
  id: `evt_${n}`,
  type: 'checkout.session.completed',
  object: `cs_${n}`,
  body: '{}',
  trace: `${n}`.padStart(32, '0'),
  receivedAt: at(n),
  ...changes,
})

describe('the inbox', () => {
  it('keeps an event once, whatever comes again, and across a restart', async () => {
    const { inbox, file, db } = setUp()
    expect(await inbox.put(event(1))).toBe('stored')
    expect(await inbox.put(event(1, { trace: 'another' }))).toBe('duplicate')
    db.close()
    const again = setUp(file)
    expect(await again.inbox.put(event(1))).toBe('duplicate')
    expect(again.inbox.open(10)).toMatchObject([{ id: 'evt_1', object: 'cs_1', trace: '1'.padStart(32, '0'), state: 'pending', attempts: 0 }])
  })

  it('answers each of many at once only after they are stored, twins among them', async () => {
    const { inbox } = setUp()
    const outcomes = await Promise.all(Array.from({ length: 200 }, (_, n) => inbox.put(event(n % 100))))
    expect(outcomes.filter((outcome) => outcome === 'stored')).toHaveLength(100)
    expect(inbox.counts()).toEqual({ pending: 100, held: 0, oldestPending: at(0) })
  })

  it('rejects every caller when it cannot store, and stores again when it can', async () => {
    const { inbox, db } = setUp()
    db.exec('ALTER TABLE inbox RENAME TO inbox_gone')
    const outcomes = await Promise.allSettled([inbox.put(event(1)), inbox.put(event(2))])
    expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'rejected'])
    db.exec('ALTER TABLE inbox_gone RENAME TO inbox')
    expect(await inbox.put(event(1))).toBe('stored')
  })

  it('gives what is due, oldest first', async () => {
    const { inbox, clock } = setUp()
    for (const n of [3, 1, 2]) await inbox.put(event(n))
    expect(inbox.open(2).map(({ id }) => id)).toEqual(['evt_1', 'evt_2'])
    inbox.settle([{ kind: 'retry', id: 'evt_1', note: 'later', nextAttemptAt: at(200) }])
    expect(inbox.open(9).map(({ id }) => id)).toEqual(['evt_2', 'evt_3'])
    expect(inbox.nextDueAt()).toBe(at(2))
    clock.seconds = 200
    expect(inbox.open(9)).toMatchObject([{ id: 'evt_1', attempts: 1, note: 'later' }, { id: 'evt_2' }, { id: 'evt_3' }])
  })

  it('has nothing more to do with what is done or ignored', async () => {
    const { inbox } = setUp()
    await Promise.all([inbox.put(event(1)), inbox.put(event(2)), inbox.put(event(3, { ignore: 'not ours' }))])
    inbox.settle([{ kind: 'done', id: 'evt_1', note: 'provisioned', tenant: 'user001' as TenantId }, { kind: 'ignored', id: 'evt_2', note: 'not ours' }])
    expect(inbox.open(9)).toEqual([])
    expect(inbox.nextDueAt()).toBeUndefined()
    expect(inbox.counts()).toEqual({ pending: 0, held: 0, oldestPending: undefined })
    expect(inbox.servedBy('cs_1')).toBe('user001')
    expect(inbox.servedBy('cs_2')).toBeUndefined()
  })

  it('holds what a person must decide, and gives it again when recalled', async () => {
    const { inbox } = setUp()
    await inbox.put(event(1))
    inbox.settle([{ kind: 'held', id: 'evt_1', note: 'slots-gone', nextAttemptAt: at(9999) }])
    expect(inbox.counts()).toMatchObject({ pending: 0, held: 1 })
    expect(inbox.open(9)).toEqual([])
    expect(inbox.recallHeld()).toBe(1)
    expect(inbox.recallHeld()).toBe(0)
    expect(inbox.open(9)).toMatchObject([{ id: 'evt_1', state: 'held', note: 'slots-gone' }])
  })

  it('settles all or nothing, together with what else has to be true', async () => {
    const { inbox } = setUp()
    await inbox.put(event(1))
    const fails = () => {
      throw new Error('no')
    }
    expect(() => inbox.settle([{ kind: 'done', id: 'evt_1', note: '' }], fails)).toThrow('no')
    expect(inbox.open(9)).toHaveLength(1)
  })

  it('begins the timeline of what will be worked on, and of nothing else', async () => {
    const { inbox, timeline } = setUp()
    await Promise.all([inbox.put(event(1)), inbox.put(event(2, { ignore: 'unknown type' }))])
    expect([timeline.at(event(1).trace, 'webhook-received'), timeline.at(event(1).trace, 'webhook-stored')]).toEqual([at(1), at(100)])
    expect(timeline.at(event(2).trace, 'webhook-received')).toBeUndefined()
  })
})

describe('the highest numbers', () => {
  it('only rise, each product by itself', () => {
    const numbers = createHighestNumbers(setUp().db)
    expect(numbers.get('sq')).toBe(0)
    numbers.raise('sq', 7)
    numbers.raise('sq', 3)
    numbers.raise('spoq', 1)
    expect([numbers.get('sq'), numbers.get('spoq')]).toEqual([7, 1])
  })
})
