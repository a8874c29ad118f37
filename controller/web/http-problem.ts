/** Refusals of the controller's own HTTP, as `application/problem+json` (RFC 9457): a stable code, what was wrong, and what to do. */
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify'

export interface FieldProblem {
  readonly field: string
  readonly message: string
}

export interface ProblemDetails {
  readonly status: number
  /** Stable, kebab-case. */
  readonly code: string
  readonly title: string
  readonly detail: string
  readonly retryAfterSeconds?: number
  readonly errors?: readonly FieldProblem[]
  /** What is sold in the place of what was asked for. */
  readonly offer?: { readonly plan: string; readonly title: string; readonly prices: Readonly<Record<string, { readonly amount: number; readonly currency: string }>> }
}

export class HttpProblem extends Error {
  override readonly name = 'HttpProblem'
  readonly details: ProblemDetails

  constructor(details: ProblemDetails, options?: ErrorOptions) {
    super(details.detail, options)
    this.details = details
  }
}

/** What Fastify itself refuses, by its error code. */
const OWN_REFUSALS: Readonly<Record<string, string>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: 'body-too-large',
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'unsupported-media-type',
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: 'bad-content-length',
  FST_ERR_VALIDATION: 'invalid-request',
}

/** Answers a request in another form; false where it does not want it. */
export type AnswerOtherwise = (request: FastifyRequest, reply: FastifyReply, details: ProblemDetails) => boolean

/** An error handler for `setErrorHandler`. `log` hears only of faults of ours, never of a body. */
export function createProblemHandler(log: { error(data: object, message: string): void }, otherwise?: AnswerOtherwise) {
  return async (error: FastifyError | HttpProblem, request: FastifyRequest, reply: FastifyReply): Promise<void> => {
    const details = error instanceof HttpProblem ? error.details : detailsOf(error)
    // A refusal that we chose, such as "not ready", is no fault.
    if (details.status >= 500 && (error.cause !== undefined || !(error instanceof HttpProblem))) log.error({ err: error.cause ?? error, code: details.code }, 'request failed')
    const { retryAfterSeconds } = details
    if (retryAfterSeconds !== undefined) void reply.header('retry-after', retryAfterSeconds)
    if (otherwise?.(request, reply, details) === true) return
    await reply
      .code(details.status)
      .header('content-type', 'application/problem+json')
      .send(JSON.stringify({ type: `urn:tenantry:problem:${details.code}`, ...details }))
  }
}

export function statusOf(error: FastifyError | HttpProblem): number {
  return error instanceof HttpProblem ? error.details.status : (error.statusCode ?? 500)
}

function detailsOf(error: FastifyError): ProblemDetails {
  const status = error.statusCode ?? 500
  if (status >= 500) {
    return { status: 500, code: 'internal-error', title: 'Internal error', detail: 'Something went wrong on our side. Try again later.', retryAfterSeconds: 30 }
  }
  return { status, code: OWN_REFUSALS[error.code] ?? 'bad-request', title: 'Request refused', detail: error.message }
}

/** For `setNotFoundHandler`. */
export function notFound(detail: string): () => never {
  return () => {
    throw new HttpProblem({ status: 404, code: 'not-found', title: 'Not found', detail })
  }
}
