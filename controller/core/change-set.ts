/**
 * The diff: what one tenant's, and a whole revision's, way from one desired state to the next is. The same code decides what
 * the loop does, what `tenantry plan` shows and what the audit trail says.
 */
import type { DesiredTenant } from './desired.ts'
import type { KeySpec, Limits, SshProfile, TenantId } from './specs.ts'
import { compareIds } from './tenant-id.ts'

export interface FieldChange {
  /** As it stands in files: `limits.storageMb`, `keys`, `state`. */
  readonly field: string
  readonly from: string
  readonly to: string
}

export type TenantAction =
  | 'create' // no state before
  | 'change' // fields differ
  | 'suspend' // stops serving, keeps everything
  | 'resume' // serves again
  | 'end' // stops for good, the retention clock starts
  | 'remove' // gone from git: as end, without a file

export interface TenantChange {
  readonly tenant: TenantId
  readonly product: string
  readonly action: TenantAction
  readonly fields: readonly FieldChange[]
}

/** What a pass will do: a value that can be printed as a whole. */
export interface ChangeSet {
  readonly changes: readonly TenantChange[]
}

/** The change from one desired state to the next; undefined where nothing is to be done. */
export function diffTenant(before: DesiredTenant | undefined, after: DesiredTenant | undefined): TenantChange | undefined {
  if (before === after) return undefined
  if (after === undefined) return before && { tenant: before.tenant, product: before.product, action: 'remove', fields: [] }
  if (before === undefined) return { tenant: after.tenant, product: after.product, action: 'create', fields: [] }
  const fields = diffFields(before, after)
  return fields.length === 0 ? undefined : { tenant: after.tenant, product: after.product, action: actionFor(before, after), fields }
}

function actionFor(before: DesiredTenant, after: DesiredTenant): TenantAction {
  if (before.state === after.state) return 'change'
  switch (after.state) {
    case 'active':
      return 'resume'
    case 'suspended':
      return 'suspend'
    case 'ended':
      return 'end'
  }
}

/** Takes a tenant out of service: what the deletion limit counts. */
export function takesOut(action: TenantAction): boolean {
  return action === 'remove' || action === 'end'
}

/** Changes that stop something come before those that start something, so that what is freed can be used. */
export function isStop(action: TenantAction): boolean {
  return action === 'remove' || action === 'end' || action === 'suspend'
}

/** Orders a change set for execution and for people: stops first, then by id. */
export function orderChanges(changes: Iterable<TenantChange>): TenantChange[] {
  return [...changes].sort((a, b) => Number(isStop(b.action)) - Number(isStop(a.action)) || compareIds(a.tenant, b.tenant))
}

const NO_LIMITS: Limits = {}
const NOT_COMPARED = new Set<keyof DesiredTenant>(['tenant', 'nextChangeAt', 'limits', 'fairUse', 'keys', 'place', 'profiles'])

function diffFields(before: DesiredTenant, after: DesiredTenant): FieldChange[] {
  const fields: FieldChange[] = []
  const compare = (field: string, from: unknown, to: unknown): void => {
    if (from !== to) fields.push({ field, from: show(from), to: show(to) })
  }
  for (const name of Object.keys(after) as (keyof DesiredTenant)[]) {
    if (!NOT_COMPARED.has(name)) compare(name, before[name], after[name])
  }
  for (const group of ['limits', 'fairUse'] as const) {
    const [from, to] = [before[group] ?? NO_LIMITS, after[group] ?? NO_LIMITS]
    if (from === to) continue
    const names = new Set([...Object.keys(from), ...Object.keys(to)]) as Set<keyof Limits>
    for (const name of names) compare(`${group}.${name}`, from[name], to[name])
  }
  compare('place', showPlace(before), showPlace(after))
  compareLists('keys', before.keys, after.keys, briefKey, fields)
  compareLists('profiles', before.profiles, after.profiles, briefProfile, fields)
  return fields
}

/** Keys and profiles are plain data in the order of their file. Shown as they are written (no nonce or public key is a secret) only where the brief words are the same on both sides. */
function compareLists<T extends object>(field: string, from: readonly T[], to: readonly T[], brief: (item: T) => string, fields: FieldChange[]): void {
  if (from === to || canonical(from) === canonical(to)) return
  const words = (items: readonly T[], show: (item: T) => string): string => items.map(show).join('; ') || '(none)'
  const show = words(from, brief) === words(to, brief) ? canonical : brief
  fields.push({ field, from: words(from, show), to: words(to, show) })
}

/** A text that is equal for equal values, in whatever order their fields were written. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_, part: unknown) => (typeof part === 'object' && part !== null && !Array.isArray(part) ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1))) : part))
}

function show(value: unknown): string {
  return value === undefined ? '(none)' : String(value)
}

const showPlace = ({ place }: DesiredTenant): string => (place.kind === 'shard' ? place.shard : 'container')

const briefKey = ({ id, expiresAt }: KeySpec): string => (expiresAt === undefined ? id : `${id} until ${expiresAt}`)

const briefProfile = ({ username, devices }: SshProfile): string => `${username} with ${devices.map(({ name }) => name).join(', ') || 'no device'}`
