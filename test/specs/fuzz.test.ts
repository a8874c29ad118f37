import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { formatProblem } from '../../controller/core/problem.ts'
import { isSpecPath, MAX_SPEC_BYTES, placeOf } from '../../controller/specs/parse.ts'
import { readPlainYaml } from '../../controller/specs/plain-yaml.ts'
import { stringifyTenant } from '../../controller/specs/write.ts'
import { readYaml } from '../../controller/specs/yaml.ts'
import { tenants } from './arbitrary-tenant.ts'
import { parser, parseTenant, PLAN, PLATFORM, PRODUCT, TENANT, TENANT_PATH } from './support.ts'

/** What breaks YAML readers, put in at random. */
const SCRAPS = ['{', '}', '[', ']', '? ', ': ', '- ', '&a ', '*a', '!!map ', '"', "'", '|\n', '>\n', '#', '%YAML 1.1\n', '---\n', '...\n', '\t', '\r\n', '\n', '  ', '\0', '\ufeff', '\ufffd', '\ud800', '🙂', '<<: ', '1e999', '.nan', '~', '__proto__: ', 'constructor: ', '0x', ',', '\\', 'null']

interface Change {
  readonly at: number
  readonly drop: number
  readonly put: string
}

const changes = fc.array(fc.record({ at: fc.nat({ max: 600 }), drop: fc.nat({ max: 12 }), put: fc.oneof(fc.constantFrom(...SCRAPS), fc.string({ maxLength: 5 })) }), { minLength: 1, maxLength: 4 })

const mutate = (text: string, list: readonly Change[]): string => list.reduce((now, { at, drop, put }) => now.slice(0, at) + put + now.slice(at + drop), text)

function expectSpecOrProblems(path: string, text: string): void {
  const parsed = parser.parse(path, text)
  if (parsed.kind === 'ok') return
  expect(parsed.problems.length).toBeGreaterThan(0)
  const count = text.split('\n').length
  for (const problem of parsed.problems) {
    expect(problem.line).toBeGreaterThanOrEqual(1)
    expect(problem.line).toBeLessThanOrEqual(count)
    expect(problem.column).toBeGreaterThanOrEqual(1)
    expect(problem.message).not.toBe('')
    expect(problem.fix).not.toBe('')
    expect(formatProblem({ ...problem, file: '' })).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u202a-\u202e]/)
    expect(`${problem.message} ${problem.fix}`).not.toMatch(/must (?:NOT|be|match|have)|undefined|NaN/)
  }
}

const GOOD: readonly (readonly [string, string])[] = [
  [TENANT_PATH, TENANT],
  ['products/sq-dedicated.yaml', PRODUCT],
  ['plans/sq-founder.yaml', PLAN],
  ['platform.yaml', PLATFORM],
]

describe('whatever is in a file, reading it gives a spec or problems', () => {
  it('good files with scraps put in', () => {
    fc.assert(
      fc.property(fc.constantFrom(...GOOD), changes, ([path, text], list) => expectSpecOrProblems(path, mutate(text, list))),
      { numRuns: 1000 },
    )
  })

  it('any text and any bytes', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: 'binary', maxLength: 300 }), fc.uint8Array({ maxLength: 300 }).map((bytes) => new TextDecoder().decode(bytes)), fc.array(fc.constantFrom(...SCRAPS), { maxLength: 40 }).map((scraps) => scraps.join(''))), (text) =>
        expectSpecOrProblems(TENANT_PATH, text),
      ),
      { numRuns: 700 },
    )
  })

  it('any value in the place of any field', () => {
    const values = fc.oneof(fc.jsonValue({ maxDepth: 3 }).map((value) => JSON.stringify(value)), fc.constantFrom('.inf', '-.inf', '.nan', '-0', '1e308', '99999999999999999999'))
    fc.assert(
      fc.property(fc.constantFrom(...GOOD), fc.nat({ max: 20 }), values, ([path, text], n, value) => {
        const fields = [...text.matchAll(/(?<=: )[^{\n]+$/gm)]
        const field = fields[n % fields.length]!
        expectSpecOrProblems(path, text.slice(0, field.index) + value + text.slice(field.index + field[0].length))
      }),
      { numRuns: 500 },
    )
  })

  it('any path', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 40 }), fc.constantFrom('tenants/', 'plans/', 'products/', ''), fc.constantFrom('.yaml', '.yml', ''), (middle, folder, ending) => {
        const path = folder + middle + ending
        if (isSpecPath(path)) expectSpecOrProblems(path, TENANT)
      }),
      { numRuns: 300 },
    )
  })

  it('any field name has a place', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string({ maxLength: 30 }), fc.constantFrom('spec..keys', 'spec.keys[', '["', 'spec["a\\u', '[999999999999999999]')), (field) => {
        expect(placeOf(TENANT, field).line).toBeGreaterThanOrEqual(1)
      }),
      { numRuns: 300 },
    )
  })
})

