/** How many tenants one revision may take out of service before a person has to look. Pure; the loop keeps what waits. */

export interface DeletionLimit {
  readonly count: number
  readonly sharePercent: number
}

/** Nothing is let through by itself while no platform file can be read. */
export const NO_LIMIT_KNOWN: DeletionLimit = { count: 0, sharePercent: 0 }

/** The most that one revision may take out of `total` tenants: the smaller of count and share. A share is at least one, or a small installation could never let anybody go; zero of either means none. */
export function deletionsAllowed(limit: DeletionLimit, total: number): number {
  const share = limit.sharePercent === 0 ? 0 : Math.max(1, Math.floor((total * limit.sharePercent) / 100))
  return Math.min(limit.count, share)
}

/** A revision that raises the limit is itself still held to the one before; one that lowers it is held to its own. */
export function stricterLimit(before: DeletionLimit, now: DeletionLimit): DeletionLimit {
  return { count: Math.min(before.count, now.count), sharePercent: Math.min(before.sharePercent, now.sharePercent) }
}

export type GateDecision = { readonly kind: 'open' } | { readonly kind: 'held'; readonly allowed: number; readonly asked: number }

/** Decides over all that one revision takes out of service, as one set. */
export function gateDeletions(limit: DeletionLimit, total: number, asked: number): GateDecision {
  const allowed = deletionsAllowed(limit, total)
  return asked <= allowed ? { kind: 'open' } : { kind: 'held', allowed, asked }
}
