/**
 * The double without sockets and timers: the account, its API as a function, and what is to be sent as values. With a clock and
 * randomness handed in, everything that it does can be done again exactly.
 */
import { createHash, randomBytes } from 'node:crypto'
import Stripe from 'stripe'
import { createAccount, type Account } from './account.ts'
import { createStripeApi, type ApiAnswer, type ApiRequest } from './api.ts'
import { createControls, type Controls } from './controls.ts'
import { createHttpClient } from './in-process.ts'
import type { StripeEvent } from './objects/list.ts'
import type { CatalogPrice } from './offers.ts'
import { endpointsFor, signedMessage, type Endpoint, type SignedMessage } from './outgoing.ts'
import { createSandboxState, type SandboxState } from './state.ts'
import type { RetryRules } from './billing.ts'

export interface OfflineDoubleOptions {
  /** The only key that is let in. */
  readonly secretKey: string
  readonly now: () => Date
  /** Prices that are there by themselves, asked anew for each request, so that a changed plan file is a new price. `none`: only what `tenantry billing sync` makes. */
  readonly catalog: (() => Iterable<CatalogPrice>) | 'none'
  /** Keeps the state over restarts; absent: in memory. */
  readonly stateFile?: string
  /** Makes ids and secrets repeatable; random where absent. */
  readonly seed?: string
  readonly retries?: RetryRules
  /** Of the double's pages; known late where it listens. */
  readonly url?: () => string
  readonly onEvent?: (event: StripeEvent) => void
}

export interface OfflineDouble extends Controls {
  readonly account: Account
  readonly state: SandboxState
  /** Of the double: the clock that was handed in, and by how much it was advanced. */
  now(): Date
  /** Moves the clock on; what falls due on the way happens at its own time, in order. */
  advance(to: Date): void
  handle(request: ApiRequest): ApiAnswer
  /** For `createStripeClient`: calls the double directly. */
  readonly httpClient: Stripe.HttpClient
  endpointsFor(event: StripeEvent, first?: Endpoint): Endpoint[]
  sign(event: StripeEvent, endpoint: Endpoint, version?: string): SignedMessage
}

/** Stripe's own rule where nothing is set. */
const RETRIES: RetryRules = { afterDays: [3, 5, 7], then: 'canceled' }

export function createOfflineDouble(options: OfflineDoubleOptions): OfflineDouble {
  const { secretKey, catalog, seed } = options
  let aheadMs = 0
  const now = (): Date => new Date(options.now().getTime() + aheadMs)
  const state = createSandboxState(options.stateFile)
  const randomHex = seed === undefined ? (bytes: number) => randomBytes(bytes).toString('hex') : seededHex(seed)
  const offers = (): Iterable<CatalogPrice> => (catalog === 'none' ? [] : catalog())
  const account = createAccount({ state, offers, now, randomHex, send: options.onEvent ?? (() => undefined), url: options.url ?? (() => 'http://stripe.invalid'), retries: options.retries ?? RETRIES })
  const handle = createStripeApi({ account, secretKey, now })
  const { webhooks } = new Stripe(secretKey)
  const upToDate = (): Account => {
    account.catchUp(now())
    return account
  }
  return {
    ...createControls(upToDate),
    account,
    state,
    now,
    advance(to) {
      account.catchUp(to)
      aheadMs += Math.max(0, to.getTime() - now().getTime())
    },
    handle,
    httpClient: createHttpClient(handle),
    endpointsFor: (event, first) => endpointsFor(state, first, event),
    sign: (event, endpoint, version) => signedMessage(webhooks, event, endpoint, now(), version),
  }
}

/** The same digits in the same order for the same seed. For ids alone: nothing is kept secret by it. */
function seededHex(seed: string): (bytes: number) => string {
  const digest = createHash('sha256').update(seed).digest()
  const next = sfc32(digest.readUInt32LE(0), digest.readUInt32LE(4), digest.readUInt32LE(8), digest.readUInt32LE(12))
  return (bytes) => {
    let hex = ''
    while (hex.length < bytes * 2) hex += next().toString(16).padStart(8, '0')
    return hex.slice(0, bytes * 2)
  }
}

/** Chris Doty-Humphrey's small fast counting generator: 32 bits a call. */
function sfc32(a: number, b: number, c: number, counter: number): () => number {
  return () => {
    const result = (a + b + counter) | 0
    counter = (counter + 1) | 0
    a = b ^ (b >>> 9)
    b = (c + (c << 3)) | 0
    c = (((c << 21) | (c >>> 11)) + result) | 0
    return result >>> 0
  }
}
