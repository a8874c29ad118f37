/** `/dashboard/TENANT`: how it stands at a glance, and the way on. What moves is asked for again by itself where there is script. */
import { bytesWords, countWords } from '../../core/wording.ts'
import { html, type Html } from '../../web/html.ts'
import { button, progressBar } from '../../web/pages/components.ts'
import type { Page } from '../../web/pages/layout.ts'
import { dayChart } from '../chart.ts'
import type { Figures } from '../figures.ts'
import { billingWords } from '../standing-words.ts'
import { addressOf, type TenantView } from '../view.ts'
import { card, tenantPage } from './frame.ts'

export interface OverviewParts {
  readonly figures: Figures
  /** Where its requests go. */
  readonly endpoint: string
  /** Refused lately, newest first: how many are remembered. */
  readonly refused: number
  /** Masked; absent where no key works. */
  readonly key: string | undefined
}

export function overviewPage(view: TenantView, parts: OverviewParts): Page {
  const { tenant } = view
  const { days } = parts.figures
  const content = html`${livePart(view, parts.figures)}
<div class="dash-two">
${card('Requests', html`${dayChart(days.map(({ day, requests: value }) => ({ day, value })), `Requests a day in the last ${days.length} days`)}<p class="soft small">The last ${days.length} days. ${parts.refused > 0 ? html`<a href="${addressOf(tenant, 'refusals')}">Some were refused: see why.</a>` : 'None was refused lately.'}</p>`, html`<a href="${addressOf(tenant, 'usage')}">Numbers and download</a>`)}
<div class="stack">${connectCard(view, parts)}${planCard(view)}</div></div>`
  return tenantPage(view, { title: 'Overview', section: '', content, live: true })
}

/** Asked for again every few seconds. */
export function livePart({ tenant, standing }: TenantView, figures: Figures): Html {
  return html`<div id="live" class="dash-live" hx-get="${addressOf(tenant, 'live')}" hx-trigger="${standing.moving ? 'every 2s' : 'every 10s'}" hx-swap="outerHTML">
<section class="card"><h2 class="label">Status</h2><p class="figure ${standing.tone}">${standing.moving && html`<span class="spinner" aria-hidden="true"></span> `}${standing.title}</p><p class="soft">${standing.text}</p></section>
${storageCard(figures)}${requestsCard(figures)}</div>`
}

function storageCard({ storedBytes, storageLimitBytes }: Figures): Html {
  const share = storageLimitBytes === undefined || storageLimitBytes === 0 ? 0 : storedBytes / storageLimitBytes
  const tone = share >= 0.95 ? 'bad' : share >= 0.8 ? 'warn' : undefined
  const hint = share >= 1 ? 'It is full: writes are refused, reading and deleting work.' : share >= 0.8 ? 'It fills up. When it is full, writes are refused.' : 'Counted from what lies on disk.'
  return html`<section class="card"><h2 class="label">Storage</h2><p class="figure">${bytesWords(storedBytes)}${storageLimitBytes !== undefined && html` <small>of ${bytesWords(storageLimitBytes)} (${percent(share)})</small>`}</p>
${storageLimitBytes !== undefined && progressBar('Storage used', storedBytes, storageLimitBytes, tone)}<p class="soft">${hint}</p></section>`
}

function requestsCard({ today, month, perDay, perMonth }: Figures): Html {
  const limit = perDay === undefined ? perMonth : perDay
  const used = perDay === undefined ? month : today
  return html`<section class="card"><h2 class="label">Requests today</h2><p class="figure">${countWords(today)}</p>
${limit !== undefined && !limit.fairUse && progressBar(perDay === undefined ? 'Requests of this month' : 'Requests of today', used, limit.value, used >= limit.value * 0.95 ? 'bad' : used >= limit.value * 0.8 ? 'warn' : undefined)}
<p class="soft">${countWords(month)} this month${limit === undefined ? '' : limit.fairUse ? ', unlimited (fair use)' : `; ${countWords(limit.value)} a ${perDay === undefined ? 'month' : 'day'} are in the plan`}.</p></section>`
}

function percent(share: number): string {
  return `${share > 0 && share < 0.001 ? '<0.1' : Number((share * 100).toFixed(1))}%`
}

function connectCard({ tenant }: TenantView, { endpoint, key }: OverviewParts): Html {
  return card('Connect', html`<dl class="facts tight"><div><dt>Endpoint</dt><dd><code id="endpoint">${endpoint}</code></dd></div><div><dt>Key</dt><dd>${key === undefined ? 'none works at the moment' : html`<code>${key}</code>`}</dd></div></dl>
<div class="row">${button('Set up an agent', { href: addressOf(tenant, 'connect'), size: 'small' })}${button('Keys', { href: addressOf(tenant, 'keys'), kind: 'quiet', size: 'small' })}</div>`)
}

function planCard({ tenant, plan, now }: TenantView): Html {
  const { price, status, lines } = billingWords(tenant, plan, now.toISOString())
  return card('Plan', html`<p><strong>${plan?.spec.title ?? tenant.spec.plan}</strong>, ${price}</p><p class="soft">${lines[0] ?? `${status}.`}</p><div class="row">${button('Plan and billing', { href: addressOf(tenant, 'billing'), kind: 'quiet', size: 'small' })}</div>`)
}
