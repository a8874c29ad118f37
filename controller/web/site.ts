/**
 * The controller's public side, on a unix socket behind the gateway, which holds the public port: webhooks, checkout, progress,
 * pages. Nothing of a customer's data passes here.
 */
import fastify, { type FastifyInstance, type FastifyPluginAsync } from 'fastify'
import type { Logger } from 'pino'
import type { TenantId } from '../core/specs.ts'
import { createProblemHandler, notFound } from './http-problem.ts'
import type { Pages } from './pages/pages.ts'
import { sendProblemPage, wantsPage } from './pages/problem.ts'

export interface SiteOptions {
  /** Each part brings its own. */
  readonly routes: readonly FastifyPluginAsync[]
  readonly pages: Pages
  /** The gateway's report of a tenant's first successful request. */
  readonly firstUse: (tenant: TenantId, at: string) => void
  readonly log: Logger
}

const FIRST_USE_BODY = { type: 'object', required: ['tenant', 'at'], properties: { tenant: { type: 'string', maxLength: 100 }, at: { type: 'string', maxLength: 40 } } } as const

export function createSite({ routes, pages, firstUse, log }: SiteOptions): FastifyInstance {
  const answerProblem = createProblemHandler(log, (request, reply, details) => {
    if (!wantsPage(request)) return false
    sendProblemPage(pages, request, reply, details)
    return true
  })
  const app = fastify({ frameworkErrors: (error, request, reply) => void answerProblem(error, request, reply), logger: false, bodyLimit: 1024 * 1024, requestTimeout: 30_000, forceCloseConnections: true })
  app.setErrorHandler(answerProblem)
  app.setNotFoundHandler(notFound('There is nothing at this address.'))
  for (const each of routes) void app.register(each)
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
