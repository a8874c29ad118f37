/**
 * API keys are derived, never stored: HMAC-SHA256 over the tenant's id, the key's id and its nonce under a versioned master
 * secret. The repository and the master secret are enough to have every key again, and a replayed payment yields the same key.
 * The MAC itself is handed in, since the core has no builtins. `formatKey` (key-format.ts) adds prefix and checksum.
 */
import { formatKey } from './key-format.ts'
import type { KeySpec, TenantId, TenantState, Timestamp } from './specs.ts'

/** HMAC-SHA256 under the master secret of that version, as 64 hex digits. Throws where the version is unknown. */
export type Mac = (masterVersion: number, message: string) => string

/** The text of a key: `pmb-v1-` and 40 hex digits. A secret. */
export type ApiKey = string & { readonly __brand: 'ApiKey' }

/** The key that `spec` stands for. Fields are joined by newlines, which no id or nonce can hold, so no two messages are alike. */
export function deriveKey(mac: Mac, tenant: TenantId, key: Pick<KeySpec, 'id' | 'nonce' | 'master'>): ApiKey {
  return formatKey(mac(key.master ?? 1, `tenantry/key/v1\n${tenant}\n${key.id}\n${key.nonce}`).slice(0, 32)) as ApiKey
}

/** A key of Tenantry's own, for asking whether SQ has loaded exactly this configuration. `about` names the shard and the content. */
export function deriveProbeKey(mac: Mac, masterVersion: number, about: string): ApiKey {
  return formatKey(mac(masterVersion, `tenantry/probe/v1\n${about}`).slice(0, 32)) as ApiKey
}

/** Whether a key opens anything at `now`: neither revoked nor expired. */
export function isLive(key: KeySpec, now: Timestamp): boolean {
  return !isPast(key.revokedAt, now) && !isPast(key.expiresAt, now)
}

/** The live keys of a tenant, in the order of its file. */
export function liveKeys(keys: readonly KeySpec[], now: Timestamp): readonly KeySpec[] {
  return keys.every((key) => isLive(key, now)) ? keys : keys.filter((key) => isLive(key, now))
}

/** The next instant at which the set of live keys changes by itself. */
export function nextKeyChange(keys: readonly KeySpec[], now: Timestamp): Timestamp | undefined {
  return earliest(keys.filter((key) => isLive(key, now)).flatMap((key) => [key.expiresAt, key.revokedAt]))
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
