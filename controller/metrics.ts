/**
 * The controller's own metrics. Base units, `_total` on counters, labels with few values only: never a tenant's id, a revision
 * or an error's text. What can be counted when it is asked for is counted then, so that no counter can drift.
 */
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client'
import type { CatalogView } from './core/catalog-view.ts'
import type { ReconcileObserver } from './reconcile/ports.ts'
import type { LoopState } from './reconcile/loop.ts'
import type { World } from './reconcile/world.ts'

export interface MetricSources {
  readonly catalog: CatalogView
  readonly world: World
  readonly loop: () => LoopState | undefined
  readonly findings: () => number
  /** Webhook events by state. */
  readonly inbox: () => Readonly<Record<string, number>>
  readonly now: () => Date
}

export interface Metrics {
  readonly registry: Registry
  readonly observer: ReconcileObserver
  pass(result: 'changed' | 'unchanged' | 'failed', seconds: number): void
  resync(seconds: number): void
  reload(seconds: number): void
}

export function createMetrics(sources: MetricSources): Metrics {
  const registry = new Registry()
  const registers = [registry]
  collectDefaultMetrics({ register: registry })

  const reconciles = new Counter({ name: 'tenantry_reconcile_total', help: 'Tenants worked on, by result.', labelNames: ['result'], registers })
  const duration = new Histogram({ name: 'tenantry_reconcile_duration_seconds', help: 'Time to work on one tenant.', buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15], registers })
  const passes = new Counter({ name: 'tenantry_pass_total', help: 'Looks at the repository, by result.', labelNames: ['result'], registers })
  const passDuration = new Histogram({ name: 'tenantry_pass_duration_seconds', help: 'Time of one look at the repository.', buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 30], registers })
  const resync = new Histogram({ name: 'tenantry_resync_duration_seconds', help: 'Time to look at everything that runs.', buckets: [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 30, 60], registers })
  const repairs = new Counter({ name: 'tenantry_drift_repaired_total', help: 'Things that were not as wanted and were put right, by what was done.', labelNames: ['action'], registers })
  const purchase = new Histogram({ name: 'tenantry_purchase_to_ready_seconds', help: 'From the receipt of a payment to the key being accepted.', buckets: [0.05, 0.1, 0.15, 0.25, 0.5, 1, 2.5, 5, 15, 60, 300], registers })
  const reload = new Histogram({ name: 'tenantry_sq_reload_seconds', help: 'From asking SQ to reload to its accepting the new file.', buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 1, 5, 30], registers })
  for (const result of ['applied', 'left', 'stalled', 'waiting', 'failed']) reconciles.inc({ result }, 0)
  for (const result of ['changed', 'unchanged', 'failed']) passes.inc({ result }, 0)
  addStateGauges(registers, sources)
  addCatalogGauges(registers, sources)

  return {
    registry,
    observer: {
      outcome(result, seconds) {
        reconciles.inc({ result })
        duration.observe(seconds)
      },
      repaired: (_tenant, action) => repairs.inc({ action }),
      purchaseReady: (seconds) => purchase.observe(seconds),
    },
    pass(result, seconds) {
      passes.inc({ result })
      passDuration.observe(seconds)
    },
    resync: (seconds) => resync.observe(seconds),
    reload: (seconds) => reload.observe(seconds),
  }
}

function addStateGauges(registers: Registry[], { loop, world, now, inbox }: MetricSources): void {
  const gauge = (name: string, help: string, value: () => number): void => {
    new Gauge({
      name,
      help,
      registers,
      collect() {
        this.set(value())
      },
    })
  }
  gauge('tenantry_workqueue_depth', 'Tenants that wait or are worked on.', () => loop()?.queueDepth ?? 0)
  gauge('tenantry_last_success_timestamp_seconds', 'When the repository was last looked at with success; 0 for never.', () => (loop()?.lastSuccessAt?.getTime() ?? 0) / 1000)
  const startedAt = now()
  gauge('tenantry_seconds_since_success', 'Age of the last look at the repository that succeeded; since the start where none has yet.', () => (now().getTime() - (loop()?.lastSuccessAt ?? startedAt).getTime()) / 1000)
  gauge('tenantry_ready', 'Whether the first look of this process is done.', () => Number(loop()?.ready ?? false))
  gauge('tenantry_tenants_on_hold', 'Tenants that are left alone by spec.hold.', () => world.counts.held)
  gauge('tenantry_removals_awaiting_approval', 'Tenants whose removal is above the deletion limit.', () => world.counts.awaitingApproval)
  gauge('tenantry_tenants_never_valid', 'Tenant files that never were valid.', () => world.counts.invalid)
  new Gauge({
    name: 'tenantry_inbox_events',
    help: 'Payment events that are stored, by state.',
    labelNames: ['state'],
    registers,
    collect() {
      for (const [state, count] of Object.entries(inbox())) this.set({ state }, count)
    },
  })
}

function addCatalogGauges(registers: Registry[], { catalog, world, findings }: MetricSources): void {
  new Gauge({
    name: 'tenantry_tenants',
    help: 'Tenants by product and state, as the repository has them.',
    labelNames: ['product', 'state'],
    registers,
    collect() {
      this.reset()
      for (const { product, state } of world.summaries()) this.inc({ product, state })
    },
  })
  new Gauge({
    name: 'tenantry_plan_slots',
    help: 'Slots of plans that have an end: taken and in all.',
    labelNames: ['plan', 'kind'],
    registers,
    collect() {
      this.reset()
      for (const { metadata, spec } of catalog.plans()) {
        if (spec.slots === undefined) continue
        this.set({ plan: metadata.name, kind: 'taken' }, catalog.slotsTaken(metadata.name))
        this.set({ plan: metadata.name, kind: 'total' }, spec.slots)
      }
    },
  })
  new Gauge({
    name: 'tenantry_spec_problems',
    help: 'What is wrong with files of the repository now.',
    registers,
    collect() {
      this.set(findings())
    },
  })
}
