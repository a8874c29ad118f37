/**
 * What a batch comes to on exactly the repository's tip: purchases first, then how subscriptions stand, then refunds and disputes, each
 * seeing what the ones before it took. One commit for all of it. May be asked again on a newer tip.
 */
import { billTenant, type BillingContext } from '../../controller/core/billing.ts'
import type { CatalogView } from '../../controller/core/catalog-view.ts'
import { allocatePurchases, type Purchase, type PurchaseOutcome } from '../../controller/core/purchase.ts'
import type { Tenant, TenantId } from '../../controller/core/specs.ts'
import { parseTenantNumber } from '../../controller/core/tenant-id.ts'
import type { TenantFiles } from '../../controller/specs/tenant-files.ts'
import type { HighestNumbers } from '../../controller/store/highest-numbers.ts'
import type { BillingCase } from '../../controller/store/billing-cases.ts'
import type { Inbox, OpenEvent } from '../../controller/store/inbox.ts'
import type Stripe from 'stripe'
import type { FoundCase } from './cases.ts'
import { ownerOf } from './metadata.ts'
import type { Decide } from './ports.ts'
import { batchCommit, type Billed, type Bought } from './purchase-commit.ts'
import { readSubscription } from './subscription.ts'
import type { Verdict } from './verdict.ts'

export interface DecisionOptions {
  readonly inbox: Pick<Inbox, 'servedBy'>
  readonly highestNumbers: HighestNumbers
  readonly files: TenantFiles
  readonly stringify: (tenant: Tenant) => string
  /** The installation's id: what names another one is not ours. */
  readonly installation: string
  /** The version of the master secret for new keys. */
  readonly masterVersion: number
  readonly now: () => Date
}

/** What is to be decided on. */
export interface Batch {
  readonly purchases: readonly { readonly event: OpenEvent; readonly purchase: Purchase; readonly nonce: string }[]
  /** By id; undefined where Stripe has it no more. */
  readonly subscriptions: ReadonlyMap<string, { readonly events: readonly OpenEvent[]; readonly standing: Stripe.Subscription | undefined }>
  readonly cases: readonly { readonly event: OpenEvent; readonly found: FoundCase }[]
}

export interface BatchResult {
  readonly verdicts: ReadonlyMap<OpenEvent, Verdict>
  readonly cases: readonly Omit<BillingCase, 'since' | 'updatedAt'>[]
}

/** Numbers are raised in the store before the push. After a refused push the same numbers may be given again: nobody saw them. */
export function createDecide(options: DecisionOptions, batch: Batch): Decide<BatchResult> {
  const before = new Map<string, number>()
  const highestNumber = (product: string): number => {
    if (!before.has(product)) before.set(product, options.highestNumbers.get(product))
    return before.get(product)!
  }
  return async (catalog) => {
    const verdicts = new Map<OpenEvent, Verdict>()
    const bought = await buy(options, catalog, batch, { highestNumber, verdicts })
    const billed = await bill(options, catalog, batch, { bought, verdicts })
    const cases = batch.cases.flatMap(({ event, found }) => {
      const tenant = found.subscriptions.map(({ id }) => catalog.tenantBySubscription(id)).find((id) => id !== undefined)
      const isOurs = tenant !== undefined || found.subscriptions.some(({ isMarked }) => isMarked)
      verdicts.set(event, isOurs ? { kind: 'ignored', reason: 'put-before-a-person', note: `a ${found.case.kind}: a person looks` } : NOT_OURS)
      return isOurs ? [{ ...found.case, tenant: tenant ?? null }] : []
    })
    const commit = batchCommit(bought, billed)
    return { ...(commit !== undefined && { commit }), result: { verdicts, cases } }
  }
}

const NOT_OURS: Verdict = { kind: 'ignored', reason: 'not-ours', note: 'it belongs to nothing of Tenantry' }
const FILE_INVALID = { kind: 'held', reason: 'file-invalid', detail: 'the file of the tenant is not valid: `tenantry validate` says why' } as const

async function buy(options: DecisionOptions, catalog: CatalogView, { purchases }: Batch, { highestNumber, verdicts }: { highestNumber: (product: string) => number; verdicts: Map<OpenEvent, Verdict> }): Promise<Bought[]> {
  const { inbox, now, masterVersion } = options
  const inputs = { highestNumber, servedBy: inbox.servedBy, now: now().toISOString(), nonces: purchases.map(({ nonce }) => nonce), masterVersion }
  const outcomes = allocatePurchases(catalog, purchases.map(({ purchase }) => purchase), inputs)
  const bought: Bought[] = []
  for (const [index, outcome] of outcomes.entries()) {
    const { event } = purchases[index]!
    const verdict = verdictOf(catalog, outcome)
    if (outcome.kind !== 'provision' && outcome.kind !== 'paid') {
      verdicts.set(event, verdict)
      continue
    }
    const file = outcome.kind === 'paid' ? await options.files.edited(outcome.tenant) : { path: outcome.path, text: options.stringify(outcome.tenant) }
    verdicts.set(event, file === undefined ? FILE_INVALID : verdict)
    if (file !== undefined && verdict.kind === 'done') bought.push({ outcome, event, file })
  }
  for (const [product, number] of highestOf(bought)) options.highestNumbers.raise(product, number)
  return bought
}

