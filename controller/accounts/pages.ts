/** The pages with which people sign in, register and end sessions: plain forms that work without JavaScript. What they do is in sign-in.ts. */
import formbody from '@fastify/formbody'
import type { FastifyError, FastifyInstance, FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify'
import { addressOf, networkOf } from '../web/client-network.ts'
import { createProblemHandler, HttpProblem, statusOf } from '../web/http-problem.ts'
import type { AccountRoutesOptions } from './api-routes.ts'
import { checkMailBody, deadLinkBody, errorBox, linkBody, registerBody, sessionsBody, signInBody, type ProviderButton } from './forms.ts'
import type { Links } from './links.ts'
import { ownPath } from './own-path.ts'
import { sendPage } from './page-layout.ts'
import type { Fields } from './sign-in.ts'

export interface AccountPagesOptions extends AccountRoutesOptions {
  readonly links: Links
  /** Other ways to sign in, as far as they are configured. */
  readonly providers: readonly ProviderButton[]
}

type Query = Readonly<Record<string, unknown>>

const MAX_BODY_BYTES = 16 * 1024
/** The page to which a refused form is answered. */
const PAGE_OF: Readonly<Record<string, string>> = { '/auth/register': 'Make an account', '/auth/link': 'Sign in' }

export function createAccountPages(options: AccountPagesOptions): FastifyPluginAsync {
  const { limits, sessions, log } = options
  const answerProblem = createProblemHandler(log)

  /** A refusal is answered with the form that it is about. */
  function refuse(error: FastifyError | HttpProblem, request: FastifyRequest, reply: FastifyReply): FastifyReply | Promise<void> {
    if (statusOf(error) >= 500 && !(error instanceof HttpProblem)) return answerProblem(error, request, reply)
    const details = error instanceof HttpProblem ? error.details : { status: statusOf(error), detail: 'That was not understood. Go back and try again.', title: 'Not understood' }
    if ('retryAfterSeconds' in details && details.retryAfterSeconds !== undefined) void reply.header('retry-after', details.retryAfterSeconds)
    return sendPage(reply.code(details.status), PAGE_OF[request.routeOptions.url ?? ''] ?? 'Sign in', errorBox(details.detail) + formFor(options, request))
  }

  return async (parent) => {
    await parent.register(async (app) => {
      if (!app.hasContentTypeParser('application/x-www-form-urlencoded')) await app.register(formbody, { bodyLimit: MAX_BODY_BYTES })
      app.setErrorHandler(refuse)
      app.addHook('onRequest', async (request) => {
        if (request.method === 'GET') return
        limits.takeCall(networkOf(addressOf(request)))
        sessions.checkOrigin(request)
      })
      addSignIn(app, options)
      addLink(app, options)
      addSessions(app, options)
    })
  }
}

function formFor({ providers }: AccountPagesOptions, request: FastifyRequest): string {
  const fields = { ...(request.query as Query), ...(typeof request.body === 'object' ? request.body : {}) } as Query
  const [email, next] = [textOf(fields['email']), ownPath(fields['next'])]
  switch (request.routeOptions.url) {
    case '/auth/register':
      return registerBody({ email, next })
    case '/auth/link':
      return linkBody({ token: textOf(fields['token']), email: undefined, asksPassword: true })
    default:
      return signInBody({ email, next, providers })
  }
}

function addSignIn(app: FastifyInstance, { signIn, sessions, providers }: AccountPagesOptions): void {
  app.get<{ Querystring: Query }>('/auth/sign-in', (request, reply) => {
    const next = ownPath(request.query['next'])
    if (sessions.of(request)?.emailVerified === true) return reply.redirect(next, 303)
    return sendPage(reply, 'Sign in', signInBody({ email: '', next, providers }))
  })
  app.post('/auth/sign-in', { bodyLimit: MAX_BODY_BYTES }, async (request, reply) => {
    const fields = formOf(request)
    if (fields['password'] === undefined) {
      signIn.requestLink(fields)
      return reply.redirect('/auth/check-mail', 303)
    }
    const account = await signIn.login(fields)
    return reply.header('set-cookie', sessions.cookie(sessions.open(account, request))).redirect(ownPath(fields['next']), 303)
  })
  app.get<{ Querystring: Query }>('/auth/register', (request, reply) => sendPage(reply, 'Make an account', registerBody({ email: '', next: ownPath(request.query['next']) })))
  app.post('/auth/register', { bodyLimit: MAX_BODY_BYTES }, async (request, reply) => {
    const fields = formOf(request)
    const { account } = await signIn.register(fields, fields['next'])
    // Whoever follows the link in this browser is known by it to have chosen the password.
    return reply.header('set-cookie', sessions.cookie(sessions.open(account, request))).redirect('/auth/check-mail', 303)
  })
  app.get('/auth/check-mail', (_request, reply) => sendPage(reply, 'Look into your mailbox', checkMailBody()))
}

function addLink(app: FastifyInstance, { links, sessions, limits }: AccountPagesOptions): void {
  // Programs that look through mail follow links: only the button uses it up.
  app.get<{ Querystring: Query }>('/auth/link', (request, reply) => {
    limits.takeLook(networkOf(addressOf(request)))
    const { token } = request.query
    const link = links.lookAt(token)
    if (link === undefined) return sendPage(reply.code(410), 'This link is used up', deadLinkBody())
    const asksPassword = link.registration !== null && link.registration !== sessions.of(request)?.account
    return sendPage(reply, 'Sign in', linkBody({ token: textOf(token), email: link.email, asksPassword }))
  })
  app.post('/auth/link', { bodyLimit: MAX_BODY_BYTES }, async (request, reply) => {
    const { token, password } = formOf(request)
    const present = sessions.of(request)?.account
    const followed = await links.follow(token, { ...(present !== undefined && { present }), password: textOf(password) })
    if (followed === undefined) return sendPage(reply.code(410), 'This link is used up', deadLinkBody())
    sessions.end(request)
    return reply.header('set-cookie', sessions.cookie(sessions.open(followed.account, request))).redirect(followed.next, 303)
  })
}

function addSessions(app: FastifyInstance, { sessions }: AccountPagesOptions): void {
  const toSignIn = (reply: FastifyReply): FastifyReply => reply.redirect('/auth/sign-in?next=/account/sessions', 303)
  app.get('/account/sessions', (request, reply) => {
    const session = sessions.of(request)
    return session === undefined ? toSignIn(reply) : sendPage(reply, 'Where you are signed in', sessionsBody(session, sessions.list(request)))
  })
  app.post('/account/sessions', { bodyLimit: MAX_BODY_BYTES }, async (request, reply) => {
    const session = sessions.of(request)
    if (session === undefined) return toSignIn(reply)
    sessions.checkCsrf(request)
    const { end } = formOf(request)
    if (end === 'all') sessions.endAll(session.account)
    else sessions.endOne(session.account, textOf(end))
    return reply.redirect('/account/sessions', 303)
  })
  app.post('/auth/sign-out', { bodyLimit: MAX_BODY_BYTES }, async (request, reply) => {
    sessions.checkCsrf(request)
    sessions.end(request)
    return reply.header('set-cookie', sessions.clearedCookie()).redirect('/', 303)
  })
}

const textOf = (value: unknown): string => (typeof value === 'string' ? value : '')

function formOf({ body }: FastifyRequest): Fields {
  return typeof body === 'object' && body !== null ? (body as Fields) : {}
}
