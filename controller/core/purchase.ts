/**
 * Turns paid Checkout sessions into tenants: which id, which plan, which user name, or why a person must look. Pure and
 * repeatable: it is run again on a newer catalog whenever somebody else's push came first. Never oversells a plan, never gives
 * an id twice, never makes a second tenant for a session that has one. Does not read Stripe's objects: hooks/stripe/session.ts does.
 */
import { billTenant, isByPerson, without, type BillingHoldReason, type BillingContext, type Subscription } from './billing.ts'
import type { CatalogView } from './catalog-view.ts'
import type { BillingInterval, BillingSpec, KeySpec, Meter, Plan, Price, Product, Tenant, TenantId, Timestamp } from './specs.ts'
import { tenantId } from './tenant-id.ts'

/** A Checkout session that is paid (or needs no payment) and carries Tenantry's metadata. */
export interface Purchase {
  /** The session's id, `cs_…`: the identity of the purchase. */
  readonly checkout: string
  readonly customer?: string
  readonly subscription?: string
  readonly email: string
  /** As the buyer typed it; what is kept of it is in the outcome. */
  readonly username?: string
  readonly plan: string
  readonly interval: BillingInterval
  /** What one unit costs in an interval, before promotion codes and tax. */
  readonly price: Price
  /** Units; 1 where absent. */
  readonly quantity?: number
  /** The subscription as it stands now, where it was fetched. */
  readonly standing?: Subscription
  /** The tenant that is paid for, where there is one already: a trial that an agent began. */
  readonly tenant?: TenantId
}

export type HoldReason = BillingHoldReason | 'unknown-product' | 'price-differs' | 'bad-email' | 'unknown-tenant' | 'already-paid' | 'by-operator'

export type PurchaseOutcome =
  /** The session has its tenant; nothing to write. */
  | { readonly kind: 'already'; readonly tenant: TenantId }
  /** A new tenant. `soldAs` names the plan that was asked for, where its slots are gone and the successor costs the same. */
  | {
      readonly kind: 'provision'
      readonly tenant: Tenant
      readonly number: number
      readonly path: string
      readonly soldAs?: string
      readonly usernameWanted?: string
    }
  /** A tenant that there was is paid for from now on: `tenant` as its file is to be. */
  | { readonly kind: 'paid'; readonly tenant: Tenant; readonly soldAs?: string }
  /** A person must decide; `detail` says what was found, without personal data. */
  | { readonly kind: 'held'; readonly reason: HoldReason; readonly detail: string }

export interface PurchaseInputs {
  /** The highest number of the product that was ever given, by the store; the catalog's own is taken into account besides. */
  readonly highestNumber: (product: string) => number
  /** The tenant that the store remembers for a session, whether or not its file still exists. */
  readonly servedBy: (checkout: string) => TenantId | undefined
  readonly now: Timestamp
  /** One for each purchase: 32 random hex digits. */
  readonly nonces: readonly string[]
  /** The version of the master secret for new keys. */
  readonly masterVersion: number
}

// The same rules as schemas/common.schema.json and tenant.schema.json: what is written must always be a good file.
const USERNAME = /^[a-z](?:[a-z0-9-]*[a-z0-9])?$/
const USERNAME_MAX = 32
const EMAIL_PART = '[^\\u0000-\\u0020\\u007f-\\u00a0"(),:;<>@\\[\\\\\\]\\u2028-\\u202e\\u2066-\\u2069\\ufeff\\ud800-\\udfff]+'
const EMAIL = new RegExp(`^${EMAIL_PART}@${EMAIL_PART}$`)
const EMAIL_MAX = 254
const BUCKET_SIZE = 100

/** Decides all purchases in the order given; each sees what the earlier ones took. One outcome for each, in the same order. */
export function allocatePurchases(catalog: CatalogView, purchases: readonly Purchase[], inputs: PurchaseInputs): PurchaseOutcome[] {
  const batch = createBatch(catalog, inputs)
  return purchases.map((purchase, index) => allocate(batch, purchase, inputs.nonces[index]))
}

