/**
 * A worker's side of storage: which calls concern a limit, and what a customer is told. The coordinator keeps the book; what cannot add
 * anything, such as reading a phext that is there, is not asked about.
 */
import { ceilingOf, type Ceiling } from '../core/quota.ts'
import type { TenantId } from '../core/specs.ts'
import { documentsFull, phextFull, storageFull } from './limit-refusals.ts'
import type { Log } from './log.ts'
import type { Line } from './messages.ts'
import type { SqAccess } from './phext-sizes-asked.ts'
import { REFUSALS, type Refusal } from './refusal.ts'
import type { Links } from './route-log.ts'
import type { TableRoute } from './route-table.ts'
import { writes, type CheckedCall } from './sq-guard.ts'
import { createStorageGrants, type Settle } from './storage-grants.ts'
import type { StoragePlace } from './storage-messages.ts'
import type { Settlement } from './tenant-storage.ts'

export type StorageDecision =
  | { readonly kind: 'reserved'; readonly settle: Settle }
  | { readonly kind: 'refused'; readonly refusal: Refusal }

export interface StorageGuard {
  /** Decides at once or later. */
  reserve(route: TableRoute, access: SqAccess, links: Links, checked: CheckedCall, growth: number, decide: (decision: StorageDecision) => void): void
  /** `json-export` was answered. */
  exported(route: TableRoute, phext: string): void
  /** Has the coordinator know what was written until now. */
  tell(): void
}

const BYTES_PER_MB = 1024 * 1024
const FREE: StorageDecision = { kind: 'reserved', settle: () => undefined }
/** Of one tenant, and of all tenants: those that are remembered to be there. */
const KNOWN_PHEXTS = 1_000
const KNOWN_TENANTS = 1_000

export function createStorageGuard({ line, log }: { readonly line: Pick<Line, 'send' | 'ask'>; readonly log: Log }): StorageGuard {
  const known = createKnownPhexts()
  const grants = createStorageGrants()

  const endOf = (reservation: number) => (settlement: Settlement, addedBytes: number): void => line.send({ kind: 'settled', reservation, settlement, addedBytes })

  return {
    tell: grants.retireAll,
    reserve(route, { upstream, key }, links, { call }, growth, decide) {
      const limit = storageLimit(route)
      const documents = ceilingOf('documents', route.limits, route.fairUse)
      if (limit === undefined && documents === undefined) return decide(FREE)
      const { tenant, shard } = route
      const mutates = writes(call.command)
      if (growth === 0 && !mutates && known.has(tenant, call.phext)) return decide(FREE)
      const limitBytes = limit === undefined ? Infinity : limit.value * BYTES_PER_MB
      const limits = `${limitBytes} ${documents?.value}`
      const settleKnown = (settle: Settle): Settle => (settlement) => {
        if (settlement === 'applied') known.add(tenant, call.phext)
        settle(settlement)
      }
      const taken = mutates ? grants.take(tenant, call.phext, growth, limits) : undefined
      if (taken !== undefined) return decide({ kind: 'reserved', settle: settleKnown(taken) })
      const place: StoragePlace = { tenant, shard, access: { upstream, key } }
      line.ask('reserve', { place, wanted: { phext: call.phext, growth, mutates, limitBytes, withSpare: mutates, ...(documents && { limitPhexts: documents.value }) } }).then(
        (answer) => {
          switch (answer.kind) {
            case 'reserved':
              return decide({ kind: 'reserved', settle: settleKnown(grants.begin(tenant, call.phext, growth, { bytes: answer.bytes, limits, end: endOf(answer.reservation) })) })
            case 'full':
              return decide({ kind: 'refused', refusal: storageFull({ ...answer, limitBytes, fairUse: limit?.fairUse === true }, links) })
            case 'phext-full':
              return decide({ kind: 'refused', refusal: phextFull(call.phext, answer.usedBytes, answer.neededBytes) })
            case 'phexts-full':
              return decide({ kind: 'refused', refusal: documentsFull(documents!, answer.phexts) })
          }
        },
        (error: unknown) => {
          log.error({ err: error, tenant }, 'a tenant\'s storage could not be asked for')
          decide({ kind: 'refused', refusal: REFUSALS.internal })
        },
      )
    },
    exported(route, phext) {
      if (route.shard !== undefined) line.send({ kind: 'exported', place: { tenant: route.tenant, shard: route.shard, access: undefined }, phext })
    },
  }
}

export function storageLimit({ limits, fairUse }: TableRoute): Ceiling | undefined {
  return ceilingOf('storageMb', limits, fairUse)
}

interface KnownPhexts {
  has(tenant: TenantId, phext: string): boolean
  add(tenant: TenantId, phext: string): void
}

/** Phexts that SQ has made, or had already. */
function createKnownPhexts(): KnownPhexts {
  const tenants = new Map<TenantId, Set<string>>()
  return {
    has: (tenant, phext) => tenants.get(tenant)?.has(phext) === true,
    add(tenant, phext) {
      let phexts = tenants.get(tenant)
      if (phexts === undefined) {
        if (tenants.size >= KNOWN_TENANTS) tenants.clear()
        tenants.set(tenant, (phexts = new Set()))
      }
      if (phexts.size >= KNOWN_PHEXTS) phexts.clear()
      phexts.add(phext)
    },
  }
}
