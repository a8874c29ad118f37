/**
 * What happened to a tenant, told to its owner: sentences from what differs between two specs, and who did it from the commit's author
 * and trailers. Commit messages themselves are never told: one commit may be about several customers. Pure.
 */
import { describeAccess } from './key-tree.ts'
import type { BillingSpec, KeySpec, LimitName, SshDevice, Tenant, TenantSpec, Timestamp } from './specs.ts'
import { dayWords, limitName, limitWords, priceWords, timeWords } from './wording.ts'

/** One thing that changed. */
export interface Change {
  /** Where, as in the tenant's file: `plan`, `limits.storageMb`, `keys.k3`, `billing.cancelAt`. */
  readonly field: string
  /** A sentence without a full stop. */
  readonly text: string
}

export type Changer =
  | { readonly kind: 'owner' }
  /** An agent, with this key of the tenant. */
  | { readonly kind: 'key'; readonly key: string }
  | { readonly kind: 'payment' }
  /** A rule of Tenantry's own, such as a trial that is over. */
  | { readonly kind: 'rule' }
  | { readonly kind: 'operator' }

export interface CommitFacts {
  /** Name and address. */
  readonly author: string
  readonly subject: string
  readonly trailers: readonly { readonly name: string; readonly value: string }[]
}

/** What commits of the program itself are by. */
const OWN_AUTHOR = /<tenantry@localhost>$/
const PAYMENT = /^(purchase|billing|checkout):/

/** Who changed this tenant: `By: owner of T` and `By: key K of T` name one of several that share a commit. */
export function changerOf(tenant: string, { author, subject, trailers }: CommitFacts): Changer {
  if (!OWN_AUTHOR.test(author)) return { kind: 'operator' }
  for (const { name, value } of trailers) {
    if (name !== 'By') continue
    if (value === `owner of ${tenant}`) return { kind: 'owner' }
    const [, key, of] = /^key (\S+) of (\S+)$/.exec(value) ?? []
    if (key !== undefined && of === tenant) return { kind: 'key', key }
  }
  return PAYMENT.test(subject) ? { kind: 'payment' } : { kind: 'rule' }
}

export function changerWords(changer: Changer): string {
  switch (changer.kind) {
    case 'owner':
      return 'You'
    case 'key':
      return `An agent, with key ${changer.key}`
    case 'payment':
      return 'Payment'
    case 'rule':
      return 'Tenantry'
    case 'operator':
      return 'The operator'
  }
}

/** What is asked about names that a tenant's file holds. */
export interface Titles {
  plan(name: string): string
}

/** Either is absent where the file was added or removed. Empty where nothing that an owner sees differs. */
export function changesBetween(before: Tenant | undefined, after: Tenant | undefined, titles: Titles): Change[] {
  if (after === undefined) return before === undefined ? [] : [{ field: '', text: 'Removed from the repository: out of service, data kept for the retention period' }]
  if (before === undefined) return [{ field: '', text: `Created on ${titles.plan(after.spec.plan)}` }]
  const [was, is] = [before.spec, after.spec]
  return [
    ...stateChanges(was, is),
    ...planChanges(was, is, titles),
    ...billingChanges(was.billing ?? {}, is.billing ?? {}),
    ...limitChanges(was, is),
    ...keyChanges(was.keys, is.keys),
    ...ownerChanges(was, is),
    ...holdChanges(was, is),
    ...deviceChanges(was, is),
  ]
}

function stateChanges(was: TenantSpec, is: TenantSpec): Change[] {
  if (was.state === is.state) return []
  const reason = is.stateReason === undefined ? '' : `: ${is.stateReason}`
  const text = is.state === 'active' ? 'In service again' : is.state === 'suspended' ? `Suspended${reason}` : `Ended${reason}`
  return [{ field: 'state', text }]
}

function planChanges(was: TenantSpec, is: TenantSpec, titles: Titles): Change[] {
  const changes: Change[] = []
  if (was.plan !== is.plan) changes.push({ field: 'plan', text: `Plan changed from ${titles.plan(was.plan)} to ${titles.plan(is.plan)}` })
  if (was.trial?.claimedAt === undefined && is.trial?.claimedAt !== undefined) changes.push({ field: 'trial', text: 'Claimed by you' })
  if (was.trial === undefined && is.trial !== undefined) changes.push({ field: 'trial', text: `Trial until ${dayWords(is.trial.endsAt)}` })
  if (was.trial !== undefined && is.trial === undefined) changes.push({ field: 'trial', text: 'No trial any more: it is paid for' })
  return changes
}

/** Subscription statuses at Stripe, in words. Source: https://docs.stripe.com/billing/subscriptions/overview#subscription-statuses */
const STATUS_WORDS: Readonly<Record<string, string>> = {
  active: 'Paid',
  trialing: 'In its free trial',
  past_due: 'A payment failed',
  unpaid: 'A payment failed and is not tried again',
  paused: 'Paused: the trial ended without a means of payment',
  canceled: 'The subscription ended',
  incomplete: 'The first payment is awaited',
  incomplete_expired: 'The first payment never came',
}

/** In words for an owner; an unknown status as it is called. */
export function subscriptionWords(status: string): string {
  return STATUS_WORDS[status] ?? `The subscription is “${status}”`
}