function verdictOf(catalog: CatalogView, outcome: PurchaseOutcome): Verdict {
  switch (outcome.kind) {
    case 'provision':
      return usable(catalog, outcome.tenant) ?? { kind: 'done', reason: 'provisioned', tenant: outcome.tenant.metadata.name }
    case 'paid':
      return { kind: 'done', reason: 'paid-for', tenant: outcome.tenant.metadata.name }
    case 'already':
      return { kind: 'done', reason: 'already', tenant: outcome.tenant }
    case 'held':
      return outcome
  }
}

/** A file with a huge number in its name, valid or not, uses up all numbers: then the payment waits for a person instead of becoming a file that nobody takes in. */
function usable(catalog: CatalogView, { metadata, spec }: Tenant): Verdict | undefined {
  const product = catalog.product(spec.product)
  if (product !== undefined && parseTenantNumber(product, metadata.name) !== undefined) return undefined
  return { kind: 'held', reason: 'no-id-left', detail: `the next id of ${spec.product} would be ${metadata.name}, which is none: look for a file under tenants/ with a number far above the others` }
}

function highestOf(bought: readonly Bought[]): Map<string, number> {
  const highest = new Map<string, number>()
  for (const { outcome } of bought) {
    if (outcome.kind !== 'provision') continue
    const { product } = outcome.tenant.spec
    highest.set(product, Math.max(highest.get(product) ?? 0, outcome.number))
  }
  return highest
}

async function bill(options: DecisionOptions, catalog: CatalogView, { subscriptions }: Batch, { bought, verdicts }: { bought: readonly Bought[]; verdicts: Map<OpenEvent, Verdict> }): Promise<Billed[]> {
  const served = new Map<string, TenantId>(bought.flatMap(({ outcome: { tenant } }) => (tenant.spec.billing?.subscription === undefined ? [] : [[tenant.spec.billing.subscription, tenant.metadata.name] as const])))
  const taken = takenSlots(catalog, bought.map(({ outcome }) => outcome.tenant))
  const context: BillingContext = { plan: (name) => catalog.plan(name), slotsTaken: taken.of, bounds: catalog.platform?.spec.bounds ?? {}, now: options.now().toISOString() }
  const billed: Billed[] = []
  for (const [id, { events, standing }] of subscriptions) {
    const justServed = served.get(id)
    const verdict = justServed !== undefined ? { kind: 'done', reason: 'agrees', tenant: justServed } as const : await billOne(id, events, standing)
    for (const event of events) verdicts.set(event, verdict)
  }
  return billed

  async function billOne(id: string, events: readonly OpenEvent[], standing: Stripe.Subscription | undefined): Promise<Verdict> {
    const name = catalog.tenantBySubscription(id)
    if (name === undefined) return standing !== undefined && ownerOf(standing.metadata, options.installation) === 'ours' ? { kind: 'ignored', reason: 'waits-for-purchase', note: 'it has no tenant yet: the purchase reads it anew' } : NOT_OURS
    if (standing === undefined) return { kind: 'held', reason: 'subscription-missing', detail: `Stripe knows no subscription ${id}: is STRIPE_SECRET_KEY of the account that sends the webhooks?` }
    const tenant = catalog.tenant(name)
    if (tenant === undefined) return FILE_INVALID
    const { spec, acts, holds } = billTenant(tenant, readSubscription(standing), context)
    if (spec !== tenant.spec) {
      const next = { ...tenant, spec }
      const file = await options.files.edited(next)
      if (file === undefined) return FILE_INVALID
      billed.push({ tenant: next, acts, events, file })
      taken.add(next)
    }
    if (holds[0] !== undefined) return { kind: 'held', ...holds[0] }
    return { kind: 'done', reason: spec === tenant.spec ? 'agrees' : 'billed', tenant: name }
  }
}

/** Slots with what the batch takes; what it frees is free only with the next. */
function takenSlots(catalog: CatalogView, tenants: readonly Tenant[]): { of: (plan: string) => number; add: (tenant: Tenant) => void } {
  const more = new Map<string, number>()
  const add = ({ metadata, spec }: Tenant): void => {
    const before = catalog.tenant(metadata.name)?.spec
    if (spec.state !== 'ended' && (before?.plan !== spec.plan || before.state === 'ended')) more.set(spec.plan, (more.get(spec.plan) ?? 0) + 1)
  }
  tenants.forEach(add)
  return { of: (plan) => catalog.slotsTaken(plan) + (more.get(plan) ?? 0), add }
}
