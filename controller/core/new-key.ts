/** Adding a key to a tenant's file: its id, its fields, what has to go to make room, and why it may not be made. Pure. */
import { MOST_GENERATIONS, MOST_LIVE_CHILDREN } from './check-keys.ts'
import { accessInForce } from './key-access.ts'
import { ancestorsOf, endOf, isPast, liveKeys } from './keys.ts'
import { phextOpens } from './phext-scope.ts'
import type { DerivedKeySpec, KeyAccess, KeySpec, Timestamp } from './specs.ts'

/** What somebody wants of a key. */
export interface KeyWish {
  readonly name?: string
  readonly parent?: string
  readonly access?: KeyAccess
  readonly expiresAt?: Timestamp
}

export interface KeyMaking {
  /** 32 hex digits, random. */
  readonly nonce: string
  readonly masterVersion: number
  readonly now: Timestamp
}

/** The most that a file has by its schema. */
export const MOST_KEYS = 200
/** From here on, keys made from keys are removed from the file once they are spent; before, they stay to be seen. */
const ROOMY = 100

export function newKey(keys: readonly KeySpec[], { name, parent, access, expiresAt }: KeyWish, { nonce, masterVersion, now }: KeyMaking): DerivedKeySpec {
  return {
    id: nextKeyId(keys),
    nonce,
    ...(masterVersion !== 1 && { master: masterVersion }),
    ...(name !== undefined && { name }),
    ...(parent !== undefined && { parent }),
    ...(access && Object.keys(access).length > 0 && { access }),
    createdAt: now,
    ...(expiresAt !== undefined && { expiresAt }),
  }
}

/** Ids are never used twice in a tenant, or a revoked key could come back. */
export function nextKeyId(keys: readonly KeySpec[]): string {
  return `k${highestNumber(keys) + 1}`
}

const numberOf = ({ id }: KeySpec): number => Number(/^k(\d+)$/.exec(id)?.[1] ?? 0)
const highestNumber = (keys: readonly KeySpec[]): number => Math.max(0, ...keys.map(numberOf))

/** Places in the list, the last first, of keys made from keys that open nothing any more, once the file is long. The one with the highest number stays, so that ids go on from there. */
export function spentKeys(keys: readonly KeySpec[], now: Timestamp): number[] {
  if (keys.length < ROOMY) return []
  const highest = highestNumber(keys)
  const isSpent = (key: KeySpec): boolean => key.parent !== undefined && numberOf(key) !== highest && isPast(endOf(key, keys), now)
  return keys.flatMap((key, index) => (isSpent(key) ? [index] : [])).reverse()
}

export interface WishFault {
  readonly code: 'parent-ended' | 'too-many-keys' | 'too-many-child-keys' | 'too-many-generations' | 'phext-outside' | 'ends-in-the-past'
  readonly detail: string
}

/** Why a key may not be made from another one now. */
export function wishFault(keys: readonly KeySpec[], { parent, access, expiresAt }: KeyWish & { readonly parent: string }, now: Timestamp): WishFault | undefined {
  const live = liveKeys(keys, now)
  const from = live.find(({ id }) => id === parent)
  if (from === undefined) return { code: 'parent-ended', detail: `Key ${parent} opens nothing any more, so nothing can be made from it.` }
  if (isPast(expiresAt, now)) return { code: 'ends-in-the-past', detail: `The key would have ended already, at ${expiresAt}.` }
  if (ancestorsOf(from, keys).length + 1 > MOST_GENERATIONS) return { code: 'too-many-generations', detail: `Keys are made from keys at most ${MOST_GENERATIONS} times in a row. Make it from a key further up.` }
  if (live.filter((key) => key.parent === parent).length >= MOST_LIVE_CHILDREN) {
    return { code: 'too-many-child-keys', detail: `${MOST_LIVE_CHILDREN} keys made from ${parent} are alive, which is the most there may be. Delete one with DELETE /api/keys/ID, or give keys an end.` }
  }
  const open = accessInForce(from, keys)?.phexts
  const outside = open && access?.phexts?.find((phext) => !phextOpens(open, phext))
  if (outside !== undefined) return { code: 'phext-outside', detail: `Key ${parent} does not open the phext ${JSON.stringify(outside)}, so no key made from it can.` }
  if (keys.length - spentKeys(keys, now).length >= MOST_KEYS) return { code: 'too-many-keys', detail: `The account has ${MOST_KEYS} keys, which is the most there may be.` }
  return undefined
}

/** A key and all that were made from it, in the order of the file. */
export function withDescendants(keys: readonly KeySpec[], id: string): readonly KeySpec[] {
  return keys.filter((key) => key.id === id || ancestorsOf(key, keys).some((above) => above.id === id))
}
