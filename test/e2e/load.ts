/** Customers at work: loops that store and fetch through the gateway without a pause, and remember everything that went wrong. */

export interface LoadOptions {
  readonly baseUrl: string
  readonly key: string
  /** Loops that fetch one scroll, which holds `text`. */
  readonly readers?: number
  /** Loops that overwrite a scroll of their own and fetch it back. */
  readonly writers?: number
  readonly text?: string
}

export interface Load {
  /** Calls that were answered as they should be, so far. */
  readonly reads: number
  readonly writes: number
  readonly failures: readonly string[]
  readonly slowestMs: number
  stop(): Promise<void>
}

const SHARED_AT = 'p=shared&c=1.1.1/1.1.1/1.1.1'

export function startLoad({ baseUrl, key, readers = 0, writers = 0, text = '' }: LoadOptions): Load {
  const state = { reads: 0, writes: 0, failures: [] as string[], slowestMs: 0 }
  let over = false

  async function call(query: string, body?: string): Promise<string> {
    const from = performance.now()
    const answer = await fetch(`${baseUrl}/api/v2/${query}`, { method: body === undefined ? 'GET' : 'POST', headers: { authorization: `Bearer ${key}` }, ...(body !== undefined && { body }) })
    const answered = await answer.text()
    state.slowestMs = Math.max(state.slowestMs, performance.now() - from)
    if (answer.status !== 200) throw new Error(`${answer.status} ${answered}`)
    return answered
  }

  async function noting(what: string, work: () => Promise<void>): Promise<void> {
    try {
      await work()
    } catch (error) {
      const { message, cause } = error as Error
      state.failures.push(`${what}: ${message}${cause === undefined ? '' : ` (${String(cause)})`}`)
    }
  }

  async function expectRead(at: string, expected: string): Promise<void> {
    const found = await call(`select?${at}`)
    if (found !== expected) throw new Error(`found ${JSON.stringify(found)} in place of ${JSON.stringify(expected)}`)
    state.reads++
  }

  /** SQ overlooks what it does not know: no two reads are alike, so that none is answered from memory. */
  async function read(loop: number): Promise<void> {
    for (let n = 0; !over; n++) await noting('read', () => expectRead(`${SHARED_AT}&read=${loop}-${n}`, text))
  }

  async function write(loop: number): Promise<void> {
    const at = `p=own-${loop}&c=1.1.1/1.1.1/1.1.1`
    for (let n = 0; !over; n++) {
      await noting('write', async () => {
        await call(`update?${at}`, `text ${n}`)
        state.writes++
        await expectRead(at, `text ${n}`)
      })
    }
  }

  const loops = [...Array.from({ length: readers }, (_, loop) => read(loop)), ...Array.from({ length: writers }, (_, loop) => write(loop))]
  return {
    get reads() {
      return state.reads
    },
    get writes() {
      return state.writes
    },
    get failures() {
      return state.failures
    },
    get slowestMs() {
      return state.slowestMs
    },
    async stop() {
      over = true
      await Promise.all(loops)
    },
  }
}

/** Stores what readers are to find. */
export async function storeShared(baseUrl: string, key: string, text: string): Promise<void> {
  const answer = await fetch(`${baseUrl}/api/v2/update?${SHARED_AT}`, { method: 'POST', headers: { authorization: `Bearer ${key}` }, body: text })
  if (answer.status !== 200) throw new Error(`${answer.status} ${await answer.text()}`)
}
