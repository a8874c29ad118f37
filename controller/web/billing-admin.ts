/** The operator's view of money, as JSON and as a page: figures, what differs from Stripe, what waits for a person. Nothing personal is here. */
import type { FastifyPluginAsync } from 'fastify'
import type { Difference } from '../core/billing-compare.ts'
import type { Money } from '../core/money.ts'
import type { Audit } from '../store/audit.ts'
import type { BillingCase, BillingCases } from '../store/billing-cases.ts'
import type { BillingDifferences, KeptDifference } from '../store/billing-differences.ts'
import { html, type Html } from './html.ts'
import { HttpProblem } from './http-problem.ts'

export interface BillingOverview {
  readonly money: Money
  readonly slots: readonly { readonly plan: string; readonly taken: number; readonly total: number }[]
  readonly lastComparedAt: string | null
  readonly heldStops: { readonly asked: number; readonly allowed: number } | null
  readonly differences: readonly KeptDifference[]
  /** Payments and subscriptions that no rule covers. */
  readonly held: readonly { readonly event: string; readonly type: string; readonly object: string | null; readonly since: string; readonly reason: string }[]
  readonly cases: readonly BillingCase[]
}

/** What `tenantry billing check` prints. */
export interface BillingCheck {
  readonly at: string
  readonly differences: readonly KeptDifference[]
  readonly healed: readonly Difference[]
  readonly heldStops: { readonly asked: number; readonly allowed: number } | null
}

export interface BillingAdminOptions {
  readonly overview: () => BillingOverview
  readonly run: (mode: 'heal' | 'look') => Promise<{ readonly at: string; readonly differences: readonly Difference[]; readonly healed: readonly Difference[]; readonly heldStops?: { readonly asked: number; readonly allowed: number } }>
  readonly differences: BillingDifferences
  readonly cases: BillingCases
  readonly audit: Audit
  readonly now: () => Date
}

export function createBillingAdmin({ overview, run, differences, cases, audit, now }: BillingAdminOptions): FastifyPluginAsync {
  async function round(mode: 'heal' | 'look'): Promise<BillingCheck> {
    try {
      const { at, healed, heldStops } = await run(mode)
      return { at, differences: differences.all(), healed, heldStops: heldStops ?? null }
    } catch (cause) {
      throw new HttpProblem({ status: 502, code: 'not-compared', title: 'Not compared', detail: 'Stripe or the repository did not answer. Nothing was done.', retryAfterSeconds: 30 }, { cause })
    }
  }

  return async (app) => {
    app.get('/api/billing', () => overview())
    app.get('/billing', (_request, reply) => reply.type('text/html; charset=utf-8').header('content-security-policy', "default-src 'none'; style-src 'unsafe-inline'").send(page(overview()).text))
    app.post<{ Body: { apply?: boolean; by?: string } | null }>('/api/billing/check', async ({ body }) => {
      const looked = await round('look')
      if (body?.apply !== true) return looked
      const by = (body.by ?? 'operator').slice(0, 100)
      const approved = looked.differences.filter(({ stops }) => stops)
      differences.approve(approved, by)
      audit.addMany(approved.map(({ kind, tenant, subject, detail }) => ({ at: now().toISOString(), actor: by, action: 'approve-billing', tenant, detail: `${kind} ${subject}: ${detail}` })))
      return round('heal')
    })
    app.post<{ Params: { id: string }; Body: { by?: string } | null }>('/api/billing/cases/:id/done', ({ params, body }, reply) => {
      const by = (body?.by ?? 'operator').slice(0, 100)
      const found = cases.open().find(({ id }) => id === params.id)
      if (found === undefined) throw new HttpProblem({ status: 404, code: 'no-such-case', title: 'Not found', detail: 'No such refund or dispute waits. See /api/billing.' })
      cases.settle(params.id, by, now().toISOString())
      audit.add({ at: now().toISOString(), actor: by, action: 'settle-billing-case', tenant: found.tenant, detail: `${found.kind} ${found.id}: ${amountOf(found.amount, found.currency)}` })
      return reply.send({ id: params.id, done: true })
    })
  }
}

function amountOf(amount: number, currency: string): string {
  return `${(amount / 100).toFixed(2)} ${currency.toUpperCase()}`
}

const STYLE = ':root{color-scheme:light dark}body{font:16px/1.5 system-ui,sans-serif;max-width:64rem;margin:2rem auto;padding:0 1rem}table{border-collapse:collapse;width:100%;margin-bottom:2rem}td,th{text-align:left;vertical-align:top;padding:.35rem .8rem .35rem 0;border-bottom:1px solid color-mix(in srgb,currentColor 20%,transparent)}td:first-child,th:first-child{white-space:nowrap}'

function page({ money, slots, lastComparedAt, heldStops, differences, held, cases }: BillingOverview): Html {
  const income = Object.entries(money.monthly).map(([currency, amount]) => amountOf(amount, currency)).join(', ') || 'none'
  const figures: [string, string | number][] = [
    ['Income a month', income],
    ['Paying', money.paying],
    ['In trial', `${money.trials}, and ${money.agentTrials} begun by agents`],
    ['Payment due', money.pastDue],
    ['Suspended for payment', money.suspended],
    ['Will end', money.cancelling],
    ['Ended in 30 days', money.endedIn30Days],
    ...slots.map(({ plan, taken, total }): [string, string] => [`Slots of ${plan}`, `${taken} of ${total}`]),
    ['Last compared with Stripe', lastComparedAt ?? 'not yet'],
  ]
  return html`<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Billing</title><style>${STYLE}</style></head><body><h1>Billing</h1>
${table(['', ''], figures)}
${heldStops !== null && html`<p><strong>${heldStops.asked} tenants would be stopped, and ${heldStops.allowed} may be by themselves.</strong> Look at them, then run <code>tenantry billing check --apply</code>.</p>`}
<h2>Different from Stripe</h2>${table(['Kind', 'Tenant', 'What', 'Since'], differences.map(({ kind, tenant, subject, detail, since }) => [kind, tenant ?? subject, detail, since]))}
<h2>Held for a person</h2>${table(['Since', 'About', 'Why'], held.map(({ since, object, reason }) => [since, object ?? '', reason]))}
<h2>Refunds and disputes</h2>${table(['Kind', 'Tenant', 'Amount', 'Status', 'Since', 'Id'], cases.map(({ kind, tenant, amount, currency, status, since, id }) => [kind, tenant ?? '', amountOf(amount, currency), status, since, id]))}
</body></html>`
}

function table(head: readonly string[], rows: readonly (readonly (string | number)[])[]): Html {
  if (rows.length === 0) return html`<p>Nothing.</p>`
  return html`<table><thead><tr>${head.map((cell) => html`<th>${cell}</th>`)}</tr></thead><tbody>${rows.map((row) => html`<tr>${row.map((cell) => html`<td>${cell}</td>`)}</tr>`)}</tbody></table>`
}
