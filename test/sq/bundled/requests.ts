/** Generated requests for SQ: mostly right ones on few places, so that they meet, and every oddity that is cheap for the real program. */
import fc from 'fast-check'
import { checksum } from '../../../controller/sq/bundled/xxh3.ts'
import type { RawRequest } from './programs.ts'

const TEXTS = ['', 'a', 'hello', 'two\nlines', 'cr\r\nlf\r', 'ünïcödé', '日本語 🦆', '"quoted" \\ back', 'x'.repeat(17), 'y'.repeat(200), 'z'.repeat(700), '\ufeffbom', '\u0000\u0007\u001b']

const breakText = fc
  .array(fc.constantFrom('\x01', '\x17', '\x17', '\x18', '\x19', '\x1a', '\x1b', '\x1c', '\x1d', '\x1e', '\x1f', 'a', 'text', '\n'), { maxLength: 12 })
  .map((parts) => parts.join(''))

const manyBreaks = fc.tuple(fc.constantFrom('\x17', '\x18', '\x01'), fc.integer({ min: 990, max: 1100 })).map(([mark, count]) => `b${mark.repeat(count)}e`)

const text = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom(...TEXTS) },
  { weight: 3, arbitrary: breakText },
  { weight: 2, arbitrary: fc.string({ unit: 'binary', maxLength: 40 }) },
  { weight: 2, arbitrary: fc.string({ unit: 'grapheme', maxLength: 300 }) },
)

/** Few, so that what is written is also read. */
const common = fc.constantFrom([1, 1, 1, 1, 1, 1, 1, 1, 1], [1, 1, 1, 1, 1, 1, 1, 1, 2], [1, 1, 1, 1, 1, 1, 1, 2, 1], [1, 1, 1, 2, 1, 1, 3, 1, 1], [2, 1, 1, 1, 1, 1, 1, 1, 1], [1, 5, 1, 1, 1, 4, 1, 1, 9])
const near = fc.array(fc.constantFrom(1, 1, 1, 2, 3), { minLength: 9, maxLength: 9 })
const far = fc.array(fc.integer({ min: 1, max: 999 }), { minLength: 9, maxLength: 9 })
const withZero = fc.array(fc.constantFrom(0, 1, 1, 1, 2), { minLength: 9, maxLength: 9 })

const format = (numbers: readonly number[], macro: string) => [0, 3, 6].map((arm) => numbers.slice(arm, arm + 3).join('.')).join(macro)

/** What libphext reads as numbers of 0 to 999, however odd it looks. */
const coordinate = fc.oneof(
  { weight: 20, arbitrary: common.map((numbers) => format(numbers, '/')) },
  { weight: 6, arbitrary: near.map((numbers) => format(numbers, '/')) },
  { weight: 2, arbitrary: near.map((numbers) => format(numbers, ';')) },
  { weight: 2, arbitrary: far.map((numbers) => format(numbers, '/')) },
  { weight: 3, arbitrary: withZero.map((numbers) => format(numbers, '/')) },
  {
    weight: 3,
    arbitrary: fc.constantFrom(
      '', '5', '1.2', '-1.1.1/1.1.-2/1.1.1', 'my-agent.1.1/user.preferences.theme/1.1.1', 'a.b.c/d.e.f/g.h.i', '1.1.1/1.1.1/1.1.1/1.1.7', '//..//', '.5.', '3.',
      '01.002.0003/1.1.1/1.1.1', '+2.+1.+1/1.1.1/1.1.1', ' 1.1.1/1.1.1/1.1.2 ', '1.1.1/1.1.1', '1.1.1/1.1.1/1.1.1.1.1', '４.1.1/1.1.1/1.1.1',
      '4294967297.1.1/1.1.1/1.1.2', '4294967296.1.1/1.1.1/1.1.1', '1 2.1.1/1.1.1/1.1.1', '1.1.1/1.1.1/x9y9',
    ), // prettier-ignore
  },
)

/** For commands that only read, also what the real one would need gigabytes to store. */
const anyCoordinate = fc.oneof(
  { weight: 9, arbitrary: coordinate },
  { weight: 1, arbitrary: fc.constantFrom('1000.1.1/1.1.1/1.1.1', '1001.1.1/1.1.1/1.1.1', '1.1.1/1.1.1/1.1.99999999999999999999999', '70000.1.1/1.1.1/1.1.1', '65537.1.1/1.1.1/1.1.1') },
)

const ODD_PHEXTS = ['', '.hidden', '%41', 'long'.repeat(70), 'nul\u0000name', 'a'.repeat(249), 'a..b', '..', 'a/b', 'a\\b', '/etc/x', 'tab\tname', 'new\nline']
const phext = fc.oneof({ weight: 6, arbitrary: fc.constantFrom('notes', 'notes', 'b', 'Ünï cödé') }, { weight: 1, arbitrary: fc.constantFrom(...ODD_PHEXTS) })


