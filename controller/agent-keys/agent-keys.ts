/**
 * Keys that agents make from their own for the helpers that they start: never more than the key that asks, gone with it. Who asks is
 * told by the gateway; everything else is decided on the repository's tip, and each change is a commit.
 */
import { maskKey } from '../core/key-format.ts'
import { keyTree, describeAccess, type KeyNode } from '../core/key-tree.ts'
import type { ApiKey } from '../core/keys.ts'
import { newKey, wishFault, withDescendants, type KeyWish } from '../core/new-key.ts'
import type { KeyAccess, KeySpec, Tenant, TenantId, Timestamp } from '../core/specs.ts'
import type { Keyring } from '../reconcile/ports.ts'
import type { KeyChanges } from './change-batch.ts'
import { KeyChangeError } from './errors.ts'
import { addKey } from './key-edits.ts'
import { timestampOf } from '../core/timestamp.ts'

/** The tenant and key that the gateway found. */
export interface Asker {
  readonly tenant: TenantId
  readonly key: string
}

export interface KeyView {
  readonly id: string
  readonly name: string | null
  readonly parent: string | null
  /** With the first four and the last four characters of its text. */
  readonly key: string
  readonly state: KeyNode['state']
  /** What it may in the end; null: all that its tenant may. */
  readonly access: KeyAccess | null
  readonly createdAt: Timestamp
  /** Its own end, or that of a key above it. */
  readonly endsAt: Timestamp | null
  readonly lastUsedAt: Timestamp | null
  /** Over its whole life, as far as a year back. */
  readonly requestsUsed: number
}

export interface KeyUse {
  readonly lastUsedAt: ReadonlyMap<string, string>
  readonly requests: ReadonlyMap<string, number>
}

export interface AgentKeys {
  /** Rejects with KeyChangeError. `key` is the text, a secret. */
  create(asker: Asker, wish: Omit<KeyWish, 'parent'>): Promise<{ readonly view: KeyView; readonly key: ApiKey }>
  /** The asker's own key and what is below it; for a key that may everything and comes from none, all keys of the tenant. Parents before children. */
  list(asker: Asker): readonly KeyView[]
  /** Revokes a key that was made from the asker's; answers the ids that open nothing any more. */
  revoke(asker: Asker, id: string): Promise<readonly string[]>
}

export interface AgentKeysOptions {
  readonly changes: KeyChanges
  readonly tenant: (id: TenantId) => Tenant | undefined
  readonly keyring: Keyring
  readonly useOf: (tenant: TenantId) => KeyUse
  /** 32 hex digits, random. */
  readonly newNonce: () => string
  readonly now: () => Date
}

const NO_USE: KeyUse = { lastUsedAt: new Map(), requests: new Map() }

export function createAgentKeys({ changes, tenant: tenantNow, keyring, useOf, newNonce, now }: AgentKeysOptions): AgentKeys {
  const timestamp = (): Timestamp => timestampOf(now())

  const viewOf = (tenant: TenantId, node: KeyNode, use: KeyUse): KeyView => keyView(keyring, tenant, node, use)

  return {
    async create({ tenant, key: parent }, wish) {
      const making = { nonce: newNonce(), masterVersion: keyring.masterVersion, now: timestamp() }
      const changed = await changes.submit({
        tenant,
        by: { kind: 'key', key: parent },
        edits({ spec: { keys } }) {
          const fault = wishFault(keys, { ...wish, parent }, making.now)
          if (fault !== undefined) throw new KeyChangeError(fault.code, fault.detail)
          return addKey(keys, newKey(keys, { ...wish, parent }, making), making.now)
        },
        what({ spec: { keys } }) {
          const { id, access } = madeWith(keys, making.nonce)
          return `key ${id} made from ${parent}: ${describeAccess(access)}`
        },
      })
      const { keys } = changed.spec
      const made = madeWith(keys, making.nonce)
      return { view: viewOf(tenant, keyTree(keys, making.now, made.id)[0]!, NO_USE), key: keyring.keyOf(tenant, made) }
    },
    list({ tenant, key }) {
      const keys = tenantNow(tenant)?.spec.keys ?? []
      const own = keys.find(({ id }) => id === key)
      if (own === undefined) return []
      const use = useOf(tenant)
      const top = own.parent === undefined && own.access === undefined ? undefined : own.id
      return keyTree(keys, timestamp(), top).map((node) => viewOf(tenant, node, use))
    },
    async revoke({ tenant, key }, id) {
      const at = timestamp()
      const changed = await changes.submit({
        tenant,
        by: { kind: 'key', key },
        edits({ spec: { keys } }) {
          const index = keys.findIndex((each) => each.id === id)
          if (index === -1) throw new KeyChangeError('key-unknown')
          if (id === key || !withDescendants(keys, key).includes(keys[index]!)) throw new KeyChangeError('key-not-yours')
          return keys[index]!.revokedAt === undefined ? [{ path: ['spec', 'keys', index, 'revokedAt'], value: at }] : []
        },
        what: () => `key ${id} revoked, and what was made from it`,
      })
      return withDescendants(changed.spec.keys, id).map((each) => each.id)
    },
  }
}

/** A key as it may be shown: its text is masked. */
export function keyView({ keyOf }: Pick<Keyring, 'keyOf'>, tenant: TenantId, { key, state, access, endsAt }: KeyNode, use: KeyUse): KeyView {
  return {
    id: key.id,
    name: key.name ?? null,
    parent: key.parent ?? null,
    key: key.digest === undefined ? maskKey(keyOf(tenant, key)) : '…',
    state,
    access: access ?? null,
    createdAt: key.createdAt,
    endsAt: endsAt ?? null,
    lastUsedAt: use.lastUsedAt.get(key.id) ?? null,
    requestsUsed: use.requests.get(key.id) ?? 0,
  }
}

/** Found by its nonce: by the time it is looked for, others may have been made. */
function madeWith(keys: readonly KeySpec[], nonce: string): Extract<KeySpec, { nonce: string }> {
  const made = keys.find((key) => key.nonce === nonce)
  if (made?.nonce === undefined) throw new Error('the key that was just written is not in its file')
  return made
}
