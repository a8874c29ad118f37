/** What is asked and answered about storage between a worker and the coordinator, which keeps the book of every tenant. */
import type { ShardName } from '../core/placement.ts'
import type { TenantId } from '../core/specs.ts'
import type { SqAccess } from './phext-sizes-asked.ts'
import type { Wanted } from './tenant-storage.ts'

/** Where a tenant's data lies: in a shard's folder on this machine, or where only its own SQ can be asked. */
export interface StoragePlace {
  readonly tenant: TenantId
  readonly shard: ShardName | undefined
  /** For an SQ that is asked. Undefined: only what is known already is told. */
  readonly access: SqAccess | undefined
}

export interface StorageAsked {
  readonly place: StoragePlace
  readonly wanted: Wanted
}

export type StorageAnswer =
  /** To be settled under this number. `bytes` may be more than was asked for: for further writes to the same phext, within moments. */
  | { readonly kind: 'reserved'; readonly reservation: number; readonly bytes: number }
  | { readonly kind: 'full'; readonly usedBytes: number; readonly reservedBytes: number; readonly neededBytes: number }
  | { readonly kind: 'phext-full'; readonly usedBytes: number; readonly neededBytes: number }
  | { readonly kind: 'phexts-full'; readonly phexts: number }

