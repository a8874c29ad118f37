/** The dashboard as the site serves it, over a real repository: who is signed in is said by a header, and Stripe by a list of what was asked of it. */
import fastify, { type FastifyInstance, type LightMyRequestResponse } from 'fastify'
import { onTestFinished } from 'vitest'
import type { Session, Sessions } from '../../controller/accounts/port.ts'
import { createOwned } from '../../controller/dashboard/owned.ts'
import { figuresOf } from '../../controller/dashboard/figures.ts'
import type { DashboardParts } from '../../controller/dashboard/parts.ts'
import { createDashboardRoutes } from '../../controller/dashboard/routes.ts'
import { offersOf } from '../../controller/core/offers.ts'
import { createAssets } from '../../controller/web/assets.ts'
import { createProblemHandler, HttpProblem } from '../../controller/web/http-problem.ts'
import { createPages } from '../../controller/web/pages/pages.ts'
import type { RefusalRecord } from '../../controller/store/usage.ts'
import type { TextFile } from '../support/tenant-files.ts'
import { openOwnerPlace, type OwnerPlace } from './owner-place.ts'

export interface Route {
  readonly method: string
  readonly url: string
}

export interface DashboardPlace extends OwnerPlace {
  readonly app: FastifyInstance
  readonly routes: readonly Route[]
  /** What was asked of Stripe and of the gateway, in order. */
  readonly asked: string[]
  get(email: string, url: string): Promise<LightMyRequestResponse>
  /** Sends a form with the token that the session's pages carry. */
  post(email: string, url: string, fields?: Record<string, string>): Promise<LightMyRequestResponse>
}

const CSRF = 'the-token'

/** `x-test-email`: who is signed in; `unproved:` before it: not proved. */
const sessions: Sessions = {
  of({ headers }): Session | undefined {
    const said = headers['x-test-email']
    if (typeof said !== 'string') return undefined
    return { account: said, email: said.replace(/^unproved:/, ''), emailVerified: !said.startsWith('unproved:'), csrf: CSRF }
  },
  checkCsrf({ body }) {
    if ((body as { csrf?: string } | undefined)?.csrf !== CSRF) throw new HttpProblem({ status: 403, code: 'csrf', title: 'Forbidden', detail: 'Send the form again.' })
  },
}

export const REFUSAL: RefusalRecord = { id: 'gw-1', at: '2030-03-01T12:00:00Z', tenant: 'user001', key: 'k1', product: 'sq', plan: 'standard', status: 507, code: 'storage-full', detail: 'It is full.', measured: { limit: 'storageMb', value: 1000 * 1024 * 1024, unit: 'bytes', used: 999 * 1024 * 1024 } }

export async function openDashboard(files?: readonly TextFile[], change: (parts: DashboardParts) => DashboardParts = (parts) => parts): Promise<DashboardPlace> {
  const place = await openOwnerPlace(files)
  const { catalog, keyring } = place.installation
  const asked: string[] = []
  const parts: DashboardParts = {
    sessions,
    pages: createPages({ assets: createAssets(), catalog: () => catalog, publicUrl: () => 'https://sq.example', checkoutOrigins: [], sandbox: false }),
    owned: createOwned(catalog),
    specs: {
      get platform() {
        return catalog.platform
      },
      product: catalog.productInForce,
      plan: catalog.planInForce,
      onSale: (product) => offersOf(catalog, product).map(({ plan }) => plan),
    },
    actions: place.actions,
    past: place.past,
    billing: {
      async portalUrl({ spec }) {
        asked.push(`portal of ${spec.billing?.customer}`)
        return 'https://billing.stripe.com/p/session/1'
      },
      resume: async ({ metadata, spec }) => void asked.push(`resume ${spec.billing?.subscription} of ${metadata.name}`),
      cancelNow: async ({ metadata, spec }) => void asked.push(`cancel ${spec.billing?.subscription ?? 'nothing'} of ${metadata.name} while it is ${spec.state}`),
    },
    keyring,
    record: () => undefined,
    timeline: (tenant) => [
      { trace: 't', step: 'webhook-received', at: '2026-02-12T13:15:00.000Z', tenant, detail: null },
      { trace: 't', step: 'ready', at: '2026-02-12T13:15:00.700Z', tenant, detail: null },
    ],
    figures: (tenant, plan, span) => figuresOf(tenant, plan, undefined, span, place.now()),
    useOf: () => ({ lastUsedAt: new Map(), requests: new Map() }),
    refusals: { of: (tenant) => (tenant === REFUSAL.tenant ? [REFUSAL] : []), find: (id) => (id === REFUSAL.id ? REFUSAL : undefined) },
    untilServed: async () => true,
    exportWith: async (key) => {
      asked.push(`export with ${key.slice(0, 7)}`)
      return new Response('a tar file')
    },
    publicUrl: () => 'https://sq.example',
    now: place.now,
    nowMs: () => place.now().getTime(),
    log: { error: () => undefined },
  }
  const app = fastify()
  app.setErrorHandler(createProblemHandler({ error: (data) => void asked.push(`fault ${String((data as { err: Error }).err)}`) }))
  const routes: Route[] = []
  app.addHook('onRoute', ({ method, url }) => void [method].flat().forEach((each) => routes.push({ method: each, url })))
  await app.register(createDashboardRoutes(change(parts)))
  onTestFinished(() => app.close())
  return {
    ...place,
    app,
    routes,
    asked,
    get: (email, url) => app.inject({ url, headers: { 'x-test-email': email } }),
    post: (email, url, fields = {}) => app.inject({ method: 'POST', url, headers: { 'x-test-email': email, 'content-type': 'application/x-www-form-urlencoded' }, payload: new URLSearchParams({ csrf: CSRF, ...fields }).toString() }),
  }
}

