/** Joins billing's own parts: the comparison with Stripe, what a person has to look at, and the figures of income. */
import { randomBytes } from 'node:crypto'
import type { FastifyPluginAsync } from 'fastify'
import type { Logger } from 'pino'
import { Counter, Gauge, type Registry } from 'prom-client'
import type Stripe from 'stripe'
import { startBillingCompare } from '../hooks/stripe/compare-timer.ts'
import { DIFFERENCE_KINDS } from './core/billing-compare.ts'
import { countMoney, type Money } from './core/money.ts'
import type { Installation } from './installation.ts'
import type { Machine } from './machine.ts'
import type { TenantFiles } from './specs/tenant-files.ts'
import { createBillingCases } from './store/billing-cases.ts'
import { createBillingDifferences, type BillingDifferences } from './store/billing-differences.ts'
import type { Inbox } from './store/inbox.ts'
import { createBillingAdmin, type BillingOverview } from './web/billing-admin.ts'

export interface Billing {
  /** For the operator's port, behind its token. */
  readonly admin: FastifyPluginAsync
  overview(): BillingOverview
  close(): Promise<void>
}

export interface BillingOptions {
  readonly installation: Installation
  readonly inbox: Inbox
  readonly stripe: Stripe
  readonly files: TenantFiles
  readonly machine: Machine
  readonly log: Logger
  readonly registry: Registry
  /** The purchase worker has something to do. */
  readonly poke: () => void
}

export function startBilling({ installation, inbox, stripe, files, machine, log, registry, poke }: BillingOptions): Billing {
  const { catalog, stores, writer } = installation
  const differences = createBillingDifferences(stores.durable)
  const cases = createBillingCases(stores.durable)
  const money = createMoney(installation, machine.now)
  const registers = [registry]
  const healed = new Counter({ name: 'tenantry_billing_healed_total', help: 'Differences between Stripe and the repository that a comparison put right, by kind.', labelNames: ['kind'], registers })
  const rounds = new Counter({ name: 'tenantry_billing_comparisons_total', help: 'Comparisons of Stripe with the repository, by result.', labelNames: ['result'], registers })
  for (const kind of DIFFERENCE_KINDS) healed.inc({ kind }, 0)
  for (const result of ['compared', 'failed']) rounds.inc({ result }, 0)
  const comparison = startBillingCompare({
    stripe,
    catalog: () => catalog,
    writer,
    files,
    inbox,
    differences,
    installation: installation.id,
    now: machine.now,
    newTrace: () => randomBytes(16).toString('hex'),
    poke,
    log,
    count: ({ healed: kind }) => healed.inc({ kind }),
    ready: installation.source.sync(),
    onRound: (result) => rounds.inc({ result }),
  })
  addGauges(registers, { differences, cases: () => cases.counts(), money, lastSuccessAt: () => comparison.lastSuccessAt })

  function overview(): BillingOverview {
    const slots = [...catalog.plans()].flatMap(({ metadata, spec }) => (spec.slots === undefined ? [] : [{ plan: metadata.name, taken: catalog.slotsTaken(metadata.name), total: spec.slots }]))
    return {
      money: money(),
      slots,
      lastComparedAt: comparison.lastSuccessAt?.toISOString() ?? null,
      heldStops: comparison.last?.heldStops ?? null,
      differences: differences.all(),
      held: inbox.held().map(({ id, type, object, receivedAt, note }) => ({ event: id, type, object, since: receivedAt, reason: note ?? '' })),
      cases: cases.open(),
    }
  }

  return { admin: createBillingAdmin({ overview, run: comparison.run, differences, cases, audit: stores.audit, now: machine.now }), overview, close: comparison.close }
}

/** What is counted may take a while where there are very many tenants: then what was counted shortly before is told again, so that a hundredth of the time goes into it at most. */
function createMoney({ catalog }: Installation, now: () => Date): () => Money {
  let last: { readonly money: Money; readonly goodUntilMs: number } | undefined
  return () => {
    const begunMs = performance.now()
    if (last !== undefined && begunMs < last.goodUntilMs) return last.money
    const count = countMoney(now().toISOString())
    for (const tenant of catalog.tenants()) count.add(tenant)
    const money = count.result()
    const endedMs = performance.now()
    last = { money, goodUntilMs: endedMs + 100 * (endedMs - begunMs) }
    return money
  }
}

interface GaugeSources {
  readonly differences: BillingDifferences
  readonly cases: () => Readonly<Record<string, number>>
  readonly money: () => Money
  readonly lastSuccessAt: () => Date | undefined
}

function addGauges(registers: Registry[], { differences, cases, money, lastSuccessAt }: GaugeSources): void {
  const gauge = (name: string, help: string, label: string, values: () => Readonly<Record<string, number>>): void => {
    new Gauge({
      name,
      help,
      labelNames: [label],
      registers,
      collect() {
        this.reset()
        for (const [value, count] of Object.entries(values())) this.set({ [label]: value }, count)
      },
    })
  }
  gauge('tenantry_billing_differences', 'Differences between Stripe and the repository at the last comparison, by kind.', 'kind', () => {
    const found = differences.all()
    return Object.fromEntries(DIFFERENCE_KINDS.map((kind) => [kind, found.filter((each) => each.kind === kind).length]))
  })
  gauge('tenantry_billing_cases', 'Refunds and disputes that wait for a person, by kind.', 'kind', cases)
  gauge('tenantry_mrr', 'Monthly recurring revenue by currency, in its smallest unit; a year counts a twelfth.', 'currency', () => money().monthly)
  gauge('tenantry_subscriptions', 'Tenants by how they are paid for.', 'standing', () => {
    const { paying, pastDue, suspended, trials, agentTrials, cancelling } = money()
    return { paying, past_due: pastDue, suspended, trial: trials, agent_trial: agentTrials, cancelling }
  })
  new Gauge({ name: 'tenantry_churned_tenants', help: 'Paid tenants that ended in the last 30 days.', registers, collect() { this.set(money().endedIn30Days) } })
  new Gauge({ name: 'tenantry_billing_last_success_timestamp_seconds', help: 'When Stripe was last compared with the repository with success; 0 for never in this process.', registers, collect() { this.set((lastSuccessAt()?.getTime() ?? 0) / 1000) } })
}
