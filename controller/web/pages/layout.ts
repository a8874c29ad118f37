/** What stands round every page: head, navigation, footer. Knows no page and reads nothing. */
import { html, type Html } from '../html.ts'

/** Whose site a page belongs to: a product's, or the seller's own where it belongs to none. */
export interface Brand {
  readonly title: string
  /** `` for the product at `/`, `/products/NAME` for the others. */
  readonly base: string
  readonly accent: string
  readonly icon: string
  readonly callToAction: string
  /** Absent: it has no founders. */
  readonly founders: boolean
  readonly support: string | undefined
  readonly community: string | undefined
  /** What else the seller has. */
  readonly others: readonly { readonly title: string; readonly href: string }[]
}

export interface Page {
  readonly title: string
  readonly description?: string
  readonly brand: Brand
  readonly main: Html
  /** The address of the page itself, to mark it in the navigation. */
  readonly path?: string
  /** htmx is loaded. */
  readonly live?: boolean
  /** Without script the page asks for itself again after so many seconds. */
  readonly refreshSeconds?: number
  /** Robots leave it alone, and no button sells: for pages of one person. */
  readonly personal?: boolean
  /** At the right of the header, instead of "Sign in" and the button that sells. */
  readonly actions?: Html
}

export interface Shell {
  readonly style: string
  readonly script: string
  readonly htmx: string
  readonly seller: string
  readonly sandbox: boolean
}

/** No style, no indicator of htmx's own, nothing that is evaluated: the content security policy forbids them. */
const HTMX_CONFIG = '{"includeIndicatorCSS":false,"history":false}'

export function layout(page: Page, shell: Shell): string {
  const { brand, title } = page
  const full = title === brand.title ? title : `${title} · ${brand.title}`
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${full}</title>
${page.description !== undefined && html`<meta name="description" content="${page.description}">`}
${page.personal === true && html`<meta name="robots" content="noindex">`}
<meta name="color-scheme" content="light dark">
<link rel="icon" href="${brand.icon}" type="image/svg+xml">
<link rel="stylesheet" href="${shell.style}">
<link rel="stylesheet" href="${brand.accent}">
<script src="${shell.script}" defer></script>
${page.live === true && html`<meta name="htmx-config" content="${HTMX_CONFIG}"><script src="${shell.htmx}" defer></script>`}
${page.refreshSeconds !== undefined && html`<noscript><meta http-equiv="refresh" content="${page.refreshSeconds}"></noscript>`}
</head>
<body>
<a class="skip" href="#main">Skip to the content</a>
${shell.sandbox && html`<p class="sandbox-line" role="note">Sandbox: no card is asked for and no money moves.</p>`}
${header(page)}
<main id="main">${page.main}</main>
${footer(brand, shell)}
</body>
</html>
`.text
}

function header({ brand, path, actions, personal }: Page): Html {
  const links = [
    [`${brand.base}/pricing`, 'Pricing'],
    ['/guide', 'Guide'],
    ...(brand.founders ? [['/founders', 'Founders']] : []),
    ['/support', 'Support'],
  ] as const
  return html`<header class="site-header"><div class="wrap">
<a class="brand" href="${brand.base === '' ? '/' : brand.base}"><img src="${brand.icon}" alt="" width="30" height="30">${brand.title}</a>
<nav class="site-nav" aria-label="Site"><ul>${links.map(([href, text]) => html`<li><a href="${href!}"${path === href && html` aria-current="page"`}>${text!}</a></li>`)}</ul></nav>
<div class="site-actions">${actions ?? html`<a href="/dashboard">Sign in</a>${personal !== true && html`<a class="button small" href="${brand.base}/signup">${brand.callToAction}</a>`}`}</div>
</div></header>`
}

function footer(brand: Brand, { seller }: Shell): Html {
  const list = (title: string, links: readonly (readonly [href: string, text: string])[]): Html => html`<div><h2>${title}</h2><ul>${links.map(([href, text]) => html`<li><a href="${href}">${text}</a></li>`)}</ul></div>`
  const help: (readonly [string, string])[] = [['/guide', 'Guide'], ['/support', 'Support'], ['/status', 'Status']]
  if (brand.community !== undefined) help.push([brand.community, 'Community'])
  return html`<footer class="site-footer"><div class="wrap">
<div><p><strong>${seller}</strong></p><p>Your data is yours: one call exports all of it.</p></div>
${brand.others.length > 1 && list('Products', brand.others.map(({ title, href }) => [href, title]))}
${list('Help', help)}
</div></footer>`
}
