/**
 * Says that a tenant whose first successful request was not seen yet had one. Said again now and then for as long as its route asks for
 * it: the coordinator reports it once, and may have failed to.
 */
import type { TenantId } from '../core/specs.ts'

export interface FirstUse {
  succeeded(tenant: TenantId): void
}

const AGAIN_MS = 10_000
const MOST_REMEMBERED = 10_000

export function createFirstUse({ send, steadyMs }: { readonly send: (tenant: TenantId) => void; readonly steadyMs: () => number }): FirstUse {
  const saidAtMs = new Map<TenantId, number>()
  return {
    succeeded(tenant) {
      const now = steadyMs()
      if (now - (saidAtMs.get(tenant) ?? -Infinity) < AGAIN_MS) return
      if (saidAtMs.size >= MOST_REMEMBERED) saidAtMs.clear()
      saidAtMs.set(tenant, now)
      send(tenant)
    },
  }
}
