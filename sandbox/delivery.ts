/**
 * Brings events to the webhook endpoint: signed with the `stripe` package, tried again until a 2xx, and, for tests, dropped,
 * doubled or delayed, which is also how they come out of order.
 */
import type Stripe from 'stripe'
import type { StripeEvent } from './objects.ts'

/** What goes wrong on the way of one event. */
export interface Fault {
  /** Never delivered; `replay` still does. */
  readonly drop?: boolean
  /** How often it is delivered in all. */
  readonly copies?: number
  readonly delayMs?: number
}

export interface DeliveryOptions {
  readonly webhooks: Stripe['webhooks']
  readonly url: () => string
  readonly secret: string
  readonly now: () => Date
  readonly faults: (event: StripeEvent) => Fault
  /** Called when the event was answered with 2xx, or dropped on purpose. */
  readonly delivered: (event: StripeEvent) => void
  /** Pauses between attempts; the last one repeats. */
  readonly retryMs?: readonly [number, ...number[]]
}

export interface Delivery {
  /** In the background; whoever waits for it learns of the end of the first copy. */
  send(event: StripeEvent): Promise<void>
  /** Once more, without faults. */
  replay(event: StripeEvent): Promise<void>
  close(): Promise<void>
}

/** Stripe waits longer and tries for three days; a sandbox is impatient. */
const RETRY_MS: readonly [number, ...number[]] = [100, 250, 500, 1000, 2000, 5000, 15_000, 60_000]
const ANSWER_MS = 20_000

export function createDelivery({ webhooks, url, secret, now, faults, delivered, retryMs = RETRY_MS }: DeliveryOptions): Delivery {
  const closing = new AbortController()
  const underWay = new Set<Promise<void>>()

  async function attempt(event: StripeEvent): Promise<boolean> {
    const payload = JSON.stringify(event, undefined, 2)
    const signature = webhooks.generateTestHeaderString({ payload, secret, timestamp: Math.floor(now().getTime() / 1000) })
    try {
      const signal = AbortSignal.any([closing.signal, AbortSignal.timeout(ANSWER_MS)])
      const headers = { 'content-type': 'application/json; charset=utf-8', 'stripe-signature': signature }
      const response = await fetch(url(), { method: 'POST', headers, body: payload, signal })
      await response.arrayBuffer()
      return response.ok
    } catch {
      return false
    }
  }

  async function deliver(event: StripeEvent): Promise<void> {
    for (let n = 0; !closing.signal.aborted; n++) {
      if (await attempt(event)) return delivered(event)
      await pause(retryMs[Math.min(n, retryMs.length - 1)]!, closing.signal)
    }
  }

  async function withFault(event: StripeEvent, { drop = false, copies = 1, delayMs = 0 }: Fault): Promise<void> {
    if (drop) return delivered(event)
    await pause(delayMs, closing.signal)
    await Promise.all(Array.from({ length: copies }, () => deliver(event)))
  }

  const track = (work: Promise<void>): Promise<void> => {
    underWay.add(work)
    return work.finally(() => underWay.delete(work))
  }

  return {
    send: (event) => track(withFault(event, faults(event))),
    replay: (event) => track(deliver(event)),
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
