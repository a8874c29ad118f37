/** `/dashboard/TENANT/refusals`: what was refused lately, and for each the rule, the commit that set it and the use behind it. */
import { changerWords } from '../../core/history.ts'
import { bytesWords, countWords, isLimitName, limitName, limitWords, timeWords } from '../../core/wording.ts'
import type { RefusalRecord } from '../../store/usage.ts'
import { html, type Html } from '../../web/html.ts'
import { badge, emptyState, facts, table } from '../../web/pages/components.ts'
import type { Page } from '../../web/pages/layout.ts'
import type { LimitOrigin } from '../past.ts'
import { addressOf, type TenantView } from '../view.ts'
import { card, tenantPage } from './frame.ts'

export function refusalsPage(view: TenantView, refusals: readonly RefusalRecord[]): Page {
  const rows = refusals.map(({ id, at, status, code, key }) => [html`<a href="${addressOf(view.tenant, `refusals/${encodeURIComponent(id)}`)}">${timeWords(at)}</a>`, html`<span class="numbers">${status}</span> ${code}`, key])
  const content = refusals.length === 0
    ? emptyState('Nothing was refused', html`<p>When a request is refused, it stands here with the rule behind it. Its answer carries the same id as <code>requestId</code>.</p>`)
    : card('Refused lately', html`${table(['When', 'What', 'Key'], rows, 'Refused requests')}<p class="soft small">The newest of them; of a flood the first of each second.</p>`)
  return tenantPage(view, { title: 'Refused', section: 'usage', content })
}

export function refusalPage(view: TenantView, refusal: RefusalRecord, origin: LimitOrigin | undefined): Page {
  const { id, at, status, code, detail, key, measured } = refusal
  const rows: (readonly [string, Html | string])[] = [
    ['When', timeWords(at)],
    ['Answer', html`<span class="numbers">${status}</span> <code>${code}</code>`],
    ['Key', key === '' ? 'none' : key],
    ...measuredRows(measured ?? {}, origin),
  ]
  const content = html`${card('Why this was refused', html`<p>${detail}</p>${facts(rows)}`, badge('plain', id))}
<p><a href="${addressOf(view.tenant, 'refusals')}">All that was refused lately</a></p>`
  return tenantPage(view, { title: `Refusal ${id}`, section: 'usage', content })
}

function measuredRows(measured: Readonly<Record<string, unknown>>, origin: LimitOrigin | undefined): (readonly [string, Html | string])[] {
  const { limit, value, used, resetAt, unit, fairUse } = measured
  const rows: (readonly [string, Html | string])[] = []
  if (typeof limit === 'string') {
    rows.push(['Rule', `${ruleName(limit)}: ${amount(limit, value, unit)}${fairUse === true ? ', which “unlimited” stays under (fair use)' : ''}`])
    if (origin !== undefined) rows.push(['Set by', html`${changerWords(origin.by)}, ${ORIGINS[origin.file]}, ${timeWords(origin.at)}, commit <code>${origin.commit.slice(0, 10)}</code>`])
    if (typeof used === 'number') rows.push(['Used then', amount(limit, used, unit)])
  }
  if (typeof resetAt === 'string') rows.push(['Begins anew', timeWords(resetAt)])
  return rows
}

const ORIGINS: Readonly<Record<LimitOrigin['file'], string>> = { plan: 'in the plan', tenant: 'for you alone', key: 'with the key' }

/** What is no limit of plans: of a key, or of the service itself. */
const OTHER_RULES: Readonly<Record<string, string>> = {
  'access.requestsPerSecond': 'requests a second of this key',
  'access.requests': 'requests of this key in all',
  phextBytes: 'size of one phext',
  coordinate: 'the largest part of a coordinate',
}

function ruleName(limit: string): string {
  return isLimitName(limit) ? limitName(limit) : (OTHER_RULES[limit] ?? limit)
}

function amount(limit: string, value: unknown, unit: unknown): string {
  if (typeof value !== 'number') return String(value)
  if (unit === 'bytes') return bytesWords(value)
  if (unit === 'MiB') return bytesWords(value * 1024 * 1024)
  if (typeof unit === 'string') return `${countWords(value)} ${unit}`
  return isLimitName(limit) ? limitWords(limit, value) : countWords(value)
}
