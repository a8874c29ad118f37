/** Errors of every HTTP answer are application/problem+json (RFC 9457) with a stable code. */
import type { FastifyReply } from 'fastify'

export interface HttpProblem {
  readonly status: number
  /** Stable, kebab-case. */
  readonly code: string
  readonly title: string
  readonly detail: string
  readonly retryAfterSeconds?: number
}

export function replyProblem(reply: FastifyReply, problem: HttpProblem): FastifyReply {
  if (problem.retryAfterSeconds !== undefined) void reply.header('retry-after', String(problem.retryAfterSeconds))
  return reply
    .code(problem.status)
    .type('application/problem+json')
    .send(JSON.stringify({ type: `https://tenantry.dev/problems/${problem.code}`, ...problem }))
}
