/**
 * One comparison of Stripe with the repository: list, compare, hand what is safe to the purchase worker, look again, keep the rest. With
 * every webhook lost this is what serves buyers. Nothing is stopped above the limit, and nothing is done on a listing that failed.
 */
import { setImmediate as yieldToOthers, setTimeout as wait } from 'node:timers/promises'
import { compareBilling, DIFFERENCE_KINDS, stopsAllowed, type BillingListing, type Difference, type DifferenceKind } from '../../controller/core/billing-compare.ts'
import type { CatalogView } from '../../controller/core/catalog-view.ts'
import type { Tenant, TenantId } from '../../controller/core/specs.ts'
import { endTrial } from '../../controller/core/trial-end.ts'
import { deletionsAllowed, NO_LIMIT_KNOWN } from '../../controller/core/deletion-gate.ts'
import type { TenantFiles } from '../../controller/specs/tenant-files.ts'
import type { BillingDifferences } from '../../controller/store/billing-differences.ts'
import type { Inbox } from '../../controller/store/inbox.ts'
import { listBilling, sessionOfSubscription, type ListingStripe } from './listing.ts'
import type { Log, RepositoryWriter } from './ports.ts'
import { AUTHOR } from './purchase-commit.ts'
import { fetchSubscriptions } from './fetch.ts'
import { readSubscription } from './subscription.ts'

export interface CompareOptions {
  readonly stripe: ListingStripe
  readonly catalog: () => CatalogView
  readonly writer: RepositoryWriter
  readonly files: TenantFiles
  readonly inbox: Pick<Inbox, 'put' | 'isOpen' | 'isPending' | 'servedBy'>
  readonly differences: BillingDifferences
  readonly installation: string
  readonly now: () => Date
  /** 32 random hex digits. */
  readonly newTrace: () => string
  /** The worker has something to do. */
  readonly poke: () => void
  readonly log: Log
  readonly count: (what: { readonly healed: DifferenceKind }) => void
}

export interface Round {
  readonly at: string
  /** What is different yet. */
  readonly differences: readonly Difference[]
  readonly healed: readonly Difference[]
  /** Above the limit: so many would be stopped, so many may be. Waits for a person. */
  readonly heldStops?: { readonly asked: number; readonly allowed: number }
}

/** `look` changes nothing. */
export type RoundMode = 'heal' | 'look'

/** The worker commits within a second; a repository that cannot be written is waited for no longer than this. */
const HEALED_WITHIN_MS = 60_000
const POLL_MS = 25
const AT_A_TIME = 500
const MOST_VERIFIED = 50

export async function compareOnce(options: CompareOptions, mode: RoundMode): Promise<Round> {
  const { writer, catalog, differences: kept } = options
  const at = options.now().toISOString()
  const listing = await listBilling(options.stripe, { installation: options.installation, isOurs: (id) => catalog().tenantBySubscription(id) !== undefined, now: options.now() })
  await writer.write(() => ({ result: undefined })) // brings the catalog to the tip
  const found = await verify(options, listing, await compare(options, listing))
  if (mode === 'look') {
    kept.replace(found.differences, at)
    return { at, differences: found.differences, healed: [] }
  }
  kept.replace(found.differences, at)
  const { chosen, heldStops } = choose(options, found)
  await handIn(options, chosen)
  await writer.write(() => ({ result: undefined }))
  const after = chosen.length === 0 ? found : await compare(options, found.listing)
  kept.replace(after.differences, at)
  const left = new Set(after.differences.map(keyOf))
  const healed = chosen.filter((difference) => !left.has(keyOf(difference)))
  for (const { kind } of healed) options.count({ healed: kind })
  report(options.log, { healed, left: after.differences, heldStops })
  return { at, differences: after.differences, healed, ...(heldStops && { heldStops }) }
}

const keyOf = ({ kind, subject }: Difference): string => `${kind} ${subject}`

interface Compared {
  readonly listing: BillingListing
  readonly differences: readonly Difference[]
  readonly paying: number
}

async function compare(options: CompareOptions, listing: BillingListing): Promise<Compared> {
  const paying: { tenant: TenantId; subscription: string }[] = []
  for await (const { metadata, spec } of fewAtATime(options.catalog().tenants())) {
    if (spec.billing?.subscription !== undefined && spec.state !== 'ended') paying.push({ tenant: metadata.name, subscription: spec.billing.subscription })
  }
  const differences = compareBilling({ catalog: options.catalog(), listing, paying, servedBy: options.inbox.servedBy, now: options.now().toISOString() })
  return { listing, differences, paying: paying.length }
}

/** What was bought while the listing was read is not missing: each is asked for by itself before anybody is told. */
async function verify(options: CompareOptions, listing: BillingListing, compared: Compared): Promise<Compared> {
  const missing = compared.differences.filter(({ kind }) => kind === 'missing-at-stripe')
  if (missing.length === 0 || missing.length > MOST_VERIFIED) return compared
  const fetched = await fetchSubscriptions(options.stripe, missing.map(({ subject }) => subject))
  const found = [...fetched.values()].flatMap((each) => (each.kind === 'found' ? [{ standing: readSubscription(each.value), isMarked: true }] : []))
  return found.length === 0 ? compared : compare(options, { ...listing, subscriptions: [...listing.subscriptions, ...found] })
}

