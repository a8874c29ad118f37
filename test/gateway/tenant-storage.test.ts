/** What real files do not do on demand: a disk that fails, sizes seen in the middle of a write, clients that go away. */
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { PHEXT_OVERHEAD_BYTES } from '../../controller/core/growth.ts'
import type { PhextSizes } from '../../controller/gateway/phext-sizes.ts'
import { createTenantStorage, type Decision, type Wanted } from '../../controller/gateway/tenant-storage.ts'

function setUp(initial: Record<string, number> = {}) {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
  const disk = new Map(Object.entries(initial))
  const failures: unknown[] = []
  const state = { failing: false }
  const sizes: PhextSizes = {
    list: async () => {
      if (state.failing) throw new Error('EIO')
      return { phexts: new Map(disk), otherBytes: 0 }
    },
    sizeOf: async (name) => disk.get(name),
    removeExport: async () => undefined,
  }
  const storage = createTenantStorage({ sizes, lastKnownBytes: () => 9_000, steadyMs: () => performance.now(), onChange: () => undefined, onFailure: (error) => failures.push(error) })
  onTestFinished(() => {
    storage.close()
    vi.useRealTimers()
  })
  /** The decision, and the time that it took. */
  const reserve = async (wanted: Partial<Wanted>, forMs = 1_500): Promise<Decision & { settle?: unknown }> => {
    let decision: Decision | undefined
    storage.reserve({ phext: 'a', growth: 1_000, mutates: true, limitBytes: 10_000, ...wanted }, (made) => (decision = made))
    await vi.advanceTimersByTimeAsync(decision === undefined ? forMs : 0)
    return decision!
  }
  return { disk, storage, reserve, failures, state }
}

type Reserved = Extract<Decision, { kind: 'reserved' }>

describe('one tenant\'s storage', () => {
  it('reserves for every write under way, and gives back what a write did not need', async () => {
    const { disk, storage, reserve } = setUp({ a: 1_000 })
    const first = (await reserve({ growth: 4_000 })) as Reserved
    expect(storage.usedBytes).toBe(5_000 + PHEXT_OVERHEAD_BYTES)
    expect(await reserve({ growth: 1_000 })).toMatchObject({ kind: 'full', usedBytes: 1_000 + PHEXT_OVERHEAD_BYTES, reservedBytes: 4_000 })
    disk.set('a', 1_010)
    first.settle('applied')
    expect((await reserve({ growth: 4_000 })).kind).toBe('reserved')
  })

  it('does not believe a size while something is being written: SQ empties the file first', async () => {
    const { disk, storage, reserve } = setUp({ a: 5_000 })
    const writing = (await reserve({ growth: 100 })) as Reserved
    disk.set('a', 0)
    expect((await reserve({ growth: 5_000 })).kind).toBe('full')
    expect(storage.usedBytes).toBe(5_100 + PHEXT_OVERHEAD_BYTES)
    disk.set('a', 5_050)
    writing.settle('applied')
    await vi.advanceTimersByTimeAsync(2_000)
    expect(storage.usedBytes).toBe(5_050 + PHEXT_OVERHEAD_BYTES)
  })

  it('keeps what a client that went away may still be writing, and forgets what never reached SQ', async () => {
    const { storage, reserve } = setUp({ a: 0 })
    const gone = (await reserve({ growth: 3_000 })) as Reserved
    gone.settle('unknown')
    gone.settle('not-applied')
    await vi.advanceTimersByTimeAsync(30_000)
    expect(storage.usedBytes).toBe(3_000 + PHEXT_OVERHEAD_BYTES)
    await vi.advanceTimersByTimeAsync(30_000)
    expect(storage.usedBytes).toBe(PHEXT_OVERHEAD_BYTES)
    ;((await reserve({ growth: 3_000 })) as Reserved).settle('not-applied')
    expect(storage.usedBytes).toBe(PHEXT_OVERHEAD_BYTES)
  })

  it('goes by what was known last where the disk cannot be read', async () => {
    const { reserve, failures, state } = setUp()
    state.failing = true
    expect(await reserve({ growth: 1_000 })).toMatchObject({ kind: 'full', usedBytes: 9_000 })
    expect((await reserve({ growth: 1_000, limitBytes: 100_000 })).kind).toBe('reserved')
    expect(failures).toHaveLength(1)
  })

  it('leaves nobody without an answer', async () => {
    const { storage } = setUp({ a: 9_000 })
    let decision: Decision | undefined
    storage.reserve({ phext: 'a', growth: 5_000, mutates: true, limitBytes: 10_000 }, (made) => (decision = made))
    storage.close()
    expect(decision?.kind).toBe('full')
  })
})
