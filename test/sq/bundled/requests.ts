/** Generated requests for SQ: mostly right ones on few places, so that they meet, and every oddity that is cheap for the real program. */
import fc from 'fast-check'
import { checksum } from '../../../controller/sq/bundled/xxh3.ts'
import type { RawRequest } from './programs.ts'

type Weighted<T> = readonly [weight: number, arbitrary: fc.Arbitrary<T>]

const pick = <T>(...values: T[]): fc.Arbitrary<T> => fc.constantFrom(...values)
const mix = <T>(...choices: readonly Weighted<T>[]): fc.Arbitrary<T> => fc.oneof(...choices.map(([weight, arbitrary]) => ({ weight, arbitrary })))
/** Absent once in `weight` + 1 times. */
const maybe = <T>(weight: number, arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> => mix<T | undefined>([1, fc.constant(undefined)], [weight, arbitrary])
/** Present once in `weight` + 1 times. */
const rarely = <T>(weight: number, arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> => mix<T | undefined>([weight, fc.constant(undefined)], [1, arbitrary])
const never = fc.constant(undefined)

const TEXTS = [
  ...['', 'a', 'hello', 'two\nlines', 'cr\r\nlf\r', 'ünïcödé', '日本語 🦆', '"quoted" \\ back'],
  ...['x'.repeat(17), 'y'.repeat(200), 'z'.repeat(700), '\ufeffbom', '\u0000\u0007\u001b'],
]

const breakText = fc
  .array(pick('\x01', '\x17', '\x17', '\x18', '\x19', '\x1a', '\x1b', '\x1c', '\x1d', '\x1e', '\x1f', 'a', 'text', '\n'), { maxLength: 12 })
  .map((parts) => parts.join(''))

const manyBreaks = fc.tuple(pick('\x17', '\x18', '\x01'), fc.integer({ min: 990, max: 1100 })).map(([mark, count]) => `b${mark.repeat(count)}e`)

const text = mix(
  [6, pick(...TEXTS)],
  [3, breakText],
  [2, fc.string({ unit: 'binary', maxLength: 40 })],
  [2, fc.string({ unit: 'grapheme', maxLength: 300 })],
)

const numbers = (number: fc.Arbitrary<number>) => fc.array(number, { minLength: 9, maxLength: 9 })
/** Few, so that what is written is also read. */
const common = pick(
  [1, 1, 1, 1, 1, 1, 1, 1, 1],
  [1, 1, 1, 1, 1, 1, 1, 1, 2],
  [1, 1, 1, 1, 1, 1, 1, 2, 1],
  [1, 1, 1, 2, 1, 1, 3, 1, 1],
  [2, 1, 1, 1, 1, 1, 1, 1, 1],
  [1, 5, 1, 1, 1, 4, 1, 1, 9],
)
const near = numbers(pick(1, 1, 1, 2, 3))
const far = numbers(fc.integer({ min: 1, max: 999 }))
const withZero = numbers(pick(0, 1, 1, 1, 2))

const format = (coordinate: readonly number[], macro = '/') => [0, 3, 6].map((arm) => coordinate.slice(arm, arm + 3).join('.')).join(macro)

/** What libphext reads as numbers of 0 to 999, however odd it looks. */
const oddCoordinate = pick(
  ...['', '5', '1.2', '.5.', '3.', '//..//', '1.1.1/1.1.1', '1.1.1/1.1.1/1.1.1.1.1', '1.1.1/1.1.1/1.1.1/1.1.7', '1.1.1/1.1.1/x9y9'],
  ...['-1.1.1/1.1.-2/1.1.1', '+2.+1.+1/1.1.1/1.1.1', ' 1.1.1/1.1.1/1.1.2 ', '1 2.1.1/1.1.1/1.1.1', '01.002.0003/1.1.1/1.1.1', '４.1.1/1.1.1/1.1.1'],
  ...['my-agent.1.1/user.preferences.theme/1.1.1', 'a.b.c/d.e.f/g.h.i', '4294967297.1.1/1.1.1/1.1.2', '4294967296.1.1/1.1.1/1.1.1'],
)
const coordinate = mix(
  [20, common.map((place) => format(place))],
  [6, near.map((place) => format(place))],
  [2, near.map((place) => format(place, ';'))],
  [2, far.map((place) => format(place))],
  [3, withZero.map((place) => format(place))],
  [3, oddCoordinate],
)

/** For commands that only read, also what the real one would need gigabytes to store. */
const tooFar = pick('1000.1.1/1.1.1/1.1.1', '1001.1.1/1.1.1/1.1.1', '1.1.1/1.1.1/1.1.99999999999999999999999', '70000.1.1/1.1.1/1.1.1', '65537.1.1/1.1.1/1.1.1')
const anyCoordinate = mix([9, coordinate], [1, tooFar])

const ODD_PHEXTS = [
  ...['', '.hidden', '%41', 'nul\u0000name', 'a..b', '..', 'a/b', 'a\\b', '/etc/x', 'tab\tname', 'new\nline'],
  // The longest name that a file can have, and a longer one.
  ...['a'.repeat(249), 'long'.repeat(70)],
]
const phext = mix([6, pick('notes', 'notes', 'b', 'Ünï cödé')], [1, pick(...ODD_PHEXTS)])

const ENCODINGS = ['component', 'component', 'component', 'component', 'component', 'component', 'plus', 'plus', 'all', 'all', 'little', 'broken'] as const

/** Values as browsers, scripts and mistakes encode them. */
const encoded = (value: fc.Arbitrary<string>): fc.Arbitrary<string> =>
  fc.tuple(value, pick(...ENCODINGS)).map(([plain, how]) => {
    const component = encodeURIComponent(plain.toWellFormed())
    if (how === 'plus') return component.replaceAll('%20', '+')
    if (how === 'all') return [...Buffer.from(plain)].map((byte) => `%${byte.toString(16).padStart(2, '0')}`).join('')
    if (how === 'little') return plain.replaceAll(/[\s&?\u0000]/g, '_')
    return how === 'broken' ? `${component.slice(0, 30)}%` : component
  })

const ODD_VALUES = ['%', '%4', '%zz', '%ff', '%C3', '%E2%28%A1', '%F0%9F%A6', '%00', '+', '%2B', 'a=b=c', '%ED%A0%80', '%f4%90%80%80', 'a%0Ab', '%c3%28', '#frag']
const oddParameter = fc.tuple(pick('s', 'p', 'x', 'content', '%73'), pick(...ODD_VALUES)).map(([name, value]) => `${name}=${value}`)
const parameter = (name: string, value: fc.Arbitrary<string>) => encoded(value).map((text) => `${name}=${text}`)

const limit = pick('0', '1', '2', '+5', '17', '', ' 3 ', 'x', '-1', '18446744073709551615', '18446744073709551616', '007', '3', '4')
const strictCoordinate = mix<number[]>([12, common], [6, near], [1, far]).map((place) => format(place))
const nearlyStrict = pick(
  ...['1.1.1/1.1.1/1.1.1.1', '1.1.1.1/1.1.1/1.1.1', '1.1.1/1.1.1/1.1.1/1', '1.1.1/1.1.1', '1.1/1.1.1/1.1.1', '1.1.1/1.1.1/1.1.', '1.1.1/1.1.1/1.1.0'],
  ...['+1.1.1/1.1.1/1.1.2', '1.1.1/1.1.1/1.1. 1', '18446744073709551615.1.1/1.1.1/1.1.1', '18446744073709551616.1.1/1.1.1/1.1.1'],
)
const queried = mix([8, strictCoordinate], [3, nearlyStrict], [1, anyCoordinate])

const RANGES = ['from=1.1.1/1.1.1/1.1.1&to=999.1.1/1.1.1/1.1.1', 'from=1.1.1/1.1.1/1.1.1&to=1.1.1%2F9.9.9/9.9.9', 'from=0.1.1/1.1.1/1.1.1&to=2.1.1/1.1.1/1.1.1']
const range = mix(
  [3, pick(...RANGES)],
  [2, fc.tuple(parameter('from', queried), parameter('to', queried)).map((both) => both.join('&'))],
  [1, pick('from=1.1.1/1.1.1/1.1.1', 'to=1.1.1/1.1.1/1.1.1', 'from=&to=+')],
)
const coordinateSet = fc
  .tuple(mix([9, fc.array(strictCoordinate, { minLength: 1, maxLength: 5 })], [1, fc.array(queried, { maxLength: 3 })]), pick(',', '\n', ', ', ',,', ';'))
  .map(([items, separator]) => items.join(separator))

/** Checksums of what is stored, and of what is not. */
const hash = mix([3, pick(...TEXTS).map(checksum)], [1, pick('', 'x', 'a: b')])
const deltaRow = fc.tuple(coordinate, pick(': ', ': ', ': ', ':', ' : '), hash).map((parts) => parts.join(''))
const deltaText = fc.tuple(fc.array(deltaRow, { maxLength: 6 }), pick('\n', '\r\n', '\n\n')).map(([rows, end]) => rows.join(end))

const parametersFor = (command: string): fc.Arbitrary<string[]> => {
  const writes = command === 'insert' || command === 'update'
  const queries = command === 'query'
  return fc
    .tuple(
      maybe(12, parameter('p', phext)),
      maybe(15, parameter('c', writes ? coordinate : anyCoordinate)),
      maybe(writes || command === 'delta' ? 3 : 20, parameter('s', command === 'delta' ? deltaText : text)),
      queries ? maybe(2, range) : never,
      queries ? rarely(1, parameter('set', coordinateSet)) : never,
      command === 'where' || queries ? rarely(1, parameter('limit', limit)) : never,
      command === 'where' ? maybe(3, pick('algo=checksum', 'algo=xor', 'algo=%63hecksum')) : never,
      rarely(12, oddParameter),
      rarely(30, pick('', 'p', '=', '=x', '&', '?p=b', 'p=notes&p=b')),
    )
    .map((all) => all.filter((part) => part !== undefined))
}

export interface Credentials {
  readonly right: readonly string[]
  readonly wrong: readonly string[]
}

const authorization = ({ right, wrong }: Credentials): fc.Arbitrary<string[]> =>
  fc
    .tuple(mix([14, pick(...right)], [1, pick(...wrong)]), pick(...right, ...wrong), fc.integer({ min: 0, max: 120 }))
    .map(([token, other, how]) => {
      if (how === 0) return []
      if (how === 1) return [`Authorization: ${other}`, `X-SQ-API-Key: ${token}`]
      if (how === 2) return [`X-SQ-API-Key: ${other}`, `authorization: bearer ${token}`]
      if (how === 3) return [`authorization:Bearer  \u00a0${token}\u0085`]
      if (how === 4) return [`Authorization : Bearer ${token}`]
      if (how === 5) return [`Authorization: Bearer${token}`]
      if (how === 6) return [`AUTHORIZATION:\t${token} :x`]
      if (how === 7) return [`X-SQ-API-\u212aey: ${token}`]
      if (how === 8) return [`X-SQ-API-Key: Bearer ${token}`]
      if (how === 9) return [`Authorization-Extra: ${other}`, `Authorization: ${token}`]
      if (how === 10) return ['Authorization', `Authorization: \ufeff${token}`]
      if (how === 11) return [`x: y\nAuthorization: ${token}`]
      if (how < 40) return [`X-SQ-API-Key: ${token}`]
      return [how < 60 ? `Authorization: ${token}` : `Authorization: Bearer ${token}`]
    })

const COMMANDS = [
  ...['select', 'select', 'insert', 'insert', 'insert', 'update', 'update', 'update', 'delete', 'delete', 'query', 'query'],
  ...['toc', 'get', 'status', 'checksum', 'delta', 'json-export', 'load', 'version', 'where'],
]
const TAKE_BODIES = ['insert', 'update', 'where', 'delta', 'query']
const METHODS = ['DELETE', 'PUT', 'HEAD', 'POST', 'POSTX', 'get', 'OPTIONS', 'GET ', '']

const ODD_TARGETS = [
  ...['/', '*', '/favicon.ico?x=1', '/favicon.ico', '/api/v2/select/favicon.ico?p=notes', '/api/v2/reload', '/api/v2/reload?p=..'],
  ...['/api/v2/', '/api/v2/nothing?p=b', '/api/v1/select?p=b', '//api/v2/select', '/api/v2/Select?p=b'],
  ...['/api/v2/shutdown', '/api/v2/save?p=b', '/api/v2/push?p=b', '/api/v2/help'],
]

const target = (command: string, method: string): fc.Arbitrary<string> =>
  fc.tuple(parametersFor(command), rarely(10, pick('/', 'X', '.json'))).map(([parameters, suffix = '']) => {
    const query = parameters.join('&')
    return `${method} /api/v2/${command}${suffix}${query === '' ? '' : `?${query}`}`
  })

const rightTarget = fc
  .tuple(pick(...COMMANDS), fc.boolean())
  .chain(([command, posts]) => target(command, command === 'where' || (posts && TAKE_BODIES.includes(command)) ? 'POST' : 'GET'))
const wrongMethod = fc.tuple(pick(...COMMANDS), pick(...METHODS)).chain(([command, method]) => target(command, method))
const line = mix([30, rightTarget], [2, wrongMethod], [1, fc.tuple(pick('GET', 'POST'), pick(...ODD_TARGETS)).map((parts) => parts.join(' '))])

const version = mix([25, fc.constant(' HTTP/1.1')], [1, pick(' HTTP/1.0', '', ' HTTP/1.1 ', ' HTTP/2')])

const body = (requestLine: string): fc.Arbitrary<Buffer> => {
  const own = requestLine.includes('/delta') ? deltaText : requestLine.includes('/query') ? coordinateSet : text
  const plain = mix([20, own], [3, text], [1, manyBreaks], [1, pick('big '.repeat(20_000), 'line\n'.repeat(3000))])
  return mix([15, plain.map((value) => Buffer.from(value))], [1, fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes))])
}

