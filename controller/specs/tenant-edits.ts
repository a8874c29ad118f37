/** The fields in which a tenant's spec is to differ from its file, as edits that leave everything else of the file as a person wrote it. */
import type { TenantSpec } from '../core/specs.ts'
import { orderBilling, type SpecEdit } from './write.ts'

type Field = keyof TenantSpec

/** Fields that a rule may change; keys, limits and profiles have ways of their own. */
const FIELDS: readonly Field[] = ['plan', 'state', 'stateReason', 'stateBy', 'endedAt', 'trial']

export function tenantEdits(before: TenantSpec, after: TenantSpec): SpecEdit[] {
  const edits: SpecEdit[] = FIELDS.filter((field) => !isSame(before[field], after[field])).map((field) => ({ path: ['spec', field], value: after[field] }))
  edits.push(...mapEdits('owner', before.owner, after.owner))
  const { billing } = after
  if (before.billing === undefined || billing === undefined) {
    if (!isSame(before.billing, billing)) edits.push({ path: ['spec', 'billing'], value: billing && orderBilling(billing) })
  } else edits.push(...mapEdits('billing', before.billing, billing))
  // What goes is removed first, so that a file never says two things at once.
  return edits.sort((a, b) => Number(a.value !== undefined) - Number(b.value !== undefined))
}

function mapEdits<T extends object>(name: string, before: T, after: T): SpecEdit[] {
  const fields = [...new Set([...Object.keys(before), ...Object.keys(after)])] as (keyof T & string)[]
  return fields.filter((field) => !isSame(before[field], after[field])).map((field) => ({ path: ['spec', name, field], value: after[field] }))
}

/** Of values in the order in which they are written. */
function isSame(a: unknown, b: unknown): boolean {
  return JSON.stringify(ordered(a)) === JSON.stringify(ordered(b))
}

function ordered(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
  return Object.fromEntries(Object.entries(value).filter(([, inner]) => inner !== undefined).sort(([a], [b]) => (a < b ? -1 : 1)))
}
