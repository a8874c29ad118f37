import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { checkCoordinate } from '../../controller/core/coordinate.ts'
import { claimOf, coordinateOfPlace, findNameFault, isName, isReservedPhext, LONGEST_NAME_BYTES, namesPhext, ownerOf, placeOfCoordinate, textPhext } from '../../controller/core/named-scroll.ts'

describe('a name', () => {
  it.each(['my-agent.1.1/user.preferences.theme/1.1.1', 'a', 'user.name', '1.1.1/1.1.1/1.1.x', '1.1.1/1.1.1/1.1.1e3', '0x1.1.1/1.1.1/1.1.1', '١.1.1/1.1.1/1.1.1', '..%2f', 'é', '"', '1,1'])('is what has a part that is no number: %j', (text) => {
    expect(isName(text)).toBe(true)
    expect(findNameFault('', text)).toBeUndefined()
  })

  it.each(['1.1.1/1.1.1/1.1.1', '1.1.1/1.1.1/1.1.01', '1.1.1/1.1.1/1.1.+1', '0.1.1/1.1.1/1.1.-2', '1.1.1', '7.1.1/5.6/1.1.1', '', ' ', '...', '1000', ' 1.1.1/1.1.1/1.1.1 '])('is never what is made of numbers alone: %j', (text) => {
    expect(isName(text)).toBe(false)
  })

  it('is never a coordinate that SQ would take as numbers', () => {
    fc.assert(fc.property(fc.string({ unit: fc.constantFrom(...'0123456789./;+- ax') }), (text) => !isName(text) || checkCoordinate(text).kind === 'words'), { numRuns: 5000 })
  })

  it.each([
    ['', 'a\nb', 'unusable'],
    ['', 'a\u0017b', 'unusable'],
    ['', 'a\ufffd', 'unusable'],
    ['', 'é'.repeat(LONGEST_NAME_BYTES / 2) + 'x', 'too-long'],
    ['notes~names', 'a', 'phext-reserved'],
    ['~text', 'a', 'phext-reserved'],
    ['n'.repeat(195), 'a', 'phext-too-long'],
    ['../x', 'a', 'phext-too-long'],
  ])('in phext %j cannot be %j: %s', (phext, name, fault) => expect(findNameFault(phext, name)).toBe(fault))

  it('has its list and its text beside the phext, which customers do not write', () => {
    expect([namesPhext('notes'), textPhext(''), isReservedPhext('notes~names'), isReservedPhext('~text'), isReservedPhext('notes~name')]).toEqual(['notes~names', '~text', true, true, false])
  })
})

it('places are scrolls that SQ keeps apart, each place another one', () => {
  fc.assert(
    fc.property(fc.nat(999 ** 3 - 1), (place) => {
      const coordinate = coordinateOfPlace(place)
      expect(coordinate.every((number) => number >= 1 && number <= 999)).toBe(true)
      expect(placeOfCoordinate(coordinate)).toBe(place)
    }),
  )
  expect(coordinateOfPlace(999)).toEqual([1, 1, 1, 1, 1, 1, 1, 2, 1])
  expect(placeOfCoordinate([2, 1, 1, 1, 1, 1, 1, 1, 1])).toBeUndefined()
})

it('whoever claimed a place first has it', () => {
  expect(ownerOf('')).toBeUndefined()
  expect(ownerOf(claimOf('a') + claimOf('b') + claimOf('a'))).toBe('a')
})
