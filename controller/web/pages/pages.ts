/** Sends pages: finds whose site a request asks for, puts the layout round, and sets the headers that keep a page to itself. */
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { CatalogView } from '../../core/catalog-view.ts'
import type { Product } from '../../core/specs.ts'
import type { Assets } from '../assets.ts'
import type { Html } from '../html.ts'
import { layout, type Brand, type Page, type Shell } from './layout.ts'

export interface Pages {
  /** The product that the request's host name shows at `/`; undefined where no product has a site. */
  front(request: FastifyRequest): Product | undefined
  /** The site of a product, as seen from this request's host; without a product the seller's own. */
  brand(request: FastifyRequest, product?: Product): Brand
  send(reply: FastifyReply, page: Page, options?: SendOptions): FastifyReply
  /** A part of a page that the page asks for: kept as little, and as closed where it is opened by itself. */
  sendPart(reply: FastifyReply, part: Html, options?: Pick<SendOptions, 'secret'>): FastifyReply
}

export interface SendOptions {
  readonly status?: number
  /** It shows a secret: neither kept anywhere nor named to where its links lead. */
  readonly secret?: boolean
}

export interface PagesOptions {
  readonly assets: Assets
  readonly catalog: () => CatalogView
  readonly publicUrl: () => string
  /** Origins to which a form's answer may lead: the payment page. */
  readonly checkoutOrigins: readonly string[]
  readonly sandbox: boolean
}

const YEAR_S = 31_536_000

export function createPages({ assets, catalog, publicUrl, checkoutOrigins, sandbox }: PagesOptions): Pages {
  const shell = (): Shell => ({ style: assets.style, script: assets.script, htmx: assets.htmx, sandbox, seller: sellerOf(catalog()) })
  const policy = ["default-src 'none'", "style-src 'self'", "script-src 'self'", "img-src 'self'", "connect-src 'self'", `form-action ${["'self'", ...checkoutOrigins].join(' ')}`, "base-uri 'none'", "frame-ancestors 'none'"].join('; ')

  function front(request: FastifyRequest): Product | undefined {
    const products = onSite(catalog())
    const host = hostOf(request)
    const named = catalog().platform?.spec.site?.product
    return products.find(({ spec }) => spec.site?.hosts?.includes(host)) ?? products.find(({ metadata }) => metadata.name === named) ?? products[0]
  }

  function brand(request: FastifyRequest, product?: Product): Brand {
    const atRoot = front(request)
    const site = product?.spec.site
    const baseOf = ({ metadata }: Product): string => (metadata.name === atRoot?.metadata.name ? '' : `/products/${metadata.name}`)
    const { accent, icon } = assets.of(product)
    return {
      title: product?.spec.title ?? sellerOf(catalog()),
      base: product === undefined ? '' : baseOf(product),
      accent,
      icon,
      callToAction: site?.callToAction ?? 'Sign up',
      founders: product !== undefined && hasFounders(catalog(), product),
      support: site?.support ?? catalog().platform?.spec.links?.support,
      community: site?.community,
      others: onSite(catalog()).map((each) => ({ title: each.spec.title, href: baseOf(each) === '' ? '/' : baseOf(each) })),
    }
  }

  function setHeaders(reply: FastifyReply, { secret, personal }: { readonly secret: boolean; readonly personal: boolean }): void {
    void reply.headers({
      'content-type': 'text/html; charset=utf-8',
      'content-security-policy': policy,
      'x-content-type-options': 'nosniff',
      'referrer-policy': secret ? 'no-referrer' : 'same-origin',
      'permissions-policy': 'camera=(), geolocation=(), microphone=(), payment=(), usb=()',
      'cross-origin-opener-policy': 'same-origin',
      // The numbers on a page are as old as the page.
      'cache-control': secret || personal ? 'no-store' : 'no-cache',
    })
    if (publicUrl().startsWith('https:')) void reply.header('strict-transport-security', `max-age=${YEAR_S}`)
  }

  function send(reply: FastifyReply, page: Page, { status = 200, secret = false }: SendOptions = {}): FastifyReply {
    setHeaders(reply, { secret, personal: page.personal === true })
    return reply.code(status).send(layout(page, shell()))
  }

  function sendPart(reply: FastifyReply, part: Html, { secret = false }: Pick<SendOptions, 'secret'> = {}): FastifyReply {
    setHeaders(reply, { secret, personal: true })
    return reply.send(part.text)
  }

  return { front, brand, send, sendPart }
}

/** Products with pages, by name. */
export function onSite(catalog: CatalogView): Product[] {
  return [...catalog.products()].filter(({ spec }) => spec.site !== undefined).sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1))
}

function hasFounders(catalog: CatalogView, { metadata }: Product): boolean {
  return [...catalog.plans()].some(({ spec }) => spec.product === metadata.name && spec.slots !== undefined)
}

function sellerOf({ platform }: CatalogView): string {
  return platform?.spec.site?.name ?? platform?.spec.domain ?? 'Tenantry'
}

/** As the gateway says, which takes it from the request. */
function hostOf({ headers }: FastifyRequest): string {
  const forwarded = headers['x-forwarded-host']
  return (typeof forwarded === 'string' ? forwarded : (headers.host ?? '')).replace(/:\d+$/, '').toLowerCase()
}
