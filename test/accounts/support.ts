/** The account routes on a real store, with a mailbox instead of mail, a clock that is set, and passwords that are hashed really but counted. */
import { createHmac } from 'node:crypto'
import path from 'node:path'
import fastify, { type FastifyInstance, type LightMyRequestResponse } from 'fastify'
import { pino } from 'pino'
import { onTestFinished } from 'vitest'
import { createAccounts, type AccountsPart } from '../../controller/accounts/accounts.ts'
import { createPasswords, deriveArgon2id, type Argon2Cost } from '../../controller/accounts/passwords.ts'
import type { Provider } from '../../controller/accounts/providers.ts'
import type { Mail, Outbox } from '../../controller/mail/port.ts'
import { openStore, type Store } from '../../controller/store/db.ts'
import { createProblemHandler } from '../../controller/web/http-problem.ts'
import { testPages } from '../support/pages.ts'
import { tempFolder } from '../support/temp.ts'

export interface Mailed {
  readonly cause: string
  readonly to: string
  readonly mail: Mail
}

export interface Site {
  readonly app: FastifyInstance
  readonly accounts: AccountsPart
  readonly store: Store
  readonly mails: readonly Mailed[]
  readonly logged: readonly string[]
  /** How many passwords were hashed so far. */
  readonly hashes: number
  /** Moves the clock on. */
  pass(ms: number): void
  post(url: string, payload: object, headers?: Record<string, string>): Promise<LightMyRequestResponse>
  /** As a browser sends a form. */
  form(url: string, fields: Record<string, string>, headers?: Record<string, string>): Promise<LightMyRequestResponse>
  get(url: string, headers?: Record<string, string>): Promise<LightMyRequestResponse>
  /** Path and token of the link in the last mail. */
  lastLink(): { readonly path: string; readonly token: string }
}

export const ORIGIN = 'https://tenantry.example'
/** Of a network of its own each, so that limits by network stay out of what is not about them. */
let network = 0
const nextAddress = (): string => `10.${(network >> 16) & 255}.${(network >> 8) & 255}.${network++ & 255}`
/** Little, so that tests are quick; the real cost is a test of its own. */
const CHEAP: Argon2Cost = { memoryKb: 64, passes: 1, parallelism: 1 }

export interface SiteOptions {
  readonly publicUrl?: string
  readonly now?: Date
  readonly providers?: readonly Provider[]
}

export function makeSite({ publicUrl = ORIGIN, now: start = new Date('2026-03-01T12:00:00Z'), providers = [] }: SiteOptions = {}): Site {
  const store = openStore(path.join(tempFolder('accounts'), 'store.db'), 'rebuildable')
  const mails: Mailed[] = []
  const logged: string[] = []
  let [nowMs, hashes] = [start.getTime(), 0]
  const outbox: Outbox = { put: (cause, to, mail) => mails.push({ cause, to, mail }) > 0 }
  const log = pino({ level: 'trace' }, { write: (line: string) => void logged.push(line) })
  const derive = (password: string, salt: Buffer): Promise<Buffer> => {
    hashes++
    return deriveArgon2id(password, salt, CHEAP)
  }
  const accounts = createAccounts({ store, outbox, pages: testPages().pages, publicUrl: () => publicUrl, now: () => new Date(nowMs), nowMs: () => nowMs, log, passwords: createPasswords({ derive }), providers, sign: (text) => createHmac('sha256', 'a secret').update(text).digest('hex') })
  const app = fastify()
  app.setErrorHandler(createProblemHandler(log))
  for (const routes of accounts.routes) void app.register(routes)
  onTestFinished(async () => {
    await app.close()
    store.close()
  })
  const base = (): Record<string, string> => ({ 'x-forwarded-for': nextAddress() })
  return {
    app,
    accounts,
    store,
    mails,
    logged,
    get hashes() {
      return hashes
    },
    pass: (ms) => void (nowMs += ms),
    post: (url, payload, headers = {}) => app.inject({ method: 'POST', url, payload, headers: { ...base(), ...headers } }),
    form: (url, fields, headers = {}) =>
      app.inject({ method: 'POST', url, payload: new URLSearchParams(fields).toString(), headers: { ...base(), 'content-type': 'application/x-www-form-urlencoded', origin: publicUrl, 'sec-fetch-site': 'same-origin', ...headers } }),
    get: (url, headers = {}) => app.inject({ url, headers: { ...base(), ...headers } }),
    lastLink() {
      const { mail } = mails.at(-1)!
      if (!('link' in mail)) throw new Error('the last mail has no link')
      const { pathname, search, searchParams } = new URL(mail.link)
      return { path: pathname + search, token: searchParams.get('token')! }
    },
  }
}

/** The cookie of an answer, as the browser sends it back. */
export function cookieOf(answer: LightMyRequestResponse): string {
  const [set] = [answer.headers['set-cookie']].flat()
  return set!.split(';')[0]!
}

export const bearer = (token: string): Record<string, string> => ({ authorization: `Bearer ${token}` })

/** Signs in by mail; answers the session's cookie. */
export async function signInByMail(site: Site, email: string): Promise<string> {
  await site.post('/api/auth/link', { email })
  return cookieOf(await site.form('/auth/link', { token: site.lastLink().token }))
}
