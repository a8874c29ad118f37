/**
 * What the gateway knows of a tenant: digests of its keys, and the instance key, a secret of this machine that opens the tenant's SQ
 * and nothing at the gateway. The controller writes routes to HOME/gateway/, every file 0600; the gateway starts from these files alone.
 *
 * `snapshot` is JSON lines: a header, then one `put` record a tenant. The header names the log file beside it, to which the
 * controller appends a record for each change and which the gateway follows. A new snapshot (renamed into place) starts a new log.
 */
import type { DesiredTenant } from './desired.ts'
import type { HeaderFacts } from './header-facts.ts'
import { accessInForce } from './key-access.ts'
import { endOf, keysOpen } from './keys.ts'
import { hasPhexts } from './phext-scope.ts'
import type { ShardName } from './placement.ts'
import type { KeyAccess, KeySpec, Limits, TenantId, TenantState, Timestamp } from './specs.ts'

export interface SnapshotHeader extends HeaderFacts {
  readonly format: 1
  readonly generation: string
  /** File name of the log that continues this snapshot, in the same folder. */
  readonly log: string
  readonly writtenAt: Timestamp
}

export type RouteRecord = { readonly put: Route } | { readonly drop: TenantId }

export interface Route {
  readonly tenant: TenantId
  readonly product: string
  readonly plan: string
  readonly state: TenantState
  readonly stateReason?: string
  readonly keys: readonly RouteKey[]
  /** Public path prefix that this tenant's keys open, such as `/api/v2/`; absent: the product has no HTTP API. */
  readonly api?: string
  /** Where requests go; absent while the tenant waits for its instance, with the reason. */
  readonly upstream?: { readonly host: string; readonly port: number }
  readonly waiting?: string
  /** With which the tenant's SQ is reached, whatever key a request carries. A secret; absent where the tenant is not served, or by no SQ. */
  readonly instanceKey?: string
  readonly limits: Limits
  /** What limits that say `unlimited` stay under. */
  readonly fairUse?: Limits
  /** The shard whose folder under HOME holds the tenant's data; absent where only its instance knows what it stores. */
  readonly shard?: ShardName
  /** Set until the first successful request was reported: the last step of a purchase's timeline. */
  readonly awaitingFirstUse?: boolean
}

export interface RouteKey {
  readonly id: string
  /** SHA-256 of the whole key in hex. */
  readonly digest: string
  /** The key's text is not of Tenantry's making: it has another shape and no checksum. */
  readonly imported?: true
  readonly name?: string
  /** When the key stops opening anything, whether it or a key above it expires then or is revoked: the gateway keeps to it by itself. */
  readonly expiresAt?: Timestamp
  /** What it may, within the keys above it; rate and budget are its own. */
  readonly access?: KeyAccess
  /** The key that it was made from, which is among these keys. */
  readonly parent?: string
}

export interface RouteInput {
  readonly desired: DesiredTenant
  /** The product's public path prefix. */
  readonly api: string | undefined
  readonly upstream: Route['upstream']
  readonly waiting?: string
  readonly digestOf: (key: KeySpec) => string
  readonly instanceKey: () => string
  readonly awaitingFirstUse: boolean
}

/** The route of a tenant: every live key's digest, in each state, so that the gateway can say why a known key is not served. */
export function routeOf({ desired, api, upstream, waiting, digestOf, instanceKey, awaitingFirstUse }: RouteInput): Route {
  return {
    tenant: desired.tenant,
    product: desired.product,
    plan: desired.plan,
    state: desired.state,
    ...(desired.stateReason !== undefined && { stateReason: desired.stateReason }),
    keys: desired.keys.map((key) => routeKey(key, desired.keys, digestOf(key))),
    ...(api !== undefined && { api }),
    ...(upstream && { upstream }),
    ...(waiting !== undefined && { waiting }),
    ...(keysOpen(desired.state) && hasPhexts(api) && { instanceKey: instanceKey() }),
    limits: desired.limits,
    ...(desired.fairUse !== undefined && { fairUse: desired.fairUse }),
    ...(desired.place.kind === 'shard' && { shard: desired.place.shard }),
    ...(awaitingFirstUse && { awaitingFirstUse }),
  }
}

function routeKey(key: KeySpec, keys: readonly KeySpec[], digest: string): RouteKey {
  const endsAt = endOf(key, keys)
  const access = accessInForce(key, keys)
  return {
    id: key.id,
    digest,
    ...(key.digest !== undefined && { imported: true }),
    ...(key.name !== undefined && { name: key.name }),
    ...(endsAt !== undefined && { expiresAt: endsAt }),
    ...(access && { access }),
    ...(key.parent !== undefined && { parent: key.parent }),
  }
}
