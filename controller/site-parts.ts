/** Joins the pages to the installation: what they are made of, and where a purchase may lead. */
import type { FastifyPluginAsync, FastifyRequest } from 'fastify'
import type { AccountParts } from './account-parts.ts'
import type { Installation } from './installation.ts'
import type { Tenant, TenantId } from './core/specs.ts'
import { createOwned } from './dashboard/owned.ts'
import type { Payments } from './payments.ts'
import { createPurchaseProgress } from './store/purchase-progress.ts'
import type { StripeConnection } from './stripe-connection.ts'
import { foundingProgress } from '../hooks/stripe/checkout-routes.ts'
import { createAssets } from './web/assets.ts'
import { createFoundingStream } from './web/founding-stream.ts'
import { createGuideRoutes } from './web/pages/guide.ts'
import { createLandingRoutes } from './web/pages/landing.ts'
import { createPages, type Pages } from './web/pages/pages.ts'
import { createPublicRoutes } from './web/pages/public.ts'
import { createSignupRoutes } from './web/pages/signup.ts'
import { createWelcomeRoutes } from './web/pages/welcome.ts'
import { createPublicStatus } from './web/public-status.ts'

export interface SiteParts {
  readonly pages: Pages
  readonly routes: readonly FastifyPluginAsync[]
}

export interface SitePartsOptions {
  readonly installation: Installation
  readonly payments: Pick<Payments, 'beginPurchase' | 'proof'>
  /** Who is signed in, and how often a network may ask; both are made after the pages. */
  readonly accounts: () => Pick<AccountParts, 'sessions' | 'limits'>
  readonly now: () => Date
  readonly stripe: StripeConnection
  /** The address at which customers reach this installation; known once the gateway listens. */
  readonly publicUrl: () => string
}

/** Where people pay, and where they manage what they pay for. */
const STRIPE_PAGES = ['https://checkout.stripe.com', 'https://billing.stripe.com']

export function composeSite({ installation, payments, accounts, stripe, publicUrl, now }: SitePartsOptions): SiteParts {
  const assets = createAssets()
  const catalog = () => installation.catalog
  const checkoutOrigins = stripe.apiBase === undefined ? STRIPE_PAGES : [new URL(stripe.apiBase).origin]
  const pages = createPages({ assets, catalog, publicUrl, checkoutOrigins, sandbox: stripe.kind === 'sandbox' })
  const { records, durable } = installation.stores
  const isReady = (tenant: TenantId): boolean => records.get(tenant)?.status.conditions.some(({ type, status }) => type === 'Ready' && status) === true
  const owned = createOwned(installation.catalog)
  const isOwner = (request: FastifyRequest, { metadata }: Tenant): boolean => {
    const session = accounts().sessions.of(request)
    return session !== undefined && owned.one(session, metadata.name) !== undefined
  }
  const welcome = createWelcomeRoutes({ pages, catalog, progress: createPurchaseProgress(durable), isReady, keyOf: installation.keyring.keyOf, proof: payments.proof, isOwner, publicUrl, now })
  const signup = createSignupRoutes({ pages, catalog, begin: payments.beginPurchase, proof: payments.proof, takeLook: (network) => accounts().limits.takeLook(network), checkoutOrigins })
  const nowMs = (): number => performance.now()
  const others = createPublicRoutes({ pages, catalog, parts: createPublicStatus({ catalog, records: () => records.all(), nowMs }), nowMs })
  const stream = createFoundingStream({ progress: () => foundingProgress(installation.catalog), onChange: installation.source.onTouched })
  return { pages, routes: [assets.routes, createLandingRoutes({ pages, assets, catalog, publicUrl }), createGuideRoutes(pages, publicUrl), signup, welcome, others, stream] }
}
