/**
 * What a tenant's spec should be, given how its subscription stands at Stripe now: state, plan and billing fields. A function of the
 * present and never of events, so that their order, their doubles and their loss cannot matter: whatever says "look" leads to the same
 * spec, and looking again changes nothing. Does not read Stripe's objects: hooks/stripe/subscription.ts does.
 */
import { timesQuantity } from './limits.ts'
import type { BillingInterval, BillingSpec, LimitName, Limits, Plan, Platform, Price, Tenant, TenantSpec, Timestamp } from './specs.ts'
import { timestampOf } from './timestamp.ts'

/** A subscription as it stands at Stripe now. */
export interface Subscription {
  /** `sub_…` */
  readonly id: string
  readonly customer?: string
  /** In Stripe's words: an open set. */
  readonly status: string
  /** The one thing that is paid for, or why that is not clear. */
  readonly item: SubscriptionItem | { readonly fault: string }
  readonly trialEndsAt?: Timestamp
  /** Cancelled: it ends then. */
  readonly cancelAt?: Timestamp
  /** When the bill that is not paid was made. */
  readonly dueSince?: Timestamp
}

export interface SubscriptionItem {
  /** The plan whose price it is; absent where the price does not say (an older price, whose lookup key has moved on). */
  readonly plan?: string
  readonly interval: BillingInterval
  readonly price: Price
  readonly quantity: number
}

/**
 * What follows from a status. `grace`: runs until the grace ends, then suspended. `wait`: not paid for yet, changes nothing.
 * Source: https://docs.stripe.com/billing/subscriptions/overview#subscription-statuses
 */
export const STANDINGS: Readonly<Record<string, { readonly standing: 'run' | 'grace' | 'suspend' | 'end' | 'wait'; readonly reason: string }>> = {
  active: { standing: 'run', reason: 'paid' },
  trialing: { standing: 'run', reason: 'in its trial' },
  past_due: { standing: 'grace', reason: 'payment failed' },
  unpaid: { standing: 'suspend', reason: 'payment failed and is not tried again' },
  paused: { standing: 'suspend', reason: 'the trial ended without a means of payment' },
  canceled: { standing: 'end', reason: 'the subscription ended' },
  incomplete_expired: { standing: 'end', reason: 'the first payment never came' },
  incomplete: { standing: 'wait', reason: 'the first payment is awaited' },
}

export type BillingHoldReason = 'unknown-status' | 'item-unclear' | 'unknown-plan' | 'other-product' | 'slots-gone' | 'over-bounds'

/** A person must decide; `detail` says what was found, without personal data. */
export interface BillingHold {
  readonly reason: BillingHoldReason
  readonly detail: string
}

/** One thing that changes, and how to say it in a commit. */
export interface BillingAct {
  readonly kind: 'suspend' | 'end' | 'resume' | 'grace' | 'plan' | 'quantity' | 'fields'
  readonly text: string
}

export interface BillingOutcome {
  /** What the spec should be: the very same object where nothing changes. */
  readonly spec: TenantSpec
  readonly acts: readonly BillingAct[]
  readonly holds: readonly BillingHold[]
}

/** What the decision may ask of the repository. */
export interface BillingContext {
  readonly plan: (name: string) => Plan | undefined
  /** With what others of the same batch take. */
  readonly slotsTaken: (plan: string) => number
  readonly bounds: Platform['spec']['bounds']
  readonly now: Timestamp
}

export const GRACE_DAYS = 7
const DAY_MS = 86_400_000

/** Decides for one tenant. A subscription that is not the tenant's own changes nothing. */
export function billTenant(tenant: Tenant, subscription: Subscription, context: BillingContext): BillingOutcome {
  const { spec } = tenant
  const rule = standingOf(subscription.status)
  if (spec.billing?.subscription !== subscription.id || rule?.standing === 'wait') return { spec, acts: [], holds: [] }
  if (rule === undefined) {
    return { spec, acts: [], holds: [{ reason: 'unknown-status', detail: `the subscription is ${JSON.stringify(subscription.status.slice(0, 40))}, which is no status that is known here` }] }
  }
  const steps: BillingOutcome[] = [followItem(spec, subscription, context)]
  const after = (): TenantSpec => steps.at(-1)!.spec
  steps.push(followStatus(after(), subscription, context))
  steps.push(rule.standing === 'run' || rule.standing === 'grace' ? run(after(), context) : stop(after(), rule.standing, rule.reason, context))
  const acts = steps.flatMap((step) => step.acts)
  const next = after()
  const isSame = JSON.stringify(sorted(next)) === JSON.stringify(sorted(spec))
  return { spec: isSame ? spec : next, acts: isSame ? [] : acts, holds: steps.flatMap(({ holds }) => holds) }
}

/** The rule for a status; undefined where it is none that is known. */
export function standingOf(status: string): (typeof STANDINGS)[string] | undefined {
  return Object.hasOwn(STANDINGS, status) ? STANDINGS[status] : undefined
}

