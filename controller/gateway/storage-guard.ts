/** The storage of all tenants: who has a limit and where it is measured. Keeps only those that were active lately in memory. */
import type { ShardName } from '../core/placement.ts'
import { ceilingOf, type Ceiling } from '../core/quota.ts'
import type { TenantId } from '../core/specs.ts'
import { shardFolders } from '../sq/files.ts'
import type { Usage } from '../store/usage.ts'
import type { Ledger } from './ledger.ts'
import { phextFull, storageFull } from './limit-refusals.ts'
import type { Log } from './log.ts'
import { phextSizesAsked, type SqAccess } from './phext-sizes-asked.ts'
import { phextSizesIn, type PhextSizes } from './phext-sizes.ts'
import type { Refusal } from './refusal.ts'
import type { Links } from './route-log.ts'
import type { TableRoute } from './route-table.ts'
import { writes, type CheckedCall } from './sq-guard.ts'
import { createTenantStorage, type Settlement, type TenantStorage } from './tenant-storage.ts'
import { speaksSq } from './upstream-head.ts'

export type StorageDecision =
  | { readonly kind: 'reserved'; readonly settle: (settlement: Settlement) => void }
  | { readonly kind: 'refused'; readonly refusal: Refusal }

export interface StorageStanding {
  readonly usedBytes: number
  readonly limit: Ceiling | undefined
}

export interface StorageGuard {
  reserve(route: TableRoute, access: SqAccess, links: Links, checked: CheckedCall, growth: number, decide: (decision: StorageDecision) => void): void
  /** `json-export` was answered. */
  exported(route: TableRoute, phext: string): void
  /** Undefined where only the instance knows what it stores: anything but SQ. */
  standing(route: TableRoute): Promise<StorageStanding | undefined>
  /** Tenants whose storage is in memory. */
  readonly active: number
  start(): void
  close(): void
}

export interface StorageGuardOptions {
  readonly home: string
  readonly usage: Usage
  readonly ledger: Ledger
  readonly steadyMs: () => number
  readonly log: Log
}

const BYTES_PER_MB = 1024 * 1024
const SWEEP_MS = 60_000
const IDLE_MS = 5 * 60_000
/** A folder is looked into without one. */
const NO_ACCESS: SqAccess = { upstream: { host: '', port: 0 }, key: '' }
const FREE: StorageDecision = { kind: 'reserved', settle: () => undefined }

interface Active {
  readonly shard: ShardName | undefined
  /** Of the latest request, where SQ itself has to be asked. */
  access: SqAccess
  readonly storage: TenantStorage
}

export function createStorageGuard({ home, usage, ledger, steadyMs, log }: StorageGuardOptions): StorageGuard {
  const folders = shardFolders(home)
  const active = new Map<TenantId, Active>()
  let sweep: NodeJS.Timeout | undefined

  function storageOf(tenant: TenantId, shard: ShardName | undefined, access: SqAccess): TenantStorage {
    const known = active.get(tenant)
    if (known !== undefined && known.shard === shard) {
      known.access = access
      return known.storage
    }
    known?.storage.close()
    const made: Active = { shard, access, storage: createStorage(tenant, shard === undefined ? phextSizesAsked(() => made.access) : phextSizesIn(folders.data(shard, tenant))) }
    active.set(tenant, made)
    return made.storage
  }

  function createStorage(tenant: TenantId, sizes: PhextSizes): TenantStorage {
    return createTenantStorage({
      sizes,
      lastKnownBytes: () => usage.storageBytes(tenant) ?? 0,
      steadyMs,
      onChange: (bytes) => ledger.stored(tenant, bytes),
      onFailure: (error) => log.error({ err: error, tenant }, 'a tenant\'s storage could not be measured'),
    })
  }

  function reserve(route: TableRoute, access: SqAccess, links: Links, { call }: CheckedCall, growth: number, decide: (decision: StorageDecision) => void): void {
    const limit = limitOf(route)
    if (limit === undefined) return decide(FREE)
    const limitBytes = limit.value * BYTES_PER_MB
    const wanted = { phext: call.phext, growth, mutates: writes(call.command), limitBytes }
    storageOf(route.tenant, route.shard, access).reserve(wanted, (decision) => {
      switch (decision.kind) {
        case 'reserved':
          return decide(decision)
        case 'full':
          return decide({ kind: 'refused', refusal: storageFull({ ...decision, limitBytes, fairUse: limit.fairUse }, links) })
        case 'phext-full':
          return decide({ kind: 'refused', refusal: phextFull(call.phext, decision.usedBytes, decision.neededBytes) })
      }
    })
  }

  return {
    reserve,
    exported(route, phext) {
      if (route.shard === undefined) return
      const sizes = phextSizesIn(folders.data(route.shard, route.tenant))
      sizes.removeExport(phext).catch((error: unknown) => log.warn({ err: error, tenant: route.tenant }, 'the copy that an export left could not be removed'))
    },
    async standing(route) {
      const storage = route.shard === undefined ? active.get(route.tenant)?.storage : storageOf(route.tenant, route.shard, NO_ACCESS)
      if (storage === undefined) return speaksSq(route.api) ? { usedBytes: usage.storageBytes(route.tenant) ?? 0, limit: limitOf(route) } : undefined
      await storage.ready()
      return { usedBytes: storage.usedBytes, limit: limitOf(route) }
    },
    get active() {
      return active.size
    },
    start() {
      sweep = setInterval(() => {
        for (const [tenant, { storage }] of active) {
          if (storage.idleSinceMs === undefined || steadyMs() - storage.idleSinceMs < IDLE_MS) continue
          storage.close()
          active.delete(tenant)
        }
      }, SWEEP_MS).unref()
    },
    close() {
      clearInterval(sweep)
      for (const { storage } of active.values()) storage.close()
    },
  }
}

function limitOf({ limits, fairUse }: TableRoute): Ceiling | undefined {
  return ceilingOf('storageMb', limits, fairUse)
}
