/**
 * One tenant's storage as a hard limit over an SQ that knows none: the greatest possible growth of a write is reserved before it is
 * let through, and what lies on disk corrects the sum afterwards. Who does not fit waits a moment for such a look before the answer is
 * no. Knows nothing of requests.
 */
import { PHEXT_OVERHEAD_BYTES, LARGEST_PHEXT_BYTES } from '../core/growth.ts'
import { createPhextBook, type PhextBook } from './phext-book.ts'
import type { PhextSizes } from './phext-sizes.ts'

export interface Wanted {
  readonly phext: string
  readonly growth: number
  /** Whether the call can change the file's length at all. */
  readonly mutates: boolean
  readonly limitBytes: number
  /** Where there is plenty, some more is reserved, for further writes to the phext. */
  readonly withSpare?: boolean
  /** How many phexts there may be, where that is limited. */
  readonly limitPhexts?: number
}

/** Whether SQ did what was reserved for. `unknown`: it may still be doing it. */
export type Settlement = 'applied' | 'not-applied' | 'unknown'

export type Decision =
  /** `bytes`: what was reserved, the spare ones included. `addedBytes`: how much of it was used, where SQ did what was reserved for. */
  | { readonly kind: 'reserved'; readonly bytes: number; readonly settle: (settlement: Settlement, addedBytes?: number) => void }
  | { readonly kind: 'full'; readonly usedBytes: number; readonly reservedBytes: number; readonly neededBytes: number }
  | { readonly kind: 'phext-full'; readonly usedBytes: number; readonly neededBytes: number }
  | { readonly kind: 'phexts-full'; readonly phexts: number }

export interface TenantStorage {
  /** Decides at once where it can, otherwise when the disk was looked at; in any case within about a second. */
  reserve(wanted: Wanted, decide: (decision: Decision) => void): void
  /** Looks at the disk where that was never done. */
  ready(): Promise<void>
  /** What is known to be used, reservations included. */
  readonly usedBytes: number
  /** The last call, where nothing is under way. */
  readonly idleSinceMs: number | undefined
  close(): void
}

export interface TenantStorageOptions {
  readonly sizes: PhextSizes
  /** What was stored when it was last known, for a folder that cannot be read. */
  readonly lastKnownBytes: () => number
  readonly steadyMs: () => number
  /** Measured anew, or one more write done. */
  readonly onChange: (usedBytes: number) => void
  readonly onFailure: (error: unknown) => void
}

/** After a write; sooner where the tenant comes near its limit. */
const LOOK_MS = 10_000
const LOOK_NEAR_LIMIT_MS = 1_000
/** Between two looks at the disk while somebody waits. */
const LOOK_GAP_MS = 100
const LONGEST_WAIT_MS = 1_000
/** A write whose client went away is over by then: SQ gives up on a connection after 30 s. */
const UNKNOWN_MS = 40_000

/** Of what is left until half of the limit is used; above that, every byte is reserved by itself. */
const SPARE_PART = 64
const LARGEST_SPARE_BYTES = 256 * 1024

const NOTHING: Decision = { kind: 'reserved', bytes: 0, settle: () => undefined }

export function createTenantStorage(options: TenantStorageOptions): TenantStorage {
  const { sizes, steadyMs } = options
  const book = createPhextBook(sizes, options.lastKnownBytes, steadyMs)
  const unsettled = new Set<NodeJS.Timeout>()
  const looks = createLooks({ ...options, book, onLooked: () => lookAgain() })
  const waiting = createWaiting(steadyMs, (wanted) => tryReserve(book, wanted, take), (wanted) => (book.phexts >= (wanted.limitPhexts ?? Infinity) && !book.has(wanted.phext) ? { kind: 'phexts-full', phexts: book.phexts } : full(book, wanted.growth)))
  let lastCallMs = steadyMs()

  function take(wanted: Wanted): Decision {
    const { phext: name, growth, limitBytes } = wanted
    const bytes = growth + spareBytes(book, wanted)
    const end = book.take(name, bytes)
    let settled = false
    const settle = (settlement: Settlement, addedBytes = growth): void => {
      if (settled) return
      settled = true
      if (settlement === 'unknown') return later(() => settleNow(bytes))
      settleNow(settlement === 'applied' ? addedBytes : 0)
    }
    const settleNow = (addedBytes: number): void => {
      end(addedBytes)
      options.onChange(book.usedBytes)
      looks.within(waiting.size > 0 ? LOOK_GAP_MS : book.usedBytes > limitBytes / 2 ? LOOK_NEAR_LIMIT_MS : LOOK_MS)
    }
    return { kind: 'reserved', bytes, settle }
  }

  function later(work: () => void): void {
    const timer = setTimeout(() => {
      unsettled.delete(timer)
      work()
    }, UNKNOWN_MS).unref()
    unsettled.add(timer)
  }

  function lookAgain(): void {
    waiting.answer()
    if (waiting.size > 0) looks.within(LOOK_GAP_MS)
    else if (book.uncertain) looks.within(LOOK_NEAR_LIMIT_MS)
  }

  return {
    reserve(wanted, decide) {
      lastCallMs = steadyMs()
      const decision = looks.first ? undefined : tryReserve(book, wanted, take)
      if (decision !== undefined) return decide(decision)
      waiting.add(wanted, decide, lastCallMs + LONGEST_WAIT_MS)
      looks.within(LOOK_GAP_MS)
    },
    ready: () => looks.ready(),
    get usedBytes() {
      return book.usedBytes
    },
    get idleSinceMs() {
      return book.inFlightBytes > 0 || book.uncertain || waiting.size > 0 || looks.looking ? undefined : lastCallMs
    },
    close() {
      looks.close()
      for (const timer of unsettled) clearTimeout(timer)
      waiting.close()
    },
  }
}