/** Whether a person put the tenant where it is: then only a person changes it. */
export function isByPerson({ state, stateBy }: TenantSpec): boolean {
  return state !== 'active' && stateBy === undefined
}

const NONE = { acts: [], holds: [] } as const

/** Plan, quantity and price, as far as the item says them and the repository has room. */
function followItem(spec: TenantSpec, { item }: Subscription, context: BillingContext): BillingOutcome {
  if ('fault' in item) return { spec, acts: [], holds: [{ reason: 'item-unclear', detail: item.fault }] }
  const billing = spec.billing!
  const moved = item.plan === undefined ? 'same' : planChange(spec, item.plan, item, context)
  if (typeof moved === 'object') return { spec, acts: [], holds: [moved] }
  const plan = moved === 'moved' ? item.plan! : spec.plan
  const before = billing.quantity ?? 1
  const over = item.quantity > before || (moved === 'moved' && item.quantity > 1) ? overBounds(context, plan, item.quantity) : undefined
  if (over !== undefined) return { spec, acts: [], holds: [over] }
  const acts: BillingAct[] = []
  if (moved === 'moved') acts.push({ kind: 'plan', text: `plan ${spec.plan} -> ${plan}` })
  if (item.quantity !== before) acts.push({ kind: 'quantity', text: `quantity ${before} -> ${item.quantity}` })
  const price = samePrice(billing.price, item.price) ? billing.price! : item.price
  if (price !== billing.price || billing.interval !== item.interval) acts.push({ kind: 'fields', text: `${item.price.amount} ${item.price.currency} a ${item.interval}` })
  const paidPlan = item.plan ?? billing.paidPlan
  return { spec: withBilling({ ...spec, plan }, { paidPlan, interval: item.interval, quantity: item.quantity === 1 ? undefined : item.quantity, price }), acts, holds: [] }
}

/**
 * Whether the plan was changed at Stripe: its price there is of another plan than the last time. Where it is of the same, the plan in
 * the repository stands, which may be the successor that was sold for a full one, or one that an operator gave.
 */
function planChange(spec: TenantSpec, wanted: string, item: SubscriptionItem, { plan, slotsTaken }: BillingContext): 'same' | 'moved' | BillingHold {
  const { paidPlan, price } = spec.billing!
  if (wanted === (paidPlan ?? spec.plan)) return 'same'
  if (paidPlan === undefined && (price === undefined || samePrice(price, item.price)) && follows(spec.plan, wanted, plan)) return 'same'
  if (wanted === spec.plan) return 'same'
  const found = plan(wanted)
  if (found === undefined) return { reason: 'unknown-plan', detail: `Stripe charges for ${wanted}, and there is no such plan in the repository` }
  if (found.spec.product !== spec.product) return { reason: 'other-product', detail: `Stripe charges for ${wanted}, a plan of ${found.spec.product}` }
  const { slots } = found.spec
  if (slots !== undefined && spec.state !== 'ended' && slotsTaken(wanted) >= slots) return { reason: 'slots-gone', detail: `Stripe charges for ${wanted}, whose ${slots} slots are taken; the tenant stays on ${spec.plan}` }
  return 'moved'
}

/** Whether `name` is sold in the place of `first` once that is full. */
function follows(name: string, first: string, plan: BillingContext['plan']): boolean {
  const seen = new Set<string>()
  for (let next = plan(first)?.spec.successor; next !== undefined && !seen.has(next); next = plan(next)?.spec.successor) {
    if (next === name) return true
    seen.add(next)
  }
  return false
}

/** Several units of something may be more than the platform lets any tenant have. */
function overBounds({ plan, bounds }: BillingContext, name: string, quantity: number): BillingHold | undefined {
  const limits: Limits = timesQuantity(plan(name)?.spec.limits ?? {}, quantity)
  const over = (Object.keys(limits) as LimitName[]).find((limit) => typeof limits[limit] === 'number' && limits[limit] > (bounds[limit] ?? Infinity))
  return over && { reason: 'over-bounds', detail: `${quantity} units of ${name} have ${over} ${limits[over]}, over the platform's bound of ${bounds[over]}` }
}

