/** `tenantry key …`: keys are derived from the file, so every change of them is a commit, and showing one needs only the master key. */
import { addKey, DEFAULT_OVERLAP_HOURS, rotateKeys, successorOf } from '../agent-keys/key-edits.ts'
import { maskKey } from '../core/key-format.ts'
import { describeAccess, keyTree } from '../core/key-tree.ts'
import { isFullKey, isLive, liveKeys } from '../core/keys.ts'
import { newKey, wishFault, withDescendants, type KeyWish } from '../core/new-key.ts'
import type { KeyAccess, KeySpec, Tenant, TenantId, Timestamp } from '../core/specs.ts'
import type { Keyring } from '../reconcile/ports.ts'
import { readUsage, usagePath } from '../store/usage.ts'
import { changeTenant } from './change.ts'
import { table, UsageError, withInstallation, type Answer, type CliContext } from './context.ts'
import { timestampOf } from '../core/timestamp.ts'

const HOUR_MS = 60 * 60 * 1000

export function list(context: CliContext, id: string): Promise<Answer> {
  return withInstallation(context, async ({ source, catalog, keyring, settings }) => {
    await source.sync()
    const tenant = tenantOf(catalog.tenant(id as TenantId), id)
    const lastUsed = lastUsedOf(settings.home, id)
    const nodes = keyTree(tenant.spec.keys, context.now().toISOString())
    const keys = nodes.map(({ key, state, access, endsAt }) => ({
      id: key.id,
      parent: key.parent ?? null,
      name: key.name ?? null,
      key: shownKey(keyring, tenant, key),
      state,
      access: access ?? null,
      createdAt: key.createdAt,
      expiresAt: key.expiresAt ?? null,
      revokedAt: key.revokedAt ?? null,
      endsAt: endsAt ?? null,
      lastUsedAt: lastUsed.get(key.id) ?? null,
    }))
    const rows = keys.map(({ id, key, state, access, createdAt, endsAt, lastUsedAt, name }, at) => [`${'  '.repeat(nodes[at]!.depth)}${id}`, key, state, describeAccess(access ?? undefined), createdAt, endsAt ?? '', lastUsedAt ?? 'never', name ?? ''])
    return { json: { tenant: id, keys }, text: `${table([['ID', 'KEY', 'STATE', 'MAY', 'CREATED', 'ENDS', 'LAST USED', 'NAME'], ...rows])}\n` }
  })
}

/** To the minute, as the gateway writes it down. */
function lastUsedOf(home: string, tenant: string): ReadonlyMap<string, string> {
  const usage = readUsage(usagePath(home))
  try {
    return usage?.lastUsed(tenant) ?? new Map<string, string>()
  } finally {
    usage?.close()
  }
}

export interface CreateOptions {
  readonly name?: string
  readonly readOnly?: true
  readonly phext?: string
  readonly requestsPerSecond?: string
  readonly requests?: string
  readonly expires?: string
  readonly parent?: string
  readonly reason?: string
}

/** One more key, which may all that its tenant may or less. Prints it whole. */
export async function create(context: CliContext, id: string, options: CreateOptions): Promise<Answer> {
  const at = timestampOf(context.now())
  const wish = wishOf(options, context.now())
  const making = { nonce: newNonce(), masterVersion: await masterVersionOf(context), now: at }
  const changed = await changeTenant(context, {
    tenant: id,
    what: 'new key for',
    why: options.reason,
    edits(tenant) {
      const { keys } = tenant.spec
      if (wish.parent !== undefined) {
        keyOf(tenant, wish.parent)
        const fault = wishFault(keys, { ...wish, parent: wish.parent }, at)
        if (fault !== undefined) throw new UsageError(fault.detail)
      }
      return addKey(keys, newKey(keys, wish, making), at)
    },
  })
  const answer = await show(context, id, changed.tenant.spec.keys.at(-1)?.id)
  return { json: { ...(answer.json as object), revision: changed.revision }, text: answer.text }
}

function wishOf({ name, readOnly, phext, requestsPerSecond, requests, expires, parent }: CreateOptions, now: Date): KeyWish {
  const access: KeyAccess = {
    ...(readOnly && { readOnly }),
    ...(phext !== undefined && { phexts: [...new Set(phext.split(','))] }),
    ...(requestsPerSecond !== undefined && { requestsPerSecond: numberIn('--requests-per-second', requestsPerSecond) }),
    ...(requests !== undefined && { requests: numberIn('--requests', requests) }),
  }
  return { ...(name !== undefined && { name }), ...(parent !== undefined && { parent }), access, ...(expires !== undefined && { expiresAt: endIn(expires, now) }) }
}

function numberIn(option: string, text: string): number {
  if (!/^[1-9]\d*$/.test(text)) throw new UsageError(`${option} takes a whole number above 0, not ${JSON.stringify(text)}.`)
  return Number(text)
}