/** Where a new tenant's file goes: `tenants/PRODUCT/BUCKET/ID.yaml`, a hundred a bucket. */
export function tenantPath(product: Product, n: number): string {
  const bucket = String(Math.floor(n / BUCKET_SIZE)).padStart(3, '0')
  return `tenants/${product.metadata.name}/${bucket}/${tenantId(product, n)}.yaml`
}

export function isUsername(text: string): boolean {
  return text.length <= USERNAME_MAX && USERNAME.test(text)
}

/** The text where it is a user name, otherwise the nearest that the schema allows; undefined where nothing of it is left. */
export function usernameFrom(text: string): string | undefined {
  if (isUsername(text)) return text
  const base = text.toLowerCase().replace(/[^a-z0-9]+/g, '-').replace(/^[-0-9]+/, '').slice(0, USERNAME_MAX).replace(/-+$/, '')
  return base === '' ? undefined : base
}

export function isEmail(text: string): boolean {
  return text.length <= EMAIL_MAX && EMAIL.test(text)
}

/** The key under which a plan's price is found at Stripe. */
export function lookupKey(plan: string, interval: BillingInterval): string {
  return `${plan}_${interval}`
}

/** The key under which the price of a plan's metered use is found at Stripe. */
export function meterLookupKey(plan: string, of: Meter['of']): string {
  return `${plan}_${of.toLowerCase()}`
}

/**
 * The name under which use is told to Stripe. By plan, since Stripe sums what it is told of a customer for each name: somebody
 * who has two plans would otherwise pay for both uses twice. A value counts requests or bytes, not units: the price at Stripe
 * divides by `per` and leaves out what is included.
 */
export function meterEventName(plan: string, of: Meter['of']): string {
  return `tenantry_${meterLookupKey(plan, of)}`
}

/** The plan that is sold under a name now: itself, or the first of its successors with a free slot; undefined where all are full. */
export function planOnSale(plan: Plan, planNamed: (name: string) => Plan | undefined, slotsTaken: (plan: string) => number): Plan | undefined {
  const seen = new Set<string>()
  let candidate: Plan | undefined = plan
  while (candidate !== undefined && !seen.has(candidate.metadata.name)) {
    const { slots, successor }: Plan['spec'] = candidate.spec
    if (slots === undefined || slotsTaken(candidate.metadata.name) < slots) return candidate
    seen.add(candidate.metadata.name)
    candidate = successor === undefined ? undefined : planNamed(successor)
  }
  return undefined
}

/** The catalog with what this batch took laid over it. */
interface Batch {
  readonly catalog: CatalogView
  readonly inputs: PurchaseInputs
  tenantOf(purchase: Purchase): TenantId | undefined
  slotsTaken(plan: string): number
  /** The next number of the product that nobody ever had. */
  nextNumber(product: Product): number
  isUsernameFree(product: string, username: string): boolean
  /** `number` of a new tenant. */
  take(purchase: Purchase, tenant: Tenant, number?: number): void
  /** Whether another purchase of the batch pays for the tenant. */
  isPaidFor(tenant: TenantId): boolean
}

