/** Tenant ids: a product's prefix and a number, counted from 1. Every number has exactly one id, and no two products share an id. */
import type { Product, TenantId } from './specs.ts'

/** The id with number `n` (a whole number from 1): user001, …, user999, user1000. */
export function tenantId(product: Product, n: number): TenantId {
  const { prefix, digits } = product.spec.tenantId
  return `${prefix}${String(n).padStart(digits, '0')}` as TenantId
}

/** The number of an id, or undefined where the product would never give this id (`user1`, `user0001`, `user000`, `ctx001`). */
export function parseTenantNumber(product: Product, id: string): number | undefined {
  const { prefix } = product.spec.tenantId
  if (!id.startsWith(prefix)) return undefined
  const digits = id.slice(prefix.length)
  if (!/^\d{1,15}$/.test(digits)) return undefined
  const n = Number(digits)
  return n >= 1 && tenantId(product, n) === id ? n : undefined
}

/** Orders ids by their numbers: user999 before user1000. */
export function compareIds(a: TenantId, b: TenantId): number {
  return a.length - b.length || (a < b ? -1 : a > b ? 1 : 0)
}
