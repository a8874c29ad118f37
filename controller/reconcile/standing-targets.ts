/** What is wanted of tenants that stand since an earlier process: worked out when it is asked for, from their specs and what those were merged with then. */
import type { Catalog } from '../core/catalog.ts'
import { desireTenant } from '../core/desired.ts'
import type { Plan, Product, TenantId, Timestamp } from '../core/specs.ts'
import { createStandingLayer, type StandingTenants, type TenantSummary } from '../core/standing.ts'
import type { Target } from './target.ts'

type Follow = Extract<Target, { kind: 'follow' }>

export interface StandingTargets {
  /** As they were wanted at `now`, with the plans and products that are in force then. Once, first. */
  begin(tenants: StandingTenants, except: Iterable<TenantId>, now: Timestamp): void
  has(id: TenantId): boolean
  target(id: TenantId): Follow | undefined
  /** From now on the tenant is others' to know. */
  leave(id: TenantId): void
  summaries(): Iterable<TenantSummary>
  readonly size: number
}

export function createStandingTargets(catalog: Catalog): StandingTargets {
  const layer = createStandingLayer()
  const products = new Map<string, Product>()
  const plans = new Map<string, Plan>()
  let at: Timestamp = ''
  return {
    begin(tenants, except, now) {
      layer.begin(tenants, except)
      at = now
      for (const { name, good } of catalog.entries('Product')) if (good !== undefined) products.set(name, good.spec as Product)
      for (const { name, good } of catalog.entries('Plan')) if (good !== undefined) plans.set(name, good.spec as Plan)
    },
    has: layer.has,
    target(id) {
      const good = layer.good(id)
      if (good === undefined) return undefined
      const { product, plan } = good.spec.spec
      const desired = desireTenant(good.spec, products.get(product)!, plans.get(plan)!, at)
      return desired && { kind: 'follow', desired, blob: good.blob, path: good.path, findings: [], heldBy: undefined }
    },
    leave: (id) => void layer.take(id),
    summaries: layer.summaries,
    get size() {
      return layer.size
    },
  }
}
