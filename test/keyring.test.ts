import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { createKeyring, newMasterKey, parseMasterKey } from '../controller/keyring.ts'
import { keySpec, userId } from './support/specs.ts'

const hex = (byte: string): string => byte.repeat(32)

describe('the master key', () => {
  test('is a list of versions, newest first, apart by commas or space', () => {
    expect(parseMasterKey(`3:${hex('AB')},1:${hex('cd')}\n 2:${hex('ef')}\n`)).toEqual([{ version: 3, hex: hex('ab') }, { version: 1, hex: hex('cd') }, { version: 2, hex: hex('ef') }])
    expect(createKeyring(parseMasterKey(`3:${hex('ab')},1:${hex('cd')}`)).masterVersion).toBe(3)
  })

  test.each(['', '1', hex('ab'), `1:${'ab'.repeat(31)}`, `1:${hex('ab')}a`, `x:${hex('ab')}`, `1:${hex('zz')}`])('is refused where it is none, without quoting it: %s', (text) => {
    expect(() => parseMasterKey(text)).toThrow(/^entry 1 is not VERSION:HEX/)
  })

  test('may name a version once', () => {
    expect(() => parseMasterKey(`1:${hex('ab')},1:${hex('cd')}`)).toThrow('a version stands twice')
    expect(() => createKeyring([])).toThrow('there is no master key')
  })

  test('that is made is one, and another each time', () => {
    expect(parseMasterKey(newMasterKey())).toHaveLength(1)
    expect(newMasterKey()).not.toBe(newMasterKey())
  })
})

describe('a key', () => {
  const old = createKeyring(parseMasterKey(`1:${hex('11')}`))
  const rotated = createKeyring(parseMasterKey(`2:${hex('22')},1:${hex('11')}`))

  test('is the same under an old version after a new one was added', () => {
    const key = keySpec('k1')
    expect(rotated.keyOf(userId(1), key)).toBe(old.keyOf(userId(1), key))
    expect(rotated.keyOf(userId(1), { ...key, master: 2 })).not.toBe(old.keyOf(userId(1), key))
  })

  test('is another for each tenant, id and nonce', () => {
    const keys = [old.keyOf(userId(1), keySpec('k1')), old.keyOf(userId(2), keySpec('k1')), old.keyOf(userId(1), keySpec('k2')), old.keyOf(userId(1), keySpec('k1', { nonce: 'f'.repeat(32) }))]
    expect(new Set(keys).size).toBe(4)
    for (const key of keys) expect(key).toMatch(/^pmb-v1-[0-9a-f]{40}$/)
  })

  test('whose version is not there names the version and the setting, and no secret', () => {
    expect(() => old.keyOf(userId(1), keySpec('k1', { master: 7 }))).toThrow('master key version 7 is not in TENANTRY_MASTER_KEY')
  })

  test('has the SHA-256 of its whole text as digest', () => {
    const key = old.keyOf(userId(1), keySpec())
    expect(old.keyDigest(userId(1), keySpec())).toBe(createHash('sha256').update(key).digest('hex'))
  })
})
