/**
 * Operations, on a port of its own that is bound to loopback by default: health and metrics openly, the admin API with the
 * token. Reads only; every change is a commit.
 */
import { timingSafeEqual } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import fastify, { type FastifyInstance, type FastifyPluginAsync } from 'fastify'
import type { Logger } from 'pino'
import type { Registry } from 'prom-client'
import type { TenantId } from '../core/specs.ts'
import type { Loop } from '../reconcile/loop.ts'
import { SIGN_IN, type Console } from './console.ts'
import { isDirectHost } from './direct-host.ts'
import { createProblemHandler, HttpProblem, notFound } from './http-problem.ts'
import type { StatusReader } from './status-reader.ts'

export interface AdminOptions {
  readonly token: string
  readonly registry: Registry
  readonly loop: Loop
  readonly status: StatusReader
  /** Behind the token as well. */
  readonly parts?: readonly FastifyPluginAsync[]
  /** The same for a browser. */
  readonly console?: Console
  readonly log: Logger
}

export function createAdmin(options: AdminOptions): FastifyInstance {
  const answerProblem = createProblemHandler(options.log)
  const app = fastify({ frameworkErrors: (error, request, reply) => void answerProblem(error, request, reply), logger: false, bodyLimit: 64 * 1024, forceCloseConnections: true })
  app.setErrorHandler(answerProblem)
  app.addHook('onRequest', async (request) => {
    if (!mayBeFromPage(request.headers)) return
    throw new HttpProblem({ status: 403, code: 'host-not-allowed', title: 'Forbidden', detail: 'This port answers programs that call it by an IP address or as localhost, and no web page of another site.' })
  })
  app.get('/metrics', async (_request, reply) => reply.type(options.registry.contentType).send(await options.registry.metrics()))
  app.get('/healthz', () => ({ status: 'ok' }))
  app.get('/readyz', (_request, reply) => {
    const { ready, lastError } = options.loop.state
    if (ready) return reply.send({ status: 'ready' })
    throw new HttpProblem({ status: 503, code: 'not-ready', title: 'Not ready', detail: lastError ?? 'The first look at the repository is not done yet.', retryAfterSeconds: 1 })
  })
  app.post('/poke', (_request, reply) => {
    options.loop.poke()
    return reply.code(202).send({ status: 'looking' })
  })
  if (options.console !== undefined) void app.register(options.console.entrance)
  void app.register((api, _options, done) => {
    api.addHook('onRequest', async (request, reply) => {
      if (holdsToken(request.headers.authorization, options.token) || options.console?.maySee(request) === true) return
      if (options.console !== undefined && request.method === 'GET' && request.headers.accept?.includes('text/html') === true) return reply.redirect(SIGN_IN, 303)
      throw new HttpProblem({ status: 401, code: 'admin-token-required', title: 'Unauthorized', detail: 'Send the admin token as Authorization: Bearer TOKEN. It stands in HOME/admin-token.' })
    })
    if (options.console !== undefined) void api.register(options.console.pages)
    api.get('/api/status', () => options.status.overview())
    api.get('/api/tenants', () => options.status.list())
    api.get<{ Params: { id: string } }>('/api/tenants/:id', (request, reply) => {
      const found = options.status.tenant(request.params.id as TenantId)
      if (found !== undefined) return reply.send(found)
      throw new HttpProblem({ status: 404, code: 'no-such-tenant', title: 'Not found', detail: `There is no tenant ${JSON.stringify(request.params.id.slice(0, 80))}.` })
    })
    api.get('/api/audit', () => options.status.audit())
    for (const part of options.parts ?? []) void api.register(part)
    done()
  })
  app.setNotFoundHandler(notFound('There is nothing at this address. See /metrics, /healthz, /readyz and /api/tenants.'))
  return app
}

/** By a name that is made to point here, or as a form or script of another site. */
function mayBeFromPage({ host, 'sec-fetch-site': site }: IncomingHttpHeaders): boolean {
  return !isDirectHost(host) || site === 'cross-site' || site === 'same-site'
}

function holdsToken(header: string | undefined, token: string): boolean {
  const given = Buffer.from(header?.replace(/^Bearer\s+/i, '') ?? '')
  const wanted = Buffer.from(token)
  return given.length === wanted.length && timingSafeEqual(given, wanted)
}
