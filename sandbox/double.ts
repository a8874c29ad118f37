/**
 * A Stripe of one's own, on 127.0.0.1: keeps state, takes payments without money, lets time pass, and sends signed webhooks to the
 * real endpoint. For the sandbox and for tests; nothing on the production path imports it.
 */
import type { AddressInfo } from 'node:net'
import Fastify, { type FastifyInstance, type FastifyPluginAsync } from 'fastify'
import { STRIPE_API_VERSION } from '../hooks/stripe/client.ts'
import { HANDLED_EVENTS } from '../hooks/stripe/event.ts'
import { isDirectHost } from '../controller/web/direct-host.ts'
import { createDelivery, type Fault } from './delivery.ts'
import type { Controls } from './controls.ts'
import type { StripeEvent } from './objects/list.ts'
import { createOfflineDouble, type OfflineDouble, type OfflineDoubleOptions } from './offline-double.ts'
import type { Endpoint } from './outgoing.ts'
import { createPayPage } from './pay-page.ts'
import { createPortalPage } from './portal-page.ts'

export type { CatalogPrice } from './offers.ts'

export interface StripeDoubleOptions extends Omit<OfflineDoubleOptions, 'url' | 'onEvent'> {
  /** 0 takes a free one. */
  readonly port: number
  /** An endpoint that is there from the start; asked at each delivery, since it may listen after the double. */
  readonly webhookUrl?: () => string
  readonly webhookSecret: string
  /** What goes wrong with an event on its way; nothing where absent. */
  readonly faults?: (event: StripeEvent) => Fault
  /** Which events that endpoint gets; all are listed. Those that Tenantry acts on where absent. */
  readonly enabledEvents?: readonly string[]
  /** In whose shapes; the pinned version where absent. */
  readonly apiVersion?: string
  /** Further pages of the sandbox, beside Stripe's. */
  readonly pages?: readonly FastifyPluginAsync[]
  /** Milliseconds between attempts to deliver an event; the last one repeats. */
  readonly retryMs?: readonly [number, ...number[]]
}

export interface StripeDouble extends Controls, Pick<OfflineDouble, 'account' | 'state' | 'now' | 'advance'> {
  /** For STRIPE_API_BASE. */
  readonly url: string
  /** Delivers an event once more, in another version's shapes where one is named; resolves when it was answered with 2xx. */
  replay(event: string, version?: string): Promise<void>
  close(): Promise<void>
}

/** While nobody asks, what falls due is looked for this often. */
const CATCH_UP_MS = 1000

export async function createStripeDouble(options: StripeDoubleOptions): Promise<StripeDouble> {
  const { faults = () => ({}), webhookUrl, webhookSecret: secret, enabledEvents = [...HANDLED_EVENTS], apiVersion = STRIPE_API_VERSION } = options
  const first = (): Endpoint | undefined => (webhookUrl === undefined ? undefined : { url: webhookUrl(), secret, enabledEvents, apiVersion })
  let url = ''
  const double = createOfflineDouble({ ...options, url: () => url, onEvent: (event) => send(event) })
  const endpoints = (event: StripeEvent): Endpoint[] => double.endpointsFor(event, first())
  const delivered = ({ id }: StripeEvent) => double.state.put('delivered', id, { at: double.now().getTime() })
  const delivery = createDelivery({ endpoints, sign: double.sign, faults, delivered, ...(options.retryMs && { retryMs: options.retryMs }) })
  /** Faults are asked for events alone that somebody wants. */
  function send(event: StripeEvent): void {
    if (endpoints(event).length > 0) void delivery.send(event)
  }

  const app = await listen(double, options.port, options.pages ?? [])
  url = `http://127.0.0.1:${(app.server.address() as AddressInfo).port}`
  for (const event of double.state.all('event')) if (double.state.get('delivered', event.id) === undefined) send(event)
  const timer = setInterval(() => double.account.catchUp(double.now()), CATCH_UP_MS).unref()
  return {
    ...double,
    url,
    replay: async (id, version) => delivery.replay(double.event(id), version),
    async close() {
      clearInterval(timer)
      await delivery.close()
      await app.close()
    },
  }
}

async function listen(double: OfflineDouble, port: number, pages: readonly FastifyPluginAsync[]): Promise<FastifyInstance> {
  const app = Fastify({ forceCloseConnections: true })
  app.addHook('onRequest', async (request, reply) => {
    if (isDirectHost(request.headers.host)) return
    return reply.code(403).type('text/plain; charset=utf-8').send('The sandbox answers on this machine alone: ask for it by an IP address or as localhost.\n')
  })
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', { parseAs: 'string' }, (_request, body, done) => done(null, body))
  await app.register(createPayPage(double))
  await app.register(createPortalPage(double))
  for (const page of pages) await app.register(page)
  app.all('/v1/*', (request, reply) => {
    const headers = Object.fromEntries(Object.entries(request.headers).map(([name, value]) => [name, String(value)]))
    const answer = double.handle({ method: request.method, path: request.url, headers, body: typeof request.body === 'string' ? request.body : '' })
    return reply.code(answer.status).headers(answer.headers).send(answer.body)
  })
  await app.listen({ host: '127.0.0.1', port })
  return app
}
