import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { checkCoordinate, findDeltaFault } from '../../controller/core/coordinate.ts'
import { parseCoordinate } from '../../controller/sq/bundled/phext.ts'

const number = fc.integer({ min: 1, max: 999 })
const nine = fc.array(number, { minLength: 9, maxLength: 9 })
const written = (numbers: readonly (number | string)[]): string => [0, 3, 6].map((arm) => numbers.slice(arm, arm + 3).join('.')).join('/')

describe('a coordinate', () => {
  it('of nine numbers from 1 to 999 is what SQ reads', () => {
    fc.assert(
      fc.property(nine, fc.boolean(), (numbers, zeros) => {
        const text = written(zeros ? numbers.map((each) => `00${each}`) : numbers)
        expect(checkCoordinate(text)).toEqual({ kind: 'numbers', coordinate: numbers })
        expect(parseCoordinate(text)).toEqual(numbers)
      }),
    )
    expect(checkCoordinate('1.2.3;4.5.6;7.8.9')).toEqual({ kind: 'numbers', coordinate: [1, 2, 3, 4, 5, 6, 7, 8, 9] })
  })

  it('with a number outside names its place and value', () => {
    const outside = fc.oneof(fc.constantFrom('0', '00', '1000', '99999999999999999999', '4294967297', '-1', '+5'), fc.integer({ min: 1000 }).map(String))
    fc.assert(
      fc.property(nine, fc.nat(8), outside, (numbers, at, bad) => {
        const check = checkCoordinate(written(numbers.with(at, 0).map((each, index) => (index === at ? bad : each))))
        expect(check).toMatchObject({ kind: 'outside', number: bad })
      }),
    )
    expect(checkCoordinate('1.1.1/1.2000.1/1.1.1')).toEqual({ kind: 'outside', dimension: 'volume', number: '2000' })
  })

  it('is words when it is anything else, and absent when it is nothing', () => {
    for (const text of ['my-agent.1.1/user.preferences.theme/1.1.1', '1.1.1', '1.1.1/1.1.1/1.1', '1.1.1/1.1.1/1.1.1.1', '1..1/1.1.1/1.1.1', 'x', '1.1.1/1.1.1/1.1.1x', '1e2.1.1/1.1.1/1.1.1']) {
      expect(checkCoordinate(text).kind).toBe('words')
    }
    for (const text of [undefined, '', ' ']) expect(checkCoordinate(text).kind).toBe('absent')
  })
})

describe('a delta', () => {
  const bytes = (text: string): Buffer => Buffer.from(text)
  const part = fc.oneof(number, fc.integer({ min: 0, max: 5_000 }), fc.constantFrom('x', '', '1 000', '99999999999', '4294967297', 'é'))
  const line = fc.tuple(fc.array(part, { maxLength: 11 }), fc.constantFrom('.', '/', ';'), fc.constantFrom(': ', ':', ' ', ': x: ')).map(([parts, by, colon]) => `${parts.join(by)}${colon}abc`)

  it('passes exactly when every coordinate that SQ reads from it lies within', () => {
    fc.assert(
      fc.property(fc.array(line, { maxLength: 8 }), fc.constantFrom('\n', '\r\n'), (lines, newline) => {
        const expected = lines.findIndex((each) => each.includes(': ') && parseCoordinate(each.split(': ')[0]!).some((value) => value < 1 || value > 999))
        expect(findDeltaFault(bytes(lines.join(newline)))?.line).toBe(expected === -1 ? undefined : expected + 1)
      }),
      { numRuns: 500 },
    )
  })

  it('with a number of 1000, however it is written, is refused with its line', () => {
    const fine = '1.1.1/1.1.1/1.1.1: 00\n'
    expect(findDeltaFault(bytes(`${fine}1000.1.1/1.1.1/1.1.1: 00`))).toEqual({ line: 2, dimension: 'library', number: 1000 })
    expect(findDeltaFault(bytes(`${fine}1x0y0z0.1.1/1.1.1/1.1.1: 00\n`))).toEqual({ line: 2, dimension: 'library', number: 1000 })
    expect(findDeltaFault(bytes('4294968296.1.1/1.1.1/1.1.1: 00'))).toEqual({ line: 1, dimension: 'library', number: 1000 })
    expect(findDeltaFault(bytes(fine))).toBeUndefined()
  })
})
