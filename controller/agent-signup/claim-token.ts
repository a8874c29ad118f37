/** The link with which a person takes a trial over: made of the tenant and its first key's nonce by the master secret, so it is kept nowhere. */
import { timingSafeEqual } from 'node:crypto'
import type { CatalogView } from '../core/catalog-view.ts'
import type { DerivedKeySpec, Tenant, TenantId } from '../core/specs.ts'
import type { Keyring } from '../reconcile/ports.ts'

/** `user001.` and 40 hex digits. A secret. */
export function claimToken({ mac }: Pick<Keyring, 'mac'>, tenant: TenantId, { nonce, master = 1 }: Pick<DerivedKeySpec, 'nonce' | 'master'>): string {
  return `${tenant}.${mac(master, `tenantry/claim/v1\n${tenant}\n${nonce}`).slice(0, 40)}`
}

/** The trial that a token opens, claimed or not; undefined where it opens none. */
export function trialOf(token: unknown, keyring: Pick<Keyring, 'mac'>, catalog: Pick<CatalogView, 'tenant'>): Tenant | undefined {
  const [, id] = /^([a-z0-9-]{1,80})\.[0-9a-f]{40}$/.exec(typeof token === 'string' ? token : '') ?? []
  const tenant = id === undefined ? undefined : catalog.tenant(id as TenantId)
  if (tenant?.spec.trial === undefined) return undefined
  const opens = tenant.spec.keys.some((key) => key.nonce !== undefined && timingSafeEqual(Buffer.from(claimToken(keyring, tenant.metadata.name, key)), Buffer.from(token as string)))
  return opens ? tenant : undefined
}