/** Values as browsers, scripts and mistakes encode them. */
const encoded = (value: fc.Arbitrary<string>): fc.Arbitrary<string> =>
  fc.tuple(value, fc.constantFrom('component', 'component', 'component', 'component', 'component', 'component', 'plus', 'plus', 'all', 'all', 'little', 'broken')).map(([plain, how]) => {
    const component = encodeURIComponent(plain.toWellFormed())
    if (how === 'plus') return component.replaceAll('%20', '+')
    if (how === 'all') return [...Buffer.from(plain)].map((byte) => `%${byte.toString(16).padStart(2, '0')}`).join('')
    if (how === 'little') return plain.replaceAll(/[\s&?\u0000]/g, '_')
    return how === 'broken' ? `${component.slice(0, 30)}%` : component
  })

const oddValue = fc.constantFrom('%', '%4', '%zz', '%ff', '%C3', '%E2%28%A1', '%F0%9F%A6', '%00', '+', '%2B', 'a=b=c', '%ED%A0%80', '%f4%90%80%80', 'a%0Ab', '%c3%28', '#frag')

const parameter = (name: string, value: fc.Arbitrary<string>) => encoded(value).map((text) => `${name}=${text}`)
const maybe = <T>(weight: number, arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> => fc.option(arbitrary, { freq: weight, nil: undefined })

const limits = fc.constantFrom('0', '1', '2', '+5', '17', '', ' 3 ', 'x', '-1', '18446744073709551615', '18446744073709551616', '007')
const strictCoordinate = fc.oneof({ weight: 12, arbitrary: common }, { weight: 6, arbitrary: near }, { weight: 1, arbitrary: far }).map((numbers) => format(numbers, '/'))
const queried = fc.oneof({ weight: 12, arbitrary: strictCoordinate }, { weight: 1, arbitrary: anyCoordinate })
const range = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom(['from=1.1.1/1.1.1/1.1.1', 'to=999.1.1/1.1.1/1.1.1'], ['from=1.1.1/1.1.1/1.1.1', 'to=1.1.1%2F9.9.9/9.9.9'], ['from=0.1.1/1.1.1/1.1.1', 'to=2.1.1/1.1.1/1.1.1']) },
  { weight: 2, arbitrary: fc.tuple(parameter('from', queried), parameter('to', queried)) },
  { weight: 1, arbitrary: fc.constantFrom(['from=1.1.1/1.1.1/1.1.1'], ['to=1.1.1/1.1.1/1.1.1'], ['from=', 'to=+']) },
)
const coordinateSet = fc.tuple(fc.oneof({ weight: 9, arbitrary: fc.array(strictCoordinate, { maxLength: 5 }) }, { weight: 1, arbitrary: fc.array(queried, { maxLength: 3 }) }), fc.constantFrom(',', '\n', ', ', ',,', ';')).map(([items, separator]) => items.join(separator))

const deltaText = fc
  .array(
    fc.tuple(coordinate, fc.oneof(fc.constantFrom(...TEXTS).map(checksum), fc.constantFrom('', 'x', 'a: b')), fc.constantFrom(': ', ': ', ': ', ':', ' : ')).map((parts) => `${parts[0]}${parts[2]}${parts[1]}`),
    { maxLength: 6 },
  )
  .chain((rows) => fc.constantFrom('\n', '\r\n', '\n\n').map((end) => rows.join(end)))

const parametersFor = (command: string): fc.Arbitrary<string[]> => {
  const writes = command === 'insert' || command === 'update'
  const s = command === 'delta' ? deltaText : text
  return fc
    .tuple(
      maybe(12, parameter('p', phext)),
      maybe(15, parameter('c', writes ? coordinate : anyCoordinate)),
      maybe(writes || command === 'delta' ? 3 : 20, parameter('s', s)),
      command === 'query' ? maybe(1, range.map((parts) => parts.join('&'))) : fc.constant(undefined),
      command === 'query' ? maybe(1, parameter('set', coordinateSet)) : fc.constant(undefined),
      command === 'where' || command === 'query' ? maybe(3, parameter('limit', limits)) : fc.constant(undefined),
      command === 'where' ? maybe(3, fc.constantFrom('algo=checksum', 'algo=xor', 'algo=%63hecksum')) : fc.constant(undefined),
      fc.oneof({ weight: 12, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: fc.tuple(fc.constantFrom('s', 'p', 'x', 'content', '%73'), oddValue).map(([name, value]) => `${name}=${value}`) }),
      fc.oneof({ weight: 30, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: fc.constantFrom('', 'p', '=', '=x', '&', '?p=b', 'p=notes&p=b') }),
    )
    .map((all) => all.filter((part) => part !== undefined))
}