/** A body of the stated length, and, where no more than one of the real one's reads is at stake, all ways of stating it wrongly. */
function frame(head: string, content: Buffer, how: number): RawRequest {
  const length = (value: string | number, rest = '') => Buffer.concat([Buffer.from(`${head}Content-Length: ${value}\r\n${rest}\r\n`), content])
  const fitsOneRead = Buffer.byteLength(head) + content.length < 950
  if (!fitsOneRead || how > 12) return { bytes: how === 20 ? length(content.length, 'Content-Length: 3\r\n') : length(content.length) }
  const odd: readonly RawRequest[] = [
    { bytes: Buffer.concat([Buffer.from(`${head}\r\n`), content]) },
    { bytes: length(Math.floor(content.length / 2)) },
    { bytes: length(content.length + 5), halfClose: true },
    { bytes: length(`+${content.length}`) },
    { bytes: length(`\t ${content.length}  `) },
    { bytes: length('abc') },
    { bytes: length('-1') },
    { bytes: length(`${content.length}:7`) },
    { bytes: length('67108865') },
    { bytes: length('99999999999999999999999') },
    { bytes: Buffer.from(head), halfClose: true },
    { bytes: Buffer.from(`${head}\r\n`.replaceAll('\r\n', '\n')), halfClose: true },
    { bytes: Buffer.concat([Buffer.from(`${head}Transfer-Encoding: chunked\r\n\r\n5\r\n`), content, Buffer.from('\r\n0\r\n\r\n')]) },
  ]
  return odd[how]!
}

export function requestArbitrary(credentials: Credentials): fc.Arbitrary<RawRequest> {
  return line.chain((requestLine) => {
    const content = requestLine.startsWith('POST') ? body(requestLine) : mix([20, fc.constant(Buffer.alloc(0))], [1, body(requestLine)])
    return fc.tuple(version, authorization(credentials), content, fc.integer({ min: 0, max: 150 })).map(([ending, headers, bytes, how]): RawRequest => {
      const head = `${requestLine}${ending}\r\nHost: x\r\n${headers.map((header) => `${header}\r\n`).join('')}`
      return bytes.length === 0 && how > 12 ? { bytes: Buffer.from(`${head}\r\n`) } : frame(head, bytes, how)
    })
  })
}
