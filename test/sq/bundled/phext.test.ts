import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  canonicalCoordinate,
  compareCoordinates,
  coordinateOf,
  countScrolls,
  displayCoordinate,
  implodePhext,
  keyOf,
  parseCoordinate,
  parsePhext,
  serialisePhext,
  tableOfContents,
  type Phext,
} from '../../../controller/sq/bundled/phext.ts'
import { checksum } from '../../../controller/sq/bundled/xxh3.ts'

const small = fc.array(fc.constantFrom(1, 1, 1, 2, 3), { minLength: 9, maxLength: 9 })
const any = fc.array(fc.integer({ min: 1, max: 999 }), { minLength: 9, maxLength: 9 })
const coordinate = fc.oneof({ weight: 4, arbitrary: small }, { weight: 1, arbitrary: any })

const isBreak = (character: string) => '\x01\x17\x18\x19\x1a\x1c\x1d\x1e\x1f'.includes(character)
const withoutBreaks = (text: string) => [...text].filter((character) => !isBreak(character)).join('')
const scroll = fc.string({ unit: 'binary', minLength: 1, maxLength: 20 }).map((text) => withoutBreaks(text) || 'x')
const phext: fc.Arbitrary<Phext> = fc.array(fc.tuple(coordinate.map(keyOf), scroll), { maxLength: 12 }).map((entries) => new Map(entries))

describe('a phext', () => {
  test('reads back as it was written', () => {
    fc.assert(
      fc.property(phext, (written) => {
        const read = parsePhext(serialisePhext(written))
        read.forEach((text, key) => text === '' && read.delete(key))
        expect(read).toEqual(written)
      }),
    )
  })

  test('of any text is written the same once it has been read', () => {
    const part = fc.constantFrom('\x01', '\x17', '\x18', '\x19', '\x1a', '\x1c', '\x1d', '\x1e', '\x1f', '\x1b', '\n', 'a', 'ü')
    const text = fc.array(part).map((parts) => parts.join(''))
    fc.assert(
      fc.property(text, (written) => {
        const once = serialisePhext(parsePhext(written))
        expect(serialisePhext(parsePhext(once))).toBe(once)
        expect(parsePhext(written).size).toBeLessThanOrEqual(countScrolls(written))
      }),
    )
  })

  test('is written in the order of its coordinates, whatever order they came in', () => {
    fc.assert(
      fc.property(phext, (written) => {
        const backwards: Phext = new Map([...written].reverse())
        expect(serialisePhext(backwards)).toBe(serialisePhext(written))
        const rows = tableOfContents(serialisePhext(written)).split('\n* ').length
        expect(rows).toBe(Math.max(1, written.size))
      }),
    )
  })

  test('is the same from SQ and from libphext when no scroll is empty and no number is 0', () => {
    fc.assert(fc.property(phext, (written) => implodePhext(written) === serialisePhext(written)))
  })

  test('takes one break for each step and restarts what is below', () => {
    const place = (text: string) => keyOf(parseCoordinate(text))
    const written: Phext = new Map([
      [place('1.1.1/1.1.1/1.1.1'), 'a'],
      [place('1.1.1/1.1.1/1.2.3'), 'b'],
      [place('1.1.1/2.1.1/1.1.1'), 'c'],
      [place('3.1.1/1.1.1/1.1.2'), 'd'],
    ])
    expect(serialisePhext(written)).toBe('a\x18\x17\x17b\x1dc\x01\x01\x17d')
  })

  test('does not count beyond 999', () => {
    expect([...parsePhext(`${'\x17'.repeat(2000)}end`).keys()]).toEqual([keyOf([1, 1, 1, 1, 1, 1, 1, 1, 999])])
  })
})

describe('coordinates', () => {
  test('order as their keys do', () => {
    fc.assert(
      fc.property(coordinate, coordinate, (left, right) => {
        const byKey = keyOf(left) < keyOf(right) ? -1 : keyOf(left) > keyOf(right) ? 1 : 0
        expect(Math.sign(compareCoordinates(left, right))).toBe(byKey)
        expect(coordinateOf(keyOf(left))).toEqual(left)
      }),
    )
  })

  test('are read as they are shown', () => {
    fc.assert(fc.property(any, (numbers) => compareCoordinates(parseCoordinate(displayCoordinate(numbers)), numbers) === 0))
  })

  test('that no phext can hold have keys of their own', () => {
    expect(new Set([keyOf([1, 1, 1, 1, 1, 1, 1, 1, 1]), keyOf([65_537, 1, 1, 1, 1, 1, 1, 1, 1]), keyOf([1000, 1, 1, 1, 1, 1, 1, 1, 1])]).size).toBe(3)
  })

  test.each([
    ['', '1.1.1/1.1.1/1.1.1'],
    ['5', '1.1.1/1.1.1/1.1.5'],
    ['1.2', '1.1.1/1.1.1/1.1.2'],
    ['2;3;4;5;6;7;8;9;10', '2.3.4/5.6.7/8.9.10'],
    ['-1.1.1/1.1.-2/1.1.1', '1.1.1/1.1.2/1.1.1'],
    ['my-agent.1.1/user.preferences.theme/1.1.1', '1.1.0/0.0.1/1.1.1'],
    ['4294967298.1.1/1.1.1/1.1.1', '2.1.1/1.1.1/1.1.1'],
    ['1.1.1/1.1.1/1.1.1/9.9.7', '1.1.1/1.1.1/1.1.7'],
  ])('are read from %j as libphext does', (text, shown) => {
    expect(displayCoordinate(parseCoordinate(text))).toBe(shown)
  })

  test('outside 1 to 1000 have no canonical form', () => {
    const shown = [0, 1, 1000, 1001].map((number) => canonicalCoordinate([number, 1, 1, 1, 1, 1, 1, 1, 1]))
    expect(shown).toEqual(['', '1.1.1/1.1.1/1.1.1', '1000.1.1/1.1.1/1.1.1', ''])
  })
})

describe('the checksum', () => {
  /** Made by sq 0.6.0. */
  const KNOWN: Readonly<Record<number, string>> = {
    0: '99aa06d3014798d86001c324468d497f',
    1: 'a96faf705af16834e6c632b61e964e1f',
    3: '06b05ab6733a618578af5f94892f3950',
    4: '8d6b60383dfa90c21be79eecd1b1353d',
    8: 'dac23237af37353342b702b313880f12',
    9: 'b43ff5bc5ff2e0adc0646b2d7986db98',
    16: 'd051de13413da41845b2d1979bc1f7c2',
    17: '15f6062eea232a2c15020455b3124386',
    128: 'ef64df991939cb189b059882f61f361b',
    129: 'c7d3ca85db2fb01d6d38f2ef1069f9ca',
    240: '573d40cf00fa449fa54221055518fbe7',
    241: '2413598a2ef115e95937089cae70f48e',
    1024: 'b2e18bbdee6c9a74de8b2315a30dec59',
    1025: '16fc40d8c9a370540287a41476f6bba6',
    5000: 'ca3aa2d2ba59d1310064ad9e24392e58',
  }

  test.each(Object.entries(KNOWN))('of %s characters is as SQ makes it', (length, hash) => {
    expect(checksum('abcdefghijklm'.repeat(400).slice(0, Number(length)))).toBe(hash)
  })
})
