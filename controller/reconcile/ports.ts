/** What the executor works with, handed in by the composition root. */
import type { Logger } from 'pino'
import type { Catalog } from '../core/catalog.ts'
import type { ApiKey } from '../core/keys.ts'
import type { Route } from '../core/route.ts'
import type { DerivedKeySpec, KeySpec, TenantId } from '../core/specs.ts'
import type { Secrets } from '../core/tenants-json.ts'
import type { ContainerRuntime, FieldDrift } from '../runtime/port.ts'
import type { ShardFolders } from '../sq/files.ts'
import type { Shards } from '../sq/shards.ts'
import type { Adoptions } from '../store/adoptions.ts'
import type { Audit } from '../store/audit.ts'
import type { Deletions } from '../store/deletions.ts'
import type { TenantRecords } from '../store/tenant-records.ts'
import type { Timeline } from '../store/timeline.ts'
import type { Standing } from './standing.ts'
import type { World } from './world.ts'

/** The gateway's side of it: routes are written only where they differ. */
export interface RouteSink {
  put(routes: readonly Route[]): Promise<unknown>
  drop(tenants: readonly TenantId[]): Promise<unknown>
}

export interface Keyring extends Secrets {
  readonly keyOf: (tenant: TenantId, key: DerivedKeySpec) => ApiKey
  /** With which the gateway reaches the tenant's SQ; under the newest master secret. */
  readonly instanceKeyOf: (tenant: TenantId) => ApiKey
  /** SHA-256 of the whole key in hex. */
  readonly keyDigest: (tenant: TenantId, key: KeySpec) => string
}

export interface ReconcileObserver {
  outcome(result: 'applied' | 'left' | 'stalled' | 'waiting' | 'failed', seconds: number): void
  repaired(tenant: TenantId, action: string, drift: readonly FieldDrift[]): void
  purchaseReady(seconds: number): void
}

/** What a start may go by that does not read everything. */
export interface StandingStart extends Standing {
  /** Tenants whose lines in the routes' files may be others than the file of standing tenants knows. */
  readonly routesChanged: ReadonlySet<TenantId> | 'all'
}

export interface ReconcileDependencies {
  /** Absent where the start had to read everything. Asked when the repository was taken in. */
  readonly standing?: () => StandingStart | undefined
  readonly catalog: Catalog
  readonly world: World
  readonly shards: Shards
  readonly folders: ShardFolders
  readonly runtime: ContainerRuntime
  readonly routes: RouteSink
  readonly keyring: Keyring
  readonly records: TenantRecords
  readonly deletions: Deletions
  readonly audit: Audit
  readonly adoptions: Adoptions
  readonly timeline: Timeline
  readonly observer: ReconcileObserver
  readonly log: Logger
  readonly now: () => Date
  readonly chance: () => number
}
