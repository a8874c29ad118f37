/**
 * Whether repository, Stripe, keys and inbox agree at the end, by rules written here anew: what the program thinks of a subscription is
 * not asked. Empty where all is well.
 */
import type { Tenant } from '../../controller/core/specs.ts'
import { METADATA } from '../../hooks/stripe/metadata.ts'
import type { Session } from '../../sandbox/objects/session.ts'
import type { Subscription } from '../../sandbox/objects/subscription.ts'
import { mailFaults } from './mail-agreement.ts'
import { INSTALLATION } from './program.ts'
import { DAY_MS, type World } from './world.ts'

interface Held {
  readonly object: string
  readonly note: string
}

/** Why a payment may wait for a person: nothing else may. */
const MAY_WAIT = /^(slots-gone|price-differs|subscription-not-running|name-taken|over-bounds)/

export function disagreements(world: World): string[] {
  const { double, repository, db } = world
  const tenants = repository.tenants()
  const held = db.prepare("SELECT object, note FROM inbox WHERE state = 'held'").all() as unknown as Held[]
  const pending = db.prepare("SELECT type, object, note FROM inbox WHERE state = 'pending'").all() as unknown as (Held & { readonly type: string })[]
  const bySubscription = Map.groupBy(tenants, ({ spec }) => spec.billing?.subscription)
  const heldAbout = new Map(held.map((each) => [each.object, each.note]))
  const ours = double.state.all('session').filter(({ session }) => session.metadata[METADATA.installation] === INSTALLATION)
  const paid = ours.filter(({ session }) => session.status === 'complete' && session.payment_status !== 'unpaid')
  /** Paid by a bank debit that has not come yet. */
  const awaitsBank = new Set(ours.filter(({ session }) => session.status === 'complete' && session.payment_status === 'unpaid' && double.subscription(session.subscription!).status === 'incomplete').map(({ session }) => session.id))
  /** Over before any webhook or comparison told of it: nobody is served. */
  const isOverUnheard = ({ subscription }: Session): boolean => STATES[double.subscription(subscription!).status] === 'ended' && !bySubscription.has(subscription!)
  return [
    ...world.breaches,
    ...pending.filter(({ object }) => !awaitsBank.has(object)).map(({ type, note }) => `${type} is still pending: ${note}`),
    ...held.filter(({ note }) => !MAY_WAIT.test(note)).map(({ object, note }) => `${object} is held: ${note}`),
    ...paid.filter(({ session }) => isOverUnheard(session)).flatMap(({ session }) => untoldFaults(world, session)),
    ...paid.filter(({ session }) => !isOverUnheard(session)).flatMap(({ session }) => servedFaults(session.id, session.subscription!, { tenants, bySubscription, heldAbout })),
    ...tenants.flatMap((tenant) => tenantFaults(world, tenant, heldAbout)),
    ...twice(tenants.map(({ spec }) => spec.billing?.checkout)).map((checkout) => `${checkout} has more than one tenant`),
    ...twice(tenants.map(({ spec }) => spec.owner.username)).map((name) => `more than one tenant is called ${name}`),
    ...keyFaults(world),
    ...priceFaults(world),
    ...mailFaults(world),
    ...tenants.filter(({ spec }) => !paid.some(({ session }) => session.id === spec.billing?.checkout)).map(({ metadata }) => `nobody paid for ${metadata.name}`),
  ]
}

interface Known {
  readonly tenants: readonly Tenant[]
  readonly bySubscription: ReadonlyMap<string | undefined, readonly Tenant[]>
  readonly heldAbout: ReadonlyMap<string, string>
}

/** Stripe's sessions are looked back at for 16 days. */
const LOOKED_BACK_MS = 15 * DAY_MS

/** Where money was taken, the first comparison that could tell a person did. */
function untoldFaults({ double, comparedMs, shownAsGone }: World, { id, amount_total: amount, subscription, created }: Session): string[] {
  const overMs = (double.subscription(subscription!).ended_at ?? Infinity) * 1000
  const couldTell = comparedMs.some((at) => at > overMs && at < created * 1000 + LOOKED_BACK_MS)
  return amount === 0 || !couldTell || shownAsGone.has(subscription!) ? [] : [`${id} was paid, is over, and nobody was told`]
}