// Without the guard of nesting.ts the worst of these take minutes; the limit leaves room for a busy machine.
describe('no file of 64 KiB holds the reader for long', () => {
  const fill = (scrap: string): string => scrap.repeat(Math.floor(MAX_SPEC_BYTES / scrap.length))
  it.each(['{', '[', '[{', '? ', '- ', ': ', '{ ] ', '[ # ]\n', '{ # }\n', '- {{{{{{{{{{{{{{{{\n', '&a ', '!a ', '"', "'", '*a ', 'a: ', 'a: |\n', 'a:\n', '\n', '---\n', '%a\n', '{a: ', '<<: ', 'a', '\t', ', '])('%j', (scrap) => {
    const start = performance.now()
    expect(parser.parse(TENANT_PATH, fill(scrap)).kind).toBe('bad')
    expect(performance.now() - start).toBeLessThan(15_000)
  })
})

describe('the short cut for plain files', () => {
  const agrees = (text: string): boolean => {
    const plain = readPlainYaml(text)
    if (plain === undefined) return false
    const full = readYaml(text)
    expect(full.faults).toEqual([])
    expect(plain).toStrictEqual(full.value)
    return true
  }

  const CANONICAL = stringifyTenant(parseTenant(TENANT))

  it('takes no word for text that is a number, and none for a number that is text', () => {
    const digits = '1234567890'.repeat(3)
    const words = [`${digits}12`, `${digits}e1`, `1e${digits}`, `0${digits}e`, `${digits}ab`, `e${digits}1`, `0e${digits}`, '0', '00', '07', '1e5', '0x1f', '0o7', '1_000', '-1', '+1', '.5', '5.', 'null', 'Null', 'NULL', '~', 'true', 'True', 'no', 'yes', 'inf', 'nan', '2026-02-12', '2026-02-12T13:15:00Z', '123456789012345', '1234567890123456', 'x:y', 'a#b', '"1"', '[]', '{}', "'1'"]
    const taken = words.filter((word) => agrees(`a: ${word}\nb:\n  - ${word}\n  - c: ${word}\n`))
    expect(taken).toEqual(expect.arrayContaining([`${digits}ab`, 'no', '2026-02-12T13:15:00Z', '"1"', '[]', '123456789012345']))
  })

  it('leaves a key that is no word to the full reader', () => {
    for (const key of ['null', 'Null', 'NULL', 'true', 'no', 'nullable']) agrees(`a:\n  ${key}: 1\nb:\n  - ${key}: 2\n`)
  })

  it('takes a usual file, and reads every file that Tenantry writes as the full reader does', () => {
    expect(agrees(CANONICAL)).toBe(true)
    fc.assert(
      fc.property(tenants, (tenant) => void agrees(stringifyTenant(tenant))),
      { numRuns: 300 },
    )
  })

  it('never takes a changed file for something else than the full reader', () => {
    const scraps = fc.constantFrom(...SCRAPS, ' ', '  ', '\n  ', '\n    ', '- ', '\n- a', ':', ': ', ' #', '#', '1', '0', 'e', '.', 'true', '"', 'a: 1\n', '\n\n', '    - ', '[]', '=', '+', '-', 'x', '/', '@')
    const list = fc.array(fc.record({ at: fc.nat({ max: CANONICAL.length }), drop: fc.nat({ max: 3 }), put: scraps }), { minLength: 1, maxLength: 2 })
    let taken = 0
    fc.assert(
      fc.property(list, (changed) => {
        if (agrees(mutate(CANONICAL, changed))) taken += 1
      }),
      { numRuns: 4000 },
    )
    expect(taken).toBeGreaterThan(100)
  })

  it('reads lines of any indentation as the full reader does', () => {
    const values = fc.constantFrom('', '', '', ' x', ' 1', ' []', ' "q r"', ' 007', ' 2026-02-12T13:15:00Z', ' x y', ' null', ' 1e5', ' a:b', ' a #b', ' -1', ' True', ' 0', ' ~', ' "a: b"', ' a=')
    const line = fc.tuple(fc.constantFrom(0, 0, 0, 2, 2, 4, 6, 1), fc.constantFrom('', '', '', '- ', '# '), fc.constantFrom('abcdefgh', 'a'), values)
    const files = fc.array(line, { minLength: 1, maxLength: 7 }).map((all) => all.map(([indent, dash, keys, value], i) => `${' '.repeat(indent)}${dash}${keys[i % keys.length]}:${value}\n`).join(''))
    let taken = 0
    fc.assert(
      fc.property(files, (text) => {
        if (agrees(text)) taken += 1
      }),
      { numRuns: 6000 },
    )
    expect(taken).toBeGreaterThan(100)
  })
})
