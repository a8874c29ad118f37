/**
 * Brings events to the webhook endpoints: signed with the `stripe` package, tried again until a 2xx, and, for tests, dropped,
 * doubled or delayed, which is also how they come out of order.
 */
import type { StripeEvent } from './objects/list.ts'
import type { Endpoint, SignedMessage } from './outgoing.ts'

/** What goes wrong on the way of one event. */
export interface Fault {
  /** Never delivered; `replay` still does. */
  readonly drop?: boolean
  /** How often it is delivered in all. */
  readonly copies?: number
  readonly delayMs?: number
  /** Rendered in the shapes of another API version than the endpoint's. */
  readonly version?: string
}

export interface DeliveryOptions {
  /** Those that want the event. */
  readonly endpoints: (event: StripeEvent) => readonly Endpoint[]
  readonly sign: (event: StripeEvent, endpoint: Endpoint, version?: string) => SignedMessage
  readonly faults: (event: StripeEvent) => Fault
  /** Called when the event was answered with 2xx, or dropped on purpose. */
  readonly delivered: (event: StripeEvent) => void
  /** Pauses between attempts; the last one repeats. */
  readonly retryMs?: readonly [number, ...number[]]
}

export interface Delivery {
  /** In the background; whoever waits for it learns of the end of the first copy. */
  send(event: StripeEvent): Promise<void>
  /** Once more, without faults; in another version's shapes where one is named. */
  replay(event: StripeEvent, version?: string): Promise<void>
  close(): Promise<void>
}

/** Stripe waits longer and tries for three days; a sandbox is impatient. */
const RETRY_MS: readonly [number, ...number[]] = [100, 250, 500, 1000, 2000, 5000, 15_000, 60_000]
const ANSWER_MS = 20_000

export function createDelivery({ endpoints, sign, faults, delivered, retryMs = RETRY_MS }: DeliveryOptions): Delivery {
  const closing = new AbortController()
  const underWay = new Set<Promise<void>>()

  async function attempt(event: StripeEvent, endpoint: Endpoint, version?: string): Promise<boolean> {
    const { headers, body } = sign(event, endpoint, version)
    try {
      const signal = AbortSignal.any([closing.signal, AbortSignal.timeout(ANSWER_MS)])
      const response = await fetch(endpoint.url, { method: 'POST', headers, body, signal })
      await response.arrayBuffer()
      return response.ok
    } catch {
      return false
    }
  }

  async function deliverTo(event: StripeEvent, endpoint: Endpoint, version?: string): Promise<void> {
    for (let n = 0; !closing.signal.aborted; n++) {
      if (await attempt(event, endpoint, version)) return
      await pause(retryMs[Math.min(n, retryMs.length - 1)]!, closing.signal)
    }
  }

  async function deliver(event: StripeEvent, version?: string): Promise<void> {
    await Promise.all(endpoints(event).map((endpoint) => deliverTo(event, endpoint, version)))
    if (!closing.signal.aborted) delivered(event)
  }

  async function withFault(event: StripeEvent, { drop = false, copies = 1, delayMs = 0, version }: Fault): Promise<void> {
    if (drop) return delivered(event)
    await pause(delayMs, closing.signal)
    await Promise.all(Array.from({ length: copies }, () => deliver(event, version)))
  }

  const track = (work: Promise<void>): Promise<void> => {
    underWay.add(work)
    return work.finally(() => underWay.delete(work))
  }

  return {
    send: (event) => track(withFault(event, faults(event))),
    replay: (event, version) => track(deliver(event, version)),
    async close() {
      closing.abort()
      await Promise.allSettled(underWay)
    },
  }
}

/** Ends early, without an error, when `signal` fires. */
function pause(ms: number, signal: AbortSignal): Promise<void> {
  if (ms <= 0 || signal.aborted) return Promise.resolve()
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer)
      signal.removeEventListener('abort', end)
      resolve()
    }
    const timer = setTimeout(end, ms)
    signal.addEventListener('abort', end)
  })
}
