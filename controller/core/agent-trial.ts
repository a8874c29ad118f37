/**
 * Trials that agents begin by themselves: which id, which limits, until when, or why not. Pure and repeatable, as purchases are. Never
 * oversells a plan, never gives an id twice, and a wish that has its tenant already gets no second one.
 */
import type { CatalogView } from './catalog-view.ts'
import { isPast } from './keys.ts'
import { tenantPath } from './purchase.ts'
import type { AgentTrial, DerivedKeySpec, Plan, Product, Tenant, TenantId, Timestamp } from './specs.ts'
import { parseTenantNumber, tenantId } from './tenant-id.ts'
import { timestampOf } from './timestamp.ts'

export interface TrialWish {
  readonly plan: string
  /** What the agent calls itself: its key's name. */
  readonly name?: string
  /** 32 random hex digits: the identity of the wish, and what its key is derived from. */
  readonly nonce: string
}

export type TrialOutcome =
  | { readonly kind: 'provision'; readonly tenant: Tenant; readonly number: number; readonly path: string }
  | { readonly kind: 'already'; readonly tenant: Tenant }
  | { readonly kind: 'refused'; readonly reason: 'trials-off' | 'plan-sold-out' | 'trials-full' | 'no-id-left' }

export interface TrialInputs {
  readonly highestNumber: (product: string) => number
  /** Trials that nobody claimed and that may still run: at least all that the repository has. */
  readonly unclaimed: readonly Tenant[]
  readonly now: Timestamp
  readonly masterVersion: number
}

const DAY_MS = 86_400_000

/** Decides all wishes in the order given; each sees what the earlier ones took. */
export function allocateTrials(catalog: CatalogView, wishes: readonly TrialWish[], inputs: TrialInputs): TrialOutcome[] {
  const taken: Tenant[] = []
  const numbers = new Map<string, number>()
  return wishes.map((wish) => {
    const outcome = allocate(catalog, wish, inputs, { taken, numbers })
    if (outcome.kind === 'provision') {
      taken.push(outcome.tenant)
      numbers.set(outcome.tenant.spec.product, outcome.number)
    }
    return outcome
  })
}

/** Nobody claimed it, and it has not ended. */
export function isUnclaimed({ spec }: Tenant, now: Timestamp): boolean {
  return spec.trial !== undefined && spec.trial.claimedAt === undefined && spec.state !== 'ended' && !isPast(spec.trial.endsAt, now)
}

/** Plans with which an agent may begin by itself, by name. */
export function trialPlans(catalog: Pick<CatalogView, 'plans'>): Plan[] {
  return [...catalog.plans()].filter(({ spec }) => spec.agentTrial !== undefined).sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1))
}

/** A name that can never be anybody's (RFC 2606): a tenant's file needs an address, and nobody has come yet. */
export function unclaimedEmail(id: TenantId): string {
  return `${id}@unclaimed.invalid`
}

interface Taken {
  readonly taken: readonly Tenant[]
  readonly numbers: ReadonlyMap<string, number>
}

function allocate(catalog: CatalogView, wish: TrialWish, inputs: TrialInputs, { taken, numbers }: Taken): TrialOutcome {
  const unclaimed = [...inputs.unclaimed, ...taken]
  const already = unclaimed.find(({ spec }) => spec.keys.some(({ nonce }) => nonce === wish.nonce))
  if (already !== undefined) return { kind: 'already', tenant: already }
  const plan = catalog.plan(wish.plan)
  const trial = plan?.spec.agentTrial
  const product = plan && catalog.product(plan.spec.product)
  if (plan === undefined || trial === undefined || product === undefined) return { kind: 'refused', reason: 'trials-off' }
  const onPlan = (tenants: readonly Tenant[]): number => tenants.filter(({ spec }) => spec.plan === wish.plan).length
  if (catalog.slotsTaken(wish.plan) + onPlan(taken) >= (plan.spec.slots ?? Infinity)) return { kind: 'refused', reason: 'plan-sold-out' }
  if (onPlan(unclaimed.filter((tenant) => isUnclaimed(tenant, inputs.now))) >= trial.total) return { kind: 'refused', reason: 'trials-full' }
  const { name } = product.metadata
  const number = nextNumber(catalog, product, Math.max(catalog.highestNumber(name), inputs.highestNumber(name), numbers.get(name) ?? 0))
  const tenant = trialTenant(tenantId(product, number), { plan, trial, wish, inputs })
  // A file with a huge number in its name uses up all numbers: then a person has to look.
  if (parseTenantNumber(product, tenant.metadata.name) === undefined) return { kind: 'refused', reason: 'no-id-left' }
  return { kind: 'provision', tenant, number, path: tenantPath(product, number) }
}

function nextNumber(catalog: CatalogView, product: Product, highest: number): number {
  let number = highest + 1
  while (catalog.pathOf(tenantId(product, number)) !== undefined) number++
  return number
}

function trialTenant(id: TenantId, { plan, trial, wish, inputs }: { readonly plan: Plan; readonly trial: AgentTrial; readonly wish: TrialWish; readonly inputs: TrialInputs }): Tenant {
  const { now, masterVersion } = inputs
  const key: DerivedKeySpec = { id: 'k1', nonce: wish.nonce, ...(masterVersion !== 1 && { master: masterVersion }), ...(wish.name !== undefined && { name: wish.name }), createdAt: now }
  const endsAt = timestampOf(Date.parse(now) + trial.days * DAY_MS)
  return {
    kind: 'Tenant',
    metadata: { name: id },
    spec: {
      product: plan.spec.product,
      plan: plan.metadata.name,
      owner: { email: unclaimedEmail(id) },
      state: 'active',
      ...(trial.limits && Object.keys(trial.limits).length > 0 && { limits: trial.limits }),
      keys: [key],
      trial: { endsAt },
    },
  }
}