const SPANS: Readonly<Record<string, number>> = { m: 60_000, h: HOUR_MS, d: 24 * HOUR_MS, w: 7 * 24 * HOUR_MS }

/** A time, a day, or how long from now: `2026-03-01T12:00:00Z`, `2026-03-01`, `30m`, `12h`, `7d`, `2w`. */
function endIn(text: string, now: Date): Timestamp {
  const [, count, unit] = /^(\d{1,6})([mhdw])$/.exec(text) ?? []
  const at = unit === undefined ? Date.parse(/^\d{4}-\d{2}-\d{2}(?:T[\d:.]+Z)?$/.test(text) ? text : '') : now.getTime() + Number(count) * SPANS[unit]!
  if (Number.isNaN(at)) throw new UsageError(`--expires takes a time in UTC such as 2026-03-01T12:00:00Z, a day, or a span such as 30m, 12h, 7d or 2w, not ${JSON.stringify(text)}.`)
  if (at <= now.getTime()) throw new UsageError(`--expires lies in the past: ${text}.`)
  return timestampOf(new Date(at))
}

/** Prints a whole key: the one place where a person can have it again. */
export function show(context: CliContext, id: string, keyId: string | undefined): Promise<Answer> {
  return withInstallation(context, async ({ source, catalog, keyring }) => {
    await source.sync()
    const tenant = tenantOf(catalog.tenant(id as TenantId), id)
    const now = context.now().toISOString()
    const spec = keyId === undefined ? liveKeys(tenant.spec.keys, now).findLast((key) => isFullKey(key)) ?? liveKeys(tenant.spec.keys, now).at(-1) : keyOf(tenant, keyId)
    if (spec === undefined) throw new UsageError(`${id} has no live key. \`tenantry key rotate ${id}\` makes one.`)
    if (spec.nonce === undefined) throw new UsageError(`The text of key ${spec.id} of ${id} is not known here, only its digest: it was handed out before Tenantry. \`tenantry key rotate ${id} ${spec.id}\` makes one that is.`)
    const key = keyring.keyOf(tenant.metadata.name, spec)
    return { json: { tenant: id, id: spec.id, key, state: keyTree(tenant.spec.keys, now, spec.id)[0]!.state }, text: `${key}\n` }
  })
}

/** Makes a new key that may what the old one may; that one goes on working for the overlap, never beyond its own end, and so do the keys made from it. */
export async function rotate(context: CliContext, id: string, keyId: string | undefined, options: { reason?: string }): Promise<Answer> {
  const at = timestampOf(context.now())
  const making = { nonce: newNonce(), masterVersion: await masterVersionOf(context), now: at }
  const changed = await changeTenant(context, {
    tenant: id,
    what: 'rotate a key of',
    why: options.reason,
    edits(tenant, catalog) {
      const { keys } = tenant.spec
      const old = keyId === undefined ? keys.filter((key) => isLive(key, at) && isOwn(key)) : [keyOf(tenant, keyId)]
      return rotateKeys(keys, old, catalog.platform?.spec.keyOverlapHours ?? DEFAULT_OVERLAP_HOURS, keyId === undefined ? {} : successorOf(old[0]!), making)
    },
  })
  const answer = await show(context, id, changed.tenant.spec.keys.at(-1)?.id)
  return { json: { ...(answer.json as object), revision: changed.revision }, text: answer.text }
}

/** Without a key named, those that may everything are rotated: what is narrower was made on purpose. */
function isOwn({ access, parent }: KeySpec): boolean {
  return access === undefined && parent === undefined
}

export async function revoke(context: CliContext, id: string, keyId: string, options: { reason?: string }): Promise<Answer> {
  const at = timestampOf(context.now())
  const changed = await changeTenant(context, {
    tenant: id,
    what: `revoke key ${keyId} of`,
    why: options.reason,
    edits: (tenant) => [{ path: ['spec', 'keys', tenant.spec.keys.indexOf(keyOf(tenant, keyId)), 'revokedAt'], value: keyOf(tenant, keyId).revokedAt ?? at }],
  })
  const { keys } = changed.tenant.spec
  const below = withDescendants(keys, keyId).filter((key) => key.id !== keyId && isLive(key, at)).map((key) => key.id)
  const those = below.length === 0 ? '' : ` So do the keys made from it: ${below.join(', ')}.`
  return { json: { tenant: id, id: keyId, descendants: below, revision: changed.revision ?? null }, text: `Key ${keyId} of ${id} is revoked; it stops working within a second.${those}\n` }
}

async function masterVersionOf(context: CliContext): Promise<number> {
  return withInstallation(context, ({ keyring }) => Promise.resolve(keyring.masterVersion))
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

function newNonce(): string {
  return Buffer.from(crypto.getRandomValues(new Uint8Array(16))).toString('hex')
}
