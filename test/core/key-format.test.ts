import fc from 'fast-check'
import { crc32 } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { formatKey, isWellFormedKey, maskKey } from '../../controller/core/key-format.ts'

const HEX = [...'0123456789abcdef']
const bits = fc.array(fc.constantFrom(...HEX), { minLength: 32, maxLength: 32 }).map((digits) => digits.join(''))

describe('key format', () => {
  it('is the prefix, the bits and zlib\'s CRC-32 over both', () => {
    fc.assert(
      fc.property(bits, (hex) => {
        const key = formatKey(hex)
        expect(key).toBe(`pmb-v1-${hex}${crc32(`pmb-v1-${hex}`).toString(16).padStart(8, '0')}`)
        expect(isWellFormedKey(key)).toBe(true)
      }),
    )
  })

  it('stays as it is for ever: keys handed out depend on it', () => {
    expect(formatKey('00112233445566778899aabbccddeeff')).toBe('pmb-v1-00112233445566778899aabbccddeeff2b9d86fa')
  })

  it('refuses every key with one character changed, and every cut or prolonged one', () => {
    fc.assert(
      fc.property(bits, fc.nat(46), fc.constantFrom(...HEX, 'A', '-', ' ', 'é'), fc.nat(46), (hex, at, character, cut) => {
        const key = formatKey(hex)
        const changed = key.slice(0, at) + character + key.slice(at + 1)
        expect(isWellFormedKey(changed)).toBe(changed === key)
        expect(isWellFormedKey(key.slice(0, cut))).toBe(false)
        expect(isWellFormedKey(`${key}${character}`)).toBe(false)
      }),
    )
  })

  it('throws on bits of another shape', () => {
    for (const text of ['', 'abc', 'A'.repeat(32), 'a'.repeat(33), 'g'.repeat(32)]) expect(() => formatKey(text)).toThrow('32 lower-case hex digits')
  })

  it('shows four characters at each end, and nothing of what is no key', () => {
    const key = formatKey('00112233445566778899aabbccddeeff')
    expect(maskKey(key)).toBe('pmb-v1-0011…86fa')
    expect(maskKey('hunter2 and more secrets')).toBe('…')
  })
})