function createBatch(catalog: CatalogView, inputs: PurchaseInputs): Batch {
  const byPayment = new Map<string, TenantId>()
  const slots = new Map<string, number>()
  const numbers = new Map<string, number>()
  const usernames = new Set<string>()
  const paidFor = new Set<TenantId>()
  return {
    catalog,
    inputs,
    tenantOf({ checkout, subscription }) {
      const bySubscription = subscription === undefined ? undefined : (byPayment.get(subscription) ?? catalog.tenantBySubscription(subscription))
      return byPayment.get(checkout) ?? catalog.tenantByCheckout(checkout) ?? inputs.servedBy(checkout) ?? bySubscription
    },
    isPaidFor: (tenant) => paidFor.has(tenant),
    slotsTaken: (plan) => catalog.slotsTaken(plan) + (slots.get(plan) ?? 0),
    nextNumber(product) {
      const { name } = product.metadata
      let number = Math.max(catalog.highestNumber(name), inputs.highestNumber(name), numbers.get(name) ?? 0) + 1
      while (catalog.pathOf(tenantId(product, number)) !== undefined) number++
      return number
    },
    isUsernameFree: (product, username) => !usernames.has(`${product}/${username}`) && catalog.tenantByUsername(product, username) === undefined,
    take({ checkout, subscription }, { metadata, spec }, number) {
      byPayment.set(checkout, metadata.name)
      if (subscription !== undefined) byPayment.set(subscription, metadata.name)
      const before = catalog.tenant(metadata.name)?.spec
      if (before?.plan !== spec.plan || before.state === 'ended') slots.set(spec.plan, (slots.get(spec.plan) ?? 0) + 1)
      if (number !== undefined) numbers.set(spec.product, number)
      else paidFor.add(metadata.name)
      if (spec.owner.username !== undefined) usernames.add(`${spec.product}/${spec.owner.username}`)
    },
  }
}

function allocate(batch: Batch, purchase: Purchase, nonce: string | undefined): PurchaseOutcome {
  const { catalog } = batch
  const served = batch.tenantOf(purchase)
  if (served !== undefined) return { kind: 'already', tenant: served }
  if (nonce === undefined) throw new Error('allocatePurchases needs a nonce for each purchase')
  const asked = catalog.plan(purchase.plan)
  if (asked === undefined) return held('unknown-plan', `no plan ${purchase.plan} in the repository`)
  if (purchase.tenant !== undefined) return payFor(batch, purchase, asked)
  const plan = planOnSale(asked, (name) => catalog.plan(name), (name) => batch.slotsTaken(name))
  const refusal = refuse(purchase, asked, plan)
  if (refusal !== undefined) return refusal
  const product = catalog.product(plan!.spec.product)
  if (product === undefined) return held('unknown-product', `no product ${plan!.spec.product} in the repository`)
  if (!isEmail(purchase.email)) return held('bad-email', 'the session has no e-mail address that a tenant file can hold')
  return provision(batch, purchase, { product, plan: plan!, asked, nonce })
}

/** Why the purchase cannot be served as paid: `plan` is what would be sold for `asked` now. */
function refuse({ interval, price }: Purchase, asked: Plan, plan: Plan | undefined): PurchaseOutcome | undefined {
  const paid = `${price.amount} ${price.currency} a ${interval}`
  if (plan === undefined) return held('slots-gone', `${asked.metadata.name} and its successors are full; paid ${paid}`)
  const wanted = plan.spec.prices[interval]
  if (wanted?.amount === price.amount && wanted.currency === price.currency) return undefined
  const costs = wanted === undefined ? `has no price for a ${interval}` : `costs ${wanted.amount} ${wanted.currency} a ${interval}`
  if (plan === asked) return held('price-differs', `${plan.metadata.name} ${costs}; paid ${paid}`)
  return held('slots-gone', `${asked.metadata.name} is full and ${plan.metadata.name} ${costs}; paid ${paid}`)
}

function held(reason: HoldReason, detail: string): PurchaseOutcome {
  return { kind: 'held', reason, detail }
}

interface Sale {
  readonly product: Product
  readonly plan: Plan
  readonly asked: Plan
  readonly nonce: string
}

function provision(batch: Batch, purchase: Purchase, { product, plan, asked, nonce }: Sale): PurchaseOutcome {
  const { now, masterVersion } = batch.inputs
  const number = batch.nextNumber(product)
  const username = freeUsername(batch, product.metadata.name, purchase.username)
  const key: KeySpec = { id: 'k1', nonce, ...(masterVersion === 1 ? {} : { master: masterVersion }), createdAt: now }
  const tenant = billed(batch, purchase, {
    kind: 'Tenant',
    metadata: { name: tenantId(product, number) },
    spec: {
      product: product.metadata.name,
      plan: plan.metadata.name,
      owner: { email: purchase.email, ...(username === undefined ? {} : { username }) },
      state: 'active',
      keys: [key],
      billing: billingOf(purchase, asked),
    },
  })
  batch.take(purchase, tenant, number)
  return {
    kind: 'provision',
    tenant,
    number,
    path: tenantPath(product, number),
    ...(plan === asked ? {} : { soldAs: asked.metadata.name }),
    ...(purchase.username === undefined || purchase.username === username ? {} : { usernameWanted: purchase.username }),
  }
}

