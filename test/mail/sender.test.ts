/** The outbox on a real store: one mail a cause, whatever happens on the way. */
import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import type { TenantId } from '../../controller/core/specs.ts'
import type { Mail } from '../../controller/mail/port.ts'
import { clockAt, listTransport, openOutbox } from './outbox.ts'

const welcome: Mail = { kind: 'welcome', tenant: 'user001' as TenantId, product: 'sq', key: 'pmb-v1-ab12…cd34' }
const link: Mail = { kind: 'sign-in', link: 'https://cloud.example/in/s3cret-token', minutes: 15 }
const quota: Mail = { kind: 'quota', tenant: 'user001' as TenantId, product: 'sq', limit: 'storage', percent: 80 }
const HOUR = 3_600_000
const rowOf = (db: ReturnType<typeof openOutbox>['db'], cause: string) => db.prepare('SELECT * FROM mails WHERE cause = ?').get(cause) as Record<string, unknown> | undefined

describe('the outbox', () => {
  test('sends one mail for a cause, however often it is asked for', async () => {
    const transport = listTransport()
    const { sender } = openOutbox({ transport })
    expect([sender.put('welcome/user001', 'ada@example.com', welcome), sender.put('welcome/user001', 'ada@example.com', welcome)]).toEqual([true, false])
    await sender.flush()
    expect(sender.put('welcome/user001', 'ada@example.com', welcome)).toBe(false)
    await sender.flush()
    expect(transport.messages).toHaveLength(1)
  })

  test('keeps neither address nor text of what was sent, and no link', async () => {
    const { sender, db, file } = openOutbox({ transport: listTransport() })
    sender.put('sign-in/1', 'ada@example.com', link)
    await sender.flush()
    expect(rowOf(db, 'sign-in/1')).toMatchObject({ state: 'sent', recipient: null, mail: null })
    db.exec('PRAGMA wal_checkpoint(TRUNCATE); VACUUM; PRAGMA wal_checkpoint(TRUNCATE)')
    expect(readFileSync(file).includes('s3cret-token')).toBe(false)
  })

  test('a link that was not sent in time is never sent, and is gone', async () => {
    const clock = clockAt('2026-03-01T12:00:00Z')
    const transport = listTransport(() => ({ kind: 'unreachable', note: 'ECONNECTION' }))
    const { sender, db, outcomes } = openOutbox({ transport, clock })
    sender.put('sign-in/1', 'ada@example.com', link)
    await sender.flush()
    clock.forward(15 * 60_000)
    await sender.flush()
    expect(rowOf(db, 'sign-in/1')).toMatchObject({ state: 'given-up', recipient: null, mail: null })
    expect(transport.messages).toHaveLength(1)
    expect(outcomes).toEqual(['sign-in given-up'])
    clock.forward(49 * HOUR)
    await sender.flush()
    expect(rowOf(db, 'sign-in/1')).toBeUndefined()
  })

  test('tries a mail again with growing gaps, and gives it up after four days, saying so without the address', async () => {
    const clock = clockAt('2026-03-01T12:00:00Z')
    const transport = listTransport(() => ({ kind: 'later', note: 'EENVELOPE 450' }))
    const { sender, outcomes, log } = openOutbox({ transport, clock })
    sender.put('welcome/user001', 'ada@example.com', welcome)
    const times: number[] = []
    for (let minutes = 0; minutes < 5 * 24 * 60; minutes++) {
      const before = transport.messages.length
      await sender.flush()
      if (transport.messages.length > before) times.push(minutes)
      clock.forward(60_000)
    }
    expect(times.length).toBeGreaterThan(50)
    expect(times.length).toBeLessThan(250)
    expect(outcomes.at(-1)).toBe('welcome given-up')
    expect(times.at(-1)! / 60 / 24).toBeLessThan(4)
    expect(log.join()).toContain('given up')
    expect(log.join()).not.toContain('ada@example.com')
  })

  test('where the server cannot be reached, one attempt stands for all that wait', async () => {
    let up = false
    const transport = listTransport(() => (up ? { kind: 'sent' } : { kind: 'unreachable', note: 'ECONNECTION' }))
    const clock = clockAt('2026-03-01T12:00:00Z')
    const { sender, log } = openOutbox({ transport, clock })
    for (let n = 0; n < 20; n++) sender.put(`welcome/${n}`, 'ada@example.com', welcome)
    await sender.flush()
    expect(transport.messages).toHaveLength(1)
    expect(log).toHaveLength(1)
    up = true
    clock.forward(1_000)
    await sender.flush()
    expect(transport.messages).toHaveLength(21)
  })

  test('a mail that is refused for good is not sent again, and its cause stays settled', async () => {
    const transport = listTransport(() => ({ kind: 'refused', note: 'EENVELOPE 550' }))
    const { sender, db, outcomes } = openOutbox({ transport })
    sender.put('welcome/user001', 'nobody@example.com', welcome)
    await sender.flush()
    await sender.flush()
    expect(sender.put('welcome/user001', 'nobody@example.com', welcome)).toBe(false)
    expect(transport.messages).toHaveLength(1)
    expect(rowOf(db, 'welcome/user001')).toMatchObject({ state: 'refused', note: 'EENVELOPE 550', recipient: null })
    expect(outcomes).toEqual(['welcome refused'])
  })

  test('an address that nobody has gets no mail, and that is noted', async () => {
    const transport = listTransport()
    const { sender, db } = openOutbox({ transport })
    sender.put('welcome/user001', 'user001@imported.invalid', welcome)
    await sender.flush()
    expect(transport.messages).toEqual([])
    expect(rowOf(db, 'welcome/user001')).toMatchObject({ state: 'skipped', recipient: null })
  })

  test('who declined hints gets none, and everything else', async () => {
    const transport = listTransport()
    const { sender, outcomes } = openOutbox({ transport, refuses: () => true })
    sender.put('quota/1', 'ada@example.com', quota)
    sender.put('welcome/user001', 'ada@example.com', welcome)
    await sender.flush()
    expect(transport.messages.map(({ kind }) => kind)).toEqual(['welcome'])
    expect(outcomes.sort()).toEqual(['quota skipped', 'welcome sent'])
  })

  test('a crash before sending sends once; one between sending and noting it sends the same mail again, by the same id', async () => {
    const clock = clockAt('2026-03-01T12:00:00Z')
    const first = openOutbox({ transport: listTransport(() => ({ kind: 'unreachable', note: 'down' })), clock })
    first.sender.put('welcome/user001', 'ada@example.com', welcome)
    await first.sender.close()
    first.db.close()

    clock.forward(60_000)
    const sent = listTransport()
    const second = openOutbox({ transport: sent, clock, file: first.file })
    // The program ends after the server's yes: what was to be noted is not.
    second.mails.settle = () => {
      throw new Error('killed')
    }
    await second.sender.flush()
    await second.sender.close()
    second.db.close()

    clock.forward(60_000)
    const again = listTransport()
    const third = openOutbox({ transport: again, clock, file: first.file })
    await third.sender.flush()
    await third.sender.flush()
    expect(sent.messages).toHaveLength(1)
    expect(again.messages).toEqual(sent.messages)
  })
})
