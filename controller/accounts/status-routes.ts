/** `GET /api/subdomain/check/NAME` and `GET /api/status`: whether a name is free, and how somebody's instances are. */
import type { FastifyPluginAsync } from 'fastify'
import type { Logger } from 'pino'
import type { CatalogView } from '../core/catalog-view.ts'
import { isUsername } from '../core/purchase.ts'
import type { Tenant, TenantId } from '../core/specs.ts'
import { createOwned } from '../dashboard/owned.ts'
import type { TenantRecord } from '../store/tenant-records.ts'
import { addressOf, networkOf } from '../web/client-network.ts'
import { createProblemHandler, HttpProblem } from '../web/http-problem.ts'
import { summarise } from '../web/status-reader.ts'
import { requireSession } from './api-routes.ts'
import type { AccountLimits } from './limits.ts'
import type { OpenSessions } from './sessions.ts'

export interface StatusRoutesOptions {
  readonly sessions: OpenSessions
  readonly limits: AccountLimits
  readonly catalog: CatalogView & { ownedBy(email: string): readonly TenantId[] }
  readonly records: { get(id: TenantId): TenantRecord | undefined }
  readonly log: Logger
}

/** Whose names are host names. */
const NAMED_PRODUCT = 'spoq'

export function createStatusRoutes({ sessions, limits, catalog, records, log }: StatusRoutesOptions): FastifyPluginAsync {
  const owned = createOwned(catalog)

  function viewOf({ metadata, spec }: Tenant) {
    const record = records.get(metadata.name)
    const { ready, reason, message } = record === undefined ? { ready: false, reason: 'Progressing', message: '' } : summarise(record)
    return { tenant: metadata.name, product: spec.product, plan: spec.plan, username: spec.owner.username ?? null, state: spec.state, ready, reason, message }
  }

  return async (parent) => {
    await parent.register(async (app) => {
      app.setErrorHandler(createProblemHandler(log))
      app.addHook('onRequest', async (request, reply) => {
        void reply.header('cache-control', 'no-store')
        limits.takeLook(networkOf(addressOf(request)))
      })
      app.get<{ Params: { name: string }; Querystring: { product?: unknown } }>('/api/subdomain/check/:name', async ({ params: { name }, query }) => {
        const product = query.product === undefined ? NAMED_PRODUCT : query.product
        if (typeof product !== 'string' || catalog.product(product) === undefined) throw new HttpProblem({ status: 404, code: 'product-unknown', title: 'No such product', detail: `Choose one of ${[...catalog.products()].map(({ metadata }) => metadata.name).join(', ')}.` })
        return { available: isUsername(name) && catalog.tenantByUsername(product, name) === undefined }
      })
      app.get('/api/status', async (request) => {
        const tenants = owned.all(requireSession(sessions, request))
        const container = tenants.find(({ spec }) => catalog.product(spec.product)?.spec.run.kind === 'container')
        const profiles = container?.spec.profiles ?? []
        return {
          container_status: container === undefined ? null : statusOf(container.spec.state, viewOf(container).ready),
          profiles: profiles.map(({ username }) => ({ username })),
          devices: profiles.flatMap(({ username, devices }) => devices.map(({ name, addedAt }) => ({ name, profile: username, added_at: addedAt ?? null }))),
          tenants: tenants.map(viewOf),
        }
      })
    })
  }
}

function statusOf(state: Tenant['spec']['state'], ready: boolean): 'running' | 'starting' | 'suspended' | 'ended' {
  return state === 'active' ? (ready ? 'running' : 'starting') : state
}
