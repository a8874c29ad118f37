import { expect, test } from 'vitest'
import { createMetrics, type Metrics } from '../controller/metrics.ts'
import type { LoopState } from '../controller/reconcile/loop.ts'
import { createCore } from './reconcile/support.ts'
import { plan, platform, put, putBad, sharedProduct, tenant } from './support/specs.ts'

interface Harness {
  readonly metrics: Metrics
  /** What the metrics see from now on. */
  readonly seen: { loop: LoopState | undefined; at: Date }
  value(name: string): Promise<number | undefined>
}

function made(): Harness {
  const core = createCore({ files: [put(platform()), put(sharedProduct()), put(plan('standard')), put(plan('founder', { slots: 2 })), put(tenant('user001', { plan: 'founder' })), put(tenant('user002', { state: 'suspended' })), putBad('Tenant', 'user003')] })
  const seen: Harness['seen'] = { loop: undefined, at: new Date(0) }
  const metrics = createMetrics({ catalog: core.catalog, world: core.deps.world, loop: () => seen.loop, findings: () => core.catalog.findings().length, inbox: () => ({ pending: 3, held: 1 }), now: () => seen.at })
  return {
    metrics,
    seen,
    async value(name) {
      const line = (await metrics.registry.metrics()).split('\n').find((each) => each.startsWith(`${name} `))
      return line === undefined ? undefined : Number(line.slice(name.length + 1))
    },
  }
}

test('say what is there by product, state and plan', async () => {
  const { value } = made()
  expect(await value('tenantry_tenants{product="sq",state="active"}')).toBe(1)
  expect(await value('tenantry_tenants{product="sq",state="suspended"}')).toBe(1)
  expect(await value('tenantry_plan_slots{plan="founder",kind="taken"}')).toBe(1)
  expect(await value('tenantry_plan_slots{plan="founder",kind="total"}')).toBe(2)
  expect(await value('tenantry_spec_problems')).toBe(1)
  expect(await value('tenantry_tenants_never_valid')).toBe(1)
  expect(await value('tenantry_inbox_events{state="pending"}')).toBe(3)
})

test('a loop that never succeeded gets older, and one that did begins anew', async () => {
  const { seen, value } = made()
  seen.at = new Date(60_000)
  expect(await value('tenantry_seconds_since_success')).toBe(60)
  expect(await value('tenantry_ready')).toBe(0)
  seen.loop = { attempted: undefined, applied: undefined, lastSuccessAt: new Date(50_000), lastError: undefined, ready: true, queueDepth: 7 }
  expect(await value('tenantry_seconds_since_success')).toBe(10)
  expect(await value('tenantry_workqueue_depth')).toBe(7)
  expect(await value('tenantry_ready')).toBe(1)
})

test('counters start at zero, so that a rate sees the first event', async () => {
  const { metrics, value } = made()
  expect(await value('tenantry_reconcile_total{result="failed"}')).toBe(0)
  metrics.observer.outcome('failed', 0.1)
  metrics.pass('changed', 0.1)
  metrics.observer.repaired('user001' as never, 'sq-started', [])
  expect(await value('tenantry_reconcile_total{result="failed"}')).toBe(1)
  expect(await value('tenantry_pass_total{result="changed"}')).toBe(1)
  expect(await value('tenantry_drift_repaired_total{action="sq-started"}')).toBe(1)
})

test('no label ever holds a tenant, and every name has a unit or is a count', async () => {
  const text = await made().metrics.registry.metrics()
  expect(text).not.toMatch(/user00\d/)
  for (const [, name, type] of text.matchAll(/^# TYPE (tenantry_\S+) (\S+)$/gm)) {
    if (type === 'counter') expect(name).toMatch(/_total$/)
    if (type === 'histogram') expect(name).toMatch(/_seconds$/)
  }
})
