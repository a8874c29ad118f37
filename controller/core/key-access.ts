/**
 * What a key may in the end: its own access within that of every key that it was made from. Rates and budgets stay each key's own,
 * because a request of a key counts against all the keys above it as well. Pure.
 */
import { ancestorsOf } from './keys.ts'
import type { KeyAccess, KeySpec } from './specs.ts'

/** Undefined where it may all that its tenant may. `phexts` is empty where it may open none. */
export function accessInForce(key: KeySpec, keys: readonly KeySpec[]): KeyAccess | undefined {
  if (key.access === undefined && key.parent === undefined) return undefined
  const line = [key, ...ancestorsOf(key, keys)]
  const readOnly = line.some(({ access }) => access?.readOnly)
  const phexts = line.reduce<readonly string[] | undefined>((open, { access }) => intersect(open, access?.phexts), undefined)
  const { requestsPerSecond, requests } = key.access ?? {}
  const access: KeyAccess = {
    ...(readOnly && { readOnly }),
    ...(phexts && { phexts }),
    ...(requestsPerSecond !== undefined && { requestsPerSecond }),
    ...(requests !== undefined && { requests }),
  }
  return Object.keys(access).length === 0 ? undefined : access
}

function intersect(open: readonly string[] | undefined, also: readonly string[] | undefined): readonly string[] | undefined {
  if (open === undefined || also === undefined) return open ?? also
  return open.filter((phext) => also.includes(phext))
}
