/** Joins the dashboard to the installation: which adapter stands behind which of its parts. */
import { randomBytes } from 'node:crypto'
import type { FastifyPluginAsync } from 'fastify'
import type { Logger } from 'pino'
import { createCancelNow } from '../../hooks/stripe/cancel-now.ts'
import { createStripeClient } from '../../hooks/stripe/client.ts'
import type { PortalUrl } from '../../hooks/stripe/portal.ts'
import type { ResumePaid } from '../../hooks/stripe/resume.ts'
import type { Sessions } from '../accounts/port.ts'
import type { KeyChanges } from '../agent-keys/change-batch.ts'
import { readKeyUse } from '../agent-keys/use.ts'
import { offersOf } from '../core/offers.ts'
import { findRefusal, refusalsOf } from '../gateway/refusal-log.ts'
import type { Installation } from '../installation.ts'
import type { Machine } from '../machine.ts'
import { createSpecParser, type SpecParser } from '../specs/parse.ts'
import type { StripeConnection } from '../stripe-connection.ts'
import type { Pages } from '../web/pages/pages.ts'
import { readFigures } from './figures.ts'
import { createOwnerActions } from './owner-actions.ts'
import { createOwned } from './owned.ts'
import { createPast } from './past.ts'
import { createDashboardRoutes } from './routes.ts'

export interface ComposeDashboard {
  readonly installation: Installation
  readonly machine: Machine
  readonly stripe: StripeConnection
  readonly sessions: Sessions
  readonly pages: Pages
  readonly changes: KeyChanges
  readonly untilServed: (key: string) => Promise<boolean>
  readonly portalUrl: PortalUrl
  readonly resume: ResumePaid
  readonly publicUrl: () => string
  /** The gateway's own address on this machine; undefined while it is not known yet. */
  readonly gatewayUrl: () => string | undefined
  readonly log: Logger
}

export function composeDashboard({ installation, machine, stripe, sessions, pages, changes, untilServed, portalUrl, resume, publicUrl, gatewayUrl, log }: ComposeDashboard): FastifyPluginAsync {
  const { catalog, repository, source, stores, keyring, settings } = installation
  const client = createStripeClient({ secretKey: stripe.secretKey, ...(stripe.apiBase !== undefined && { apiBase: stripe.apiBase }) })
  let parser: SpecParser | undefined
  const past = createPast({
    repository,
    fileOf(id) {
      const claim = catalog.entry(id)?.claims[0]
      return claim && { path: claim.path, blob: claim.blob }
    },
    parser: () => (parser ??= createSpecParser()),
    titles: { plan: (name) => catalog.planInForce(name)?.spec.title ?? name },
  })
  const actions = createOwnerActions({ changes, past, sync: source.sync, platform: () => catalog.platform, masterVersion: keyring.masterVersion, newNonce: () => randomBytes(16).toString('hex'), now: machine.now })
  return createDashboardRoutes({
    sessions,
    pages,
    owned: createOwned(catalog),
    specs: {
      get platform() {
        return catalog.platform
      },
      product: catalog.productInForce,
      plan: catalog.planInForce,
      onSale: (product) => offersOf(catalog, product).map(({ plan }) => plan),
    },
    actions,
    past,
    billing: { portalUrl: ({ metadata }) => portalUrl(metadata.name), cancelNow: createCancelNow(client), resume },
    keyring,
    record: stores.records.get,
    timeline: stores.timeline.of,
    figures: (tenant, plan, span) => readFigures(settings.home, tenant, plan, span, machine.now()),
    useOf: (tenant) => readKeyUse(settings.home, tenant),
    refusals: { of: (tenant, most) => refusalsOf(settings.home, tenant, most), find: (id) => findRefusal(settings.home, id) },
    untilServed,
    exportWith: async (key) => {
      const url = gatewayUrl()
      return url === undefined ? new Response(null, { status: 503 }) : fetch(`${url}/api/v2/export`, { headers: { authorization: `Bearer ${key}` } })
    },
    publicUrl,
    now: machine.now,
    nowMs: () => performance.now(),
    log,
  })
}
