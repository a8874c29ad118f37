/**
 * Scrolls of one phext read in order, a bounded number of bytes at a time: SQ is asked for ranges, and for smaller ones where an answer is
 * too large. Knows nothing of names.
 */
import { collect, roomFor } from '../collected.ts'
import type { HasPhext } from '../names/has-phext.ts'
import type { Granted } from '../passage.ts'
import { REFUSALS, type Refusal } from '../refusal.ts'
import type { SqCaller, SqCallOptions } from '../sq-caller.ts'

export interface Reading {
  readonly caller: SqCaller
  readonly access: Granted
  readonly options: SqCallOptions
  /** SQ would make a phext that is only looked for, and a full account could not even look. */
  readonly hasPhext: HasPhext
}

export interface Scroll {
  readonly coordinate: string
  readonly text: string
}

export type ScrollPage =
  /** `next`: the coordinate to go on behind; undefined at the end. */
  | { readonly kind: 'page'; readonly scrolls: readonly Scroll[]; readonly next: string | undefined }
  | { readonly kind: 'refused'; readonly refusal: Refusal }

const FIRST = '1.1.1/1.1.1/1.1.1'
const LAST = '999.999.999/999.999.999/999.999.999'
const PAGE_SCROLLS = 256
const PAGE_BYTES = 4 * 1024 * 1024

/** The scrolls behind `after`, which is a coordinate, or from the first. A scroll that alone is too large comes with an empty text. */
export async function readScrolls({ caller, access, hasPhext, options }: Reading, phext: string, after: string | undefined): Promise<ScrollPage> {
  if ((await hasPhext(access, phext)) === false) return { kind: 'page', scrolls: [], next: undefined }
  for (let most = PAGE_SCROLLS; ; most = Math.ceil(most / 8)) {
    // One more than wanted: the first is the one that was read last, where it is still there.
    const target = `/api/v2/query?p=${encodeURIComponent(phext)}&from=${after ?? FIRST}&to=${LAST}&limit=${most + 1}`
    const collected = collect(roomFor(PAGE_BYTES), options.signal)
    const outcome = await caller.into(collected, access, { method: 'GET', target }, options)
    if (collected.full) {
      if (most > 1) continue
      return { kind: 'refused', refusal: SCROLL_TOO_LARGE }
    }
    if (outcome.kind === 'refused') return outcome
    if (outcome.kind === 'broken') return { kind: 'refused', refusal: REFUSALS.instanceClosed }
    if (outcome.status !== 200) return { kind: 'refused', refusal: REFUSALS.instanceMalformed }
    const found = (JSON.parse(collected.body.toString('utf8')) as { coordinate: string; scroll: string }[]).map(({ coordinate, scroll }) => ({ coordinate, text: scroll }))
    const scrolls = found.filter(({ coordinate }) => coordinate !== after)
    return { kind: 'page', scrolls, next: found.length > most ? scrolls.at(-1)!.coordinate : undefined }
  }
}

export type Lines =
  /** The first line of each scroll that is not empty, by its coordinate, in order. Undefined where they are too much to read. */
  | { readonly kind: 'lines'; readonly lines: ReadonlyMap<string, string> | undefined }
  | { readonly kind: 'refused'; readonly refusal: Refusal }

export async function readFirstLines({ caller, access, hasPhext, options }: Reading, phext: string): Promise<Lines> {
  if ((await hasPhext(access, phext)) === false) return { kind: 'lines', lines: new Map() }
  const collected = collect(roomFor(PAGE_BYTES), options.signal)
  const outcome = await caller.into(collected, access, { method: 'GET', target: `/api/v2/toc?p=${encodeURIComponent(phext)}` }, options)
  if (collected.full) return { kind: 'lines', lines: undefined }
  if (outcome.kind === 'refused') return outcome
  if (outcome.kind === 'broken') return { kind: 'refused', refusal: REFUSALS.instanceClosed }
  if (outcome.status !== 200) return { kind: 'refused', refusal: REFUSALS.instanceMalformed }
  const rows = collected.body.toString('utf8').split('\n').flatMap((row) => {
    const match = /^\* ([0-9./]+): (.+)$/s.exec(row)
    return match === null ? [] : [[match[1]!, match[2]!] as const]
  })
  return { kind: 'lines', lines: new Map(rows) }
}

const SCROLL_TOO_LARGE: Refusal = {
  status: 413,
  code: 'scroll-too-large',
  title: 'A scroll is too large for this',
  detail: `Scrolls together with the one behind them hold more than ${PAGE_BYTES} bytes. Read it with GET /api/v2/select.`,
}
