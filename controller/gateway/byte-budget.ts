/**
 * A bound on bytes held in memory by many requests together, so that no number of large or slow ones can end the gateway. No tenant
 * holds more than its share, however many connections it opens: what is left is the others'.
 */

export interface ByteBudget {
  /** False, and nothing taken, where it would go over the bound. */
  tryTake(bytes: number): boolean
  give(bytes: number): void
}

export interface CommonBudget {
  of(tenant: string): ByteBudget
  readonly held: number
}

/** Of all bytes, what one tenant may hold. */
const TENANT_SHARE = 1 / 2

export function createByteBudget(bound: number): CommonBudget {
  const byTenant = new Map<string, number>()
  const ofTenant = bound * TENANT_SHARE
  let held = 0
  return {
    of: (tenant) => ({
      tryTake(bytes) {
        const own = (byTenant.get(tenant) ?? 0) + bytes
        if (held + bytes > bound || own > ofTenant) return false
        held += bytes
        byTenant.set(tenant, own)
        return true
      },
      give(bytes) {
        held -= bytes
        const own = (byTenant.get(tenant) ?? 0) - bytes
        if (own > 0) byTenant.set(tenant, own)
        else byTenant.delete(tenant)
      },
    }),
    get held() {
      return held
    },
  }
}
