/** Pages over a catalog of given specs, as the site makes them. */
import { createCatalog, type Catalog } from '../../controller/core/catalog.ts'
import type { AnySpec, ProductSite } from '../../controller/core/specs.ts'
import { createAssets, type Assets } from '../../controller/web/assets.ts'
import { createPages, type Pages } from '../../controller/web/pages/pages.ts'
import { plan, platform, put, sharedProduct } from './specs.ts'

export const SITE: ProductSite = { headline: 'Remember everything', lead: 'Memory for agents.', callToAction: 'Get Your Instance', accent: { light: '#2a4fc4', dark: '#9db4ff' } }

export interface TestPages {
  readonly pages: Pages
  readonly assets: Assets
  readonly catalog: Catalog
}

export function testPages(specs: readonly AnySpec[] = [platform(), sharedProduct({ site: SITE, title: 'SQ Cloud' }), plan('founder', { slots: 500 })], publicUrl = 'https://sq.example'): TestPages {
  const catalog = createCatalog()
  catalog.apply(specs.map((spec) => put(spec)))
  const assets = createAssets()
  const pages = createPages({ assets, catalog: () => catalog, publicUrl: () => publicUrl, checkoutOrigins: ['https://checkout.stripe.com'], sandbox: false })
  return { pages, assets, catalog }
}
