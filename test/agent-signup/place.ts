/** A real repository whose plan lets agents begin, and the routes of sign-up, claiming and signing in over it; the gateway is played. */
import path from 'node:path'
import fastify, { type FastifyInstance, type LightMyRequestResponse } from 'fastify'
import { pino } from 'pino'
import { onTestFinished } from 'vitest'
import { createAccounts, type AccountsPart } from '../../controller/accounts/accounts.ts'
import { createPasswords } from '../../controller/accounts/passwords.ts'
import { createClaimPages, type TrialPurchase } from '../../controller/agent-signup/claim-pages.ts'
import { createSignupRoutes } from '../../controller/agent-signup/routes.ts'
import { createSignup, type SignupAnswer } from '../../controller/agent-signup/signup.ts'
import { createTrials } from '../../controller/agent-signup/trials.ts'
import type { Tenant, TenantId } from '../../controller/core/specs.ts'
import { parseRequest } from '../../hooks/stripe/checkout-request.ts'
import { createBareRepository } from '../../controller/git/bare-repository.ts'
import { openInstallation, type Installation } from '../../controller/installation.ts'
import { readSettings } from '../../controller/settings.ts'
import { createAgentSignups } from '../../controller/store/agent-signups.ts'
import { createHighestNumbers } from '../../controller/store/highest-numbers.ts'
import { cookieOf, ORIGIN } from '../accounts/support.ts'
import { testPages } from '../support/pages.ts'
import { gitIn } from '../support/repository.ts'
import { tempFolder } from '../support/temp.ts'
import { fileOf, SHARED_FILES, type TextFile } from '../support/tenant-files.ts'

export interface SignupPlace {
  readonly app: FastifyInstance
  readonly installation: Installation
  readonly accounts: AccountsPart
  readonly mailed: { readonly to: string; readonly link: string }[]
  readonly paid: object[]
  readonly logged: string[]
  /** Whether the gateway serves new keys. */
  serves: boolean
  signup(options?: { readonly body?: object; readonly address?: string; readonly as?: string }): Promise<LightMyRequestResponse>
  begin(options?: { readonly body?: object; readonly address?: string; readonly as?: string }): Promise<SignupAnswer & { served: boolean }>
  signedIn(email: string): Promise<string>
  form(url: string, fields: Record<string, string>, cookie?: string): Promise<LightMyRequestResponse>
  page(url: string, cookie?: string): Promise<LightMyRequestResponse>
  csrf(cookie: string): string
  tenant(id: string): Promise<Tenant | undefined>
  log(): string
  commits(): number
  pass(ms: number): void
  now(): Date
  /** Opens the same home and repository anew, as a restart does. */
  again(): Promise<SignupPlace>
}

const TRIAL_PLAN = (trial: string, more = ''): TextFile => ({
  path: 'plans/standard.yaml',
  text: `apiVersion: tenantry.dev/v1\nkind: Plan\nmetadata: { name: standard }\nspec:\n  product: sq\n  title: Standard\n  tier: standard\n  prices:\n    month: { amount: 1500, currency: usd }\n  limits: { storageMb: 1000 }\n${more}${trial === '' ? '' : `  agentTrial: ${trial}\n`}`,
})
const TRIAL = '{ days: 7, perAddress: 3, total: 5, limits: { storageMb: 50 } }'

export async function openSignupPlace({ trial = TRIAL, more = '', files = [] }: { readonly trial?: string; readonly more?: string; readonly files?: readonly TextFile[] } = {}): Promise<SignupPlace> {
  const clock = { at: Date.parse('2026-03-01T12:00:00Z') }
  const folder = path.join(tempFolder('git'), 'tenants.git')
  const shared = SHARED_FILES.filter(({ path: at }) => at !== 'plans/standard.yaml')
  await createBareRepository({ folder, branch: 'main', files: [...shared, TRIAL_PLAN(trial, more), fileOf(1), ...files], message: 'first', author: { name: 'An Operator', email: 'op@example.com' }, environment: process.env, now: () => new Date(clock.at) })
  return openOn(folder, tempFolder('home'), clock)
}

