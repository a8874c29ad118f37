/**
 * What differs between the subscriptions at Stripe and the repository, as a value. Pure: says what is different, what would put it right,
 * and whether that would stop a tenant; doing it is for the purchase worker, which looks again at each before it writes.
 */
import { billTenant, isByPerson, standingOf, type BillingContext, type BillingOutcome, type Subscription } from './billing.ts'
import type { CatalogView } from './catalog-view.ts'
import { deletionsAllowed, type DeletionLimit } from './deletion-gate.ts'
import type { Platform, Tenant, TenantId, Timestamp } from './specs.ts'

/** Everything of this installation at Stripe: a whole listing, never a part of one. */
export interface BillingListing {
  readonly subscriptions: readonly { readonly standing: Subscription; readonly isMarked: boolean }[]
  /** Checkout sessions of ours that are paid. `isCharged`: money was taken, and not only a trial begun. */
  readonly sessions: readonly { readonly id: string; readonly subscription?: string; readonly isCharged: boolean }[]
}

export type DifferenceKind =
  /** Paid for, and nobody is served. */
  | 'no-tenant'
  /** The tenant's file was removed, and the customer still pays. */
  | 'removed'
  /** A person ended it, and the customer still pays. */
  | 'paid-but-ended'
  /** Paid for, cancelled before it was served, and nobody gave the money back or the service. */
  | 'paid-and-gone'
  /** The tenant names a subscription that Stripe does not have. */
  | 'missing-at-stripe'
  | 'ended' | 'suspended' | 'grace-over' | 'resumed' | 'plan' | 'quantity' | 'fields'
  /** A person has to decide: a status, item, plan or slot that no rule covers. */
  | 'held'

export interface Difference {
  readonly kind: DifferenceKind
  /** Stripe's id of the subscription, or of the session where that is all there is. */
  readonly subject: string
  readonly tenant?: TenantId
  /** For people, without personal data. */
  readonly detail: string
  /** What puts it right: serving a session, looking at a subscription; absent: a person. */
  readonly heal?: { readonly kind: 'purchase'; readonly session: string | undefined } | { readonly kind: 'look' }
  /** Putting it right stops the tenant. */
  readonly stops: boolean
}

/** Kinds in the order of their weight. */
export const DIFFERENCE_KINDS: readonly DifferenceKind[] = ['no-tenant', 'removed', 'paid-but-ended', 'paid-and-gone', 'missing-at-stripe', 'ended', 'suspended', 'grace-over', 'resumed', 'plan', 'quantity', 'held', 'fields']

export interface Comparison {
  readonly catalog: CatalogView
  readonly listing: BillingListing
  /** Tenants that have not ended, with the subscription that each names. */
  readonly paying: Iterable<{ readonly tenant: TenantId; readonly subscription: string }>
  /** The tenant that the store remembers for a session, whether or not its file still exists. */
  readonly servedBy: (checkout: string) => TenantId | undefined
  readonly now: Timestamp
}

export function compareBilling({ catalog, listing, paying, servedBy, now }: Comparison): Difference[] {
  const context: BillingContext = { plan: (name) => catalog.plan(name), slotsTaken: (name) => catalog.slotsTaken(name), bounds: catalog.platform?.spec.bounds ?? {}, now }
  const bySubscription = new Map(listing.sessions.flatMap(({ id, subscription }) => (subscription === undefined ? [] : [[subscription, id] as const])))
  const listed = new Map(listing.subscriptions.map((each) => [each.standing.id, each]))
  const differences: Difference[] = []
  for (const { standing, isMarked } of listed.values()) {
    const id = catalog.tenantBySubscription(standing.id)
    const tenant = id && catalog.tenant(id)
    if (tenant !== undefined) differences.push(...ofTenant(tenant, standing, context))
    else if (id === undefined && isMarked) differences.push(...unserved(standing, bySubscription.get(standing.id), servedBy))
  }
  for (const { id, subscription, isCharged } of listing.sessions) {
    const isServed = subscription !== undefined && catalog.tenantBySubscription(subscription) !== undefined
    if (isServed || catalog.tenantByCheckout(id) !== undefined || servedBy(id) !== undefined) continue
    const standing = subscription === undefined ? undefined : listed.get(subscription)?.standing
    if (standing === undefined) differences.push(noTenant(id, id, 'the session is paid'))
    else if (isCharged && standingOf(standing.status)?.standing === 'end') differences.push(paidAndGone(standing, id))
  }
  for (const { tenant, subscription } of paying) {
    if (!listed.has(subscription)) differences.push({ kind: 'missing-at-stripe', subject: subscription, tenant, detail: `${tenant} names a subscription that Stripe does not have`, stops: false })
  }
  return differences
}

