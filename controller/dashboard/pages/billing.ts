/** `/dashboard/TENANT/billing`: what is paid and what comes next. Cards, invoices and changes of the plan are Stripe's pages. */
import { limitName, limitWords, priceWords } from '../../core/wording.ts'
import type { LimitName, Limits, Plan } from '../../core/specs.ts'
import { html, type Html } from '../../web/html.ts'
import { notice } from '../../web/pages/components.ts'
import type { Page } from '../../web/pages/layout.ts'
import { billingWords } from '../standing-words.ts'
import { addressOf, type TenantView } from '../view.ts'
import { actionForm, card, tenantPage } from './frame.ts'

export interface BillingParts {
  /** There is a customer at Stripe, whose page can be opened. */
  readonly canManage: boolean
  readonly limits: Limits
  /** Other plans of the product that are sold now. */
  readonly others: readonly Plan[]
}

export function billingPage(view: TenantView, { canManage, limits, others }: BillingParts): Page {
  const { tenant, plan, now, session } = view
  const { price, status, lines } = billingWords(tenant, plan, now.toISOString())
  const isPaused = tenant.spec.billing?.status === 'paused'
  const manage = actionForm(session, addressOf(tenant, 'billing/portal'), isPaused ? 'Add a card' : 'Manage billing', isPaused ? 'quiet' : 'main')
  const resume = isPaused && actionForm(session, addressOf(tenant, 'billing/resume'), 'Resume and pay', 'main')
  const content = html`${lines.map((line) => notice(tenant.spec.billing?.graceUntil !== undefined || tenant.spec.state === 'suspended' ? 'bad' : 'plain', line))}
${card(plan?.spec.title ?? tenant.spec.plan, html`<dl class="facts"><div><dt>Price</dt><dd>${price}</dd></div><div><dt>Status</dt><dd>${status}</dd></div>${limitRows(limits)}</dl>
${canManage ? html`<div class="row">${manage}${resume}<span class="soft small">${isPaused ? 'Cards are put in at Stripe. Resuming takes the first payment at once.' : 'Opens Stripe: card, invoices, another plan, cancelling.'}</span></div>` : html`<p class="soft">No payment is attached to it, so there is nothing to manage.</p>`}`)}
${others.length > 0 && card('Other plans', html`<ul class="keys">${others.map((other) => html`<li class="key"><div class="key-head"><p><strong>${other.spec.title}</strong></p><span class="numbers">${pricesOf(other)}</span></div><p class="soft small">${summary(other)}</p></li>`)}</ul>
<p class="soft small">${canManage ? 'Change the plan under “Manage billing”. The new limits hold within a second of it; what is stored stays.' : html`<a href="/pricing">See what each has.</a>`}</p>`)}`
  return tenantPage(view, { title: 'Plan and billing', section: 'billing', content })
}

function limitRows(limits: Limits): Html[] {
  return (Object.keys(limits) as LimitName[]).flatMap((name) => {
    const value = limits[name]
    return value === undefined ? [] : [html`<div><dt>${capital(limitName(name))}</dt><dd class="numbers">${limitWords(name, value)}</dd></div>`]
  })
}

function pricesOf({ spec: { prices } }: Plan): string {
  return (['month', 'year'] as const).flatMap((interval) => (prices[interval] === undefined ? [] : [priceWords(prices[interval], interval)])).join(' or ') || 'Free'
}

function summary({ spec: { limits, summary: line } }: Plan): string {
  const storage = limits.storageMb === undefined ? [] : [`${limitWords('storageMb', limits.storageMb)} of storage`]
  return [...(line === undefined ? [] : [line]), ...storage].join(' · ')
}

const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1)
