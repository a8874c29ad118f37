/**
 * A Stripe of one's own, on 127.0.0.1: keeps state, takes payments without money, and sends signed webhooks to the real endpoint.
 * For the sandbox and for tests; nothing on the production path imports it.
 */
import type { AddressInfo } from 'node:net'
import Fastify from 'fastify'
import Stripe from 'stripe'
import { createAccount, missing, type Account, type Payment } from './account.ts'
import { createStripeApi } from './api.ts'
import { createDelivery, type Fault } from './delivery.ts'
import type { StripeEvent } from './objects.ts'
import { createPayPage } from './pay-page.ts'
import { createSandboxState } from './state.ts'

/** A price as `tenantry billing sync` would have made it at Stripe. */
export interface CatalogPrice {
  readonly lookupKey: string
  readonly product: string
  /** What the pay page shows: the plan's title. */
  readonly productTitle: string
  readonly amount: number
  readonly currency: string
  readonly interval: 'month' | 'year'
}

export interface StripeDoubleOptions {
  /** 0 takes a free one. */
  readonly port: number
  /** Keeps the state over restarts; absent: in memory. */
  readonly stateFile?: string
  /** Asked at each delivery, since the endpoint may start after the double. */
  readonly webhookUrl: () => string
  readonly webhookSecret: string
  /** The only key that is let in. */
  readonly secretKey: string
  readonly now: () => Date
  /** Asked anew for each request, so that a changed plan file is a new price. */
  readonly catalog: () => Iterable<CatalogPrice>
  /** What goes wrong with an event on its way; nothing where absent. */
  readonly faults?: (event: StripeEvent) => Fault
  /** Which events are delivered; all are listed. Those that Tenantry acts on where absent. */
  readonly enabledEvents?: readonly string[]
  /** Milliseconds between attempts to deliver an event; the last one repeats. */
  readonly retryMs?: readonly [number, ...number[]]
}

export interface StripeDouble {
  /** For STRIPE_API_BASE. */
  readonly url: string
  /** Completes a session, as the pay page does. */
  pay(session: string, payment?: Payment): void
  /** Ends the waiting of a session that was paid `later`. */
  settle(session: string, outcome: 'succeeded' | 'failed'): void
  expire(session: string): void
  events(): readonly StripeEvent[]
  /** Delivers an event once more; resolves when it was answered with 2xx. */
  replay(event: string): Promise<void>
  close(): Promise<void>
}

const ENABLED_EVENTS = ['checkout.session.completed', 'checkout.session.async_payment_succeeded', 'checkout.session.async_payment_failed', 'checkout.session.expired']

export async function createStripeDouble(options: StripeDoubleOptions): Promise<StripeDouble> {
  const { secretKey, now, catalog, faults = () => ({}), enabledEvents = ENABLED_EVENTS } = options
  const state = createSandboxState(options.stateFile)
  const { webhooks } = new Stripe(secretKey)
  const delivered = ({ id }: StripeEvent) => state.put('delivered', id, { at: now().getTime() })
  const delivery = createDelivery({ webhooks, url: options.webhookUrl, secret: options.webhookSecret, now, faults, delivered, ...(options.retryMs && { retryMs: options.retryMs }) })
  const send = (event: StripeEvent): void => {
    if (enabledEvents.includes(event.type)) void delivery.send(event)
  }
  let url = ''
  const account: Account = createAccount({ state, catalog, now, emit: send, payUrl: (session) => `${url}/pay/${session}` })

  const app = Fastify({ forceCloseConnections: true })
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', { parseAs: 'string' }, (_request, body, done) => done(null, body))
  await app.register(createPayPage(account))
  await app.register(createStripeApi({ account, state, secretKey }))
  await app.listen({ host: '127.0.0.1', port: options.port })
  url = `http://127.0.0.1:${(app.server.address() as AddressInfo).port}`

  for (const event of state.all('event')) if (state.get('delivered', event.id) === undefined) send(event)
  return {
    url,
    pay: (session, payment = 'card') => void account.pay(session, payment),
    settle: (session, outcome) => void account.settle(session, outcome),
    expire: (session) => void account.expire(session),
    events: () => state.all('event'),
    async replay(id) {
      const event = state.get('event', id)
      if (event === undefined) throw missing('event', id)
      await delivery.replay(event)
    },
    async close() {
      await delivery.close()
      await app.close()
    },
  }
}