/** Undefined where another look at the disk may change the answer. */
function tryReserve(book: PhextBook, wanted: Wanted, take: (wanted: Wanted) => Decision): Decision | undefined {
  const { phext: name, growth, mutates, limitBytes, limitPhexts = Infinity } = wanted
  if (book.meet(name)) return undefined
  const known = book.has(name)
  // SQ makes `.phext` for every call without a name: it is never what a full tenant is refused for.
  if (!known && name !== '' && book.phexts >= limitPhexts) return book.uncertain || book.inFlightBytes > 0 ? undefined : { kind: 'phexts-full', phexts: book.phexts }
  const neededBytes = growth + (known || name === '' ? 0 : PHEXT_OVERHEAD_BYTES)
  if (neededBytes === 0) return mutates || !known ? take(wanted) : NOTHING
  const ofPhext = book.bytesOf(name)
  const phextFull = ofPhext + growth > LARGEST_PHEXT_BYTES
  if (!phextFull && book.usedBytes + neededBytes <= limitBytes) return take(wanted)
  if (book.uncertain || book.inFlightBytes > 0) return undefined
  return phextFull ? { kind: 'phext-full', usedBytes: ofPhext, neededBytes } : full(book, neededBytes)
}

function spareBytes(book: PhextBook, { phext, growth, limitBytes, withSpare }: Wanted): number {
  const left = limitBytes / 2 - book.usedBytes - growth
  if (withSpare !== true || left <= 0 || book.bytesOf(phext) > LARGEST_PHEXT_BYTES / 2) return 0
  return Math.min(LARGEST_SPARE_BYTES, Math.floor(left / SPARE_PART))
}

function full({ usedBytes, inFlightBytes }: PhextBook, neededBytes: number): Decision {
  return { kind: 'full', usedBytes: usedBytes - inFlightBytes, reservedBytes: inFlightBytes, neededBytes }
}

interface Waiting {
  add(wanted: Wanted, decide: (decision: Decision) => void, untilMs: number): void
  /** Tries all of them again; those whose time is up get their answer. */
  answer(): void
  readonly size: number
  /** Nobody is left without an answer. */
  close(): void
}

function createWaiting(steadyMs: () => number, retry: (wanted: Wanted) => Decision | undefined, giveUp: (wanted: Wanted) => Decision): Waiting {
  let waiters: { wanted: Wanted; decide: (decision: Decision) => void; untilMs: number }[] = []
  const answerEach = (decisionFor: (wanted: Wanted, untilMs: number) => Decision | undefined): void => {
    const asked = waiters
    waiters = []
    for (const waiter of asked) {
      const decision = decisionFor(waiter.wanted, waiter.untilMs)
      if (decision === undefined) waiters.push(waiter)
      else waiter.decide(decision)
    }
  }
  return {
    add: (wanted, decide, untilMs) => void waiters.push({ wanted, decide, untilMs }),
    answer: () => answerEach((wanted, untilMs) => retry(wanted) ?? (steadyMs() >= untilMs ? giveUp(wanted) : undefined)),
    get size() {
      return waiters.length
    },
    close: () => answerEach(giveUp),
  }
}

interface Looks {
  /** The disk was never looked at, or is for the first time now. */
  readonly first: boolean
  readonly looking: boolean
  /** The earlier of two plans holds. The very first look is at once. */
  within(delayMs: number): void
  ready(): Promise<void>
  close(): void
}

function createLooks(options: TenantStorageOptions & { readonly book: PhextBook; readonly onLooked: () => void }): Looks {
  const { book, steadyMs } = options
  let first = true
  let looking: Promise<void> | undefined
  let timer: NodeJS.Timeout | undefined
  let dueMs = Infinity
  let closed = false

  function look(): void {
    dueMs = Infinity
    clearTimeout(timer)
    looking ??= book
      .look()
      .catch((error: unknown) => options.onFailure(error))
      .finally(() => {
        looking = undefined
        first = false
        options.onChange(book.usedBytes)
        options.onLooked()
      })
  }

  return {
    get first() {
      return first
    },
    get looking() {
      return looking !== undefined
    },
    within(delayMs) {
      if (closed || looking !== undefined) return
      if (first) return look()
      const at = steadyMs() + delayMs
      if (at >= dueMs) return
      clearTimeout(timer)
      dueMs = at
      timer = setTimeout(look, delayMs).unref()
    },
    async ready() {
      if (first && looking === undefined) look()
      await looking
    },
    close() {
      closed = true
      clearTimeout(timer)
    },
  }
}
