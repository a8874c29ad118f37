/** How a tenant stands, in words for its owner: whether it serves, why not, what happens next. Pure. */
import { subscriptionWords } from '../core/history.ts'
import type { BillingSpec, Plan, Tenant, TenantSpec, Timestamp } from '../core/specs.ts'
import type { Condition } from '../core/status.ts'
import { dayWords, priceWords, timeWords } from '../core/wording.ts'
import type { TenantRecord } from '../store/tenant-records.ts'

export interface Standing {
  readonly tone: 'good' | 'warn' | 'bad' | 'plain'
  /** One or two words. */
  readonly title: string
  readonly text: string
  /** It may be another in a moment: worth asking again. */
  readonly moving: boolean
}

/** Why something is not served, by the condition's reason. What the owner can do nothing about is said as such. */
const WAITING: Readonly<Record<string, string>> = {
  Progressing: 'It is being set up. That takes a few seconds.',
  WaitingForEngine: 'The machine that it runs on does not answer at the moment. It is tried again by itself, and your data is safe.',
  EngineMissing: 'The machine that it runs on does not answer at the moment. It is tried again by itself, and your data is safe.',
  ImageMissing: 'A part that it needs is being fetched. The operator has been told.',
  EngineDiskFull: 'The machine that it runs on has no room left. The operator has been told; your data is safe.',
  NeverValid: 'Its file has a mistake, so nothing was set up yet. The operator has been told.',
}
const OTHERWISE = 'Something stands in the way, and it is tried again by itself. The operator has been told; your data is safe.'

export function standingOf({ spec }: Tenant, record: TenantRecord | undefined, now: Timestamp): Standing {
  if (spec.state === 'ended') return ended(spec, record)
  const conditions = record?.status.conditions ?? []
  const ready = conditions.find(({ type }) => type === 'Ready')
  if (spec.state === 'suspended') return { tone: 'bad', title: 'Suspended', text: `${suspendedWords(spec)} Requests are refused; everything that is stored is kept.`, moving: false }
  if (ready?.status === true) return { tone: 'good', title: 'Running', text: heldWords(conditions) ?? 'Requests are served.', moving: false }
  const again = record?.status.nextAttemptAt
  const next = again !== undefined && Date.parse(again) > Date.parse(now) ? ` Next try: ${timeWords(again)}.` : ''
  const isNew = ready === undefined || ready.reason === 'Progressing'
  return { tone: 'warn', title: isNew ? 'Being set up' : 'Waiting', text: `${WAITING[ready?.reason ?? 'Progressing'] ?? OTHERWISE}${next}`, moving: true }
}

function ended({ stateReason, endedAt }: TenantSpec, record: TenantRecord | undefined): Standing {
  const when = endedAt === undefined ? 'It has ended' : `It ended on ${dayWords(endedAt)}`
  const data = record?.dataUntil === null || record?.dataUntil === undefined ? '' : ` What was stored is kept until ${dayWords(record.dataUntil)}.`
  return { tone: 'plain', title: 'Ended', text: `${when}${stateReason === undefined ? '' : `: ${stateReason}`}.${data}`, moving: false }
}

function suspendedWords({ stateReason, stateBy, billing }: TenantSpec): string {
  const reason = stateReason === undefined ? 'It is suspended.' : `It is suspended: ${stateReason}.`
  if (stateBy === 'billing' && billing?.status === 'paused') return `${reason} Add a card and resume it under “Plan and billing”.`
  return stateBy === 'billing' ? `${reason} It goes on by itself once a payment arrives.` : reason
}

/** It runs, but a change of its file waits. */
function heldWords(conditions: readonly Condition[]): string | undefined {
  if (conditions.some(({ type, status }) => type === 'Held' && status)) return 'Requests are served. Changes wait on purpose until a person lets them through.'
  return conditions.some(({ type, status }) => type === 'SpecValid' && !status) ? 'Requests are served. The newest change cannot be taken in yet: what was before stays in force, and the operator has been told.' : undefined
}

export interface BillingWords {
  readonly price: string
  readonly status: string
  /** What happens next, when, and what to do. */
  readonly lines: readonly string[]
}

/** What is paid, how it stands, and what comes next. */
export function billingWords({ spec }: Tenant, plan: Plan | undefined, now: Timestamp): BillingWords {
  const { billing = {}, trial } = spec
  const price = priceOf(billing, plan)
  if (billing.subscription === undefined) return { price, status: 'No subscription', lines: trial === undefined ? ['Nothing is charged for it.'] : [`A trial until ${dayWords(trial.endsAt)}. It ends by itself unless it is paid for.`] }
  return { price, status: subscriptionWords(billing.status ?? 'active'), lines: nextLines(spec, billing, now) }
}

function priceOf({ price, interval, quantity = 1 }: BillingSpec, plan: Plan | undefined): string {
  const every = interval ?? (plan?.spec.prices.month === undefined ? 'year' : 'month')
  const unit = price ?? plan?.spec.prices[every]
  if (unit === undefined) return 'Free'
  const times = quantity === 1 ? '' : ` (${quantity} units)`
  const kept = price !== undefined && plan?.spec.prices[every] !== undefined && price.amount < plan.spec.prices[every].amount ? ', kept while you stay subscribed' : ''
  return `${priceWords({ ...unit, amount: unit.amount * quantity }, every)}${times}${kept}`
}

function nextLines({ state }: TenantSpec, { trialEndsAt, graceUntil, cancelAt, status }: BillingSpec, now: Timestamp): string[] {
  const lines: string[] = []
  if (trialEndsAt !== undefined && isAhead(trialEndsAt, now)) lines.push(`Free until ${dayWords(trialEndsAt)}. Put in a means of payment before that to keep it.`)
  if (graceUntil !== undefined && state === 'active') lines.push(`The last payment did not go through. It runs on until ${timeWords(graceUntil)}; put in another card before that.`)
  if (cancelAt !== undefined && isAhead(cancelAt, now)) lines.push(`Cancelled: it runs until ${dayWords(cancelAt)} and is not charged again. You can take that back until then.`)
  if (status === 'paused') lines.push('The trial ended without a card, so it is paused. Add a card, then resume: the first payment is taken at once, and everything that is stored is there.')
  return lines
}

function isAhead(at: Timestamp, now: Timestamp): boolean {
  return Date.parse(at) > Date.parse(now)
}
