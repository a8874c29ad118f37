/**
 * Style, scripts and pictures of the pages. The address carries a hash of the content, so that a browser asks once; each is compressed once,
 * in memory. Files are read when the program starts; what comes from a product's file is made when it is first asked for.
 */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import path from 'node:path'
import { brotliCompressSync, constants, gzipSync } from 'node:zlib'
import type { FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify'
import type { Product } from '../core/specs.ts'
import { accentCss, iconSvg } from './product-assets.ts'

export interface Assets {
  /** Addresses of what every page needs. */
  readonly style: string
  readonly script: string
  /** htmx with its server-sent events. */
  readonly htmx: string
  /** What a product's pages have of their own. */
  /** Without a product: of pages that belong to none. */
  of(product: Product | undefined): ProductAssets
  readonly routes: FastifyPluginAsync
}

export interface ProductAssets {
  readonly accent: string
  readonly icon: string
  readonly picture: string | undefined
}

interface Asset {
  readonly type: string
  readonly plain: Buffer
  readonly gzip: Buffer
  readonly br: Buffer
}

const FOLDER = path.join(import.meta.dirname, 'assets')
const CSS = 'text/css; charset=utf-8'
const JS = 'text/javascript; charset=utf-8'
const SVG = 'image/svg+xml'
/** Of products' assets, old versions included; the oldest goes first, and is made again when it is asked for. */
const KEPT = 200
const FOR_EVER = 'public, max-age=31536000, immutable'

export function createAssets(): Assets {
  const fixed = new Map<string, Asset>()
  const changing = new Map<string, Asset>()
  const ofProduct = new WeakMap<Product, ProductAssets>()

  function add(to: Map<string, Asset>, name: string, type: string, text: string): string {
    const dot = name.lastIndexOf('.')
    const hash = createHash('sha256').update(text).digest('base64url').slice(0, 12)
    const address = `/assets/${name.slice(0, dot)}.${hash}${name.slice(dot)}`
    if (!to.has(address)) to.set(address, compressed(type, text))
    return address
  }

  function addChanging(name: string, type: string, text: string): string {
    const address = add(changing, name, type, text)
    if (changing.size > KEPT) changing.delete(changing.keys().next().value!)
    return address
  }

  function of(product: Product | undefined): ProductAssets {
    if (product === undefined) return seller
    const known = ofProduct.get(product)
    if (known !== undefined) return known
    const { metadata, spec } = product
    const accent = addChanging(`product-${metadata.name}.css`, CSS, accentCss(spec.site?.accent))
    const icon = addChanging(`product-${metadata.name}-icon.svg`, SVG, iconSvg(spec.site?.accent))
    const picture = spec.site?.picture === undefined ? undefined : addChanging(`product-${metadata.name}.svg`, SVG, spec.site.picture)
    const made = { accent, icon, picture }
    ofProduct.set(product, made)
    return made
  }

  const read = (name: string): string => readFileSync(path.join(FOLDER, name), 'utf8')
  const style = add(fixed, 'site.css', CSS, read('site.css'))
  const script = add(fixed, 'site.js', JS, read('site.js'))
  const htmx = add(fixed, 'htmx.js', JS, readHtmx())
  const seller: ProductAssets = { accent: add(fixed, 'seller.css', CSS, accentCss()), icon: add(fixed, 'seller-icon.svg', SVG, iconSvg()), picture: undefined }

  return {
    style,
    script,
    htmx,
    of,
    routes: async (app) => {
      app.get<{ Params: { file: string } }>('/assets/:file', (request, reply) => {
        const address = `/assets/${request.params.file}`
        const asset = fixed.get(address) ?? changing.get(address)
        return asset === undefined ? reply.callNotFound() : sendAsset(request, reply, asset)
      })
    },
  }
}

function readHtmx(): string {
  const { resolve } = createRequire(import.meta.url)
  const folder = path.dirname(resolve('htmx.org'))
  return ['htmx.min.js', 'ext/hx-sse.min.js'].map((name) => withoutMap(readFileSync(path.join(folder, name), 'utf8'))).join('\n')
}

/** The map is not served. */
const withoutMap = (script: string): string => script.replace(/^\/\/# sourceMappingURL=.*$/m, '')

function compressed(type: string, text: string): Asset {
  const plain = Buffer.from(text)
  return { type, plain, gzip: gzipSync(plain, { level: 9 }), br: brotliCompressSync(plain, { params: { [constants.BROTLI_PARAM_MODE]: constants.BROTLI_MODE_TEXT } }) }
}

function sendAsset(request: FastifyRequest, reply: FastifyReply, asset: Asset): FastifyReply {
  const coding = codingFor(request.headers['accept-encoding'])
  if (coding !== undefined) void reply.header('content-encoding', coding)
  // A picture is a document of its own when it is opened: it may style itself, and nothing else.
  const policy = asset.type === SVG ? "default-src 'none'; style-src 'unsafe-inline'; sandbox" : "default-src 'none'"
  void reply.headers({ 'content-type': asset.type, 'cache-control': FOR_EVER, vary: 'accept-encoding', 'x-content-type-options': 'nosniff', 'content-security-policy': policy })
  return reply.send(coding === undefined ? asset.plain : asset[coding])
}

/** The smallest that the client says it takes (RFC 9110, 12.5.3). */
export function codingFor(accepted: string | undefined): 'br' | 'gzip' | undefined {
  const taken = new Set((accepted ?? '').split(',').flatMap((each) => (/;\s*q=0(\.0*)?\s*$/.test(each) ? [] : each.split(';')[0]!.trim().toLowerCase())))
  if (taken.has('br')) return 'br'
  return taken.has('gzip') ? 'gzip' : undefined
}
