/** `tenantry key …`: keys are derived from the file, so every change of them is a commit, and showing one needs only the master key. */
import { earliest, isLive } from '../core/keys.ts'
import { maskKey } from '../core/key-format.ts'
import type { KeySpec, Tenant, TenantId, Timestamp } from '../core/specs.ts'
import type { Keyring } from '../reconcile/ports.ts'
import { changeTenant } from './change.ts'
import { table, UsageError, withInstallation, type Answer, type CliContext } from './context.ts'

const HOUR_MS = 60 * 60 * 1000

export function list(context: CliContext, id: string): Promise<Answer> {
  return withInstallation(context, async ({ source, catalog, keyring }) => {
    await source.sync()
    const tenant = tenantOf(catalog.tenant(id as TenantId), id)
    const now = context.now().toISOString()
    const keys = tenant.spec.keys.map((key) => ({ id: key.id, name: key.name ?? null, key: shownKey(keyring, tenant, key), state: stateOf(key, now), createdAt: key.createdAt, expiresAt: key.expiresAt ?? null, revokedAt: key.revokedAt ?? null }))
    const rows = keys.map(({ id, key, state, createdAt, expiresAt, name }) => [id, key, state, createdAt, expiresAt ?? '', name ?? ''])
    return { json: { tenant: id, keys }, text: `${table([['ID', 'KEY', 'STATE', 'CREATED', 'EXPIRES', 'NAME'], ...rows])}\n` }
  })
}

/** Prints a whole key: the one place where a person can have it again. */
export function show(context: CliContext, id: string, keyId: string | undefined): Promise<Answer> {
  return withInstallation(context, async ({ source, catalog, keyring }) => {
    await source.sync()
    const tenant = tenantOf(catalog.tenant(id as TenantId), id)
    const now = context.now().toISOString()
    const spec = keyId === undefined ? tenant.spec.keys.findLast((each) => isLive(each, now)) : keyOf(tenant, keyId)
    if (spec === undefined) throw new UsageError(`${id} has no live key. \`tenantry key rotate ${id}\` makes one.`)
    if (spec.nonce === undefined) throw new UsageError(`The text of key ${spec.id} of ${id} is not known here, only its digest: it was handed out before Tenantry. \`tenantry key rotate ${id} ${spec.id}\` makes one that is.`)
    const key = keyring.keyOf(tenant.metadata.name, spec)
    return { json: { tenant: id, id: spec.id, key, state: stateOf(spec, now) }, text: `${key}\n` }
  })
}

/** Makes a new key; the old one goes on working for the overlap, never beyond its own end. */
export async function rotate(context: CliContext, id: string, keyId: string | undefined, options: { reason?: string }): Promise<Answer> {
  const at = plainTime(context.now())
  const nonce = newNonce()
  let masterVersion = 1
  await withInstallation(context, ({ keyring }) => Promise.resolve(void (masterVersion = keyring.masterVersion)))
  const changed = await changeTenant(context, {
    tenant: id,
    what: 'rotate a key of',
    why: options.reason,
    edits(tenant, catalog) {
      const { keys } = tenant.spec
      const old = keyId === undefined ? keys.filter((key) => isLive(key, at)) : [keyOf(tenant, keyId)]
      const overlapEnd = plainTime(new Date(Date.parse(at) + (catalog.platform?.spec.keyOverlapHours ?? 24) * HOUR_MS))
      const expiries = old.map((key) => ({ path: ['spec', 'keys', keys.indexOf(key), 'expiresAt'], value: earliest([key.expiresAt, overlapEnd]) }))
      const added: KeySpec = { id: nextKeyId(keys), nonce, ...(masterVersion !== 1 && { master: masterVersion }), createdAt: at }
      return [...expiries, { path: ['spec', 'keys', keys.length], value: added }]
    },
  })
  const answer = await show(context, id, changed.tenant.spec.keys.at(-1)?.id)
  return { json: { ...(answer.json as object), revision: changed.revision }, text: answer.text }
}

export async function revoke(context: CliContext, id: string, keyId: string, options: { reason?: string }): Promise<Answer> {
  const at = plainTime(context.now())
  const changed = await changeTenant(context, {
    tenant: id,
    what: `revoke key ${keyId} of`,
    why: options.reason,
    edits: (tenant) => [{ path: ['spec', 'keys', tenant.spec.keys.indexOf(keyOf(tenant, keyId)), 'revokedAt'], value: keyOf(tenant, keyId).revokedAt ?? at }],
  })
  return { json: { tenant: id, id: keyId, revision: changed.revision ?? null }, text: `Key ${keyId} of ${id} is revoked; it stops working within a second.\n` }
}

function tenantOf(tenant: Tenant | undefined, id: string): Tenant {
  if (tenant === undefined) throw new UsageError(`There is no tenant ${id} in the repository. \`tenantry status\` lists them.`)
  return tenant
}

function keyOf(tenant: Tenant, keyId: string): KeySpec {
  const key = tenant.spec.keys.find(({ id }) => id === keyId)
  if (key === undefined) throw new UsageError(`${tenant.metadata.name} has no key ${keyId}; it has ${tenant.spec.keys.map(({ id }) => id).join(', ')}.`)
  return key
}

/** What tells a key from others without opening anything. */
function shownKey({ keyOf }: Keyring, { metadata }: Tenant, key: KeySpec): string {
  return key.digest === undefined ? maskKey(keyOf(metadata.name, key)) : `sha256 ${key.digest.slice(0, 8)}…`
}

function stateOf(key: KeySpec, now: Timestamp): string {
  if (key.revokedAt !== undefined) return 'revoked'
  return isLive(key, now) ? (key.expiresAt === undefined ? 'live' : 'expiring') : 'expired'
}

/** Ids are never used twice in a tenant, or a revoked key could come back. */
function nextKeyId(keys: readonly KeySpec[]): string {
  const highest = Math.max(0, ...keys.map(({ id }) => Number(/^k(\d+)$/.exec(id)?.[1] ?? 0)))
  return `k${highest + 1}`
}

/** Whole seconds, as people write them. */
function plainTime(at: Date): Timestamp {
  return at.toISOString().replace(/\.\d+Z$/, 'Z')
}

function newNonce(): string {
  return Buffer.from(crypto.getRandomValues(new Uint8Array(16))).toString('hex')
}
