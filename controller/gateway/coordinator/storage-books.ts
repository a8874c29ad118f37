/** The storage of all tenants, in the one place that says yes or no. Keeps only those that were active lately in memory. */
import type { TenantId } from '../../core/specs.ts'
import { shardFolders } from '../../sq/files.ts'
import type { Usage } from '../../store/usage.ts'
import type { Log } from '../log.ts'
import { phextSizesAsked, type SqAccess } from '../phext-sizes-asked.ts'
import { phextSizesIn } from '../phext-sizes.ts'
import type { StorageAnswer, StorageAsked, StoragePlace } from '../storage-messages.ts'
import { createTenantStorage, type Settlement, type TenantStorage } from '../tenant-storage.ts'
import type { Ledger } from './ledger.ts'

export interface StorageBooks {
  /** Answers within about a second. */
  reserve(asked: StorageAsked, holder: Reservations): Promise<StorageAnswer>
  /** `json-export` was answered. */
  exported(place: StoragePlace, phext: string): void
  /** Undefined where it was never known. */
  usedBytes(place: StoragePlace): Promise<number | undefined>
  /** Tenants whose storage is in memory. */
  readonly active: number
  start(): void
  close(): void
}

type Settle = (settlement: Settlement, addedBytes?: number) => void

/** What one worker reserved and has not settled. */
export interface Reservations {
  add(settle: Settle): number
  settle(reservation: number, settlement: Settlement, addedBytes?: number): void
  /** The worker is gone: what it had under way may or may not have been done. */
  abandon(): void
}

export interface StorageBooksOptions {
  readonly home: string
  readonly usage: Usage
  readonly ledger: Ledger
  readonly steadyMs: () => number
  readonly log: Log
}

const SWEEP_MS = 60_000
const IDLE_MS = 5 * 60_000

interface Active {
  readonly shard: StoragePlace['shard']
  /** Of the latest request, where SQ itself has to be asked. */
  access: SqAccess | undefined
  readonly storage: TenantStorage
}

export function createStorageBooks({ home, usage, ledger, steadyMs, log }: StorageBooksOptions): StorageBooks {
  const folders = shardFolders(home)
  const active = new Map<TenantId, Active>()
  let sweep: NodeJS.Timeout | undefined

  function storageOf({ tenant, shard, access }: StoragePlace): TenantStorage {
    const known = active.get(tenant)
    if (known !== undefined && known.shard === shard) {
      known.access = access ?? known.access
      return known.storage
    }
    known?.storage.close()
    const sizes = shard === undefined ? phextSizesAsked(() => accessOf(made)) : phextSizesIn(folders.data(shard, tenant))
    const storage = createTenantStorage({
      sizes,
      lastKnownBytes: () => usage.storageBytes(tenant) ?? 0,
      steadyMs,
      onChange: (bytes) => ledger.stored(tenant, bytes),
      onFailure: (error) => log.error({ err: error, tenant }, 'a tenant\'s storage could not be measured'),
    })
    const made: Active = { shard, access, storage }
    active.set(tenant, made)
    return storage
  }

  function sweepIdle(): void {
    for (const [tenant, { storage }] of active) {
      if (storage.idleSinceMs === undefined || steadyMs() - storage.idleSinceMs < IDLE_MS) continue
      storage.close()
      active.delete(tenant)
    }
  }

  return {
    reserve: ({ place, wanted }, holder) =>
      new Promise((resolve) => {
        storageOf(place).reserve(wanted, (decision) => resolve(decision.kind === 'reserved' ? { kind: 'reserved', reservation: holder.add(decision.settle), bytes: decision.bytes } : decision))
      }),
    exported({ tenant, shard }, phext) {
      if (shard === undefined) return
      const sizes = phextSizesIn(folders.data(shard, tenant))
      sizes.removeExport(phext).catch((error: unknown) => log.warn({ err: error, tenant }, 'the copy that an export left could not be removed'))
    },
    async usedBytes(place) {
      const storage = place.shard === undefined ? active.get(place.tenant)?.storage : storageOf(place)
      if (storage === undefined) return usage.storageBytes(place.tenant)
      await storage.ready()
      return storage.usedBytes
    },
    get active() {
      return active.size
    },
    start: () => void (sweep = setInterval(sweepIdle, SWEEP_MS).unref()),
    close() {
      clearInterval(sweep)
      for (const { storage } of active.values()) storage.close()
    },
  }
}

/** Only a request makes a place that is asked, and it brings its access. */
function accessOf({ access }: Active): SqAccess {
  if (access === undefined) throw new Error('nothing is known with which SQ could be asked')
  return access
}

export function createReservations(): Reservations {
  const open = new Map<number, Settle>()
  let count = 0
  const settle: Reservations['settle'] = (reservation, settlement, addedBytes) => {
    const found = open.get(reservation)
    open.delete(reservation)
    found?.(settlement, addedBytes)
  }
  return {
    add(settlement) {
      open.set(++count, settlement)
      return count
    },
    settle,
    abandon() {
      for (const reservation of [...open.keys()]) settle(reservation, 'unknown')
    },
  }
}
