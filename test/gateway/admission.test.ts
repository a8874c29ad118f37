/** Whose turn it is at an instance that several tenants share, with a clock that the test turns. */
import fc from 'fast-check'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { createAdmission, type Places, type Ticket } from '../../controller/gateway/admission.ts'
import { createTarpit } from '../../controller/gateway/tarpit.ts'

const UPSTREAM = { host: '127.0.0.1', port: 1 }

function setUp(places: Partial<Places> = {}) {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] })
  const admission = createAdmission({ connections: 100, connectionsPerTenant: 16, prompt: 4, queue: 1_000, queuePerTenant: 500, ...places }, () => performance.now())
  onTestFinished(() => {
    admission.close()
    vi.useRealTimers()
  })
  const started: string[] = []
  const tickets: (Ticket | undefined)[] = []
  const enter = (tenant: string, name = tenant, sq = true) => {
    const ticket = admission.enter({ upstream: UPSTREAM, tenant, sq }, () => started.push(name))
    tickets.push(ticket)
    return ticket
  }
  return { admission, started, tickets, enter }
}

describe('places at a shared SQ', () => {
  it('are never all one tenant\'s, so that another starts at once', () => {
    const { started, enter } = setUp()
    for (let at = 0; at < 500; at++) enter('flood')
    expect(started).toEqual(['flood', 'flood', 'flood'])
    enter('neighbour')
    expect(started.at(-1)).toBe('neighbour')
  })

  it('go to one tenant after another, whoever has more waiting', () => {
    const { started, tickets, enter } = setUp()
    for (let at = 0; at < 100; at++) enter('flood')
    for (let at = 0; at < 4; at++) enter('a', `a${at}`)
    for (let at = 0; at < 4; at++) enter('b', `b${at}`)
    for (let at = 0; at < 3; at++) tickets[at]!.leave()
    tickets[100]!.leave()
    expect(started.slice(4)).toEqual(['flood', 'a1', 'b0', 'flood'])
  })

  it('that are held long are given to others, within what one tenant may have at all', async () => {
    const { admission, started, enter } = setUp({ connectionsPerTenant: 5 })
    for (let at = 0; at < 20; at++) enter('slow')
    expect(started).toHaveLength(3)
    await vi.advanceTimersByTimeAsync(1_500)
    expect(started).toHaveLength(5)
    await vi.advanceTimersByTimeAsync(10_000)
    expect(started).toHaveLength(5)
    enter('neighbour')
    expect(started.at(-1)).toBe('neighbour')
    expect([admission.active, admission.waiting]).toEqual([6, 15])
  })

  it('are waited for by a bounded number of each tenant and of all', () => {
    const { tickets, enter, admission } = setUp({ queue: 30, queuePerTenant: 10 })
    for (const tenant of ['a', 'b', 'c', 'd', 'e']) for (let at = 0; at < 20; at++) enter(tenant)
    expect(admission.waiting).toBe(30)
    expect(tickets.slice(0, 20).filter((ticket) => ticket !== undefined)).toHaveLength(3 + 10)
    for (const ticket of tickets) ticket?.leave()
    expect([admission.waiting, admission.active]).toEqual([0, 0])
  })

  it('are as many as connections where the instance is one tenant\'s container', () => {
    const { started, enter } = setUp({ connections: 50 })
    for (let at = 0; at < 60; at++) enter('a', 'a', false)
    expect(started).toHaveLength(50)
  })

  it('come to everybody who waits, whatever the order of coming and going', () => {
    const step = fc.oneof(fc.record({ enter: fc.constantFrom('a', 'b', 'c') }), fc.record({ leave: fc.nat(50) }))
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        const { admission, started, tickets, enter } = setUp({ queue: 20, queuePerTenant: 10 })
        for (const each of steps) {
          if ('enter' in each) enter(each.enter, String(tickets.length))
          else tickets[each.leave]?.leave()
          expect(admission.active).toBeLessThanOrEqual(4)
          expect(admission.waiting).toBeLessThanOrEqual(20)
        }
        for (let round = 0; admission.active + admission.waiting > 0 && round < 100; round++) for (const name of [...started]) tickets[Number(name)]?.leave()
        expect([admission.active, admission.waiting]).toEqual([0, 0])
        expect(new Set(started).size).toBe(started.length)
      }),
    )
  })
})

describe('refusals of one that floods', () => {
  it('are answered at once at first, then held, never for more than two seconds; those of others are not held', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] })
    const tarpit = createTarpit(() => performance.now())
    onTestFinished(() => {
      tarpit.release()
      vi.useRealTimers()
    })
    let answered = 0
    const response = { on: () => undefined } as never
    for (let at = 0; at < 500; at++) tarpit.hold('flood', response, () => answered++)
    expect(answered).toBe(50)
    let other = 0
    tarpit.hold('other', response, () => other++)
    expect(other).toBe(1)
    await vi.advanceTimersByTimeAsync(1_000)
    expect(answered).toBeGreaterThan(90)
    expect(answered).toBeLessThan(110)
    await vi.advanceTimersByTimeAsync(1_100)
    expect(answered).toBe(500)
  })
})
