/** The pages with which people sign in, register and end sessions: plain forms that work without JavaScript. What they do is in sign-in.ts and links.ts. */
import formbody from '@fastify/formbody'
import type { FastifyError, FastifyInstance, FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify'
import { addressOf, networkOf } from '../web/client-network.ts'
import { html, type Html } from '../web/html.ts'
import { createProblemHandler, HttpProblem, statusOf } from '../web/http-problem.ts'
import { simplePage } from '../web/pages/components.ts'
import type { Pages } from '../web/pages/pages.ts'
import type { AccountRoutesOptions } from './api-routes.ts'
import { checkMail, deadLink, linkForm, passwordForm, registerForm, sessionsTable, signInForm, type ProviderButton } from './forms.ts'
import type { Links } from './links.ts'
import { ownPath } from './own-path.ts'
import type { Fields } from './sign-in.ts'

export interface AccountPagesOptions extends AccountRoutesOptions {
  readonly links: Links
  readonly pages: Pages
  /** Other ways to sign in, as far as they are configured. */
  readonly providers: readonly ProviderButton[]
}

type Query = Readonly<Record<string, unknown>>
type Form = readonly [title: string, form: Html, actions?: Html]

const MAX_BODY_BYTES = 16 * 1024
const POST = { bodyLimit: MAX_BODY_BYTES }

export function createAccountPages(options: AccountPagesOptions): FastifyPluginAsync {
  const answerProblem = createProblemHandler(options.log)
  const send = sender(options.pages)

  /** A refusal is answered with the form that it is about. */
  function refuse(error: FastifyError | HttpProblem, request: FastifyRequest, reply: FastifyReply): FastifyReply | Promise<void> {
    const status = statusOf(error)
    if (status >= 500 && !(error instanceof HttpProblem)) return answerProblem(error, request, reply)
    const { detail, retryAfterSeconds } = error instanceof HttpProblem ? error.details : { detail: 'That was not understood. Go back and try again.', retryAfterSeconds: undefined }
    if (retryAfterSeconds !== undefined) void reply.header('retry-after', retryAfterSeconds)
    return send(request, reply, formAgain(options, request, detail), status)
  }

  return async (parent) => {
    await parent.register(async (app) => {
      if (!app.hasContentTypeParser('application/x-www-form-urlencoded')) await app.register(formbody, POST)
      app.setErrorHandler(refuse)
      app.addHook('onRequest', async (request) => {
        if (request.method === 'GET' || request.method === 'HEAD') return
        options.limits.takeCall(networkOf(addressOf(request)))
        options.sessions.checkOrigin(request)
      })
      addSignIn(app, options, send)
      addLink(app, options, send)
      addSessions(app, options, send)
    })
  }
}

type Send = (request: FastifyRequest, reply: FastifyReply, form: Form, status?: number) => FastifyReply

/** Pages of one person: kept nowhere, and a link's token is told to no other site. */
function sender(pages: Pages): Send {
  return (request, reply, [title, form, actions], status = 200) => pages.send(reply, { title, brand: pages.brand(request, pages.front(request)), main: simplePage('narrow', title, undefined, form), personal: true, ...(actions !== undefined && { actions }) }, { status })
}

/** The form that was sent, with what was wrong and all that was typed but the password. */
function formAgain({ providers }: AccountPagesOptions, request: FastifyRequest, error: string): Form {
  const fields = { ...(request.query as Query), ...formOf(request) }
  const again = { email: textOf(fields['email']), next: ownPath(fields['next']), error }
  switch (request.routeOptions.url) {
    case '/auth/register':
      return ['Choose a password', registerForm(again)]
    case '/auth/password':
      return ['Sign in', passwordForm(again)]
    case '/auth/link':
      return ['Sign in', linkForm({ token: textOf(fields['token']), email: undefined, asksPassword: true, error })]
    default:
      return ['Sign in', signInForm(again, providers)]
  }
}

function addSignIn(app: FastifyInstance, { signIn, sessions, providers }: AccountPagesOptions, send: Send): void {
  const empty = (request: FastifyRequest): { email: string; next: string } => ({ email: '', next: ownPath((request.query as Query)['next']) })
  app.get('/auth/sign-in', (request, reply) => {
    const { email, next } = empty(request)
    if (sessions.of(request)?.emailVerified === true) return reply.redirect(next, 303)
    return send(request, reply, ['Sign in', signInForm({ email, next }, providers)])
  })
  app.post('/auth/sign-in', POST, async (request, reply) => {
    signIn.requestLink(formOf(request))
    return reply.redirect('/auth/check-mail', 303)
  })
  app.get('/auth/password', (request, reply) => send(request, reply, ['Sign in', passwordForm(empty(request))]))
  app.post('/auth/password', POST, async (request, reply) => {
    const fields = formOf(request)
    const account = await signIn.login(fields)
    return reply.header('set-cookie', sessions.cookie(sessions.open(account, request))).redirect(ownPath(fields['next']), 303)
  })
  app.get('/auth/register', (request, reply) => send(request, reply, ['Choose a password', registerForm(empty(request))]))
  app.post('/auth/register', POST, async (request, reply) => {
    const fields = formOf(request)
    const { account } = await signIn.register(fields, fields['next'])
    // Whoever follows the link in this browser is known by it to have chosen the password.
    return reply.header('set-cookie', sessions.cookie(sessions.open(account, request))).redirect('/auth/check-mail', 303)
  })
  app.get('/auth/check-mail', (request, reply) => send(request, reply, ['Look into your mailbox', checkMail()]))
}

function addLink(app: FastifyInstance, { links, sessions, limits }: AccountPagesOptions, send: Send): void {
  const gone = (request: FastifyRequest, reply: FastifyReply): FastifyReply => send(request, reply, ['This link is used up', deadLink()], 410)
  // Programs that look through mail follow links: only the button uses it up.
  app.get<{ Querystring: Query }>('/auth/link', (request, reply) => {
    limits.takeLook(networkOf(addressOf(request)))
    const { token } = request.query
    const link = links.lookAt(token)
    if (link === undefined) return gone(request, reply)
    const asksPassword = link.registration !== null && link.registration !== sessions.of(request)?.account
    return send(request, reply, ['Sign in', linkForm({ token: textOf(token), email: link.email, asksPassword })])
  })
  app.post('/auth/link', POST, async (request, reply) => {
    const { token, password } = formOf(request)
    const present = sessions.of(request)?.account
    const followed = await links.follow(token, { ...(present !== undefined && { present }), password: textOf(password) })
    if (followed === undefined) return gone(request, reply)
    sessions.end(request)
    return reply.header('set-cookie', sessions.cookie(sessions.open(followed.account, request))).redirect(followed.next, 303)
  })
}

function addSessions(app: FastifyInstance, { sessions }: AccountPagesOptions, send: Send): void {
  const toSignIn = (reply: FastifyReply): FastifyReply => reply.redirect('/auth/sign-in?next=/account/sessions', 303)
  app.get('/account/sessions', (request, reply) => {
    const session = sessions.of(request)
    return session === undefined ? toSignIn(reply) : send(request, reply, ['Where you are signed in', sessionsTable(session, sessions.list(request)), html`<a href="/dashboard">Dashboard</a>`])
  })
  app.post('/account/sessions', POST, async (request, reply) => {
    const session = sessions.of(request)
    if (session === undefined) return toSignIn(reply)
    sessions.checkCsrf(request)
    const { end } = formOf(request)
    if (end === 'all') sessions.endAll(session.account)
    else sessions.endOne(session.account, textOf(end))
    return reply.redirect('/account/sessions', 303)
  })
  app.post('/auth/sign-out', POST, async (request, reply) => {
    sessions.checkCsrf(request)
    sessions.end(request)
    return reply.header('set-cookie', sessions.clearedCookie()).redirect('/', 303)
  })
}

export const textOf = (value: unknown): string => (typeof value === 'string' ? value : '')

export function formOf({ body }: FastifyRequest): Fields {
  return typeof body === 'object' && body !== null ? (body as Fields) : {}
}
