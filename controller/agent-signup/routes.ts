/** `POST /api/agents/signup`: answered once the gateway lets the key in. */
import type { FastifyPluginAsync } from 'fastify'
import type { Logger } from 'pino'
import { addressOf, networkOf } from '../web/client-network.ts'
import { createProblemHandler, HttpProblem } from '../web/http-problem.ts'
import type { SignupAnswer, SignupCall } from './signup.ts'

export interface SignupRoutesOptions {
  readonly signup: (call: SignupCall) => Promise<SignupAnswer>
  /** Resolves with true as soon as the gateway serves the key, with false where that takes too long. */
  readonly untilServed: (key: string) => Promise<boolean>
  readonly limits: { takeLook(network: string): void }
  readonly log: Logger
}

const MAX_BODY_BYTES = 4 * 1024

export function createSignupRoutes({ signup, untilServed, limits, log }: SignupRoutesOptions): FastifyPluginAsync {
  return async (parent) => {
    await parent.register(async (app) => {
      app.setErrorHandler(createProblemHandler(log))
      app.post('/api/agents/signup', { bodyLimit: MAX_BODY_BYTES }, async (request, reply) => {
        const address = addressOf(request)
        limits.takeLook(networkOf(address))
        const { 'idempotency-key': name } = request.headers
        const answer = await signup({ body: request.body, address, idempotencyKey: typeof name === 'string' ? name : undefined }).catch(rethrow)
        const served = await untilServed(answer.key)
        return reply.code(served ? 201 : 202).header('cache-control', 'no-store').send({ ...answer, served })
      })
    })
  }
}

function rethrow(error: unknown): never {
  if (error instanceof HttpProblem) throw error
  throw new HttpProblem({ status: 503, code: 'trial-not-made', title: 'The trial could not be written', detail: 'Try again with the same Idempotency-Key: it makes no second one.', retryAfterSeconds: 5 }, { cause: error })
}
