/** `/dashboard/TENANT/history`: the way from payment to first use with times, and every change since, from git. */
import { changerWords } from '../../core/history.ts'
import { durationWords, timeWords } from '../../core/wording.ts'
import type { TimelineEntry, TimelineStep } from '../../store/timeline.ts'
import { html, type Html } from '../../web/html.ts'
import type { Page } from '../../web/pages/layout.ts'
import type { PastEntry } from '../past.ts'
import type { TenantView } from '../view.ts'
import { card, tenantPage } from './frame.ts'

export interface HistoryParts {
  readonly timeline: readonly TimelineEntry[]
  readonly past: readonly PastEntry[]
}

export function historyPage(view: TenantView, { timeline, past }: HistoryParts): Page {
  const told = past.filter(({ changes }) => changes.length > 0)
  const content = html`${timeline.length > 0 && card('From payment to first use', timelineSteps(timeline))}
${card('What changed', told.length === 0 ? html`<p class="soft">Nothing yet.</p>` : html`<ol class="past">${told.map(entry)}</ol><p class="soft small">Every change is a commit of the tenant repository; its short name stands beside it.</p>`)}`
  return tenantPage(view, { title: 'History', section: 'history', content })
}

const STEPS: Readonly<Record<TimelineStep, string>> = {
  'webhook-received': 'The payment was told to us',
  'webhook-stored': 'It was written down',
  committed: 'Your instance was written into the repository',
  seen: 'The change was seen',
  ready: 'Your instance ran',
  'first-use': 'It was used for the first time',
}

/** Each with the time since the step before it. */
function timelineSteps(timeline: readonly TimelineEntry[]): Html {
  const steps = timeline.filter(({ trace }) => trace === timeline[0]!.trace)
  const ready = steps.find(({ step }) => step === 'ready')
  const total = ready === undefined ? undefined : Date.parse(ready.at) - Date.parse(steps[0]!.at)
  const isUsed = steps.some(({ step }) => step === 'first-use')
  return html`${total !== undefined && html`<p>From payment to running: <strong>${durationWords(total)}</strong>.</p>`}
<ol class="steps">${steps.map(({ step, at }, index) => html`<li class="done"><span class="step-title">${STEPS[step]}</span><br><span class="soft small"><time datetime="${at}">${timeWords(at)}</time>${index > 0 && `, ${durationWords(Math.max(0, Date.parse(at) - Date.parse(steps[index - 1]!.at)))} later`}</span></li>`)}${!isUsed && html`<li class="coming"><span class="step-title">First use</span><br><span class="small">Waits for your agent.</span></li>`}</ol>`
}

function entry({ commit, at, by, changes }: PastEntry): Html {
  return html`<li><div class="past-head"><strong>${changerWords(by)}</strong><span class="soft small"><time datetime="${at}">${timeWords(at)}</time> · <code>${commit.slice(0, 10)}</code></span></div>
<ul>${changes.map(({ text }) => html`<li>${text}.</li>`)}</ul></li>`
}