/** All that is safe; of what stops tenants, either all of it, or none but what a person approved. */
function choose(options: CompareOptions, { differences, paying }: Compared): { chosen: readonly Difference[]; heldStops: Round['heldStops'] } {
  const safe = differences.filter(({ heal, stops }) => heal !== undefined && !stops)
  const stopping = differences.filter(({ heal, stops }) => heal !== undefined && stops)
  const unapproved = stopping.filter((difference) => !options.differences.isApproved(difference))
  const allowed = stopsAllowed(options.catalog().platform, paying)
  if (unapproved.length <= allowed) return { chosen: [...safe, ...stopping], heldStops: undefined }
  return { chosen: [...safe, ...stopping.filter((difference) => !unapproved.includes(difference))], heldStops: { asked: unapproved.length, allowed } }
}

/** Through the inbox and the worker, as if Stripe had told: then it is durable, and looked at anew before it is written. */
async function handIn(options: CompareOptions, chosen: readonly Difference[]): Promise<void> {
  const { inbox, now, newTrace } = options
  const objects: string[] = []
  for (const { subject, heal } of chosen) {
    const object = heal?.kind === 'purchase' ? (heal.session ?? (await sessionOfSubscription(options.stripe, subject))) : subject
    if (object === undefined || inbox.isOpen(object)) continue
    const trace = newTrace()
    const type = heal?.kind === 'purchase' ? 'checkout.session.completed' : 'customer.subscription.updated'
    await inbox.put({ id: `evt_compared_${trace}`, type, object, body: '', trace, receivedAt: now().toISOString() })
    objects.push(object)
  }
  if (objects.length === 0) return
  options.poke()
  const deadline = performance.now() + HEALED_WITHIN_MS
  // What is held stays open, and is no reason to wait.
  const isPending = (object: string): boolean => inbox.isPending(object)
  while (objects.some(isPending) && performance.now() < deadline) await wait(POLL_MS)
}

function report(log: Log, { healed, left, heldStops }: { healed: readonly Difference[]; left: readonly Difference[]; heldStops: Round['heldStops'] }): void {
  const byKind = (differences: readonly Difference[]): Record<string, number> => Object.fromEntries(DIFFERENCE_KINDS.flatMap((kind) => {
    const n = differences.filter((each) => each.kind === kind).length
    return n === 0 ? [] : [[kind, n]]
  }))
  if (healed.length > 0) log.warn({ healed: byKind(healed) }, 'the repository did not agree with Stripe, and does now')
  if (heldStops !== undefined) log.error({ ...heldStops }, 'more tenants would be stopped than one comparison may: a person has to approve with `tenantry billing check --apply`')
  if (left.length > 0) log.warn({ left: byKind(left) }, 'the repository does not agree with Stripe: `tenantry billing check` says where')
}

/** Lets others have a turn, since there may be very many. */
export async function* fewAtATime<T>(all: Iterable<T>): AsyncGenerator<T> {
  let count = 0
  for (const one of all) {
    if (++count % AT_A_TIME === 0) await yieldToOthers()
    yield one
  }
}

/**
 * Trials whose time is over, in a commit of their own; how many. Of those that end, as many as one revision may take out of service by
 * itself: the rest has its turn with the next round.
 */
export async function endTrials({ catalog, writer, files, now, log }: Pick<CompareOptions, 'catalog' | 'writer' | 'files' | 'now' | 'log'>): Promise<number> {
  const due: TenantId[] = []
  let total = 0
  for await (const tenant of fewAtATime(catalog().tenants())) {
    total++
    if (endTrial(tenant, catalog().plan(tenant.spec.plan), now().toISOString()) !== tenant.spec) due.push(tenant.metadata.name)
  }
  if (due.length === 0) return 0
  const { result } = await writer.write(async (view) => {
    let allowed = Math.max(1, deletionsAllowed(view.platform?.spec.deletionLimit ?? NO_LIMIT_KNOWN, total))
    const changed: { tenant: Tenant; path: string; text: string | null }[] = []
    for (const id of due) {
      const tenant = view.tenant(id)
      if (tenant === undefined) continue
      const spec = endTrial(tenant, view.plan(tenant.spec.plan), now().toISOString())
      if (spec === tenant.spec || (spec.state === 'ended' && allowed-- <= 0)) continue
      const file = await files.edited({ ...tenant, spec })
      if (file !== undefined) changed.push({ tenant: { ...tenant, spec }, ...file })
    }
    if (changed.length === 0) return { result: 0 }
    const lines = changed.map(({ tenant: { metadata, spec } }) => `- ${metadata.name} ${spec.state}: ${spec.stateReason ?? ''}`)
    const subject = changed.length === 1 ? `trial: ${changed[0]!.tenant.metadata.name} ${changed[0]!.tenant.spec.state}` : `trial: ${changed.length} are over`
    return { commit: { message: `${subject}\n\n${lines.join('\n')}\n`, author: AUTHOR, files: changed.map(({ path, text }) => ({ path, text })) }, result: changed.length }
  })
  if (result > 0) log.info({ trials: result }, 'trials are over')
  return result
}
