/** The operator's view of money as JSON: figures, what differs from Stripe, what waits for a person. Nothing personal is here. */
import type { FastifyPluginAsync } from 'fastify'
import type { Difference } from '../core/billing-compare.ts'
import type { Money } from '../core/money.ts'
import type { Audit } from '../store/audit.ts'
import type { BillingCase, BillingCases } from '../store/billing-cases.ts'
import type { BillingDifferences, KeptDifference } from '../store/billing-differences.ts'
import { HttpProblem } from './http-problem.ts'
import { amountOf } from './billing-page.ts'

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
