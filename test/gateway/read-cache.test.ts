/** The rule that keeps answers exact, under every order in which the steps of writes and reads in several threads can fall. */
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { createReadCache, type KeptAnswer, type ReadCache } from '../../controller/gateway/read-cache.ts'
import type { TableRoute } from '../../controller/gateway/route-table.ts'
import { createPhextVersions, phextVersionsBuffer, type PhextVersions } from '../../controller/gateway/shared/phext-versions.ts'
import { findContradiction, type Operation } from './register-history.ts'

const THREADS = 2
const PHEXTS = ['p', 'q']
const SCROLLS = ['1', '2']
const route = { tenant: 'user001' } as unknown as TableRoute

interface Thread {
  readonly versions: PhextVersions
  readonly cache: ReadCache
}

type Call =
  | { readonly kind: 'write'; readonly thread: number; readonly phext: string; readonly scroll: string; readonly fate: 'answered' | 'never sent' | 'unknown' }
  /** Of one scroll, or of the whole phext, as `toc` and `get` do. */
  | { readonly kind: 'read'; readonly thread: number; readonly phext: string; readonly scroll: string | undefined }

const call: fc.Arbitrary<Call> = fc.oneof(
  fc.record({ kind: fc.constant('write' as const), thread: fc.nat(THREADS - 1), phext: fc.constantFrom(...PHEXTS), scroll: fc.constantFrom(...SCROLLS), fate: fc.constantFrom('answered' as const, 'answered' as const, 'never sent' as const, 'unknown' as const) }),
  fc.record({ kind: fc.constant('read' as const), thread: fc.nat(THREADS - 1), phext: fc.constantFrom(...PHEXTS), scroll: fc.constantFrom(...SCROLLS, undefined) }),
)

const answerOf = (value: unknown): KeptAnswer => ({ body: JSON.stringify(value), etag: '', headers: [] })

/** Runs each client's calls one after the other, those of different clients interleaved step by step as `order` says. */
function play(clients: readonly (readonly Call[])[], order: readonly number[]): { history: Map<string, Operation[]>; hits: number } {
  const buffer = phextVersionsBuffer(THREADS)
  const threads: Thread[] = Array.from({ length: THREADS }, (_, lane) => {
    const versions = createPhextVersions(buffer, lane)
    return { versions, cache: createReadCache({ bytes: 1_000_000, versions }) }
  })
  const sq = new Map<string, string>()
  const history = new Map<string, Operation[]>()
  let now = 0
  let hits = 0
  let written = 0
  const note = (register: string, operation: Operation): void => void history.set(register, [...(history.get(register) ?? []), operation])

  function* write({ thread, phext, scroll, fate }: Call & { kind: 'write' }): Generator<void> {
    const value = `v${++written}`
    const start = now
    const ticket = threads[thread]!.versions.writeBegins(route.tenant, phext)
    yield
    if (fate !== 'never sent') sq.set(`${phext}/${scroll}`, value)
    yield
    if (fate !== 'unknown') ticket.ends()
    if (fate !== 'never sent') note(`${phext}/${scroll}`, { kind: 'write', value, start, end: fate === 'unknown' ? Infinity : now })
  }

  function* read({ thread, phext, scroll }: Call & { kind: 'read' }): Generator<void> {
    const { cache } = threads[thread]!
    const start = now
    const target = `${phext}?${scroll ?? 'all'}`
    const scrolls = scroll === undefined ? SCROLLS : [scroll]
    const kept = cache.find(route, target)
    let values: Record<string, string>
    if (kept !== undefined) {
      hits++
      values = JSON.parse(kept.body) as Record<string, string>
    } else {
      const expected = cache.expect(route, target, [phext])
      yield
      values = Object.fromEntries(scrolls.map((each) => [each, sq.get(`${phext}/${each}`) ?? '']))
      yield
      expected?.keep(answerOf(values))
    }
    for (const each of scrolls) note(`${phext}/${each}`, { kind: 'read', value: values[each]!, start, end: now })
  }

  const running = clients.map(function* (calls): Generator<void> {
    for (const each of calls) {
      yield* each.kind === 'write' ? write(each) : read(each)
      yield
    }
  })
  for (const client of [...order, ...running.flatMap((_, at) => new Array<number>(80).fill(at))]) {
    now++
    running[client % running.length]!.next()
  }
  return { history, hits }
}

it('a read from memory is always one that some order of the writes allows', () => {
  let hits = 0
  fc.assert(
    fc.property(fc.array(fc.array(call, { minLength: 3, maxLength: 12 }), { minLength: 2, maxLength: 4 }), fc.array(fc.nat(3), { maxLength: 150 }), (clients, order) => {
      const played = play(clients, order)
      hits += played.hits
      for (const [register, operations] of played.history) expect(findContradiction('', operations), register).toBeUndefined()
    }),
    { numRuns: 3000 },
  )
  expect(hits).toBeGreaterThan(300)
})
