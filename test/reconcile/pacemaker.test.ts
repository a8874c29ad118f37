import { describe, expect, test } from 'vitest'
import { createPacemaker, type Pacemaker } from '../../controller/reconcile/pacemaker.ts'
import { waitFor } from '../support/wait.ts'

const NEVER_MS = 3_600_000

/** Looks that end when the test says so. */
function harness(delayMs = NEVER_MS): { readonly pacemaker: Pacemaker; looks(): number; end(): Promise<void> } {
  let looks = 0
  let open: (() => void) | undefined
  const pacemaker = createPacemaker(() => {
    if (open !== undefined) throw new Error('two looks at once')
    looks++
    return new Promise((resolve) => {
      open = () => resolve(delayMs)
    })
  })
  return {
    pacemaker,
    looks: () => looks,
    async end() {
      const finish = open
      open = undefined
      finish?.()
      await new Promise((resolve) => setImmediate(resolve))
    },
  }
}

describe('the pacemaker', () => {
  test('makes many pokes during a look one more look', async () => {
    const { pacemaker, looks, end } = harness()
    for (let n = 0; n < 100; n++) pacemaker.poke()
    expect(looks()).toBe(1)
    await end()
    expect(looks()).toBe(2)
    await end()
    expect(looks()).toBe(2)
    await pacemaker.close()
  })

  test('looks again after the time that the look asked for', async () => {
    const { pacemaker, looks, end } = harness(1)
    pacemaker.poke()
    await end()
    await waitFor(() => looks() === 2, 'a second look')
    await end()
    await pacemaker.close()
  })

  test('a beat resolves after a look that began after it was asked for', async () => {
    const { pacemaker, looks, end } = harness()
    pacemaker.poke()
    let seen = 0
    const beat = pacemaker.beat().then(() => (seen = looks()))
    await end()
    expect(seen).toBe(0)
    await end()
    await beat
    expect(seen).toBe(2)
    await pacemaker.close()
  })

  test('close waits for the look that runs and starts none any more', async () => {
    const { pacemaker, looks, end } = harness(1)
    pacemaker.poke()
    pacemaker.poke()
    let closed = false
    const closing = pacemaker.close().then(() => (closed = true))
    await new Promise((resolve) => setImmediate(resolve))
    expect(closed).toBe(false)
    await end()
    await closing
    pacemaker.poke()
    await pacemaker.beat()
    expect(looks()).toBe(1)
  })
})
