/**
 * What the coordinator reserved for this worker's writes to a phext, beyond the one that was asked for: the next ones take from it without
 * asking. A grant lives until the next post, so the book learns within moments what was added, and a phext is not measured while somebody
 * may write to it on a grant. Exact: nothing is ever written that was not reserved.
 */
import type { TenantId } from '../core/specs.ts'
import type { Settlement } from './tenant-storage.ts'

export type Settle = (settlement: Settlement) => void

export interface Granted {
  /** All that was reserved. */
  readonly bytes: number
  /** Limits in force when it was given: a changed one is asked about anew. */
  readonly limits: string
  /** Called once, when nothing is under way on it any more and nothing will be. */
  readonly end: (settlement: Settlement, addedBytes: number) => void
}

export interface StorageGrants {
  /** Takes `growth` from what is there; undefined where it has to be asked for, and then nothing more is taken from what was there. */
  take(tenant: TenantId, phext: string, growth: number, limits: string): Settle | undefined
  /** Takes `growth` from a new grant and keeps the rest for others. */
  begin(tenant: TenantId, phext: string, growth: number, granted: Granted): Settle
  /** Nothing more is taken from the grants that are there. */
  retireAll(): void
}

interface Grant extends Granted {
  left: number
  added: number
  underWay: number
  unknown: boolean
  retired: boolean
}

export function createStorageGrants(): StorageGrants {
  const grants = new Map<string, Grant>()

  function use(grant: Grant, growth: number): Settle {
    grant.left -= growth
    grant.underWay++
    return (settlement) => {
      grant.underWay--
      if (settlement === 'applied') grant.added += growth
      else if (settlement === 'not-applied') grant.left += growth
      else grant.unknown = grant.retired = true
      endIfOver(grant)
    }
  }

  function endIfOver({ retired, underWay, unknown, added, end }: Grant): void {
    if (retired && underWay === 0) end(unknown ? 'unknown' : 'applied', added)
  }

  function retire(grant: Grant): void {
    if (grant.retired) return
    grant.retired = true
    endIfOver(grant)
  }

  return {
    take(tenant, phext, growth, limits) {
      const name = nameOf(tenant, phext)
      const grant = grants.get(name)
      if (grant === undefined) return undefined
      if (!grant.retired && grant.limits === limits && grant.left >= growth) return use(grant, growth)
      grants.delete(name)
      retire(grant)
      return undefined
    },
    begin(tenant, phext, growth, granted) {
      const name = nameOf(tenant, phext)
      const hasSpare = granted.bytes > growth
      const grant: Grant = { ...granted, left: granted.bytes, added: 0, underWay: 0, unknown: false, retired: !hasSpare }
      const settle = use(grant, growth)
      if (hasSpare) {
        const former = grants.get(name)
        grants.set(name, grant)
        if (former !== undefined) retire(former)
      }
      return settle
    },
    retireAll() {
      for (const grant of grants.values()) retire(grant)
      grants.clear()
    },
  }
}

/** No tenant's id holds a NUL. */
const nameOf = (tenant: TenantId, phext: string): string => `${tenant}\0${phext}`
