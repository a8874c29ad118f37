/** What the coordinator remembers of each worker while it lives: what it reserved, what it posted last, which lane it writes in, whose data it moves. */
import type { Post } from '../messages.ts'
import type { Lanes } from './lanes.ts'
import { createReservations, type Reservations } from './storage-books.ts'

export interface KnownMember {
  readonly lane: number
  readonly reservations: Reservations
  latest: Post | undefined
  /** Tenants of which it exports or imports. */
  readonly transfers: Set<string>
}

export interface Members {
  /** Before the worker is started. */
  join(number: number): KnownMember
  of(number: number): KnownMember
  /** It is gone: what it had under way may or may not have been done. */
  lose(number: number): void
  /** False where any of them is at an export or import of the tenant. */
  beginTransfer(member: KnownMember, tenant: string): boolean
  /** The latest post of each. */
  posts(): readonly Post[]
}

export function createMembers(lanes: Lanes): Members {
  const members = new Map<number, KnownMember>()
  return {
    join(number) {
      const member: KnownMember = { lane: lanes.take(), reservations: createReservations(), latest: undefined, transfers: new Set() }
      members.set(number, member)
      return member
    },
    of: (number) => members.get(number)!,
    lose(number) {
      const member = members.get(number)!
      members.delete(number)
      member.reservations.abandon()
      lanes.ended(member.lane)
    },
    beginTransfer({ transfers }, tenant) {
      for (const member of members.values()) if (member.transfers.has(tenant)) return false
      transfers.add(tenant)
      return true
    },
    posts: () => [...members.values()].flatMap(({ latest }) => latest ?? []),
  }
}
