/**
 * Stripe's HTTP interface over the pretended account, as far as Tenantry calls it: authentication, forms, expansion, pages,
 * idempotency, errors. A function from request to answer, so that it works with a socket and without one. The calls themselves are
 * in routes/.
 */
import { createHash, timingSafeEqual } from 'node:crypto'
import type { Account } from './account.ts'
import { expand, withoutHidden } from './expand.ts'
import { listAt, parseForm, textAt, type Form } from './form.ts'
import { listObject } from './objects/list.ts'
import { StripeRefusal } from './refusal.ts'
import { checkoutRoutes } from './routes/checkout.ts'
import { customerRoutes } from './routes/customers.ts'
import { moneyRoutes } from './routes/money.ts'
import type { Route } from './routes/route.ts'
import { productRoutes } from './routes/products.ts'
import { setupRoutes } from './routes/setup.ts'
import { subscriptionRoutes } from './routes/subscriptions.ts'

export interface ApiRequest {
  readonly method: string
  /** With the query. */
  readonly path: string
  readonly headers: Readonly<Record<string, string | undefined>>
  readonly body: string
}

export interface ApiAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

export interface ApiOptions {
  readonly account: Account
  readonly secretKey: string
  readonly now: () => Date
}

type Compiled = Route & { readonly pattern: RegExp }

export function createStripeApi({ account, secretKey, now }: ApiOptions): (request: ApiRequest) => ApiAnswer {
  const routes: Compiled[] = [checkoutRoutes, customerRoutes, moneyRoutes, productRoutes, setupRoutes, subscriptionRoutes]
    .flatMap((make) => make(account))
    .map((route) => ({ ...route, pattern: new RegExp(`^${route.path.replace(/:\w+/g, '([^/]+)')}$`) }))
  const authenticate = createAuthentication(secretKey)
  return (request) => {
    const headers = answerHeaders(account, request)
    try {
      authenticate(request)
      account.catchUp(now())
      return { headers, ...answer(account, routes, request) }
    } catch (error) {
      return { headers, ...refused(error) }
    }
  }
}

type Answered = Pick<ApiAnswer, 'status' | 'body'> & { readonly headers?: ApiAnswer['headers'] }

function answer(account: Account, routes: readonly Compiled[], request: ApiRequest): Answered {
  const [path, query = ''] = request.path.split('?') as [string, string?]
  for (const route of routes) {
    if (route.method !== request.method) continue
    const match = route.pattern.exec(path)
    if (match === null) continue
    const form = parseForm(request.method === 'GET' || request.body === '' ? query : request.body)
    refuseUnknown(route, form)
    const act = () => render(account, path, form, route.handle({ id: decodeURIComponent(match[1] ?? ''), form }))
    return request.method === 'GET' ? { status: 200, body: act() } : once(account, request, act)
  }
  throw new StripeRefusal(404, `Unrecognized request URL (${request.method}: ${path}).`)
}

/** Stripe takes no parameter that it does not know. */
function refuseUnknown({ accepts }: Route, form: Form): void {
  const unknown = Object.keys(form).find((name) => name !== 'expand' && !accepts.includes(name))
  if (unknown !== undefined) throw new StripeRefusal(400, `Received unknown parameter: ${unknown}`, { code: 'parameter_unknown', param: unknown })
}

function render({ ledger: { state } }: Account, path: string, form: Form, result: object | readonly object[]): string {
  const expansions = listAt(form['expand']).filter((value): value is string => typeof value === 'string')
  if (!Array.isArray(result)) return JSON.stringify(expand(state, withoutHidden(result), result, expansions))
  const { data, hasMore } = page(form, result as readonly { readonly id?: string }[])
  const ofItems = expansions.flatMap((name) => (name.startsWith('data.') ? [name.slice('data.'.length)] : []))
  return JSON.stringify(listObject(data.map((each) => expand(state, withoutHidden(each), each, ofItems)), path, hasMore))
}

const DEFAULT_LIMIT = 10
const MAX_LIMIT = 100

/** A page of what the query selects, newest first, as Stripe cuts it. */
function page<T extends { readonly id?: string }>(form: Form, all: readonly T[]): { readonly data: readonly T[]; readonly hasMore: boolean } {
  const limit = Number(textAt(form['limit']) ?? DEFAULT_LIMIT)
  if (!(limit >= 1 && limit <= MAX_LIMIT)) throw new StripeRefusal(400, `Invalid integer: ${limit}`, { param: 'limit' })
  const at = (name: 'starting_after' | 'ending_before'): number | undefined => {
    const id = textAt(form[name])
    if (id === undefined) return undefined
    const index = all.findIndex((each) => each.id === id)
    if (index < 0) throw new StripeRefusal(400, `No such object: '${id}'`, { code: 'resource_missing', param: name })
    return index
  }
  const before = at('ending_before')
  if (before !== undefined) return { data: all.slice(Math.max(0, before - limit), before), hasMore: before > limit }
  const start = (at('starting_after') ?? -1) + 1
  return { data: all.slice(start, start + limit), hasMore: start + limit < all.length }
}

/** With an Idempotency-Key the first answer is given again; the key with another request is refused. */
function once({ ledger: { state } }: Account, request: ApiRequest, act: () => string): Answered {
  const key = request.headers['idempotency-key']
  if (key === undefined) return { status: 200, body: act() }
  const digest = createHash('sha256').update(`${request.method} ${request.path}\n${request.body}`).digest('hex')
  const before = state.get('reply', key)
  if (before === undefined) {
    const body = act()
    state.put('reply', key, { request: digest, status: 200, body })
    return { status: 200, body }
  }
  const message = 'Keys for idempotent requests can only be used with the same parameters they were first used with.'
  if (before.request !== digest) throw new StripeRefusal(400, message, { type: 'idempotency_error' })
  return { status: before.status, body: before.body, headers: { 'content-type': 'application/json', 'idempotent-replayed': 'true' } }
}

function createAuthentication(secretKey: string): (request: ApiRequest) => void {
  const digest = (text: string) => createHash('sha256').update(text).digest()
  const right = digest(secretKey)
  return ({ headers }) => {
    const given = /^Bearer (.+)$/.exec(headers['authorization'] ?? '')?.[1]
    if (given === undefined) throw new StripeRefusal(401, 'You did not provide an API key. You need to provide your API key in the Authorization header, using Bearer auth.')
    if (!timingSafeEqual(digest(given), right)) throw new StripeRefusal(401, 'Invalid API Key provided. The sandbox expects the key that it was started with.')
  }
}

function answerHeaders({ ledger }: Account, { headers }: ApiRequest): Record<string, string> {
  const version = headers['stripe-version']
  return { 'content-type': 'application/json', 'request-id': ledger.newId('req'), ...(version !== undefined && { 'stripe-version': version }) }
}

function refused(error: unknown): Answered {
  if (!(error instanceof StripeRefusal)) throw error
  const { status, code, message, param, type } = error
  return { status, body: JSON.stringify({ error: { code, message, param, type } }) }
}

