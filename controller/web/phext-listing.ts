/** `GET /internal/phexts/TENANT`: what the gateway asks before it exports an SQ whose files it cannot see. Never for requests from outside. */
import type { FastifyPluginAsync } from 'fastify'
import type { Logger } from 'pino'
import type { TenantId } from '../core/specs.ts'
import type { DedicatedPhexts } from '../reconcile/dedicated-phexts.ts'

export function createPhextListing(list: (tenant: TenantId) => Promise<DedicatedPhexts>, log: Logger): FastifyPluginAsync {
  return async (app) => {
    app.get<{ Params: { tenant: TenantId } }>('/internal/phexts/:tenant', async ({ params: { tenant } }, reply) => {
      const listed = await list(tenant)
      if (listed.kind === 'listed') return { phexts: listed.names }
      if (listed.kind === 'failed') log.warn({ tenant, reason: listed.message }, 'the phexts of a container could not be listed')
      return reply.code(listed.kind === 'none' ? 404 : 503).send()
    })
  }
}
