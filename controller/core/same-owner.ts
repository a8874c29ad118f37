/** Whether two specs of one id are the same customer's: data that was kept for one must never be handed to another. */
import type { Tenant } from './specs.ts'

/** The same address, payment, subscription or customer. Keys don't count: a nonce can be copied. */
export function isSameOwner(former: Tenant, present: Tenant): boolean {
  if (former.spec.owner.email.toLowerCase() === present.spec.owner.email.toLowerCase()) return true
  const was = former.spec.billing ?? {}
  const now = present.spec.billing ?? {}
  return (['checkout', 'subscription', 'customer'] as const).some((field) => was[field] !== undefined && was[field] === now[field])
}
