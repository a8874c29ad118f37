/** Stripe's HTTP interface over the pretended account, as far as Tenantry calls it: authentication, forms, expansion, pages, idempotency, errors. */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import type { FastifyInstance, FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify'
import { missing, StripeRefusal, type Account } from './account.ts'
import { listAt, parseForm, textAt, textsAt, type Form } from './form.ts'
import { lineItems, listObject } from './objects.ts'
import type { SandboxState, StoredSession } from './state.ts'

export interface ApiOptions {
  readonly account: Account
  readonly state: SandboxState
  readonly secretKey: string
}

interface ById {
  readonly Params: { readonly id: string }
}

export function createStripeApi({ account, state, secretKey }: ApiOptions): FastifyPluginAsync {
  return async (app) => {
    app.setErrorHandler(sendRefusal)
    app.setNotFoundHandler((request) => {
      throw new StripeRefusal(404, `Unrecognized request URL (${request.method}: ${request.url.split('?')[0]!}).`)
    })
    app.addHook('onRequest', async (request, reply) => {
      authenticate(request, secretKey)
      void reply.header('request-id', `req_${randomBytes(7).toString('hex')}`)
      const version = request.headers['stripe-version']
      if (version !== undefined) void reply.header('stripe-version', version)
    })
    addSessions(app, account, state)
    addLists(app, account, state)
  }
}

function authenticate({ headers }: FastifyRequest, secretKey: string): void {
  const given = /^Bearer (.+)$/.exec(headers.authorization ?? '')?.[1]
  if (given === undefined) throw new StripeRefusal(401, 'You did not provide an API key. You need to provide your API key in the Authorization header, using Bearer auth.')
  const digest = (text: string) => createHash('sha256').update(text).digest()
  if (!timingSafeEqual(digest(given), digest(secretKey))) throw new StripeRefusal(401, 'Invalid API Key provided. The sandbox expects the key that it was started with.')
}

function addSessions(app: FastifyInstance, account: Account, state: SandboxState): void {
  const show = (stored: StoredSession, expansions: readonly string[]) => expand(state, stored, expansions)
  app.post('/v1/checkout/sessions', (request, reply) =>
    once(state, request, reply, (form) => show(account.openSession(form), expansionsOf(form))),
  )
  app.get<ById>('/v1/checkout/sessions/:id', async (request) => show(account.session(request.params.id), expansionsOf(queryOf(request))))
  app.post<ById>('/v1/checkout/sessions/:id/expire', (request, reply) => once(state, request, reply, () => account.expire(request.params.id)))
  app.get<ById>('/v1/checkout/sessions/:id/line_items', async (request) => {
    const { session, terms } = account.session(request.params.id)
    return lineItems(session, terms)
  })
  app.get('/v1/checkout/sessions', async (request) => {
    const query = queryOf(request)
    const fits = account.sessions().filter(({ session }) => (['status', 'subscription', 'customer'] as const).every((name) => is(query, name, session[name])))
    const expansions = expansionsOf(query).map((name) => name.replace(/^data\./, ''))
    return page(request, fits.map((stored) => show(stored, expansions)).reverse())
  })
}

function addLists(app: FastifyInstance, account: Account, state: SandboxState): void {
  app.get('/v1/prices', async (request) => {
    const query = queryOf(request)
    const keys = listAt(query['lookup_keys'])
    const prices = account.prices().filter((price) => keys.length === 0 || keys.includes(price.lookup_key))
    return page(request, prices.filter((price) => is(query, 'product', price.product) && is(query, 'active', String(price.active))))
  })
  app.get<ById>('/v1/prices/:id', async ({ params }) => found('price', params.id, account.prices().find(({ id }) => id === params.id)))
  app.get('/v1/customers', async (request) => page(request, state.all('customer').filter(({ email }) => is(queryOf(request), 'email', email)).toReversed()))
  app.get<ById>('/v1/customers/:id', async ({ params }) => found('customer', params.id, state.get('customer', params.id)))
  app.get('/v1/subscriptions', async (request) => {
    const query = queryOf(request)
    const status = textAt(query['status'])
    // As at Stripe, canceled ones are hidden unless asked for.
    const hasStatus = (own: string) => status === 'all' || (status === undefined ? own !== 'canceled' : own === status)
    return page(request, state.all('subscription').filter((each) => is(query, 'customer', each.customer) && hasStatus(each.status)).toReversed())
  })
  app.get<ById>('/v1/subscriptions/:id', async ({ params }) => found('subscription', params.id, state.get('subscription', params.id)))
  app.get('/v1/events', async (request) => {
    const query = queryOf(request)
    const types = listAt(query['types'])
    const since = Number(textsAt(query['created'])['gte'] ?? 0)
    const fits = state.all('event').filter(({ type, created }) => is(query, 'type', type) && (types.length === 0 || types.includes(type)) && created >= since)
    return page(request, fits.toReversed())
  })
  app.get<ById>('/v1/events/:id', async ({ params }) => found('event', params.id, state.get('event', params.id)))
}

function expand(state: SandboxState, { session, terms }: StoredSession, expansions: readonly string[]): object {
  const shown: Record<string, unknown> = { ...session }
  for (const name of expansions) {
    if (name === 'line_items') shown['line_items'] = lineItems(session, terms)
    else if (name === 'subscription') shown['subscription'] = session.subscription === null ? null : state.get('subscription', session.subscription)
    else if (name === 'customer') shown['customer'] = session.customer === null ? null : state.get('customer', session.customer)
    else throw new StripeRefusal(400, `This property cannot be expanded (${name}).`, { param: 'expand' })
  }
  return shown
}

/** With an Idempotency-Key the first answer is given again; the key with another request is refused. */
function once(state: SandboxState, request: FastifyRequest, reply: FastifyReply, act: (form: Form) => object): FastifyReply {
  const text = typeof request.body === 'string' ? request.body : ''
  const key = request.headers['idempotency-key']
  const digest = createHash('sha256').update(`${request.method} ${request.url}\n${text}`).digest('hex')
  const before = typeof key === 'string' ? state.get('reply', key) : undefined
  void reply.header('content-type', 'application/json')
  if (before !== undefined) {
    const message = 'Keys for idempotent requests can only be used with the same parameters they were first used with.'
    if (before.request !== digest) throw new StripeRefusal(400, message, { type: 'idempotency_error' })
    return reply.code(before.status).header('idempotent-replayed', 'true').send(before.body)
  }
  const body = JSON.stringify(act(parseForm(text)))
  if (typeof key === 'string') state.put('reply', key, { request: digest, status: 200, body })
  return reply.code(200).send(body)
}

const DEFAULT_LIMIT = 10
const MAX_LIMIT = 100

/** A page of what the query selects, newest first, as Stripe cuts it. */
function page<T extends { readonly id?: string }>(request: FastifyRequest, all: readonly T[]): object {
  const query = queryOf(request)
  const limit = Math.max(1, Math.min(MAX_LIMIT, Number(textAt(query['limit']) ?? DEFAULT_LIMIT) || DEFAULT_LIMIT))
  const after = textAt(query['starting_after'])
  const start = after === undefined ? 0 : all.findIndex(({ id }) => id === after) + 1
  return listObject(all.slice(start, start + limit), request.url.split('?')[0]!, start + limit < all.length)
}

function queryOf(request: FastifyRequest): Form {
  return parseForm(request.url.split('?')[1] ?? '')
}

function expansionsOf(form: Form): readonly string[] {
  return listAt(form['expand']).filter((value) => typeof value === 'string')
}

function is(query: Form, name: string, value: string | null): boolean {
  const wanted = textAt(query[name])
  return wanted === undefined || wanted === value
}

function found<T>(what: string, id: string, value: T | undefined): T {
  if (value === undefined) throw missing(what, id)
  return value
}

async function sendRefusal(error: Error & { readonly statusCode?: number }, _request: FastifyRequest, reply: FastifyReply): Promise<void> {
  const refusal = error instanceof StripeRefusal ? error : undefined
  const status = refusal?.status ?? error.statusCode ?? 500
  const type = refusal?.type ?? (status >= 500 ? 'api_error' : 'invalid_request_error')
  await reply.code(status).send({ error: { code: refusal?.code, message: error.message, param: refusal?.param, type } })
}
