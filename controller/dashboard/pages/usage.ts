/** `/dashboard/TENANT/usage`: each day's numbers as a chart and as the table that says the same, and as a file. */
import { bytesWords, countWords, dayWords } from '../../core/wording.ts'
import { html, type Html } from '../../web/html.ts'
import { emptyState, table } from '../../web/pages/components.ts'
import type { Page } from '../../web/pages/layout.ts'
import { dayChart } from '../chart.ts'
import type { DayFigures, Figures } from '../figures.ts'
import { addressOf, type TenantView } from '../view.ts'
import { card, tenantPage } from './frame.ts'

export const SPANS = [30, 90, 365] as const
export type Span = (typeof SPANS)[number]

export function usagePage(view: TenantView, figures: Figures, span: Span): Page {
  const { days } = figures
  const used = days.filter(({ requests, refused, storageBytes }) => requests > 0 || refused > 0 || storageBytes !== null)
  const total = (field: 'requests' | 'refused' | 'errors' | 'bytesIn' | 'bytesOut'): number => days.reduce((sum, day) => sum + day[field], 0)
  const content = html`${card('Requests', html`${dayChart(days.map(({ day, requests: value }) => ({ day, value })), `Requests a day in the last ${span} days`)}
<dl class="facts"><div><dt>Requests</dt><dd class="numbers">${countWords(total('requests'))}</dd></div><div><dt>Refused before they reached it</dt><dd class="numbers">${countWords(total('refused'))}${total('refused') > 0 && html` <a href="${addressOf(view.tenant, 'refusals')}">why</a>`}</dd></div><div><dt>Failed in it</dt><dd class="numbers">${countWords(total('errors'))}</dd></div><div><dt>Received and sent</dt><dd class="numbers">${bytesWords(total('bytesIn'))} and ${bytesWords(total('bytesOut'))}</dd></div></dl>`, spans(view, span))}
${used.length === 0 ? emptyState('Nothing was asked yet', html`<p>As soon as an agent stores or recalls something, its days stand here.</p>`, html`<a class="button" href="${addressOf(view.tenant, 'connect')}">Set up an agent</a>`) : card(span === 30 ? 'Day by day' : 'Month by month', daysTable(span === 30 ? used : byMonth(used)), html`<a href="${addressOf(view.tenant, 'usage.csv')}" download>Download as CSV</a>`)}
<p class="soft small">Days begin at 00:00 UTC. Counts are kept by day for a year.</p>`
  return tenantPage(view, { title: 'Usage', section: 'usage', content })
}

function spans({ tenant }: TenantView, chosen: Span): Html {
  return html`<nav class="row small" aria-label="Span">${SPANS.map((span) => html`<a href="${addressOf(tenant, 'usage')}?days=${span}"${span === chosen && html` aria-current="true"`}>${span} days</a>`)}</nav>`
}

/** Sums, and what was stored at the end; the file has the days. */
function byMonth(days: readonly DayFigures[]): DayFigures[] {
  return [...Map.groupBy(days, ({ day }) => day.slice(0, 7))].map(([month, all]) => {
    const sum = (field: 'requests' | 'refused' | 'errors' | 'bytesIn' | 'bytesOut'): number => all.reduce((total, day) => total + day[field], 0)
    return { day: month, requests: sum('requests'), refused: sum('refused'), errors: sum('errors'), bytesIn: sum('bytesIn'), bytesOut: sum('bytesOut'), storageBytes: all.findLast(({ storageBytes }) => storageBytes !== null)?.storageBytes ?? null }
  })
}

/** `February 2026` for a month, `12 February 2026` for a day. */
function periodWords(period: string): string {
  return period.length === 7 ? dayWords(`${period}-01`).replace('1 ', '') : dayWords(period)
}

function daysTable(days: readonly DayFigures[]): Html {
  const rows = days.toReversed().map(({ day, requests, refused, errors, bytesIn, bytesOut, storageBytes }) => [periodWords(day), countWords(requests), countWords(refused), countWords(errors), bytesWords(bytesIn), bytesWords(bytesOut), storageBytes === null ? '' : bytesWords(storageBytes)])
  return table(['When', 'Requests', 'Refused', 'Failed', 'Received', 'Sent', 'Stored'], rows, 'Use')
}
