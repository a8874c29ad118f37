import { mkdirSync } from 'node:fs'
import path from 'node:path'
import { beforeEach, describe, expect, test } from 'vitest'
import { openUsage, usagePath } from '../../controller/store/usage.ts'
import { fileOf } from '../support/tenant-files.ts'
import { terminal, type Terminal } from './support.ts'

let term: Terminal
beforeEach(async () => {
  term = await terminal()
})

const file = (): string => term.show(fileOf(1).path)
const KEY = /^pmb-v1-[0-9a-f]{40}\n$/

describe('a key that is made', () => {
  test('may as little as it is said to, and its file says so', async () => {
    const { code, out } = await term.run('key', 'create', 'user001', '--name', 'helper', '--read-only', '--phext', 'notes,plans', '--requests-per-second', '5', '--requests', '1000', '--expires', '7d', '--reason', 'for the helper')
    expect(code).toBe(0)
    expect(out).toMatch(KEY)
    expect(term.git('log', '-1', '--format=%B')).toMatch(/^tenant: new key for user001\n\nfor the helper/)
    const { keys } = await term.json<{ keys: Record<string, unknown>[] }>('key', 'list', 'user001')
    expect(keys[1]).toMatchObject({ id: 'k2', name: 'helper', state: 'expiring', access: { readOnly: true, phexts: ['notes', 'plans'], requestsPerSecond: 5, requests: 1000 }, endsAt: '2026-03-08T12:00:00Z', lastUsedAt: null })
    expect(file()).toContain('asked for by telephone')
    expect(term.git('log', '-p', '--all')).not.toContain(out.trim())
  })

  test('without a word more may all that its tenant may', async () => {
    expect((await term.run('key', 'create', 'user001')).out).toMatch(KEY)
    expect((await term.json<{ keys: { access: unknown }[] }>('key', 'list', 'user001')).keys[1]!.access).toBeNull()
  })

  test.each([
    [['--requests', '0'], 'a whole number above 0'],
    [['--requests-per-second', 'many'], 'a whole number above 0'],
    [['--expires', 'soon'], 'a span such as'],
    [['--expires', '2020-01-01'], 'lies in the past'],
    [['--parent', 'k9'], 'has no key k9'],
    [['--phext', '../x'], 'without slashes'],
  ])('as nobody can mean it is refused with 2, and nothing is committed: %s', async (options, words) => {
    const before = term.git('rev-parse', 'main')
    const { code, error } = await term.run('key', 'create', 'user001', ...options)
    expect([code, error]).toEqual([2, expect.stringContaining(words)])
    expect(term.git('rev-parse', 'main')).toBe(before)
  })
})

describe('keys made from keys', () => {
  beforeEach(async () => {
    for (const [name, parent, ...options] of [['helper', 'k1', '--phext', 'notes,plans'], ['grandchild', 'k2', '--read-only']] as const) await term.run('key', 'create', 'user001', '--name', name, '--parent', parent, ...options)
  })

  test('are shown as a tree, with what each may in the end and when it was used', async () => {
    mkdirSync(path.join(term.home, 'gateway'), { recursive: true })
    const usage = openUsage(usagePath(term.home))
    usage.write({ counts: [], lastUsed: [{ tenant: 'user001', key: 'k2', at: '2026-03-01T11:58:00Z' }], storage: [], refusals: [] })
    usage.close()
    const { out } = await term.run('key', 'list', 'user001')
    const lines = out.trimEnd().split('\n').slice(1)
    expect(lines[0]).toMatch(/^k1 +pmb-v1-[0-9a-f]{4}…[0-9a-f]{4} +live +all +.* never/)
    expect(lines[1]).toMatch(/^ {2}k2 .* phexts notes plans .* 2026-03-01T11:58:00Z +helper$/)
    expect(lines[2]).toMatch(/^ {4}k3 .* read-only, phexts notes plans .* never +grandchild$/)
  })

  test('go with the one that they were made from, and the command says which', async () => {
    const { out } = await term.run('key', 'revoke', 'user001', 'k2')
    expect(out).toBe('Key k2 of user001 is revoked; it stops working within a second. So do the keys made from it: k3.\n')
    const { keys } = await term.json<{ keys: { id: string; state: string }[] }>('key', 'list', 'user001')
    expect(keys.map(({ id, state }) => `${id} ${state}`)).toEqual(['k1 live', 'k2 revoked', 'k3 revoked'])
    expect((await term.run('key', 'create', 'user001', '--parent', 'k3')).error).toContain('Key k3 opens nothing any more')
  })

  test('keep name, parent and what they may when they are rotated; without a key named only full ones are', async () => {
    expect((await term.run('key', 'rotate', 'user001', 'k3')).out).toMatch(KEY)
    const { keys } = await term.json<{ keys: Record<string, unknown>[] }>('key', 'list', 'user001')
    expect(keys.find(({ id }) => id === 'k4')).toMatchObject({ parent: 'k2', name: 'grandchild', access: { readOnly: true, phexts: ['notes', 'plans'] }, state: 'live' })
    expect(keys.find(({ id }) => id === 'k3')).toMatchObject({ state: 'expiring' })
    await term.run('key', 'rotate', 'user001')
    expect((await term.json<{ keys: Record<string, unknown>[] }>('key', 'list', 'user001')).keys.filter(({ expiresAt }) => expiresAt !== null).map(({ id }) => id)).toEqual(['k1', 'k3'])
  })

  test('cannot be made where the parent may less, or where there are twenty', async () => {
    expect((await term.run('key', 'create', 'user001', '--parent', 'k2', '--phext', 'other')).error).toContain('Key k2 does not open the phext "other"')
  })
})

describe('a key that was handed out before', () => {
  test('is listed by its digest, and its text is nobody\'s to show', async () => {
    term.commit({ [fileOf(1).path]: file().replace(/nonce: a*1,/, `digest: ${'ab'.repeat(32)},`) })
    expect((await term.run('key', 'list', 'user001')).out).toMatch(/k1 +sha256 abababab… +live/)
    const { code, error } = await term.run('key', 'show', 'user001', 'k1')
    expect([code, error]).toEqual([2, expect.stringContaining('handed out before Tenantry')])
    expect((await term.run('key', 'rotate', 'user001')).out).toMatch(KEY)
  })
})