function noTenant(subject: string, session: string | undefined, detail: string): Difference {
  return { kind: 'no-tenant', subject, detail: `${detail}, and there is no tenant`, heal: { kind: 'purchase', session }, stops: false }
}

/** For a person: nobody wants to be served any more, and a refund is no program's to give. */
function paidAndGone({ id, status }: Subscription, session: string): Difference {
  return { kind: 'paid-and-gone', subject: id, detail: `${session} was paid, its subscription is ${status}, and there never was a tenant: refund it at Stripe, or ask the buyer`, stops: false }
}

function unserved({ id, status }: Subscription, session: string | undefined, servedBy: Comparison['servedBy']): Difference[] {
  const standing = standingOf(status)?.standing
  const served = session === undefined ? undefined : servedBy(session)
  // Whoever waited in vain and stopped: there is nothing to run for it, but somebody should write to the customer.
  if (standing === 'suspend' && served === undefined) return [{ kind: 'no-tenant', subject: id, detail: `the subscription is ${status}, and nobody was ever served for it: tell its customer, or cancel it at Stripe`, stops: false }]
  if (standing !== 'run' && standing !== 'grace') return []
  if (served === undefined) return [noTenant(id, session, `the subscription is ${status}`)]
  return [{ kind: 'removed', subject: id, tenant: served, detail: `the file of ${served} was removed, and its subscription is ${status}: cancel it at Stripe, or bring the file back`, stops: false }]
}

function ofTenant(tenant: Tenant, standing: Subscription, context: BillingContext): Difference[] {
  const { name } = tenant.metadata
  const about = { subject: standing.id, tenant: name }
  const outcome = billTenant(tenant, standing, context)
  const differences: Difference[] = outcome.holds.map(({ reason, detail }) => ({ ...about, kind: 'held', detail: `${reason}: ${detail}`, stops: false }))
  const rule = standingOf(standing.status)?.standing
  if (isByPerson(tenant.spec) && tenant.spec.state === 'ended' && (rule === 'run' || rule === 'grace')) {
    differences.push({ ...about, kind: 'paid-but-ended', detail: `${name} was ended by a person, and its subscription is ${standing.status}: cancel it at Stripe, or resume the tenant`, stops: false })
  }
  if (outcome.spec !== tenant.spec) differences.push({ ...about, ...changeOf(tenant, outcome), heal: { kind: 'look' } })
  return differences
}

function changeOf(tenant: Tenant, { spec, acts }: BillingOutcome): Pick<Difference, 'kind' | 'detail' | 'stops'> {
  const kinds = new Set(acts.map(({ kind }) => kind))
  const detail = acts.map(({ text }) => text).join('; ') || 'billing fields'
  if (kinds.has('end')) return { kind: 'ended', detail, stops: tenant.spec.state === 'active' || tenant.spec.state === 'suspended' }
  if (kinds.has('suspend')) return { kind: spec.billing?.graceUntil === undefined ? 'suspended' : 'grace-over', detail, stops: true }
  const kind = kinds.has('resume') ? 'resumed' : kinds.has('plan') ? 'plan' : kinds.has('quantity') ? 'quantity' : 'fields'
  return { kind, detail, stops: false }
}

const SUSPENSION_LIMIT: DeletionLimit = { count: 10, sharePercent: 10 }

/** How many of the paying tenants one comparison may stop by itself. Above it nothing of those is done before a person approves. */
export function stopsAllowed(platform: Platform | undefined, paying: number): number {
  return deletionsAllowed(platform?.spec.billing?.suspensionLimit ?? SUSPENSION_LIMIT, paying)
}
