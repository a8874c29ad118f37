import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createKeyedQueue, type KeyedQueue, type Lane } from '../../controller/reconcile/queue.ts'
import { waitFor } from '../support/wait.ts'

interface Harness {
  readonly queue: KeyedQueue<string>
  /** Keys in the order in which they began. */
  readonly began: string[]
  readonly running: () => string[]
  /** Lets the key's present run end. */
  end(key: string): Promise<void>
}

function harness(concurrency: number): Harness {
  const began: string[] = []
  const open = new Map<string, () => void>()
  const queue = createKeyedQueue<string>({
    concurrency,
    run: (key) =>
      new Promise((resolve) => {
        if (open.has(key)) throw new Error(`${key} runs twice at once`)
        began.push(key)
        open.set(key, resolve)
      }),
  })
  return {
    queue,
    began,
    running: () => [...open.keys()],
    async end(key) {
      const resolve = open.get(key)
      open.delete(key)
      resolve?.()
      await new Promise((done) => setImmediate(done))
    },
  }
}

describe('the keyed queue', () => {
  test('runs several keys side by side, up to its limit', async () => {
    const { queue, running, end } = harness(2)
    for (const key of ['a', 'b', 'c']) queue.add(key, 'start')
    expect(running()).toEqual(['a', 'b'])
    await end('a')
    expect(running()).toEqual(['b', 'c'])
    expect(queue.depth).toBe(2)
  })

  test('runs a key once however often it is added before its run', async () => {
    const { queue, began, end } = harness(1)
    queue.add('a', 'start')
    for (let n = 0; n < 5; n++) queue.add('b', 'start')
    expect(queue.depth).toBe(2)
    await end('a')
    await end('b')
    expect(began).toEqual(['a', 'b'])
  })

  test('runs a key once more when it is added during its run, and never twice at once', async () => {
    const { queue, began, running, end } = harness(4)
    queue.add('a', 'start')
    queue.add('a', 'start')
    queue.add('a', 'start')
    expect(running()).toEqual(['a'])
    await end('a')
    expect(running()).toEqual(['a'])
    await end('a')
    expect(began).toEqual(['a', 'a'])
    expect(queue.depth).toBe(0)
  })

  test('stops run before starts, also where a key that waits to start is to stop now', async () => {
    const { queue, began, end } = harness(1)
    queue.add('busy', 'start')
    for (const key of ['a', 'b', 'c']) queue.add(key, 'start')
    queue.add('d', 'stop')
    queue.add('c', 'stop')
    queue.add('d', 'start')
    for (const key of ['busy', 'd', 'c', 'a', 'b']) await end(key)
    expect(began).toEqual(['busy', 'd', 'c', 'a', 'b'])
  })

  test('adds a key after a while; the last time that was given counts', async () => {
    const { queue, began, end } = harness(1)
    queue.addAfter('a', 'start', 1)
    queue.addAfter('a', 'start', 60_000)
    queue.addAfter('b', 'start', 60_000)
    queue.addAfter('b', 'start', 1)
    expect(queue.depth).toBe(0)
    await waitFor(() => began.length > 0, 'b begins')
    expect(began).toEqual(['b'])
    const closing = queue.close()
    await end('b')
    await closing
  })

  test('forgets a later time when the key is added now, and gives none to a key that waits already', async () => {
    const { queue, began, end } = harness(1)
    queue.addAfter('a', 'start', 20)
    queue.add('a', 'start')
    queue.add('a', 'start')
    queue.addAfter('a', 'start', 20)
    await end('a')
    await end('a')
    queue.addAfter('later', 'start', 60)
    await waitFor(() => began.includes('later'), 'the longer time is over')
    expect(began).toEqual(['a', 'a', 'later'])
  })

  test('resolves idle when nothing waits or runs', async () => {
    const { queue, end } = harness(1)
    await queue.idle()
    queue.add('a', 'start')
    let idle = false
    const waiting = queue.idle().then(() => (idle = true))
    queue.add('b', 'start')
    await end('a')
    expect(idle).toBe(false)
    await end('b')
    await waiting
  })

  test('close takes no more work, drops what waits and lets what runs end', async () => {
    const { queue, began, end } = harness(1)
    queue.add('a', 'start')
    queue.add('b', 'start')
    queue.addAfter('c', 'start', 1)
    let closed = false
    const closing = queue.close().then(() => (closed = true))
    queue.add('d', 'stop')
    queue.addAfter('e', 'stop', 1)
    await new Promise((resolve) => setImmediate(resolve))
    expect(closed).toBe(false)
    await end('a')
    await closing
    expect(began).toEqual(['a'])
    expect(queue.depth).toBe(0)
  })

  type Step = { readonly kind: 'add'; readonly key: string; readonly lane: Lane } | { readonly kind: 'end'; readonly nth: number }
  const steps = fc.array(
    fc.oneof(
      fc.record({ kind: fc.constant('add' as const), key: fc.constantFrom('a', 'b', 'c', 'd', 'e'), lane: fc.constantFrom<Lane>('stop', 'start') }),
      fc.record({ kind: fc.constant('end' as const), nth: fc.nat(3) }),
    ),
    { maxLength: 40 },
  )

  test('in any schedule: never twice at once, never above the limit, a run begins after every add, and close drains', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 3 }), steps, fc.boolean(), async (concurrency, schedule: readonly Step[], closeEarly) => {
        const { queue, began, running, end } = harness(concurrency)
        const owed = new Map<string, number>()
        for (const step of schedule) {
          if (step.kind === 'add') {
            const before = began.length
            queue.add(step.key, step.lane)
            if (!began.slice(before).includes(step.key)) owed.set(step.key, before)
            else owed.delete(step.key)
          } else {
            const key = running()[step.nth]
            if (key !== undefined) await end(key)
          }
          expect(running().length).toBeLessThanOrEqual(concurrency)
        }
        const closing = closeEarly ? queue.close() : undefined
        for (let key = running()[0]; key !== undefined; key = running()[0]) await end(key)
        await (closing ?? queue.idle())
        expect(queue.depth).toBe(0)
        if (!closeEarly) for (const [key, position] of owed) expect(began.slice(position)).toContain(key)
      }),
      { numRuns: 200 },
    )
  })
})