function billingOf({ customer, subscription, checkout, interval, price, quantity }: Purchase, asked: Plan): BillingSpec {
  return {
    ...(customer !== undefined && { customer }),
    ...(subscription !== undefined && { subscription }),
    checkout,
    paidPlan: asked.metadata.name,
    interval,
    ...(quantity !== undefined && { quantity }),
    price,
  }
}

/** With what the subscription says by now, which may be more than the session did: a trial's end, a cancellation. */
function billed({ catalog, slotsTaken, inputs }: Batch, { standing }: Purchase, tenant: Tenant): Tenant {
  if (standing === undefined) return tenant
  const context: BillingContext = { plan: (name) => catalog.plan(name), slotsTaken, bounds: catalog.platform?.spec.bounds ?? {}, now: inputs.now }
  return { ...tenant, spec: billTenant(tenant, standing, context).spec }
}

/** A tenant that there was gets its subscription: the trial is over, the buyer's address is where mail goes from now on. */
function payFor(batch: Batch, purchase: Purchase, asked: Plan): PurchaseOutcome {
  const { catalog } = batch
  const tenant = catalog.tenant(purchase.tenant!)
  if (tenant === undefined) return held('unknown-tenant', `the session pays for ${purchase.tenant!}, and there is no such tenant`)
  const { metadata: { name }, spec } = tenant
  const running = spec.billing?.subscription !== undefined && spec.state !== 'ended'
  if (running || batch.isPaidFor(name)) return held('already-paid', `${name} is paid for by another subscription: one of the two is to be refunded`)
  if (isByPerson(spec)) return held('by-operator', `${name} was ${spec.state} by a person; resume it, or refund the payment`)
  if (asked.spec.product !== spec.product) return held('other-product', `${asked.metadata.name} is a plan of ${asked.spec.product}, and ${name} a tenant of ${spec.product}`)
  const has = spec.plan === asked.metadata.name && spec.state !== 'ended'
  const plan = has ? asked : planOnSale(asked, (other) => catalog.plan(other), (other) => batch.slotsTaken(other))
  const refusal = refuse(purchase, asked, plan)
  if (refusal !== undefined) return refusal
  if (!isEmail(purchase.email)) return held('bad-email', 'the session has no e-mail address that a tenant file can hold')
  const paid = billed(batch, purchase, {
    ...tenant,
    spec: { ...without(spec, 'trial', 'stateReason', 'stateBy', 'endedAt'), plan: plan!.metadata.name, owner: { ...spec.owner, email: purchase.email }, state: 'active', billing: billingOf(purchase, asked) },
  })
  batch.take(purchase, paid)
  return { kind: 'paid', tenant: paid, ...(plan !== asked && { soldAs: asked.metadata.name }) }
}

/** The name as wanted, or the nearest that the schema allows and nobody has: `ada`, `ada-2`, `ada-3`. A paid purchase never fails over its name. */
function freeUsername(batch: Batch, product: string, wanted: string | undefined): string | undefined {
  const wantedAsIs = wanted === undefined ? undefined : usernameFrom(wanted)
  if (wantedAsIs === undefined) return undefined
  if (batch.isUsernameFree(product, wantedAsIs)) return wantedAsIs
  for (let n = 2; ; n++) {
    const suffix = `-${n}`
    const variant = wantedAsIs.slice(0, USERNAME_MAX - suffix.length).replace(/-+$/, '') + suffix
    if (batch.isUsernameFree(product, variant)) return variant
  }
}
