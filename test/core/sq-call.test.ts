import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isForbiddenPhext, isStorablePhext, readSqCall } from '../../controller/core/sq-call.ts'
import { decodeUrl } from '../../controller/sq/bundled/rust-text.ts'

describe('a call to SQ', () => {
  it('is known by the beginning of its path, as SQ knows it', () => {
    expect(readSqCall('GET', '/api/v2/update?p=a&c=1.1.1/1.1.1/1.1.1&s=x')).toEqual({ command: 'update', phext: 'a', coordinate: '1.1.1/1.1.1/1.1.1', text: 'x' })
    expect(readSqCall('POST', '/api/v2/updateanything/at/all?p=a')).toMatchObject({ command: 'update', phext: 'a', coordinate: undefined })
    expect(readSqCall('GET', '/api/v2/insert')).toEqual({ command: 'insert', phext: '', coordinate: undefined, text: '' })
    expect(readSqCall('HEAD', '/api/v2/select?p=a')).toMatchObject({ command: 'select' })
    for (const [method, target] of [['POST', '/api/v2/select'], ['GET', '/api/v2/where'], ['DELETE', '/api/v2/select'], ['PUT', '/api/v2/delete'], ['DELETE', '/api/v2/deleted'], ['GET', '/api/v2/%69nsert?s=x'], ['GET', '/api/v2/Insert?s=x'], ['GET', '/x?/api/v2/insert']] as const) {
      expect(readSqCall(method, target)).toBeUndefined()
    }
  })

  it('deletes by DELETE and POST as well, as clients in the field do', () => {
    for (const method of ['GET', 'DELETE', 'POST']) expect(readSqCall(method, '/api/v2/delete?p=a&c=b')).toMatchObject({ command: 'delete', phext: 'a', coordinate: 'b' })
  })

  it('has the last of equal parameters, escaped names as well, and `content` as text of a POST alone', () => {
    expect(readSqCall('GET', '/api/v2/update?c=1&%63=2')).toMatchObject({ coordinate: '2' })
    expect(readSqCall('GET', '/api/v2/update?p=a?b&s=1=2&x')).toMatchObject({ phext: 'a?b', text: '1=2' })
    expect(readSqCall('POST', '/api/v2/update?s=a&content=b')).toMatchObject({ text: 'b' })
    expect(readSqCall('GET', '/api/v2/update?s=a&content=b')).toMatchObject({ text: 'a' })
    expect(readSqCall('GET', '/api/v2/update?p=a#b')).toMatchObject({ phext: 'a#b' })
  })

  it('has its parameters decoded as SQ decodes them', () => {
    const piece = fc.oneof(fc.constantFrom('%', '+', '%zz', '%4', '%41', '%c3%a9', '%ff', '%C3', '%EF%BB%BF', '%25'), fc.string({ maxLength: 3 }).map((text) => encodeURIComponent(text.toWellFormed())), fc.constantFrom('é', 'ÿ', '\u00c3\u00a9'))
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 8 }), (pieces) => {
        const raw = pieces.join('')
        const head = Buffer.from(raw, 'latin1').toString('utf8')
        expect(readSqCall('GET', `/api/v2/select?p=${raw}`)!.phext).toBe(decodeUrl(head))
      }),
      { numRuns: 500 },
    )
  })

  it('has a phext\'s name that SQ refuses, or that can be a file', () => {
    for (const name of ['../x', 'a/b', 'a\\b', 'a..b']) expect(isForbiddenPhext(name)).toBe(true)
    expect([isStorablePhext(''), isStorablePhext('é'.repeat(100)), isStorablePhext('é'.repeat(101)), isStorablePhext('a\0')]).toEqual([true, true, false, false])
  })
})
