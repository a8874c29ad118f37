/**
 * What a tenant's customer is to be told, from how things stand: the tenant's file, its use and the clock. Not from events, so that
 * nothing is missed while the program is down, and nothing told twice: each mail has a cause, a name for what happened once, and
 * whoever asks again gets the same causes. Pure.
 */
import { isLive, isPast } from './keys.ts'
import { mergeLimits } from './limits.ts'
import { ceilingOf, periodsAt } from './quota.ts'
import type { KeySpec, Plan, Tenant, Timestamp } from './specs.ts'

/** What is told; the texts are controller/mail/'s. `key` is the key itself here, to be masked. */
export type Notice =
  | { readonly kind: 'welcome'; readonly key: KeySpec | undefined }
  | { readonly kind: 'payment-failed'; readonly graceUntil?: Timestamp }
  | { readonly kind: 'suspended'; readonly reason: string }
  | { readonly kind: 'ending'; readonly endsAt: Timestamp }
  | { readonly kind: 'ended'; readonly dataUntil: Timestamp }
  | { readonly kind: 'quota'; readonly limit: 'storage' | 'requests'; readonly percent: 80 | 95 }
  | { readonly kind: 'trial-ends'; readonly endsAt: Timestamp }
  | { readonly kind: 'old-key-used'; readonly key: KeySpec; readonly endsAt: Timestamp }

export interface TenantFacts {
  readonly tenant: Tenant
  readonly plan: Plan | undefined
  readonly ready: boolean
  /** Undefined where none was measured. */
  readonly storageBytes: number | undefined
  /** Of the present calendar month (UTC). */
  readonly requestsThisMonth: number
  /** By key. */
  readonly lastUsed: ReadonlyMap<string, Timestamp>
  /** Conditions that were told and hold since then, as `conditions` of the last answer. */
  readonly told: ReadonlyMap<string, Timestamp>
}

export interface MailRules {
  /** Since when there is mail: who came before is not welcomed. */
  readonly since: Timestamp
  readonly retentionDays: number
  readonly keyOverlapHours: number
  readonly now: Timestamp
}

export interface DueMail {
  readonly cause: string
  readonly notice: Notice
  /** A higher step says it too: this one counts as told. */
  readonly covered?: true
}

export interface MailsDue {
  readonly mails: readonly DueMail[]
  /** What holds now and has no time of its own in the file: kept, so that it is told once until it ends. */
  readonly conditions: ReadonlyMap<string, Timestamp>
  /** It waits for being ready only: to be asked about again soon. */
  readonly waits: boolean
  /** When time alone brings something to tell. */
  readonly nextAt: Timestamp | undefined
}

const DAY_MS = 86_400_000
const HOUR_MS = 3_600_000
const TRIAL_NOTICE_MS = 3 * DAY_MS
/** A rotation writes the end of the old key; somebody may have written it by hand to the minute. */
const OVERLAP_TOLERANCE_MS = 60_000
const MB = 1024 * 1024

export function mailsDue(facts: TenantFacts, rules: MailRules): MailsDue {
  const conditions = new Map<string, Timestamp>()
  /** The time at which a condition was first seen to hold: its name in the cause. */
  const since = (condition: string): Timestamp => {
    const at = facts.told.get(condition) ?? rules.now
    conditions.set(condition, at)
    return at
  }
  const welcomed = isToBeWelcomed(facts.tenant, rules)
  const mails = [
    ...(welcomed && facts.ready ? [welcome(facts.tenant, rules)] : []),
    ...stateMails(facts.tenant, rules, since),
    ...storageMails(facts, since),
    ...requestMails(facts, rules),
    ...trialMails(facts.tenant, rules),
    ...oldKeyMails(facts, rules),
  ]
  return { mails, conditions, waits: welcomed && !facts.ready, nextAt: nextNotice(facts.tenant, rules) }
}

/** Who bought it or claimed it, since there is mail; not who was imported or written by hand. */
function isToBeWelcomed({ spec }: Tenant, { since }: MailRules): boolean {
  if (spec.state !== 'active') return false
  const came = spec.trial?.claimedAt ?? (spec.billing?.checkout === undefined ? undefined : spec.keys[0]?.createdAt)
  return came !== undefined && Date.parse(came) >= Date.parse(since)
}

function welcome({ metadata, spec }: Tenant, { now }: MailRules): DueMail {
  const key = spec.keys.findLast((each) => each.parent === undefined && each.access === undefined && isLive(each, now))
  return { cause: `welcome/${metadata.name}`, notice: { kind: 'welcome', key } }
}

function stateMails({ metadata: { name }, spec }: Tenant, { now, retentionDays }: MailRules, since: (condition: string) => Timestamp): DueMail[] {
  const { billing, state, stateBy, stateReason, endedAt } = spec
  const mails: DueMail[] = []
  if (state === 'active' && billing?.status === 'past_due') {
    const { graceUntil } = billing
    mails.push({ cause: `payment-failed/${name}/${graceUntil ?? since('past-due')}`, notice: { kind: 'payment-failed', ...(graceUntil !== undefined && { graceUntil }) } })
  }
  if (state === 'suspended' && stateBy !== undefined) {
    mails.push({ cause: `suspended/${name}/${since('suspended')}`, notice: { kind: 'suspended', reason: stateReason ?? 'a payment is missing' } })
  }
  if (state !== 'ended' && billing?.cancelAt !== undefined && !isPast(billing.cancelAt, now)) {
    mails.push({ cause: `ending/${name}/${billing.cancelAt}`, notice: { kind: 'ending', endsAt: billing.cancelAt } })
  }
  if (state === 'ended' && endedAt !== undefined) {
    const dataUntil = plus(endedAt, retentionDays * DAY_MS)
    if (!isPast(dataUntil, now)) mails.push({ cause: `ended/${name}/${endedAt}`, notice: { kind: 'ended', dataUntil } })
  }
  return mails
}

