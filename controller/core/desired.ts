/**
 * What should be true of a tenant now: its spec merged with its plan, at a given instant. A pure function, with `nextChangeAt`
 * telling when time alone would change the answer.
 */
import { earliest, liveKeys, nextKeyChange } from './keys.ts'
import { limitsOf, timesQuantity } from './limits.ts'
import { shardOf, type ShardName } from './placement.ts'
import type { KeySpec, Limits, Plan, Product, SshProfile, Tenant, TenantId, TenantState, Timestamp } from './specs.ts'

export type Place = { readonly kind: 'shard'; readonly shard: ShardName } | { readonly kind: 'container' }

export interface DesiredTenant {
  readonly tenant: TenantId
  readonly product: string
  readonly plan: string
  readonly tier: string
  readonly state: TenantState
  readonly stateReason: string | undefined
  readonly limits: Limits
  /** What limits that say `unlimited` stay under, as the plan states it for one unit, times those paid for. */
  readonly fairUse?: Limits
  /** Neither revoked nor expired. Known to the gateway in every state; known to SQ only while active. */
  readonly keys: readonly KeySpec[]
  readonly createdAt: Timestamp
  readonly place: Place
  readonly profiles: readonly SshProfile[]
  readonly nextChangeAt: Timestamp | undefined
}

const NO_PROFILES: readonly SshProfile[] = []

/** The desired state of a tenant with a good spec. Undefined where the id does not fit the product, which checkTenant reports. */
export function desireTenant(tenant: Tenant, product: Product, plan: Plan, now: Timestamp): DesiredTenant | undefined {
  const { metadata, spec } = tenant
  const shard = product.spec.run.kind === 'shared-sq' ? shardOf(product, metadata.name) : undefined
  if (product.spec.run.kind === 'shared-sq' && shard === undefined) return undefined
  return {
    tenant: metadata.name,
    product: spec.product,
    plan: spec.plan,
    tier: plan.spec.tier,
    state: spec.state,
    stateReason: spec.stateReason,
    limits: limitsOf(plan.spec.limits, spec),
    ...(plan.spec.fairUse !== undefined && { fairUse: timesQuantity(plan.spec.fairUse, spec.billing?.quantity) }),
    keys: liveKeys(spec.keys, now),
    createdAt: createdAt(spec.keys),
    place: shard === undefined ? { kind: 'container' } : { kind: 'shard', shard: shard.name },
    profiles: spec.profiles ?? NO_PROFILES,
    nextChangeAt: nextKeyChange(spec.keys, now),
  }
}

/** A tenant began with its first key. */
function createdAt(keys: readonly KeySpec[]): Timestamp {
  return earliest(keys.map((key) => key.createdAt)) ?? '1970-01-01T00:00:00Z'
}
