/** Changes of the list of keys as edits of a tenant's file: whoever asks for them, they come out alike. Pure. */
import { earliest } from '../core/keys.ts'
import { newKey, spentKeys, type KeyMaking, type KeyWish } from '../core/new-key.ts'
import type { KeySpec, Timestamp } from '../core/specs.ts'
import { orderKey, type SpecEdit } from '../specs/write.ts'
import { timestampOf } from '../core/timestamp.ts'

/** Where the platform says nothing. */
export const DEFAULT_OVERLAP_HOURS = 24
const HOUR_MS = 60 * 60 * 1000

/** Puts a key at the end; what is spent goes, where the file is long. */
export function addKey(keys: readonly KeySpec[], key: KeySpec, now: Timestamp): SpecEdit[] {
  const spent = spentKeys(keys, now)
  return [...spent.map((index) => ({ path: ['spec', 'keys', index], value: undefined })), { path: ['spec', 'keys', keys.length - spent.length], value: orderKey(key) }]
}

/** A new key that may what the old one may; that one goes on working for the overlap, never beyond its own end, and so do the keys made from it. */
export function rotateKeys(keys: readonly KeySpec[], old: readonly KeySpec[], overlapHours: number, wish: KeyWish, making: KeyMaking): SpecEdit[] {
  const overlapEnd = timestampOf(Date.parse(making.now) + overlapHours * HOUR_MS)
  const ends = old.map((key) => ({ path: ['spec', 'keys', keys.indexOf(key), 'expiresAt'], value: earliest([key.expiresAt, overlapEnd]) }))
  return [...ends, ...addKey(keys, newKey(keys, wish, making), making.now)]
}

/** Its name, its parent and what it may; its end was for the old text. */
export function successorOf({ name, parent, access }: KeySpec): KeyWish {
  return { ...(name !== undefined && { name }), ...(parent !== undefined && { parent }), ...(access && { access }) }
}
