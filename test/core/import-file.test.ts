import { describe, expect, it } from 'vitest'
import { lastPart, parseImportFile, printable } from '../../controller/core/import-file.ts'

const KEY = 'pmb-v1-0123456789abcdef'
const faultsOf = (value: unknown) => parseImportFile(value)!.faults.map(({ at, message }) => `${at}: ${message}`)

describe('what an SQ installation says of its customers', () => {
  it('is the map that `sq host --config` reads', () => {
    const file = parseImportFile({ tenants: { [KEY]: { name: 'ada', data_dir: '/data/ada' }, other: { name: 'bob', data_dir: '/data/bob', quota_mb: 5, enabled: true } } })!
    expect(file).toMatchObject({ format: 'sq-config', faults: [] })
    expect(file.entries).toMatchObject([
      { at: 'entry 1 (ada)', token: KEY, name: 'ada', dataDir: '/data/ada', enabled: true },
      { at: 'entry 2 (bob)', token: 'other', storageMb: 5 },
    ])
  })

  it('is the list that `sq route` reads, where a customer is called as its folder is', () => {
    const file = parseImportFile({ tenants: [{ token: KEY, port: 1338, data_dir: '/var/lib/sq/tenants/user1/' }] })!
    expect(file).toMatchObject({ format: 'sq-route', faults: [], entries: [{ token: KEY, port: 1338, name: 'user1', dataDir: '/var/lib/sq/tenants/user1/' }] })
  })

  it('is the tenants.json of the sales plan, whose own quota goes before the common one', () => {
    const one = { id: 'user001', api_key: KEY, email: 'ada@example.com', enabled: false, tier: 'founder', created_at: '2026-02-12T13:15:00Z' }
    const file = parseImportFile({ admin_key: 'secret', max_tenants: 500, default_quota_mb: 1000, tenants: [one, { ...one, id: 'user002', quota_mb: 50 }] })!
    expect(file.format).toBe('tenants-json')
    expect(file.entries).toMatchObject([
      { name: 'user001', email: 'ada@example.com', enabled: false, tier: 'founder', createdAt: '2026-02-12T13:15:00Z', storageMb: 1000, dataDir: undefined },
      { name: 'user002', storageMb: 50 },
    ])
  })

  it.each([null, 'text', [], {}, { tenants: 'many' }, { tenants: null }])('is not %j', (value) => {
    expect(parseImportFile(value)).toBeUndefined()
  })
})

describe('faults', () => {
  it('are told all at once, each with its entry', () => {
    expect(faultsOf({ tenants: { [KEY]: { name: 'ada' }, b: { data_dir: '/b' }, c: 7, d: { name: 'dora', data_dir: '/d', quota_mb: 1.5, enabled: 'yes' } } })).toEqual([
      'entry 1 (ada): `data_dir` is missing',
      'entry 2: `name` is missing',
      'entry 3: it is no object',
      'entry 4 (dora): `quota_mb` is not a whole number of megabytes',
      'entry 4 (dora): `enabled` is neither true nor false',
    ])
    expect(faultsOf({ tenants: [{ token: KEY, data_dir: '/a' }, { port: 1, data_dir: '/b' }] })).toEqual(['entry 2 (b): `token` is missing'])
    expect(faultsOf({ tenants: [{ api_key: KEY }, { id: 'x' }] })).toEqual(['entry 1: `id` is missing', 'entry 2 (x): `api_key` is missing'])
  })

  it('name keys that no request can have carried', () => {
    expect(faultsOf({ tenants: { 'with space': { name: 'a', data_dir: '/a' }, 'with\nline': { name: 'b', data_dir: '/b' }, é: { name: 'c', data_dir: '/c' } } })).toHaveLength(3)
  })

  it('and names never give a key away', () => {
    const file = parseImportFile({ tenants: [{ token: KEY, port: 1, data_dir: `/data/${KEY}` }, { token: `${KEY}x`, data_dir: 7 }] })!
    expect(file.entries[0]).toMatchObject({ at: 'entry 1', name: '' })
    expect(JSON.stringify([file.faults, file.entries.map(({ at, name }) => [at, name])])).not.toContain(KEY)
  })

  it('cannot command a terminal', () => {
    expect(printable('\u001b[31mred\u202e')).toBe('?[31mred?')
    expect(printable('x'.repeat(100))).toHaveLength(61)
  })
})

it.each([
  ['/data/ada', 'ada'],
  ['/data/ada//', 'ada'],
  ['ada', 'ada'],
  ['C:\\data\\ada', 'ada'],
  ['/', ''],
])('the last part of %s is %j', (path, last) => {
  expect(lastPart(path)).toBe(last)
})
