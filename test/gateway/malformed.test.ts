/** Generated requests that are wrong in framing, lines and headers: each is answered or cut, none brings another request to the instance. */
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { makeKey, routeFor, sqLike, startFixture, startUpstream } from './gateway-fixture.ts'
import { say } from './raw-http.ts'

const RUNS = 1_500
const STOLEN = 'p=stolen'

const pick = <T>(...values: readonly T[]): fc.Arbitrary<T> => fc.constantFrom(...values)
const end = pick('\r\n', '\r\n', '\r\n', '\r\n', '\n', '\r', '\r\n\r\n', '\n\r', ' \r\n', '\0\r\n')
const line = fc
  .tuple(pick('GET', 'POST', 'HEAD', 'get', 'G\0T', 'CONNECT', 'PRI', 'TRACE', ''), pick(' ', ' ', ' ', '  ', '\t', ''), pick('/api/v2/select?p=a', '/api/v2/insert?p=a', '*', 'a:1', '//', 'http://a', '/api/v2/select?p=\u0001', '/%00', '/' + 'a'.repeat(9_000)), pick(' ', ' ', '\t', ''), pick('HTTP/1.1', 'HTTP/1.1', 'HTTP/1.0', 'HTTP/2.0', 'HTTP/0.9', 'http/1.1', 'HTTP/1.1\0', ''))
  .map((parts) => parts.join(''))
/** BODY and INNER are filled in with lengths. */
const framing = pick(
  ...['Content-Length: BODY', 'Content-Length: 0', 'Content-Length: INNER', 'Content-Length: -1', 'Content-Length: +5', 'Content-Length: 5, 5', 'Content-Length: 0x10', 'Content-Length: 1e1', 'Content-Length:', 'Content-Length : 5', ' Content-Length: 5', 'Content-Length: 99999999999999999999', 'Content_Length: 5'],
  ...['Transfer-Encoding: chunked', 'Transfer-Encoding: Chunked', 'Transfer-Encoding: chunked, chunked', 'Transfer-Encoding: gzip, chunked', 'Transfer-Encoding: identity', 'Transfer-Encoding : chunked', 'Transfer-Encoding:\u000bchunked', 'Transfer-Encoding: "chunked"', 'Transfer-Encoding: xchunked', 'Transfer-Encoding\0: chunked', 'Transfer-Encoding: chunked\0'],
)
const header = pick('X: y', 'X', ': y', 'X\0: y', 'X: \0', 'Expect: 100-continue', 'Expect: nothing', 'Upgrade: h2c', 'Connection: close', 'Connection: keep-alive, Content-Length', 'Host: b', 'Cookie: ' + 'c'.repeat(70_000), ' folded: line', 'Ünï: cödé')
const content = pick('', 'hello', '5\r\nhello\r\n0\r\n\r\n', '5\r\nhel', '0\r\n\r\n', '5;x=y\r\nhello\r\n0\r\nTrailer: x\r\n\r\n', 'ffffffffffffffffff\r\n', '-5\r\nhello\r\n', '5\nhello\n0\n\n', '0x5\r\nhello\r\n0\r\n\r\n', '5 \r\nhello\r\n0\r\n\r\n')

const request = fc.tuple(line, end, fc.array(fc.tuple(fc.oneof(framing, framing, header), end), { maxLength: 4 }), fc.boolean(), pick('\r\n', '\r\n', '\r\n', '\n', '\r', ''), content)

it('answers or cuts every malformed request, and passes on nothing that hides behind one', { timeout: 120_000 }, async () => {
  const key = makeKey()
  const upstream = await startUpstream(sqLike('ok'))
  const { gateway, log } = await startFixture([routeFor('user001', key, { upstream: { host: '127.0.0.1', port: upstream.port } })], { headersTimeoutMs: 2_000, requestTimeoutMs: 2_000 })
  const inner = `GET /api/v2/delete?${STOLEN} HTTP/1.1\r\nHost: a\r\n\r\n`
  const good = `GET /api/v2/select?p=good HTTP/1.1\r\nHost: a\r\nX-API-Key: ${key}\r\n\r\n`
  const samples = fc.sample(request, { numRuns: RUNS, seed: 11 })

  async function attempt([first, ending, headers, keyed, blank, body]: (typeof samples)[number]): Promise<void> {
    const fields = headers.map(([text, after]) => text.replace('BODY', String(body.length)).replace('INNER', String(body.length + inner.length)) + after).join('')
    // Without a key of its own the hidden request can only pass as part of the outer one.
    const bytes = Buffer.from(`${first}${ending}Host: a\r\n${keyed ? `X-API-Key: ${key}\r\n` : ''}${fields}${blank}${body}${inner}`, 'latin1')
    const { answers, rest } = await say(gateway.port, { bytes, halfClose: true, head: first.startsWith('HEAD'), limitMs: 30_000 })
    const shown = JSON.stringify(bytes.toString('latin1').slice(0, 400))
    if (!first.startsWith('HEAD')) expect(rest.toString('latin1'), shown).toBe('')
    for (const { status } of answers) expect([200, 204, 400, 401, 404, 405, 408, 413, 417, 429, 431, 501, 503], shown).toContain(status)
  }

  for (let at = 0; at < samples.length; at += 50) {
    await Promise.all(samples.slice(at, at + 50).map(attempt))
    expect((await say(gateway.port, { bytes: good, answers: 1 })).answers[0]!.status).toBe(200)
  }
  const lines = upstream.requests.map((text) => text.slice(0, text.indexOf('\r\n')))
  expect(lines.filter((each) => each.includes(STOLEN))).toEqual([])
  for (const text of upstream.requests) expect(text.match(/^Authorization: Bearer /gm)).toHaveLength(1)
  expect(log.filter((each) => each.startsWith('error'))).toEqual([])
})
