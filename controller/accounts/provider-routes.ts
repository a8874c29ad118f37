/**
 * `/auth/provider/ID`: to the provider and back. What belongs to one attempt (state, nonce, PKCE's verifier, where to go afterwards) lies in
 * a signed cookie of the browser that began it, for ten minutes; an answer in another browser is none.
 */
import { timingSafeEqual } from 'node:crypto'
import { parseCookie, stringifySetCookie } from 'cookie'
import type { FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify'
import type { Logger } from 'pino'
import { isEmail } from '../core/purchase.ts'
import { addressOf, networkOf } from '../web/client-network.ts'
import { createProblemHandler, HttpProblem } from '../web/http-problem.ts'
import type { Pages } from '../web/pages/pages.ts'
import { sendProblemPage, wantsPage } from '../web/pages/problem.ts'
import type { AccountLimits } from './limits.ts'
import type { Links } from './links.ts'
import { ownPath } from './own-path.ts'
import { newAttempt, type Attempt, type Provider } from './providers.ts'
import type { OpenSessions } from './sessions.ts'

export interface ProviderRoutesOptions {
  readonly providers: readonly Provider[]
  readonly links: Pick<Links, 'ofProvedAddress'>
  readonly sessions: OpenSessions
  readonly limits: AccountLimits
  readonly pages: Pages
  /** A MAC of a text under a secret of this installation, in hex. */
  readonly sign: (text: string) => string
  readonly publicUrl: () => string
  readonly now: () => Date
  readonly log: Logger
}

interface Begun extends Attempt {
  readonly provider: string
  readonly next: string
  readonly untilMs: number
}

const ATTEMPT_S = 600

export function createProviderRoutes(options: ProviderRoutesOptions): FastifyPluginAsync {
  const { providers, links, sessions, limits, pages, publicUrl, now, log } = options
  const cookie = createAttemptCookie(options)
  const redirectUri = ({ id }: Provider): string => new URL(`/auth/provider/${id}/callback`, publicUrl()).href

  function providerOf(request: FastifyRequest): Provider {
    limits.takeCall(networkOf(addressOf(request)))
    const provider = providers.find(({ id }) => id === (request.params as { id: string }).id)
    if (provider === undefined) throw new HttpProblem({ status: 404, code: 'provider-unknown', title: 'No such way to sign in', detail: 'Choose one on the page /auth/sign-in.' })
    return provider
  }

  /** @throws HttpProblem 400 where the answer belongs to no attempt of this browser, 502 where the provider cannot be asked. */
  async function emailOf(provider: Provider, request: FastifyRequest): Promise<{ readonly email: string; readonly next: string }> {
    const begun = cookie.read(request)
    if (begun === undefined || begun.provider !== provider.id || begun.untilMs <= now().getTime()) throw notSignedIn('This sign-in was not begun in this browser, or too long ago.')
    const cameBack = new URL(redirectUri(provider))
    cameBack.search = new URL(request.url, 'http://own.invalid').search
    if (cameBack.searchParams.get('error') === 'access_denied') throw notSignedIn(`${provider.name} was not allowed to tell who you are.`)
    const email = await provider.finish(begun, cameBack).catch((error: unknown) => {
      log.warn({ provider: provider.id, error: nameOf(error) }, 'a sign-in through a provider failed')
      throw notSignedIn(`${provider.name} did not confirm who you are.`)
    })
    if (email === undefined || !isEmail(email)) throw notSignedIn(`${provider.name} knows no confirmed e-mail address of yours. Confirm one there first.`)
    return { email, next: begun.next }
  }

  return async (parent) => {
    await parent.register(async (app) => {
      app.setErrorHandler(
        createProblemHandler(log, (request, reply, details) => {
          if (!wantsPage(request)) return false
          sendProblemPage(pages, request, reply, details)
          return true
        }),
      )
      app.get<{ Params: { id: string }; Querystring: { next?: unknown } }>('/auth/provider/:id', async (request, reply) => {
        const provider = providerOf(request)
        const attempt = newAttempt()
        const to = await provider.start(attempt, redirectUri(provider)).catch((cause: unknown) => {
          throw new HttpProblem({ status: 502, code: 'provider-failed', title: 'Not reachable', detail: `${provider.name} cannot be reached right now. A sign-in link by mail works all the same.` }, { cause })
        })
        return reply.header('cache-control', 'no-store').header('set-cookie', cookie.write({ ...attempt, provider: provider.id, next: ownPath(request.query.next), untilMs: now().getTime() + ATTEMPT_S * 1000 })).redirect(to.href, 303)
      })
      app.get<{ Params: { id: string } }>('/auth/provider/:id/callback', async (request, reply): Promise<FastifyReply> => {
        void reply.headers({ 'cache-control': 'no-store', 'referrer-policy': 'same-origin' })
        const { email, next } = await emailOf(providerOf(request), request)
        const token = sessions.open(links.ofProvedAddress(email), request)
        return reply.header('set-cookie', [cookie.clear(), sessions.cookie(token)]).redirect(next, 303)
      })
    })
  }
}

function createAttemptCookie({ sign, publicUrl }: ProviderRoutesOptions) {
  const isSecure = (): boolean => publicUrl().startsWith('https:')
  const name = (): string => (isSecure() ? '__Host-sign-in' : 'sign-in')
  // Lax: the way back from the provider is a link of another site.
  const set = (value: string, maxAge: number): string => stringifySetCookie(name(), value, { path: '/', httpOnly: true, sameSite: 'lax', secure: isSecure(), maxAge })
  const macOf = (payload: string): string => sign(`tenantry/oauth/v1\n${payload}`)
  return {
    write(begun: Begun): string {
      const payload = Buffer.from(JSON.stringify(begun)).toString('base64url')
      return set(`${payload}.${macOf(payload)}`, ATTEMPT_S)
    },
    clear: () => set('', 0),
    read({ headers }: FastifyRequest): Begun | undefined {
      const [payload, mac] = (headers.cookie === undefined ? '' : (parseCookie(headers.cookie)[name()] ?? '')).split('.')
      if (payload === undefined || mac === undefined) return undefined
      const [sent, made] = [Buffer.from(mac), Buffer.from(macOf(payload))]
      if (sent.length !== made.length || !timingSafeEqual(sent, made)) return undefined
      return JSON.parse(Buffer.from(payload, 'base64url').toString()) as Begun
    },
  }
}

function notSignedIn(why: string): HttpProblem {
  return new HttpProblem({ status: 400, code: 'provider-refused', title: 'Not signed in', detail: `${why} Try again on the page /auth/sign-in, or have a sign-in link sent by mail.` })
}

/** What kind of error it was: its text may quote what the provider sent. */
function nameOf(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown'
  return 'code' in error && typeof error.code === 'string' ? error.code : error.name
}
