/** How much of one tenant's work is begun before a worker looks at what others sent, with turns that the test takes. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createTurns } from '../../controller/gateway/turns.ts'
import { makeKey, routeFor, sqLike, startFixture, startUpstream } from './gateway-fixture.ts'
import { say } from './raw-http.ts'

function setUp({ perTurn = 3, longestLine = 1_000 } = {}) {
  const begun: string[] = []
  const planned: (() => void)[] = []
  const turns = createTurns({ perTurn, longestLine, nextTurn: (then) => void planned.push(then) })
  const take = (whom: string, name = whom): boolean => turns.take(whom, () => begun.push(name))
  /** Answers whether there was one to take. */
  const nextTurn = (): boolean => {
    const then = planned.shift()
    then?.()
    return then !== undefined
  }
  return { begun, planned, take, nextTurn }
}

describe('in one turn', () => {
  it('a few of a tenant\'s requests are begun, and those of another at once beside them', () => {
    const { begun, take } = setUp()
    for (let n = 0; n < 500; n++) take('flood')
    take('neighbour')
    expect(begun).toEqual(['flood', 'flood', 'flood', 'neighbour'])
  })

  it('as many are begun of all who wait as of one, each in his turn', () => {
    const { begun, take, nextTurn } = setUp()
    for (let n = 0; n < 10; n++) take('a')
    for (let n = 0; n < 5; n++) take('b')
    begun.length = 0
    nextTurn()
    expect(begun).toEqual(['a', 'b', 'a'])
    nextTurn()
    expect(begun).toEqual(['a', 'b', 'a', 'b', 'a', 'a'])
  })

  it('whoever waits is not overtaken by what the same tenant asks later', () => {
    const { begun, take, nextTurn } = setUp({ perTurn: 1 })
    for (const name of ['1', '2', '3']) take('a', name)
    nextTurn()
    take('a', '4')
    while (nextTurn());
    expect(begun).toEqual(['1', '2', '3', '4'])
  })

  it('a line that is full takes nobody more, and others still find room', () => {
    const { take } = setUp({ longestLine: 2 })
    expect([1, 2, 3, 4, 5, 6].map(() => take('flood'))).toEqual([true, true, true, true, true, false])
    expect(take('neighbour')).toBe(true)
  })
})

it('everything that is taken is begun once, a tenant\'s own in order, never more in a turn than there is room for, and then no turn is planned', () => {
  const step = fc.oneof(fc.constantFrom('a', 'b', 'c'), fc.constant(undefined))
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), fc.integer({ min: 1, max: 5 }), (steps, perTurn) => {
      const { begun, planned, take, nextTurn } = setUp({ perTurn })
      const taken: string[] = []
      for (const whom of steps) {
        const before = begun.length
        if (whom === undefined) nextTurn()
        else if (take(whom, `${whom}${taken.length}`)) taken.push(`${whom}${taken.length}`)
        expect(begun.length - before).toBeLessThanOrEqual(perTurn)
      }
      while (nextTurn());
      for (const whom of ['a', 'b', 'c']) expect(begun.filter((name) => name.startsWith(whom))).toEqual(taken.filter((name) => name.startsWith(whom)))
      expect(begun).toHaveLength(taken.length)
      expect(planned).toEqual([])
    }),
  )
})

it('a client that sends more at once than may wait is told so for the rest, and all of it is answered in order', async () => {
  const key = makeKey()
  const upstream = await startUpstream(sqLike('ok'))
  const { gateway } = await startFixture([routeFor('user001', key, { upstream: { host: '127.0.0.1', port: upstream.port } })], { requestsPerTurn: 2, queuePerTenant: 3 })
  const get = `GET /api/v2/select HTTP/1.1\r\nHost: a\r\nX-API-Key: ${key}\r\n\r\n`
  const { answers } = await say(gateway.port, { bytes: get.repeat(7), answers: 7 })
  expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200, 503, 503])
})
