/**
 * Work by key: one at a time for each key, several keys side by side. A key added while it runs is run once more; adding it
 * twice before it runs runs it once. Stops run before starts, so that what they free can be used.
 */

export type Lane = 'stop' | 'start'

export interface KeyedQueue<K> {
  add(key: K, lane: Lane): void
  /** Adds the key after a while. A later call replaces the time; nothing is noted for a key that waits already, and adding it forgets the time. */
  addAfter(key: K, lane: Lane, delayMs: number): void
  /** Keys that wait or run now, not those that wait for a time. */
  readonly depth: number
  /** Resolves when nothing waits or runs. */
  idle(): Promise<void>
  /** Takes no more work and resolves when what runs has ended. */
  close(): Promise<void>
}

export interface KeyedQueueOptions<K> {
  readonly concurrency: number
  /** Must not reject: what goes wrong is the work's own business. */
  readonly run: (key: K) => Promise<void>
}

export function createKeyedQueue<K>({ concurrency, run }: KeyedQueueOptions<K>): KeyedQueue<K> {
  const waiting: Record<Lane, Set<K>> = { stop: new Set(), start: new Set() }
  const running = new Set<K>()
  const timers = new Map<K, NodeJS.Timeout>()
  let closed = false
  const idlers: (() => void)[] = []

  function add(key: K, lane: Lane): void {
    if (closed) return
    clearTimeout(timers.get(key))
    timers.delete(key)
    if (!waiting.stop.has(key)) waiting[lane].add(key)
    if (lane === 'stop') waiting.start.delete(key)
    work()
  }

  function work(): void {
    while (running.size < concurrency) {
      const key = next()
      if (key === undefined) break
      running.add(key)
      void run(key).finally(() => {
        running.delete(key)
        work()
      })
    }
    if (running.size === 0 && waiting.stop.size === 0 && waiting.start.size === 0) {
      for (const resolve of idlers.splice(0)) resolve()
    }
  }

  function next(): K | undefined {
    for (const lane of ['stop', 'start'] as const) {
      for (const key of waiting[lane]) {
        if (running.has(key)) continue
        waiting[lane].delete(key)
        return key
      }
    }
    return undefined
  }

  const idle = (): Promise<void> =>
    new Promise((resolve) => {
      idlers.push(resolve)
      work()
    })

  return {
    add,
    addAfter(key, lane, delayMs) {
      if (closed || waiting.stop.has(key) || waiting.start.has(key)) return
      clearTimeout(timers.get(key))
      const timer = setTimeout(() => add(key, lane), delayMs)
      timer.unref()
      timers.set(key, timer)
    },
    get depth() {
      return running.size + waiting.stop.size + waiting.start.size
    },
    idle,
    close() {
      closed = true
      for (const timer of timers.values()) clearTimeout(timer)
      waiting.stop.clear()
      waiting.start.clear()
      return idle()
    },
  }
}
