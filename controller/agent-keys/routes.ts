/**
 * `POST /api/keys`, `GET /api/keys`, `DELETE /api/keys/ID`. Behind the gateway, which checks the key and says in headers of its own whose
 * it is; it takes such headers from nobody else. A new key is answered once the gateway lets it in.
 */
import type { FastifyPluginAsync, FastifyRequest } from 'fastify'
import type { Logger } from 'pino'
import { takeOne, type Rate, type RateState } from '../core/gcra.ts'
import type { TenantId } from '../core/specs.ts'
import { createProblemHandler, HttpProblem } from '../web/http-problem.ts'
import type { AgentKeys, Asker } from './agent-keys.ts'
import { KeyChangeError, type KeyChangeCode } from './errors.ts'
import { readWish } from './wish.ts'

export interface KeyRoutesOptions {
  readonly keys: AgentKeys
  /** Resolves with true as soon as the gateway serves the key, with false where that takes too long. */
  readonly untilServed: (key: string) => Promise<boolean>
  readonly now: () => Date
  readonly log: Logger
}

const MAX_BODY_BYTES = 16 * 1024
/** A commit each: helpers come and go, but not by the thousand. */
const CHANGES: Rate = { perSecond: 0.5, burst: 30 }
const READS: Rate = { perSecond: 5, burst: 50 }

export function createKeyRoutes({ keys, untilServed, now, log }: KeyRoutesOptions): FastifyPluginAsync {
  const changes = createRateByTenant(CHANGES)
  const reads = createRateByTenant(READS)

  return async (parent) => {
    await parent.register(async (app) => {
      app.setErrorHandler(createProblemHandler(log))
      app.post('/api/keys', { bodyLimit: MAX_BODY_BYTES }, async (request, reply) => {
        const asker = askerOf(request)
        changes(asker.tenant, now())
        const read = readWish(request.body, now())
        if (read.kind === 'bad') throw new HttpProblem({ status: 422, code: 'invalid-request', title: 'The key cannot be made like this', detail: read.problems.map(({ field, message }) => `${field}: ${message}`).join('; '), errors: read.problems })
        const { view, key } = await keys.create(asker, read.wish).catch(rethrow)
        const served = await untilServed(key)
        return reply.code(served ? 201 : 202).header('cache-control', 'no-store').header('location', `/api/keys/${view.id}`).send({ ...view, key, served })
      })
      app.get('/api/keys', async (request, reply) => {
        const asker = askerOf(request)
        reads(asker.tenant, now())
        return reply.header('cache-control', 'no-store').send({ tenant: asker.tenant, key: asker.key, keys: keys.list(asker) })
      })
      app.delete<{ Params: { id: string } }>('/api/keys/:id', async (request) => {
        const asker = askerOf(request)
        changes(asker.tenant, now())
        return { revoked: await keys.revoke(asker, request.params.id).catch(rethrow) }
      })
    })
  }
}

/** What the gateway says. Where it says nothing the request came past its check, by an address written in another way. */
function askerOf({ headers }: FastifyRequest): Asker {
  const { 'x-tenantry-tenant': tenant, 'x-tenantry-key': key } = headers
  if (typeof tenant !== 'string' || typeof key !== 'string' || tenant === '' || key === '') {
    throw new HttpProblem({ status: 401, code: 'key-missing', title: 'A key is needed', detail: 'Send your API key as "Authorization: Bearer KEY" to /api/keys.' })
  }
  return { tenant: tenant as TenantId, key }
}

function createRateByTenant(rate: Rate): (tenant: TenantId, at: Date) => void {
  const states = new Map<TenantId, RateState>()
  return (tenant, at) => {
    const taken = takeOne(states.get(tenant) ?? 0, at.getTime(), rate)
    if (taken.kind === 'taken') return void states.set(tenant, taken.state)
    const retryAfterSeconds = Math.max(1, Math.ceil(taken.waitMs / 1000))
    throw new HttpProblem({ status: 429, code: 'too-many-key-calls', title: 'Too many changes of keys', detail: `An account may make ${rate.burst} of these calls at once and ${rate.perSecond} a second. Wait ${retryAfterSeconds} s.`, retryAfterSeconds })
  }
}

const STATUSES: Readonly<Record<KeyChangeCode, number>> = {
  'parent-ended': 403,
  'too-many-keys': 409,
  'too-many-child-keys': 409,
  'too-many-generations': 409,
  'phext-outside': 422,
  'ends-in-the-past': 422,
  'key-not-possible': 422,
  'account-file-invalid': 409,
  'key-unknown': 404,
  'key-not-yours': 403,
}

const DETAILS: Partial<Record<KeyChangeCode, string>> = {
  'account-file-invalid': 'The account\'s file is being put right by a person. Try again later.',
  'key-unknown': 'The account has no such key. GET /api/keys lists those that you may see.',
  'key-not-yours': 'A key may delete the keys that were made from it, and what was made from those. For any other, ask the account\'s owner.',
}

function rethrow(error: unknown): never {
  if (!(error instanceof KeyChangeError)) throw new HttpProblem({ status: 503, code: 'keys-not-changed', title: 'The change could not be written', detail: 'It is not in force. Try again.', retryAfterSeconds: 5 }, { cause: error })
  throw new HttpProblem({ status: STATUSES[error.code], code: error.code, title: 'The keys were not changed', detail: error.message || (DETAILS[error.code] ?? '') })
}
