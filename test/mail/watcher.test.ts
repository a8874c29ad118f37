/** Who gets mail: the watcher on a real store, with tenants and use by hand. */
import path from 'node:path'
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import type { KeySpec, Tenant, TenantId, Timestamp } from '../../controller/core/specs.ts'
import { NEW_STATUS, withConditions } from '../../controller/core/status.ts'
import type { Mail } from '../../controller/mail/port.ts'
import { createMailWatcher, type MailWatcher, type UsedSoFar } from '../../controller/mail/watcher.ts'
import { openStore, type Store } from '../../controller/store/db.ts'
import { createMailConditions, createMails } from '../../controller/store/mails.ts'
import { createMeta } from '../../controller/store/meta.ts'
import { createTenantRecords, newRecord } from '../../controller/store/tenant-records.ts'
import { keySpec, plan, platform, tenant } from '../support/specs.ts'
import { tempFolder } from '../support/temp.ts'
import { clockAt, type Clock } from './outbox.ts'

const START = '2026-03-01T12:00:00.000Z'
const KEY = `pmb-v1-${'0123456789'.repeat(4)}`

let clock: Clock
let db: Store
let tenants: Map<TenantId, Tenant>
let used: Map<string, { at: Timestamp; requests: number; key: string; bytes?: number }>
let sent: { cause: string; to: string; mail: Mail }[]
let asked: string[]

beforeEach(() => {
  clock = clockAt(START)
  db = openStore(path.join(tempFolder('watcher'), 'store.db'), 'durable')
  onTestFinished(() => db.close())
  tenants = new Map()
  used = new Map()
  sent = []
  asked = []
})

function watcher(): MailWatcher {
  const mails = createMails(db)
  const usage: UsedSoFar = {
    lastUsed: (id) => new Map(used.has(id) ? [[used.get(id)!.key, used.get(id)!.at]] : []),
    usedSince: (at) => [...used].flatMap(([id, use]) => (use.at >= at ? [id] : [])),
    storageBytes: (id) => used.get(id)?.bytes,
    keysSince: (id) => [{ requests: used.get(id)?.requests ?? 0 }],
    close: () => undefined,
  }
  const made = createMailWatcher({
    catalog: {
      platform: platform(),
      tenant(id) {
        asked.push(id)
        return tenants.get(id)
      },
      tenants: () => tenants.values(),
      planInForce: () => plan('standard', { limits: { requestsPerMonth: 100 } }),
    },
    records: createTenantRecords(db),
    usage: () => usage,
    keyText: (_tenant: TenantId, _key: KeySpec) => KEY,
    sender: {
      put(cause, to, mail) {
        const isNew = mails.add({ cause, kind: mail.kind, recipient: to, mail: '', createdAt: START, expiresAt: START })
        if (isNew) sent.push({ cause, to, mail })
        return isNew
      },
      pass: (cause, kind, note) => mails.skip(cause, kind, note, START),
    },
    conditions: createMailConditions(db),
    meta: createMeta(db),
    store: db,
    now: clock.now,
    log: { warn: () => undefined, error: (data) => expect.fail(JSON.stringify(data, Object.getOwnPropertyNames((data as { err?: object }).err ?? {}))) },
  })
  onTestFinished(() => made.close())
  return made
}

function add(id: string, spec: Partial<Tenant['spec']> = {}, isReady = true): TenantId {
  const made = tenant(id, spec)
  const { name } = made.metadata
  tenants.set(name, made)
  const status = withConditions(NEW_STATUS, [{ type: 'Ready', status: isReady, reason: 'Serving', message: '' }], START)
  createTenantRecords(db).put({ ...newRecord(name, 'sq', 'x.yaml'), status })
  return name
}

const bought = (): Partial<Tenant['spec']> => ({ billing: { checkout: 'cs_1' }, keys: [keySpec('k1', { createdAt: clock.now().toISOString() })] })
const suspended: Partial<Tenant['spec']> = { state: 'suspended', stateBy: 'billing', stateReason: 'payment is overdue' }

describe('the watcher', () => {
  test('begins quietly: how things stood before there was mail is told to nobody', async () => {
    add('user001', suspended)
    add('user002', { state: 'ended', endedAt: '2026-02-27T00:00:00Z' })
    const first = watcher()
    await first.round()
    await first.close()
    const second = watcher()
    second.touched(tenants.keys())
    await second.round()
    expect(sent).toEqual([])
  })

  test('tells what changes after that, once, whichever way it comes to know', async () => {
    const made = watcher()
    await made.round()
    const id = add('user001', suspended)
    made.touched([id])
    await made.round()
    made.touched([id])
    await made.round()
    expect(sent.map(({ to, mail }) => [to, mail])).toEqual([['user001@example.com', { kind: 'suspended', tenant: 'user001', product: 'sq', reason: 'payment is overdue' }]])
  })

  test('welcomes a buyer once the tenant is ready, with no whole key', async () => {
    const made = watcher()
    await made.round()
    const id = add('user001', bought(), false)
    made.touched([id])
    await made.round()
    expect(sent).toEqual([])
    add('user001', bought())
    await made.round()
    await made.round()
    expect(sent.map(({ mail }) => mail)).toEqual([{ kind: 'welcome', tenant: 'user001', product: 'sq', key: 'pmb-v1-0123…6789' }])
  })

  test('finds what happened while it did not run: nothing had to be told to it', async () => {
    const first = watcher()
    await first.round()
    await first.close()
    add('user001', suspended)
    const second = watcher()
    await second.round()
    expect(sent.map(({ cause }) => cause)).toEqual([`suspended/user001/${START}`])
  })

  test('asks about use and times of those alone whom they concern', async () => {
    for (let n = 1; n <= 20; n++) add(`user${String(n).padStart(3, '0')}`)
    const trial = add('user021', { trial: { endsAt: '2026-03-20T00:00:00Z' } })
    const made = watcher()
    await made.round()
    await made.round()
    asked = []
    clock.forward(120_000)
    used.set('user003', { at: clock.now().toISOString(), requests: 96, key: 'k1' })
    await made.round()
    expect(asked).toEqual(['user003'])
    expect(sent.map(({ cause }) => cause)).toEqual(['quota/user003/requests/2026-03/95'])
    asked = []
    made.touched([trial])
    await made.round()
    // Use is asked about with a margin, so once more; then it is old.
    for (let round = 0; round < 2; round++) {
      clock.forward(600_000)
      asked = []
      await made.round()
    }
    expect(asked).toEqual([])
  })

  test('a trial’s end is told by a timer', async () => {
    const id = add('user001', { trial: { endsAt: '2026-03-05T12:00:00Z' } })
    const made = watcher()
    await made.round()
    made.touched([id])
    await made.round()
    expect(sent).toEqual([])
    clock.forward(24 * 3_600_000 + 1)
    await made.round()
    expect(sent.map(({ mail }) => mail.kind)).toEqual(['trial-ends'])
  })

  test('killed between noting a condition and asking for its mail, it tells it all the same, once', async () => {
    const first = watcher()
    await first.round()
    await first.close()
    const id = add('user001', suspended)
    createMailConditions(db).set(id, new Map([['suspended', '2026-03-01T11:00:00.000Z']]))
    const second = watcher()
    second.touched([id])
    await second.round()
    await second.round()
    expect(sent.map(({ cause }) => cause)).toEqual(['suspended/user001/2026-03-01T11:00:00.000Z'])
  })
})