/** Each paid session has one tenant, or waits for a person, who sees it. */
function servedFaults(session: string, subscription: string, { tenants, bySubscription, heldAbout }: Known): string[] {
  const served = tenants.filter(({ spec }) => spec.billing?.checkout === session || spec.billing?.subscription === subscription)
  if (served.length === 1 && bySubscription.get(subscription)?.length === 1) return []
  if (served.length === 0 && heldAbout.has(session)) return []
  return [`${session} is paid and has ${served.length} tenants`]
}

const STATES: Readonly<Record<string, Tenant['spec']['state']>> = { active: 'active', trialing: 'active', unpaid: 'suspended', paused: 'suspended', canceled: 'ended', incomplete_expired: 'ended' }

function tenantFaults({ double, agenda, repository }: World, { metadata: { name }, spec }: Tenant, heldAbout: ReadonlyMap<string, string>): string[] {
  const id = spec.billing?.subscription
  if (id === undefined) return [`${name} has no subscription`]
  const subscription = double.subscription(id)
  const { price, quantity } = subscription.items.data[0]!
  const wanted = STATES[subscription.status] ?? stateInGrace(spec, agenda.now())
  const mayWait = heldAbout.has(id)
  const plan = repository.catalog.plan(spec.plan)!
  return [
    ...(spec.state === wanted || mayWait ? [] : [`${name} is ${spec.state}, and its subscription ${subscription.status}`]),
    ...(spec.billing!.status === subscription.status || mayWait ? [] : [`${name} is written as ${spec.billing!.status}, and its subscription is ${subscription.status}`]),
    ...(mayWait || (spec.billing!.price?.amount === price.unit_amount && spec.billing!.interval === price.recurring.interval) ? [] : [`${name} is written as paying ${spec.billing!.price?.amount}, and pays ${price.unit_amount}`]),
    ...(mayWait || (spec.billing!.quantity ?? 1) === quantity ? [] : [`${name} has ${spec.billing!.quantity} units and pays ${quantity}`]),
    ...(mayWait || isPaidPlan(spec.plan, subscription) ? [] : [`${name} is on ${spec.plan}, and pays for ${price.lookup_key ?? price.metadata[METADATA.plan]}`]),
    ...(mayWait || cancelOf(subscription) === spec.billing!.cancelAt ? [] : [`${name} is written as ending ${spec.billing!.cancelAt}, and ends ${cancelOf(subscription)}`]),
    ...(plan === undefined ? [`${name} is on a plan that there is not`] : []),
  ]
}

/** Past due: runs until its grace is over. */
function stateInGrace({ billing }: Tenant['spec'], now: Date): Tenant['spec']['state'] {
  return billing?.graceUntil !== undefined && Date.parse(billing.graceUntil) <= now.getTime() ? 'suspended' : 'active'
}

function isPaidPlan(plan: string, { items, status }: Subscription): boolean {
  const [item] = items.data
  return STATES[status] === 'ended' || item!.price.metadata[METADATA.plan] === plan
}

function cancelOf({ cancel_at: at, status }: Subscription): string | undefined {
  return at === null || STATES[status] === 'ended' ? undefined : new Date(at * 1000).toISOString().replace('.000Z', 'Z')
}

/** A tenant's key is the one that it was given, through everything. */
function keyFaults({ repository }: World): string[] {
  const first = new Map<string, string>()
  for (const { files } of repository.commits) {
    for (const { path, text } of files) {
      const nonce = /nonce: ['"]?(\w{32})/.exec(text ?? '')?.[1]
      if (nonce !== undefined && !first.has(path)) first.set(path, nonce)
    }
  }
  const faults = repository.tenants().flatMap(({ metadata, spec }) => (spec.keys.length === 1 && [...first.values()].includes(spec.keys[0]!.nonce!) ? [] : [`${metadata.name} has another key than it was given`]))
  return [...faults, ...twice(repository.tenants().map(({ spec }) => spec.keys[0]?.nonce)).map(() => 'two tenants have the same key')]
}

/** Whatever a plan costs by now: who subscribed pays what was agreed then. That files say what is paid is looked at above. */
function priceFaults({ agreed, double }: World): string[] {
  return [...agreed].flatMap(([id, amount]) => {
    const { items, status } = double.subscription(id)
    const paid = items.data[0]!.price.unit_amount
    if (paid !== amount) return [`${id} agreed to ${amount}, and is ${status} for ${paid}`]
    return []
  })
}

function twice(values: readonly (string | undefined)[]): string[] {
  return [...Map.groupBy(values, (value) => value)].flatMap(([value, all]) => (value !== undefined && all.length > 1 ? [value] : []))
}
