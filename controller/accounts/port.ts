/** Who is signed in: what pages and the API ask about a request. Made by accounts.ts; hand-written in tests of pages. */
import type { FastifyRequest } from 'fastify'

export interface Session {
  readonly account: string
  /** Lower case. */
  readonly email: string
  /** The address is proved to be theirs (a link that came by mail, or a provider's word): only then are its tenants theirs. */
  readonly emailVerified: boolean
  /** To be sent back by every form as the field `csrf`, and by scripts as the header `x-csrf-token`. */
  readonly csrf: string
}

export interface Sessions {
  /** By cookie or bearer token; undefined where nobody is signed in. */
  of(request: FastifyRequest): Session | undefined
  /** Throws HttpProblem 403 `csrf` where a form or script of another site may have sent the request. Requests with a bearer token pass. */
  checkCsrf(request: FastifyRequest): void
}