function billingChanges(was: BillingSpec, is: BillingSpec): Change[] {
  const changes: Change[] = []
  const say = (field: string, text: string): void => void changes.push({ field: `billing.${field}`, text })
  if (is.status !== undefined && was.status !== is.status) say('status', subscriptionWords(is.status))
  if (is.graceUntil !== undefined && was.graceUntil !== is.graceUntil) say('graceUntil', `It runs until ${timeWords(is.graceUntil)} while the payment is due`)
  if (is.trialEndsAt !== undefined && was.trialEndsAt !== is.trialEndsAt) say('trialEndsAt', `Free until ${dayWords(is.trialEndsAt)}`)
  if (was.cancelAt !== is.cancelAt) {
    if (is.cancelAt !== undefined) say('cancelAt', `Cancelled: runs until ${dayWords(is.cancelAt)}`)
    else if (is.status !== 'canceled') say('cancelAt', 'The cancellation was taken back')
  }
  if (is.price !== undefined && (was.price?.amount !== is.price.amount || was.price.currency !== is.price.currency || was.interval !== is.interval)) say('price', `Price: ${priceWords(is.price, is.interval ?? 'month')}`)
  if ((was.quantity ?? 1) !== (is.quantity ?? 1)) say('quantity', `Quantity: ${is.quantity ?? 1} instead of ${was.quantity ?? 1}`)
  return changes
}

function limitChanges(was: TenantSpec, is: TenantSpec): Change[] {
  const names = new Set([...Object.keys(was.limits ?? {}), ...Object.keys(is.limits ?? {})]) as Set<LimitName>
  return [...names].flatMap((name) => {
    const [old, now] = [was.limits?.[name], is.limits?.[name]]
    if (old === now) return []
    const called = `Limit of ${limitName(name)}`
    const text = now === undefined ? `${called}: the plan's again` : `${called}: ${limitWords(name, now)}${old === undefined ? '' : ` instead of ${limitWords(name, old)}`}`
    return [{ field: `limits.${name}`, text }]
  })
}

function keyChanges(was: readonly KeySpec[], is: readonly KeySpec[]): Change[] {
  const old = new Map(was.map((key) => [key.id, key]))
  const made = is.flatMap((key) => {
    const before = old.get(key.id)
    old.delete(key.id)
    const texts = before === undefined ? [madeWords(key)] : keyDifferences(before, key)
    return texts.map((text) => ({ field: `keys.${key.id}`, text }))
  })
  const gone = [...old.values()].map((key) => ({ field: `keys.${key.id}`, text: `${keyWords(key)} was taken off the list` }))
  return [...made, ...gone]
}

/** `Key k3 “reader”`. */
export function keyWords({ id, name }: Pick<KeySpec, 'id' | 'name'>): string {
  return `Key ${id}${name === undefined ? '' : ` “${name}”`}`
}

function madeWords(key: KeySpec): string {
  const { parent, access, expiresAt } = key
  return `${keyWords(key)} made${parent === undefined ? '' : ` from ${parent}`}${access === undefined ? '' : `: ${describeAccess(access)}`}${expiresAt === undefined ? '' : `, until ${timeWords(expiresAt)}`}`
}

function keyDifferences(was: KeySpec, is: KeySpec): string[] {
  const called = keyWords(is)
  const texts: string[] = []
  if (was.name !== is.name) texts.push(is.name === undefined ? `Key ${is.id} has no name any more` : `Key ${is.id} is called “${is.name}”`)
  if (was.revokedAt === undefined && is.revokedAt !== undefined) texts.push(`${called} revoked`)
  if (was.revokedAt !== undefined && is.revokedAt === undefined) texts.push(`${called} works again: its revocation was taken back`)
  if (was.expiresAt !== is.expiresAt) texts.push(endWords(called, is.expiresAt))
  if (describeAccess(was.access) !== describeAccess(is.access)) texts.push(`${called} may: ${describeAccess(is.access)}`)
  return texts
}

function endWords(called: string, at: Timestamp | undefined): string {
  return at === undefined ? `${called} has no end any more` : `${called} works until ${timeWords(at)}`
}

function ownerChanges({ owner: was }: TenantSpec, { owner: is }: TenantSpec): Change[] {
  const changes: Change[] = []
  if (was.email !== is.email) changes.push({ field: 'owner.email', text: 'The owner’s address is another' })
  if (was.username !== is.username) changes.push({ field: 'owner.username', text: is.username === undefined ? 'No user name any more' : `User name: ${is.username}` })
  if (was.listedAs !== is.listedAs) changes.push({ field: 'owner.listedAs', text: is.listedAs === undefined ? 'Off the founders page' : `On the founders page as “${is.listedAs}”` })
  return changes
}

function holdChanges({ hold: was }: TenantSpec, { hold: is }: TenantSpec): Change[] {
  if (JSON.stringify(was) === JSON.stringify(is)) return []
  return [{ field: 'hold', text: is === undefined ? 'Changes are let through again' : `Changes wait until ${timeWords(is.until)}: ${is.reason}` }]
}

function deviceChanges(was: TenantSpec, is: TenantSpec): Change[] {
  const [old, now] = [devicesOf(was), devicesOf(is)]
  const added = [...now.keys()].filter((name) => !old.has(name)).map((name) => `Device ${name} may log in`)
  const removed = [...old.keys()].filter((name) => !now.has(name)).map((name) => `Device ${name} may no longer log in`)
  const changed = [...now].filter(([name, { publicKey }]) => old.has(name) && old.get(name)!.publicKey !== publicKey).map(([name]) => `Device ${name} has another key`)
  return [...added, ...removed, ...changed].map((text) => ({ field: 'profiles', text }))
}

function devicesOf({ profiles = [] }: TenantSpec): Map<string, SshDevice> {
  return new Map(profiles.flatMap(({ username, devices }) => devices.map((device) => [`${device.name} of ${username}`, device] as const)))
}
