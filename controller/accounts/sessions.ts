/**
 * Who is signed in. A session is a random token that only the person has, as a cookie or a bearer token; the store knows its digest.
 * It ends when it is not used for two weeks, and after sixty days in any case.
 */
import { hash, randomBytes, timingSafeEqual } from 'node:crypto'
import { parseCookie, stringifySetCookie } from 'cookie'
import type { FastifyRequest } from 'fastify'
import type { SessionRows, StoredSession } from '../store/sessions.ts'
import { agentFamily } from './agent-family.ts'
import type { Session, Sessions } from './port.ts'
import { otherSite, requireSameOrigin } from './same-origin.ts'

export interface SessionView {
  readonly id: string
  readonly agent: string
  readonly createdAt: string
  readonly seenAt: string
  readonly expiresAt: string
  /** The one that asks. */
  readonly current: boolean
}

export interface OpenSessions extends Sessions {
  /** Begins one; answers its token, a secret. */
  open(account: string, request: Pick<FastifyRequest, 'headers'>): string
  /** `Set-Cookie` that keeps the token in the browser, or takes it out of there. */
  cookie(token: string): string
  clearedCookie(): string
  list(request: FastifyRequest): readonly SessionView[]
  /** Ends the session that asks. */
  end(request: FastifyRequest): void
  /** True where the account has such a session. */
  endOne(account: string, id: string): boolean
  endAll(account: string): number
  /** Requires somebody to have come from a page of ours, signed in or not: for forms with which one signs in. */
  checkOrigin(request: FastifyRequest): void
}

export interface SessionsOptions {
  readonly rows: SessionRows
  readonly publicUrl: () => string
  readonly now: () => Date
}

const DAY_MS = 86_400_000
const IDLE_MS = 14 * DAY_MS
const ABSOLUTE_MS = 60 * DAY_MS
/** When it was last seen is written this often: a write at each request would be a sync of the disk each. */
const SEEN_PAUSE_MS = 10 * 60_000
const SWEEP_PAUSE_MS = 3_600_000
const TOKEN = /^tnt-s1-[\w-]{43}$/

interface Found {
  readonly session: Session
  readonly id: string
  readonly by: 'cookie' | 'bearer'
}

export function createSessions({ rows, publicUrl, now }: SessionsOptions): OpenSessions {
  const known = new WeakMap<FastifyRequest, Found | undefined>()
  let sweptAtMs = -Infinity
  const isSecure = (): boolean => publicUrl().startsWith('https:')
  const cookieName = (): string => (isSecure() ? '__Host-session' : 'session')
  const cookieFor = (token: string, maxAge: number): string => stringifySetCookie(cookieName(), token, { path: '/', httpOnly: true, sameSite: 'lax', secure: isSecure(), maxAge })

  function find(request: FastifyRequest): Found | undefined {
    const presented = presentedToken(request, cookieName())
    if (presented === undefined) return undefined
    const digest = digestOf(presented.token)
    const row = rows.get(digest)
    const at = now()
    if (row === undefined || isOver(row, at)) return undefined
    if (at.getTime() - Date.parse(row.seenAt) >= SEEN_PAUSE_MS) rows.seen(digest, at.toISOString())
    return { id: row.id, by: presented.by, session: { account: row.account, email: row.email, emailVerified: row.emailVerifiedAt !== null, csrf: csrfOf(presented.token) } }
  }

  function foundBy(request: FastifyRequest): Found | undefined {
    if (!known.has(request)) known.set(request, find(request))
    return known.get(request)
  }

  function sweep(at: Date): void {
    if (at.getTime() - sweptAtMs < SWEEP_PAUSE_MS) return
    sweptAtMs = at.getTime()
    rows.sweep(at.toISOString(), new Date(at.getTime() - IDLE_MS).toISOString())
  }

  const checkOrigin = (request: FastifyRequest): void => {
    if (!hasBearer(request)) requireSameOrigin(request, publicUrl())
  }

  return {
    of: (request) => foundBy(request)?.session,
    checkOrigin,
    checkCsrf(request) {
      checkOrigin(request)
      const found = foundBy(request)
      if (found?.by === 'cookie' && !isEqual(sentCsrf(request), found.session.csrf)) throw otherSite()
    },
    open(account, { headers }) {
      const at = now()
      sweep(at)
      const token = `tnt-s1-${randomBytes(32).toString('base64url')}`
      const stamp = at.toISOString()
      rows.add(digestOf(token), { id: randomBytes(8).toString('hex'), account, createdAt: stamp, seenAt: stamp, expiresAt: new Date(at.getTime() + ABSOLUTE_MS).toISOString(), agent: agentFamily(headers['user-agent']) })
      return token
    },
    cookie: (token) => cookieFor(token, ABSOLUTE_MS / 1000),
    clearedCookie: () => cookieFor('', 0),
    list(request) {
      const found = foundBy(request)
      if (found === undefined) return []
      const live = rows.ofAccount(found.session.account).filter((row) => !isOver(row, now()))
      return live.map(({ id, agent, createdAt, seenAt, expiresAt }) => ({ id, agent, createdAt, seenAt, expiresAt, current: id === found.id }))
    },
    end(request) {
      const found = foundBy(request)
      if (found !== undefined) rows.remove(found.session.account, found.id)
      known.delete(request)
    },
    endOne: rows.remove,
    endAll: rows.removeAll,
  }
}

/** A bearer token counts alone: whoever sends one does not mean the cookie. */
function presentedToken(request: FastifyRequest, cookieName: string): { readonly token: string; readonly by: Found['by'] } | undefined {
  const { authorization, cookie: cookies } = request.headers
  const isBearer = hasBearer(request)
  const by = isBearer ? 'bearer' : 'cookie'
  const token = isBearer ? /^Bearer +(\S+) *$/i.exec(authorization!)?.[1] : cookies === undefined ? undefined : parseCookie(cookies)[cookieName]
  return token !== undefined && TOKEN.test(token) ? { token, by } : undefined
}

/** No page can make a browser send such a header to another site. Basic, which browsers send by themselves, as to a site behind a password, says nothing. */
function hasBearer({ headers }: FastifyRequest): boolean {
  return headers.authorization !== undefined && /^Bearer /i.test(headers.authorization)
}

const isOver = ({ expiresAt, seenAt }: Pick<StoredSession, 'expiresAt' | 'seenAt'>, at: Date): boolean => at.getTime() >= Date.parse(expiresAt) || at.getTime() - Date.parse(seenAt) >= IDLE_MS

export const digestOf = (token: string): string => hash('sha256', token)

/** Comes of the token, so that nothing more is kept, and leads back to nothing. */
const csrfOf = (token: string): string => hash('sha256', `tenantry/csrf/v1\n${token}`, 'base64url')

function sentCsrf({ headers, body }: FastifyRequest): string {
  const header = headers['x-csrf-token']
  if (typeof header === 'string') return header
  const field = typeof body === 'object' && body !== null ? (body as Readonly<Record<string, unknown>>)['csrf'] : undefined
  return typeof field === 'string' ? field : ''
}

function isEqual(one: string, other: string): boolean {
  const [a, b] = [Buffer.from(one), Buffer.from(other)]
  return a.length === b.length && timingSafeEqual(a, b)
}