/** The fields that say how the subscription stands, among them the end of the grace. */
function followStatus(spec: TenantSpec, subscription: Subscription, context: BillingContext): BillingOutcome {
  const { status, customer, trialEndsAt, cancelAt } = subscription
  const billing = spec.billing!
  const isOver = standingOf(status)?.standing === 'end'
  const graceUntil = graceEnd(spec, subscription, context)
  const next = withBilling(spec, {
    customer: customer ?? billing.customer,
    status,
    graceUntil,
    trialEndsAt: status === 'trialing' ? trialEndsAt : undefined,
    cancelAt: isOver ? undefined : cancelAt,
  })
  const acts: BillingAct[] = []
  if (graceUntil !== undefined && graceUntil !== billing.graceUntil) acts.push({ kind: 'grace', text: `payment failed: runs until ${graceUntil}` })
  if (status !== billing.status) acts.push({ kind: 'fields', text: billing.status === undefined ? status : `${billing.status} -> ${status}` })
  if (next.billing!.cancelAt !== billing.cancelAt && !isOver) acts.push({ kind: 'fields', text: cancelAt === undefined ? 'the cancellation was taken back' : `cancelled: ends ${cancelAt}` })
  if (next.billing!.trialEndsAt !== billing.trialEndsAt && status === billing.status) acts.push({ kind: 'fields', text: 'the trial ends at another time' })
  return { spec: next, acts, holds: [] }
}

/**
 * Counted from the bill that is not paid, once: a second failed attempt gives no second grace. Where the tenant still runs although an
 * earlier grace ended before this bill was even made, that one was paid in between, unseen.
 */
function graceEnd({ billing, state, plan: name }: TenantSpec, { status, dueSince }: Subscription, { plan, now }: BillingContext): Timestamp | undefined {
  if (standingOf(status)?.standing !== 'grace') return undefined
  const known = billing?.graceUntil
  const paidBetween = known !== undefined && state === 'active' && dueSince !== undefined && Date.parse(known) < Date.parse(dueSince) && Date.parse(dueSince) <= Date.parse(now)
  if (known !== undefined && !paidBetween) return known
  const days = plan(name)?.spec.graceDays ?? GRACE_DAYS
  return timestampOf(Date.parse(earlier(dueSince, now)) + days * DAY_MS)
}

/** Runs, as far as the grace lets it: what a rule stopped goes on, what a person stopped stays. */
function run(spec: TenantSpec, context: BillingContext): BillingOutcome {
  const { graceUntil } = spec.billing!
  if (graceUntil !== undefined && Date.parse(graceUntil) <= Date.parse(context.now)) return stop(spec, 'suspend', 'payment failed and the grace is over', context)
  if (isByPerson(spec)) return { spec, ...NONE }
  const paid = without(spec, 'trial')
  if (spec.state === 'active') return { spec: spec.trial === undefined ? spec : paid, ...NONE }
  const slots = spec.state === 'ended' ? context.plan(spec.plan)?.spec.slots : undefined
  if (slots !== undefined && context.slotsTaken(spec.plan) >= slots) {
    return { spec, acts: [], holds: [{ reason: 'slots-gone', detail: `it is paid for again, and all ${slots} slots of ${spec.plan} are taken` }] }
  }
  return { spec: { ...without(paid, 'stateReason', 'stateBy', 'endedAt'), state: 'active' }, acts: [{ kind: 'resume', text: `resumed: ${graceUntil === undefined ? 'paid' : 'payment is awaited'}` }], holds: [] }
}

/** Suspends or ends, unless a person said something else or it has ended already. */
function stop(spec: TenantSpec, how: 'suspend' | 'end', reason: string, { now }: BillingContext): BillingOutcome {
  if (isByPerson(spec) || spec.state === 'ended') return { spec, ...NONE }
  if (how === 'end') return { spec: { ...spec, state: 'ended', stateReason: reason, stateBy: 'billing', endedAt: timestampOf(Date.parse(now)) }, acts: [{ kind: 'end', text: `ended: ${reason}` }], holds: [] }
  if (spec.state === 'suspended') return { spec: { ...spec, stateReason: reason, stateBy: 'billing' }, ...NONE }
  return { spec: { ...spec, state: 'suspended', stateReason: reason, stateBy: 'billing' }, acts: [{ kind: 'suspend', text: `suspended: ${reason}` }], holds: [] }
}

/** undefined removes a field. */
function withBilling(spec: TenantSpec, changes: { readonly [K in keyof BillingSpec]: BillingSpec[K] | undefined }): TenantSpec {
  const billing = Object.fromEntries(Object.entries({ ...spec.billing, ...changes }).filter(([, value]) => value !== undefined)) as BillingSpec
  return { ...spec, billing }
}

/** A spec less some of its fields. */
export function without<K extends 'trial' | 'stateReason' | 'stateBy' | 'endedAt'>(spec: TenantSpec, ...fields: readonly K[]): Omit<TenantSpec, K> {
  return Object.fromEntries(Object.entries(spec).filter(([name]) => !fields.includes(name as K))) as Omit<TenantSpec, K>
}

function samePrice(a: Price | undefined, b: Price): boolean {
  return a?.amount === b.amount && a.currency === b.currency
}

function earlier(a: Timestamp | undefined, b: Timestamp): Timestamp {
  return a !== undefined && Date.parse(a) < Date.parse(b) ? a : b
}

/** For comparing: fields in one order. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, inner]) => [key, sorted(inner)]))
}
