/** `/api/auth/…`: what programs call to register, sign in and end sessions. A token that is answered here is a session, to be sent as `Authorization: Bearer TOKEN`. */
import type { FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify'
import type { Logger } from 'pino'
import { addressOf, networkOf } from '../web/client-network.ts'
import { createProblemHandler, HttpProblem } from '../web/http-problem.ts'
import type { AccountLimits } from './limits.ts'
import type { Session } from './port.ts'
import type { OpenSessions } from './sessions.ts'
import type { Fields, SignIn } from './sign-in.ts'

export interface AccountRoutesOptions {
  readonly sessions: OpenSessions
  readonly signIn: SignIn
  readonly limits: AccountLimits
  readonly log: Logger
}

const MAX_BODY_BYTES = 16 * 1024
/** Said whether or not the address has an account. */
export const LINK_SENT = 'If the address can receive mail, a link is on its way. It is good for 15 minutes and for one use.'

export function createAuthApi({ sessions, signIn, limits, log }: AccountRoutesOptions): FastifyPluginAsync {
  return async (parent) => {
    await parent.register(async (app) => {
      app.setErrorHandler(createProblemHandler(log))
      app.addHook('onRequest', async (request, reply) => {
        void reply.header('cache-control', 'no-store')
        limits.takeCall(networkOf(addressOf(request)))
        if (request.method !== 'GET') sessions.checkOrigin(request)
      })
      const limited = { bodyLimit: MAX_BODY_BYTES }
      app.post('/api/auth/register', limited, async (request, reply) => {
        const { account } = await signIn.register(fieldsOf(request, ['email', 'password']), undefined)
        return reply.code(201).send({ user_id: account, token: sessions.open(account, request), detail: 'Follow the link in our mail to confirm the address: until then this session sees no tenants.' })
      })
      app.post('/api/auth/login', limited, async (request) => {
        const account = await signIn.login(fieldsOf(request, ['email', 'password']))
        return { token: sessions.open(account, request) }
      })
      app.post('/api/auth/link', limited, async (request, reply) => {
        signIn.requestLink(fieldsOf(request, ['email', 'next']))
        return reply.code(202).send({ detail: LINK_SENT })
      })
      app.get('/api/auth/sessions', async (request) => {
        const { email, emailVerified } = requireSession(sessions, request)
        return { email, emailVerified, sessions: sessions.list(request) }
      })
      app.post('/api/auth/logout', limited, async (request, reply) => {
        requireSession(sessions, request)
        sessions.checkCsrf(request)
        sessions.end(request)
        return ended(reply)
      })
      app.delete('/api/auth/sessions', async (request, reply) => {
        const { account } = requireSession(sessions, request)
        sessions.checkCsrf(request)
        sessions.endAll(account)
        return ended(reply)
      })
      app.delete<{ Params: { id: string } }>('/api/auth/sessions/:id', async (request, reply) => {
        const { account } = requireSession(sessions, request)
        sessions.checkCsrf(request)
        if (sessions.endOne(account, request.params.id)) return reply.code(204).send()
        throw new HttpProblem({ status: 404, code: 'session-unknown', title: 'No such session', detail: 'You have no such session. GET /api/auth/sessions lists those that you have.' })
      })
      const ended = (reply: FastifyReply): FastifyReply => reply.code(204).header('set-cookie', sessions.clearedCookie()).send()
    })
  }
}

/** @throws HttpProblem 401. */
export function requireSession(sessions: Pick<OpenSessions, 'of'>, request: FastifyRequest): Session {
  const session = sessions.of(request)
  if (session !== undefined) return session
  throw new HttpProblem({ status: 401, code: 'not-signed-in', title: 'Not signed in', detail: 'Send the token that POST /api/auth/login answered as "Authorization: Bearer TOKEN".' })
}

/** A field that is misspelt is said, not ignored. */
function fieldsOf({ body }: FastifyRequest, names: readonly string[]): Fields {
  const wanted = `Send a JSON object with ${names.join(' and ')}.`
  if (typeof body !== 'object' || body === null || Array.isArray(body)) throw new HttpProblem({ status: 422, code: 'invalid-request', title: 'Not possible like this', detail: wanted })
  const errors = Object.keys(body)
    .filter((field) => !names.includes(field))
    .map((field) => ({ field: field.slice(0, 100), message: `There is no such field. ${wanted}` }))
  if (errors.length > 0) throw new HttpProblem({ status: 422, code: 'invalid-request', title: 'Not possible like this', detail: `${errors[0]!.field}: ${errors[0]!.message}`, errors })
  return body as Fields
}
