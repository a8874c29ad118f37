/**
 * API keys are derived, never stored: HMAC-SHA256 over the tenant's id, the key's id and its nonce under a versioned master
 * secret. The repository and the master secret are enough to have every key again, and a replayed payment yields the same key.
 * The MAC itself is handed in, since the core has no builtins. `formatKey` (key-format.ts) adds prefix and checksum.
 */
import { formatKey } from './key-format.ts'
import type { DerivedKeySpec, KeySpec, TenantId, TenantState, Timestamp } from './specs.ts'

/** HMAC-SHA256 under the master secret of that version, as 64 hex digits. Throws where the version is unknown. */
export type Mac = (masterVersion: number, message: string) => string

/** The text of a key: `pmb-v1-` and 40 hex digits. A secret. */
export type ApiKey = string & { readonly __brand: 'ApiKey' }

/** The key that `spec` stands for. Fields are joined by newlines, which no id or nonce can hold, so no two messages are alike. */
export function deriveKey(mac: Mac, tenant: TenantId, key: Pick<DerivedKeySpec, 'id' | 'nonce' | 'master'>): ApiKey {
  return formatKey(mac(key.master ?? 1, `tenantry/key/v1\n${tenant}\n${key.id}\n${key.nonce}`).slice(0, 32)) as ApiKey
}

/** A key of Tenantry's own, for asking whether SQ has loaded exactly this configuration. `about` names the shard and the content. */
export function deriveProbeKey(mac: Mac, masterVersion: number, about: string): ApiKey {
  return formatKey(mac(masterVersion, `tenantry/probe/v1\n${about}`).slice(0, 32)) as ApiKey
}

/**
 * A tenant's instance key: with it the gateway reaches the tenant's SQ in place of keys that SQ cannot hold to what they may, or
 * whose text nobody has. It opens nothing at the gateway, and no customer ever has it.
 */
export function deriveInstanceKey(mac: Mac, masterVersion: number, tenant: TenantId): ApiKey {
  return formatKey(mac(masterVersion, `tenantry/instance/v1\n${tenant}`).slice(0, 32)) as ApiKey
}

/** Whether SQ itself may know the key: one that may all that its tenant may, and whose text is derived. */
export function isFullKey(key: KeySpec): key is DerivedKeySpec {
  return key.nonce !== undefined && key.access === undefined && key.parent === undefined
}

/** Whether a key opens anything at `now` by itself: neither revoked nor expired. Its ancestors are not looked at. */
export function isLive(key: KeySpec, now: Timestamp): boolean {
  return !isPast(key.revokedAt, now) && !isPast(key.expiresAt, now)
}

/** More than any file can have without a circle. */
const MOST_ANCESTORS = 200
const NEVER_LIVED: Timestamp = '1970-01-01T00:00:00Z'

/** The keys that a key was made from, its parent first. Ends at a parent that is not there, and in a circle. */
export function ancestorsOf(key: KeySpec, keys: readonly KeySpec[]): KeySpec[] {
  const ancestors: KeySpec[] = []
  for (let { parent } = key; parent !== undefined && ancestors.length < MOST_ANCESTORS; ) {
    const next = keys.find(({ id }) => id === parent)
    if (next === undefined) break
    ancestors.push(next)
    parent = next.parent
  }
  return ancestors
}

/** When a key stops opening anything: its own end or that of a key that it was made from, whichever comes first. Undefined where it has no end. */
export function endOf(key: KeySpec, keys: readonly KeySpec[]): Timestamp | undefined {
  const ownEnd = earliest([key.expiresAt, key.revokedAt])
  if (key.parent === undefined) return ownEnd
  const line = [key, ...ancestorsOf(key, keys)]
  if (line.at(-1)!.parent !== undefined) return NEVER_LIVED
  return earliest(line.flatMap((each) => [each.expiresAt, each.revokedAt]))
}

/** The live keys of a tenant, in the order of its file: those whose ancestors live as well. */
export function liveKeys(keys: readonly KeySpec[], now: Timestamp): readonly KeySpec[] {
  const lives = (key: KeySpec): boolean => !isPast(endOf(key, keys), now)
  return keys.every(lives) ? keys : keys.filter(lives)
}

/** The next instant at which the set of live keys changes by itself. */
export function nextKeyChange(keys: readonly KeySpec[], now: Timestamp): Timestamp | undefined {
  return earliest(keys.map((key) => endOf(key, keys)).filter((end) => !isPast(end, now)))
}

/** Timestamps may differ in precision and zone, so they are compared as instants. */
export function isPast(at: Timestamp | undefined, now: Timestamp): boolean {
  return at !== undefined && Date.parse(at) <= Date.parse(now)
}

/** The first of several instants, as it is written; undefined where there is none. */
export function earliest(times: readonly (Timestamp | undefined)[]): Timestamp | undefined {
  let first: Timestamp | undefined
  for (const at of times) if (at !== undefined && (first === undefined || Date.parse(at) < Date.parse(first))) first = at
  return first
}

/** Only an active tenant's keys open its memory; a suspended one's are still known, so that the answer can say why not. */
export function keysOpen(state: TenantState): boolean {
  return state === 'active'
}