async function openOn(folder: string, home: string, clock: { at: number }): Promise<SignupPlace> {
  const now = (): Date => new Date(clock.at)
  const installation = await openInstallation(readSettings({ TENANTRY_HOME: home, TENANTRY_REPOSITORY: folder, TENANTRY_MASTER_KEY: `1:${'ab'.repeat(32)}` }, home), { environment: process.env, now })
  const { repository, writer, catalog, source, keyring, stores } = installation
  await source.sync()
  const mailed: SignupPlace['mailed'] = []
  const paid: object[] = []
  const logged: string[] = []
  const log = pino({ level: 'trace' }, { write: (line: string) => void logged.push(line) })
  const publicUrl = (): string => ORIGIN
  const { pages } = testPages()
  const outbox = { put: (_cause: string, to: string, mail: object) => 'link' in mail && mailed.push({ to, link: mail.link as string }) > 0 }
  const accounts = createAccounts({ store: stores.durable, outbox, pages, publicUrl, now, nowMs: () => clock.at, log, passwords: createPasswords({ derive: async () => Buffer.alloc(32) }), sign: (text) => keyring.mac(1, text) })
  const trials = createTrials({ repository, writer, catalog, sync: source.sync, highestNumbers: createHighestNumbers(stores.durable), masterVersion: keyring.masterVersion, now })
  const signup = createSignup({ trials, signups: createAgentSignups(stores.durable), catalog, keyring, publicUrl, newNonce: () => crypto.randomUUID().replaceAll('-', ''), now })
  const app = fastify()
  const { sessions, limits } = accounts
  const pay = async (_address: string, purchase: TrialPurchase, { pays }: { readonly pays: TenantId }): Promise<{ url: string }> => {
    paid.push({ ...parseRequest(purchase, catalog, false), pays })
    return { url: 'https://checkout.stripe.com/c/pay/1' }
  }
  for (const routes of accounts.routes) void app.register(routes)
  void app.register(createSignupRoutes({ signup, untilServed: async () => place.serves, limits, log }))
  void app.register(createClaimPages({ trials, sessions, providers: [], catalog, keyring, pages, limits, pay, now, log }))
  let closed = false
  const close = async (): Promise<void> => {
    if (closed) return
    closed = true
    await app.close()
    await installation.close()
  }
  onTestFinished(close)

  const place: SignupPlace = {
    app,
    installation,
    accounts,
    mailed,
    paid,
    logged,
    serves: true,
    signup: ({ body, address = '192.0.2.1', as } = {}) => app.inject({ method: 'POST', url: '/api/agents/signup', headers: { 'x-forwarded-for': address, ...(as !== undefined && { 'idempotency-key': as }) }, ...(body !== undefined && { payload: body }) }),
    async begin(options) {
      const answer = await place.signup(options)
      if (answer.statusCode !== 201) throw new Error(answer.body)
      return answer.json<SignupAnswer & { served: boolean }>()
    },
    async signedIn(email) {
      await app.inject({ method: 'POST', url: '/api/auth/link', payload: { email } })
      return cookieOf(await place.form('/auth/link', { token: new URL(mailed.at(-1)!.link).searchParams.get('token')! }))
    },
    form: (url, fields, cookie) => app.inject({ method: 'POST', url, payload: new URLSearchParams(fields).toString(), headers: { 'content-type': 'application/x-www-form-urlencoded', origin: ORIGIN, accept: 'text/html', ...(cookie !== undefined && { cookie }) } }),
    page: (url, cookie) => app.inject({ url, headers: { accept: 'text/html', ...(cookie !== undefined && { cookie }) } }),
    csrf: (cookie) => sessions.of({ headers: { cookie } } as never)!.csrf,
    async tenant(id) {
      await source.sync()
      return catalog.tenant(id as TenantId)
    },
    log: () => gitIn(folder, 'log', '--format=%B', 'main'),
    commits: () => Number(gitIn(folder, 'rev-list', '--count', 'main')),
    pass: (ms) => void (clock.at += ms),
    now,
    async again() {
      await close()
      return openOn(folder, home, clock)
    },
  }
  return place
}
