/**
 * The controller's public side, on a unix socket behind the gateway, which holds the public port: webhooks, checkout, progress,
 * the first page. Nothing of a customer's data passes here.
 */
import fastify, { type FastifyInstance, type FastifyPluginAsync, type FastifyReply } from 'fastify'
import type { Logger } from 'pino'
import type { TenantId } from '../core/specs.ts'
import type { Payments } from '../payments.ts'
import { firstPage, type FirstPage } from './first-page.ts'
import { guidePage } from './guide-page.ts'
import { createProblemHandler, notFound } from './http-problem.ts'

export interface SiteOptions {
  readonly payments: Payments
  readonly keys?: FastifyPluginAsync
  /** Routes of other parts: accounts and what people do with them. */
  readonly routes?: readonly FastifyPluginAsync[]
  readonly page: () => FirstPage
  /** The address at which customers reach this installation. */
  readonly publicUrl: () => string
  /** The gateway's report of a tenant's first successful request. */
  readonly firstUse: (tenant: TenantId, at: string) => void
  readonly log: Logger
}

const FIRST_USE_BODY = { type: 'object', required: ['tenant', 'at'], properties: { tenant: { type: 'string', maxLength: 100 }, at: { type: 'string', maxLength: 40 } } } as const

export function createSite({ payments, keys, routes = [], page: plans, publicUrl, firstUse, log }: SiteOptions): FastifyInstance {
  const answerProblem = createProblemHandler(log)
  const app = fastify({ frameworkErrors: (error, request, reply) => void answerProblem(error, request, reply), logger: false, bodyLimit: 1024 * 1024, requestTimeout: 30_000, forceCloseConnections: true })
  app.setErrorHandler(answerProblem)
  app.setNotFoundHandler(notFound('There is nothing at this address.'))
  for (const routes of payments.routes) void app.register(routes)
  const page = (reply: FastifyReply, html: string): FastifyReply => reply.type('text/html; charset=utf-8').header('content-security-policy', "default-src 'none'; style-src 'unsafe-inline'").send(html)
  app.get('/', (_request, reply) => page(reply, firstPage(plans())))
  app.get('/guide', (_request, reply) => page(reply, guidePage(publicUrl())))
  if (keys !== undefined) void app.register(keys)
  for (const part of routes) void app.register(part)
  // The gateway answers such a path itself, and marks all that it passes on: two locks.
  app.addHook('onRequest', async (request, reply) => {
    // By the route, not by the address as it was written: %69nternal is the same route.
    if (request.routeOptions.url?.startsWith('/internal/') === true && request.headers['x-tenantry-public'] !== undefined) reply.callNotFound()
  })
  app.post<{ Body: { tenant: TenantId; at: string } }>('/internal/first-use', { schema: { body: FIRST_USE_BODY } }, (request, reply) => {
    firstUse(request.body.tenant, request.body.at)
    return reply.code(204).send()
  })
  return app
}
