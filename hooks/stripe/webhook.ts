/**
 * Receives Stripe's webhooks: size, signature on the raw bytes, then into the inbox, and only then a 2xx. Decides nothing and
 * asks nobody, so that the answer is fast. Never logs a body or a header.
 */
import type { FastifyError, FastifyInstance, FastifyPluginAsync } from 'fastify'
import type Stripe from 'stripe'
import type { Inbox } from '../../controller/store/inbox.ts'
import { parseEvent, workOf, type StripeEventHead } from './event.ts'
import { createProblemHandler, HttpProblem, statusOf } from '../../controller/web/http-problem.ts'
import type { Log } from './ports.ts'

export interface StripeWebhookOptions {
  readonly inbox: Pick<Inbox, 'put'>
  readonly webhooks: Stripe['webhooks']
  /** `whsec_…`. */
  readonly secret: string
  readonly now: () => Date
  /** 32 random hex digits. */
  readonly newTrace: () => string
  /** Called when there is something new to work on. */
  readonly poke: () => void
  readonly log: Log
  /** Counted once for each answered webhook. */
  readonly count: (outcome: WebhookOutcome) => void
}

export type WebhookOutcome = 'stored' | 'duplicate' | 'ignored' | 'refused' | 'failed'

const PATHS = ['/api/stripe/webhook', '/webhooks/stripe']

/** Stripe's events are a few KiB; the largest, invoices with many lines, stay well under this. */
export const MAX_BODY_BYTES = 256 * 1024
/** How old a signature may be: Stripe's own recommendation. */
const TOLERANCE_SECONDS = 300

/** A Fastify plugin; its raw body parser stays inside it. */
export function createStripeWebhook(options: StripeWebhookOptions): FastifyPluginAsync {
  return async (parent) => {
    await parent.register(async (app) => {
      takeRawBodies(app)
      const answer = createProblemHandler(options.log)
      app.setErrorHandler(async (error: FastifyError | HttpProblem, request, reply) => {
        options.count(statusOf(error) < 500 ? 'refused' : 'failed')
        await answer(error, request, reply)
      })
      for (const path of PATHS) app.post(path, { bodyLimit: MAX_BODY_BYTES }, (request) => receiveEvent(options, Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0), request.headers['stripe-signature']))
    })
  }
}

function takeRawBodies(app: FastifyInstance): void {
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', { parseAs: 'buffer', bodyLimit: MAX_BODY_BYTES }, (_request, body, done) => done(null, body))
}

/** What the endpoint does with the bytes of a body and its `stripe-signature`. Throws an HttpProblem. */
export async function receiveEvent(options: StripeWebhookOptions, raw: Buffer, signature: string | string[] | undefined): Promise<{ received: true; duplicate?: true }> {
  const receivedAt = options.now()
  verify(options, raw, signature, receivedAt)
  const body = raw.toString('utf8')
  const event = readEvent(body)
  const isWork = workOf(event.type) !== undefined && event.object !== null
  const stored = await store(options.inbox, {
    ...event,
    body: isWork ? body : '',
    trace: options.newTrace(),
    receivedAt: receivedAt.toISOString(),
    ...(isWork ? {} : { ignore: 'nothing is done with events of this type' }),
  })
  options.count(stored === 'duplicate' ? 'duplicate' : isWork ? 'stored' : 'ignored')
  if (isWork && stored === 'stored') options.poke()
  return stored === 'duplicate' ? { received: true, duplicate: true } : { received: true }
}

function verify({ webhooks, secret }: StripeWebhookOptions, raw: Buffer, header: string | string[] | undefined, receivedAt: Date): void {
  if (typeof header !== 'string' || header === '') {
    const detail = 'The stripe-signature header is missing. Only Stripe may call this address.'
    throw new HttpProblem({ status: 400, code: 'signature-missing', title: 'Signature missing', detail })
  }
  try {
    // constructEvent is this and JSON.parse; told apart, so that a bad signature and a bad body have different answers.
    webhooks.signature!.verifyHeader(raw, header, secret, TOLERANCE_SECONDS, undefined, receivedAt.getTime())
  } catch {
    const detail =
      `The signature does not fit the body, or is older than ${TOLERANCE_SECONDS} s. Check that STRIPE_WEBHOOK_SECRET is the secret of this ` +
      "endpoint, that nothing between Stripe and here changes the body, and that this machine's clock is right."
    throw new HttpProblem({ status: 400, code: 'signature-invalid', title: 'Signature invalid', detail })
  }
}

function readEvent(body: string): StripeEventHead {
  let event: StripeEventHead | undefined
  try {
    event = parseEvent(body)
  } catch {
    event = undefined
  }
  if (event !== undefined) return event
  const detail = 'The signed body is not an event of Stripe: it needs an id that starts with evt_ and a type.'
  throw new HttpProblem({ status: 400, code: 'event-malformed', title: 'Not an event', detail })
}

async function store(inbox: Pick<Inbox, 'put'>, event: Parameters<Inbox['put']>[0]): Promise<'stored' | 'duplicate'> {
  try {
    return await inbox.put(event)
  } catch (cause) {
    const detail = 'The event could not be stored. Nothing is lost: send it again.'
    throw new HttpProblem({ status: 500, code: 'not-stored', title: 'Not stored', detail, retryAfterSeconds: 30 }, { cause })
  }
}
