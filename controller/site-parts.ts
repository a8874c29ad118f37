/** Joins the pages to the installation: what they are made of, and where a purchase may lead. */
import type { FastifyPluginAsync } from 'fastify'
import type { Installation } from './installation.ts'
import type { StripeConnection } from './stripe-connection.ts'
import { createAssets } from './web/assets.ts'
import { createGuideRoutes } from './web/pages/guide.ts'
import { createLandingRoutes } from './web/pages/landing.ts'
import { createPages, type Pages } from './web/pages/pages.ts'

export interface SiteParts {
  readonly pages: Pages
  readonly routes: readonly FastifyPluginAsync[]
}

export interface SitePartsOptions {
  readonly installation: Installation
  readonly stripe: StripeConnection
  /** The address at which customers reach this installation; known once the gateway listens. */
  readonly publicUrl: () => string
}

const STRIPE_CHECKOUT = 'https://checkout.stripe.com'

export function composeSite({ installation, stripe, publicUrl }: SitePartsOptions): SiteParts {
  const assets = createAssets()
  const catalog = () => installation.catalog
  const checkoutOrigins = [stripe.apiBase === undefined ? STRIPE_CHECKOUT : new URL(stripe.apiBase).origin]
  const pages = createPages({ assets, catalog, publicUrl, checkoutOrigins, sandbox: stripe.kind === 'sandbox' })
  return { pages, routes: [assets.routes, createLandingRoutes({ pages, assets, catalog, publicUrl }), createGuideRoutes(pages, publicUrl)] }
}
