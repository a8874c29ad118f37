/** The keys of a tenant as a tree for people and programs: each below the one that it was made from. Pure. */
import { accessInForce } from './key-access.ts'
import { ancestorsOf, endOf, isPast } from './keys.ts'
import type { KeyAccess, KeySpec, Timestamp } from './specs.ts'

export type KeyState = 'live' | 'expiring' | 'expired' | 'revoked'

export interface KeyNode {
  readonly key: KeySpec
  /** 0 for a key that was made from none. */
  readonly depth: number
  readonly state: KeyState
  /** With what is above it; rate and budget are its own. */
  readonly access: KeyAccess | undefined
  readonly endsAt: Timestamp | undefined
}

/** Parents before children, in the order of the file. With `top` only what is below that key, and itself. */
export function keyTree(keys: readonly KeySpec[], now: Timestamp, top?: string): KeyNode[] {
  const nodes: KeyNode[] = []
  const seen = new Set<KeySpec>()
  const add = (key: KeySpec, depth: number): void => {
    if (seen.has(key)) return
    seen.add(key)
    nodes.push({ key, depth, state: stateOf(key, keys, now), access: accessInForce(key, keys), endsAt: endOf(key, keys) })
    for (const child of keys) if (child.parent === key.id) add(child, depth + 1)
  }
  const isTop = (key: KeySpec): boolean => (top === undefined ? key.parent === undefined || ancestorsOf(key, keys).length === 0 : key.id === top)
  for (const key of keys) if (isTop(key)) add(key, 0)
  return nodes
}

function stateOf(key: KeySpec, keys: readonly KeySpec[], now: Timestamp): KeyState {
  const line = [key, ...ancestorsOf(key, keys)]
  if (line.some(({ revokedAt }) => isPast(revokedAt, now))) return 'revoked'
  const end = endOf(key, keys)
  if (isPast(end, now)) return 'expired'
  return end === undefined ? 'live' : 'expiring'
}

/** In few words what a key may, as `read-only, phexts notes, 5/s, 100 requests`; `all` where it may all that its tenant may. */
export function describeAccess(access: KeyAccess | undefined): string {
  const { readOnly, phexts, requestsPerSecond, requests } = access ?? {}
  const words = [
    readOnly && 'read-only',
    phexts && (phexts.length === 0 ? 'no phexts' : `phexts ${phexts.map((name) => (name === '' ? '""' : name)).join(' ')}`),
    requestsPerSecond !== undefined && `${requestsPerSecond}/s`,
    requests !== undefined && `${requests} requests`,
  ].filter((word) => typeof word === 'string')
  return words.join(', ') || 'all'
}
