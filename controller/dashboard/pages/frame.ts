/** What stands round every page of a dashboard: whose it is, how it stands, and the way to its other pages. */
import type { Session } from '../../accounts/port.ts'
import { html, type Html, type HtmlPart } from '../../web/html.ts'
import { badge, notice } from '../../web/pages/components.ts'
import type { Brand, Page } from '../../web/pages/layout.ts'
import { addressOf, type TenantView } from '../view.ts'

const SECTIONS = [
  ['', 'Overview'],
  ['keys', 'Keys'],
  ['connect', 'Connect'],
  ['usage', 'Usage'],
  ['billing', 'Plan and billing'],
  ['history', 'History'],
  ['account', 'Account'],
] as const

export type Section = (typeof SECTIONS)[number][0]

export interface FrameOptions {
  readonly title: string
  readonly section: Section
  readonly content: HtmlPart
  /** Of itself: htmx asks for what moves; without script the page asks for itself. */
  readonly live?: boolean
}

export function tenantPage(view: TenantView, { title, section, content, live }: FrameOptions): Page {
  const { tenant, product, plan, standing, brand, session } = view
  const id = tenant.metadata.name
  const main = html`<div class="wrap page dash">
<div class="dash-head"><div>
<p class="eyebrow">${product?.spec.title ?? tenant.spec.product}${view.others > 0 && html` · <a href="/dashboard">all of yours</a>`}</p>
<h1>${id}</h1></div>
<p class="row">${badge(standing.tone, standing.title, true)}<span class="soft">${plan?.spec.title ?? tenant.spec.plan}</span></p></div>
<nav class="dash-nav" aria-label="${`Pages of ${id}`}"><ul>${SECTIONS.map(([path, text]) => html`<li><a href="${addressOf(tenant, path)}"${path === section && html` aria-current="page"`}>${text}</a></li>`)}</ul></nav>
<div class="stack">${view.notice !== undefined && notice(view.notice.tone, view.notice.title, view.notice.text, view.notice.tone === 'bad' ? 'alert' : 'status')}
${content}</div></div>`
  return { title: `${title} · ${id}`, brand, main, path: '/dashboard', personal: true, actions: accountActions(session), ...(live === true && { live }), ...(live === true && standing.moving && { refreshSeconds: 5 }) }
}

/** A page of the person and not of one tenant. */
export function personPage(brand: Brand, session: Session, title: string, content: HtmlPart): Page {
  return { title, brand, main: html`<div class="wrap reading page">${content}</div>`, path: '/dashboard', personal: true, actions: accountActions(session) }
}

function accountActions(session: Session): Html {
  return html`<a href="/account/sessions">Sign-ins</a>
<form method="post" action="/auth/sign-out">${csrfField(session)}<button class="link-button">Sign out</button></form>`
}

export function csrfField({ csrf }: Session): Html {
  return html`<input type="hidden" name="csrf" value="${csrf}">`
}

/** A form of one button. */
export function actionForm(session: Session, action: string, text: string, kind: 'quiet' | 'danger' | 'link' | 'main' = 'quiet', more?: Html): Html {
  const classes = kind === 'link' ? 'link-button' : `button small${kind === 'main' ? '' : ` ${kind}`}`
  return html`<form method="post" action="${action}">${csrfField(session)}${more}<button class="${classes}">${text}</button></form>`
}

/** A part of a page with its title. */
export function card(title: string, content: HtmlPart, beside?: HtmlPart): Html {
  return html`<section class="card"><div class="card-head"><h2>${title}</h2>${beside}</div>
${content}</section>`
}