export interface Credentials {
  readonly right: readonly string[]
  readonly wrong: readonly string[]
}

const authorization = ({ right, wrong }: Credentials): fc.Arbitrary<string[]> =>
  fc
    .tuple(fc.oneof({ weight: 14, arbitrary: fc.constantFrom(...right) }, { weight: 1, arbitrary: fc.constantFrom(...wrong) }), fc.constantFrom(...right, ...wrong), fc.integer({ min: 0, max: 120 }))
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

const COMMANDS = ['select', 'select', 'insert', 'insert', 'insert', 'update', 'update', 'update', 'delete', 'delete', 'toc', 'get', 'status', 'checksum', 'delta', 'json-export', 'load', 'version', 'where', 'query', 'query'] as const
const TAKE_BODIES = new Set(['insert', 'update', 'where', 'delta', 'query'])

const ODD_TARGETS = ['/', '/api/v2/', '/api/v2/nothing?p=b', '/favicon.ico?x=1', '/favicon.ico', '/api/v2/select/favicon.ico?p=notes', '/api/v1/select?p=b', '//api/v2/select', '/api/v2/Select?p=b', '*', '/api/v2/shutdown', '/api/v2/save?p=b', '/api/v2/push?p=b', '/api/v2/help']

const target = (command: string, method: string): fc.Arbitrary<string> =>
  fc.tuple(parametersFor(command), fc.constantFrom('', '', '', '', '', '', '', '', '', '/', 'X', '.json')).map(([parameters, suffix]) => {
    const query = parameters.join('&')
    return `${method} /api/v2/${command}${suffix}${query === '' ? '' : `?${query}`}`
  })

const line = fc.oneof(
  { weight: 30, arbitrary: fc.constantFrom(...COMMANDS).chain((command) => fc.tuple(fc.constant(command as string), fc.boolean()).chain(([name, posts]) => target(name, name === 'where' || (posts && TAKE_BODIES.has(name)) ? 'POST' : 'GET'))) },
  { weight: 2, arbitrary: fc.tuple(fc.constantFrom(...COMMANDS), fc.constantFrom('DELETE', 'PUT', 'HEAD', 'POST', 'POSTX', 'get', 'OPTIONS', 'GET ', '')).chain(([command, method]) => target(command, method)) },
  { weight: 1, arbitrary: fc.tuple(fc.constantFrom('GET', 'POST'), fc.constantFrom(...ODD_TARGETS)).map((parts) => parts.join(' ')) },
)

const version = fc.constantFrom(...new Array<string>(25).fill(' HTTP/1.1'), ' HTTP/1.0', '', ' HTTP/1.1 ', ' HTTP/2')

const body = (requestLine: string): fc.Arbitrary<Buffer> => {
  const own = requestLine.includes('/delta') ? deltaText : requestLine.includes('/query') ? coordinateSet : text
  const plain = fc.oneof({ weight: 20, arbitrary: own }, { weight: 3, arbitrary: text }, { weight: 1, arbitrary: manyBreaks }, { weight: 1, arbitrary: fc.constantFrom('big '.repeat(20_000), 'line\n'.repeat(3000)) })
  return fc.oneof({ weight: 15, arbitrary: plain.map((value) => Buffer.from(value)) }, { weight: 1, arbitrary: fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes)) })
}

/** A body of the stated length, and, where no more than one of the real one's reads is at stake, all ways of stating it wrongly. */
function frame(head: string, content: Buffer, how: number): RawRequest {
  const length = (value: string | number, rest = '') => Buffer.concat([Buffer.from(`${head}Content-Length: ${value}\r\n${rest}\r\n`), content])
  if (content.length > 300 || how > 12) return { bytes: how === 20 ? length(content.length, 'Content-Length: 3\r\n') : length(content.length) }
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
  return line.chain((requestLine) =>
    fc
      .tuple(version, authorization(credentials), requestLine.startsWith('POST') ? body(requestLine) : fc.oneof({ weight: 20, arbitrary: fc.constant(Buffer.alloc(0)) }, { weight: 1, arbitrary: body(requestLine) }), fc.integer({ min: 0, max: 150 }))
      .map(([ending, headers, content, how]): RawRequest => {
        const head = `${requestLine}${ending}\r\nHost: x\r\n${headers.map((header) => `${header}\r\n`).join('')}`
        if (content.length === 0 && how > 12) return { bytes: Buffer.from(`${head}\r\n`) }
        return frame(head, content, how)
      }),
  )
}
