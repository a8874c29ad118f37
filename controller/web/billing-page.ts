/** The console's page of money: figures, what differs from Stripe, what waits for a person. Nothing personal is here. */
import type { BillingOverview } from './billing-admin.ts'
import { html, type Html, type HtmlPart } from './html.ts'
import { badge, facts, notice, pageHead, table } from './pages/components.ts'

export function amountOf(amount: number, currency: string): string {
  return `${(amount / 100).toFixed(2)} ${currency.toUpperCase()}`
}

export function billingPage({ money, slots, lastComparedAt, heldStops, differences, held, cases }: BillingOverview): Html {
  const income = Object.entries(money.monthly).map(([currency, amount]) => amountOf(amount, currency)).join(', ') || 'none'
  return html`<div class="stack-large">${pageHead('Billing', `Last compared with Stripe: ${lastComparedAt ?? 'not yet'}`)}
<div class="card">${facts([
    ['Income a month', income],
    ['Paying', String(money.paying)],
    ['In trial', `${money.trials}, and ${money.agentTrials} begun by agents`],
    ['Payment due', String(money.pastDue)],
    ['Suspended for payment', String(money.suspended)],
    ['Will end', String(money.cancelling)],
    ['Ended in 30 days', String(money.endedIn30Days)],
    ...slots.map(({ plan, taken, total }): [string, string] => [`Slots of ${plan}`, `${taken} of ${total}`]),
  ])}</div>
${heldStops !== null && notice('warn', `${heldStops.asked} tenants would be stopped, and ${heldStops.allowed} may be by themselves`, html`Look at them, then run <code>tenantry billing check --apply</code>.`)}
${section('Different from Stripe', 'Stripe and the repository agree.', ['Kind', 'Tenant', 'What', 'Since'], differences.map(({ kind, tenant, subject, detail, since, stops }) => [badge(stops ? 'bad' : 'warn', kind), tenant ?? subject, detail, since]))}
${section('Held for a person', 'No payment waits for a person.', ['Since', 'About', 'Why'], held.map(({ since, object, reason }) => [since, object ?? '', reason]))}
${section('Refunds and disputes', 'None waits. One that was looked at is put away with tenantry billing done ID.', ['Kind', 'Tenant', 'Amount', 'Status', 'Since', 'Id'], cases.map(({ kind, tenant, amount, currency, status, since, id }) => [kind, tenant ?? '', amountOf(amount, currency), status, since, id]))}</div>`
}

function section(title: string, nothing: string, head: readonly string[], rows: readonly (readonly HtmlPart[])[]): Html {
  return html`<section class="stack"><h2>${title}</h2>${rows.length === 0 ? html`<p class="soft">${nothing}</p>` : table(head, rows, title)}</section>`
}