/** A step of a quota, told when it is reached, and again only after the use fell clearly below it. */
const STEPS = [
  { percent: 95, endsBelow: 90 },
  { percent: 80, endsBelow: 70 },
] as const

function storageMails({ tenant, plan, storageBytes, told }: TenantFacts, since: (condition: string) => Timestamp): DueMail[] {
  const limit = limitOf('storageMb', tenant, plan)
  if (limit === undefined || storageBytes === undefined || tenant.spec.state !== 'active') return []
  const percent = (100 * storageBytes) / (limit * MB)
  const held = STEPS.filter((step) => percent >= step.percent || (told.has(`storage-${step.percent}`) && percent >= step.endsBelow))
  return stepMails('storage', held, (step) => `quota/${tenant.metadata.name}/storage/${step}/${since(`storage-${step}`)}`)
}

function requestMails({ tenant, plan, requestsThisMonth }: TenantFacts, { now }: MailRules): DueMail[] {
  const limit = limitOf('requestsPerMonth', tenant, plan)
  if (limit === undefined || tenant.spec.state !== 'active') return []
  const { month } = periodsAt(Date.parse(now))
  const held = STEPS.filter(({ percent }) => 100 * requestsThisMonth >= percent * limit)
  return stepMails('requests', held, (step) => `quota/${tenant.metadata.name}/requests/${month}/${step}`)
}

/** Only the highest step is told; the ones below it are covered. */
function stepMails(limit: 'storage' | 'requests', held: readonly { readonly percent: 80 | 95 }[], cause: (percent: number) => string): DueMail[] {
  return held.map(({ percent }, index) => ({ cause: cause(percent), notice: { kind: 'quota', limit, percent }, ...(index > 0 && { covered: true }) }))
}

/** The limit that the customer knows of: what `unlimited` stays under is no promise to be reminded of. */
function limitOf(name: 'storageMb' | 'requestsPerMonth', { spec }: Tenant, plan: Plan | undefined): number | undefined {
  const ceiling = plan && ceilingOf(name, mergeLimits(plan.spec.limits, spec.limits), plan.spec.fairUse)
  return ceiling === undefined || ceiling.fairUse || ceiling.value === 0 ? undefined : ceiling.value
}

/** The end of a trial that goes on by itself or ends; a trial that was cancelled is said to end already. */
function trialEnd({ spec }: Tenant): Timestamp | undefined {
  if (spec.state !== 'active') return undefined
  if (spec.trial !== undefined) return spec.trial.endsAt
  return spec.billing?.status === 'trialing' && spec.billing.cancelAt === undefined ? spec.billing.trialEndsAt : undefined
}

function trialMails(tenant: Tenant, { now }: MailRules): DueMail[] {
  const endsAt = trialEnd(tenant)
  if (endsAt === undefined || isPast(endsAt, now) || !isPast(plus(endsAt, -TRIAL_NOTICE_MS), now)) return []
  return [{ cause: `trial-ends/${tenant.metadata.name}/${endsAt}`, notice: { kind: 'trial-ends', endsAt } }]
}

function nextNotice(tenant: Tenant, { now }: MailRules): Timestamp | undefined {
  const endsAt = trialEnd(tenant)
  const at = endsAt && plus(endsAt, -TRIAL_NOTICE_MS)
  return at === undefined || isPast(at, now) ? undefined : at
}

/** Keys that a newer one replaced, in the overlap, with a use after the replacement. Times of use are known to the minute, rounded down: never one that came before. */
function oldKeyMails({ tenant, lastUsed }: TenantFacts, { now, keyOverlapHours }: MailRules): DueMail[] {
  const { keys } = tenant.spec
  return keys.flatMap((key) => {
    const used = lastUsed.get(key.id)
    const replacedAt = used === undefined || !isLive(key, now) ? undefined : replacementOf(key, keys, keyOverlapHours)
    if (replacedAt === undefined || Date.parse(used!) < Date.parse(replacedAt)) return []
    return [{ cause: `old-key-used/${tenant.metadata.name}/${key.id}/${key.expiresAt}`, notice: { kind: 'old-key-used', key, endsAt: key.expiresAt! } satisfies Notice }]
  })
}

/** When a newer key of the same kind took a key's place: its end lies the overlap after the newer one's making. */
function replacementOf(key: KeySpec, keys: readonly KeySpec[], overlapHours: number): Timestamp | undefined {
  if (key.expiresAt === undefined) return undefined
  const madeAtMs = Date.parse(key.expiresAt) - overlapHours * HOUR_MS
  return keys.find((other) => other.id !== key.id && other.parent === key.parent && Math.abs(Date.parse(other.createdAt) - madeAtMs) <= OVERLAP_TOLERANCE_MS && Date.parse(other.createdAt) > Date.parse(key.createdAt))?.createdAt
}

function plus(at: Timestamp, ms: number): Timestamp {
  return new Date(Date.parse(at) + ms).toISOString().replace(/\.000Z$/, 'Z')
}

