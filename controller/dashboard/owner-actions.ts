/**
 * What an owner does with a tenant. Each is a commit that names the tenant's owner and nobody by address; whether it may be is decided on
 * the file as it stands at the tip. Whose tenant it is was checked before (owned.ts).
 */
import { addKey, DEFAULT_OVERLAP_HOURS, rotateKeys, successorOf } from '../agent-keys/key-edits.ts'
import type { KeyChanges } from '../agent-keys/change-batch.ts'
import { KeyChangeError } from '../agent-keys/errors.ts'
import { describeAccess } from '../core/key-tree.ts'
import { isPast } from '../core/keys.ts'
import { MOST_KEYS, newKey, spentKeys, type KeyMaking, type KeyWish } from '../core/new-key.ts'
import type { DerivedKeySpec, KeySpec, Platform, Tenant, TenantId, Timestamp } from '../core/specs.ts'
import type { SpecEdit } from '../specs/write.ts'
import type { Past } from './past.ts'
import { timestampOf } from '../core/timestamp.ts'

export interface OwnerActions {
  /** Each rejects with KeyChangeError where it may not be, and otherwise where the repository cannot be written. */
  makeKey(tenant: TenantId, wish: KeyWish): Promise<DerivedKeySpec>
  renameKey(tenant: TenantId, key: string, name: string | undefined): Promise<void>
  /** The old one goes on working for the overlap. */
  rotateKey(tenant: TenantId, key: string): Promise<{ readonly made: DerivedKeySpec; readonly oldUntil: Timestamp | undefined }>
  /** In force at once. */
  revokeKey(tenant: TenantId, key: string): Promise<void>
  /** For ten minutes after the owner revoked it. */
  undoRevoke(tenant: Tenant, key: string): Promise<void>
  /** Which keys can have their revocation taken back now, and until when. */
  undoable(tenant: Tenant): Promise<ReadonlyMap<string, Timestamp>>
  /** Under this name on the founders page; undefined: off it. */
  list(tenant: TenantId, as: string | undefined): Promise<void>
  /** Ends it. A subscription is to be cancelled before. */
  close(tenant: TenantId): Promise<void>
}

export interface OwnerActionsOptions {
  readonly changes: KeyChanges
  readonly past: Pick<Past, 'of'>
  /** Takes in what was committed, so that the next page shows it. */
  readonly sync: () => Promise<unknown>
  readonly platform: () => Platform | undefined
  readonly masterVersion: number
  /** 32 hex digits, random. */
  readonly newNonce: () => string
  readonly now: () => Date
}

export const UNDO_MS = 10 * 60_000
export const CLOSED = 'closed by its owner'

export function createOwnerActions({ changes, past, sync, platform, masterVersion, newNonce, now }: OwnerActionsOptions): OwnerActions {
  const making = (): KeyMaking => ({ nonce: newNonce(), masterVersion, now: timestampOf(now()) })
  async function submit(tenant: TenantId, what: (spec: Tenant) => string, edits: (spec: Tenant) => readonly SpecEdit[], area?: 'account'): Promise<Tenant> {
    const changed = await changes.submit({ tenant, by: { kind: 'owner' }, what, edits, ...(area && { area }) })
    // It is written, whether it is seen at once or with the next look.
    await sync().catch(() => undefined)
    return changed
  }
  const editKey = (tenant: TenantId, id: string, what: string, edit: (key: KeySpec) => Record<string, unknown>): Promise<Tenant> =>
    submit(tenant, () => what, ({ spec: { keys } }) => {
      const index = indexOf(keys, id)
      return Object.entries(edit(keys[index]!)).map(([field, value]) => ({ path: ['spec', 'keys', index, field], value }))
    })

  /** When the owner's own revocation can be taken back no more; undefined where it cannot be now. */
  async function undoUntil(tenant: Tenant, { id, revokedAt }: KeySpec): Promise<Timestamp | undefined> {
    if (revokedAt === undefined) return undefined
    const end = Date.parse(revokedAt) + UNDO_MS
    if (end <= now().getTime()) return undefined
    const entry = (await past.of(tenant.metadata.name)).find(({ changes: all }) => all.some(({ field }) => field === `keys.${id}`))
    return entry?.by.kind === 'owner' ? timestampOf(new Date(end)) : undefined
  }

  return {
    async makeKey(tenant, wish) {
      const make = making()
      const changed = await submit(
        tenant,
        ({ spec: { keys } }) => `key ${madeOf(keys, make).id} made: ${describeAccess(wish.access)}`,
        ({ spec: { keys } }) => {
          if (isPast(wish.expiresAt, make.now)) throw new KeyChangeError('ends-in-the-past', 'The key would have ended already.')
          refuseTooMany(keys, make.now)
          return addKey(keys, newKey(keys, wish, make), make.now)
        },
      )
      return madeOf(changed.spec.keys, make)
    },
    async renameKey(tenant, key, name) {
      await editKey(tenant, key, name === undefined ? `key ${key} has no name any more` : `key ${key} has another name`, () => ({ name }))
    },
    async rotateKey(tenant, key) {
      const make = making()
      const changed = await submit(
        tenant,
        ({ spec: { keys } }) => `key ${key} rotated: ${madeOf(keys, make).id} takes its place`,
        ({ spec: { keys } }) => {
          const old = keys[indexOf(keys, key)]!
          if (isPast(old.revokedAt, make.now) || isPast(old.expiresAt, make.now)) throw new KeyChangeError('key-not-possible', `Key ${key} opens nothing any more. Make a new one instead.`)
          refuseTooMany(keys, make.now)
          return rotateKeys(keys, [old], platform()?.spec.keyOverlapHours ?? DEFAULT_OVERLAP_HOURS, successorOf(old), make)
        },
      )
      const { keys } = changed.spec
      return { made: madeOf(keys, make), oldUntil: keys.find(({ id }) => id === key)?.expiresAt }
    },
    async revokeKey(tenant, key) {
      const at = timestampOf(now())
      await editKey(tenant, key, `key ${key} revoked, and what was made from it`, ({ revokedAt }) => ({ revokedAt: revokedAt ?? at }))
    },
    async undoRevoke(tenant, id) {
      const late = (): KeyChangeError => new KeyChangeError('key-not-possible', `The revocation of key ${id} cannot be taken back any more. Make a new key instead.`)
      const { keys: seen } = tenant.spec
      const { revokedAt } = seen[indexOf(seen, id)]!
      if (revokedAt === undefined) return
      if ((await undoUntil(tenant, seen[indexOf(seen, id)]!)) === undefined) throw late()
      await submit(tenant.metadata.name, () => `the revocation of key ${id} is taken back`, ({ spec: { keys } }) => {
        const index = indexOf(keys, id)
        // The very revocation whose author was looked up, and not another that came meanwhile.
        if (keys[index]!.revokedAt !== revokedAt) throw late()
        return [{ path: ['spec', 'keys', index, 'revokedAt'], value: undefined }]
      })
    },
    async undoable(tenant) {
      const found = new Map<string, Timestamp>()
      for (const key of tenant.spec.keys) {
        const until = await undoUntil(tenant, key)
        if (until !== undefined) found.set(key.id, until)
      }
      return found
    },
    ...accountActions(submit, now),
  }
}

type Submit = (tenant: TenantId, what: (spec: Tenant) => string, edits: (spec: Tenant) => readonly SpecEdit[], area?: 'account') => Promise<Tenant>

function accountActions(submit: Submit, now: () => Date): Pick<OwnerActions, 'list' | 'close'> {
  return {
    async list(tenant, as) {
      await submit(tenant, () => (as === undefined ? 'taken off the founders page' : 'agreed to stand on the founders page'), () => [{ path: ['spec', 'owner', 'listedAs'], value: as }], 'account')
    },
    async close(tenant) {
      const at = timestampOf(now())
      await submit(tenant, () => CLOSED, ({ spec }) => (spec.state === 'ended' ? [] : [
        { path: ['spec', 'state'], value: 'ended' },
        // No rule undoes what a person set.
        { path: ['spec', 'stateBy'], value: undefined },
        { path: ['spec', 'stateReason'], value: CLOSED },
        { path: ['spec', 'endedAt'], value: at },
      ]), 'account')
    },
  }
}

function refuseTooMany(keys: readonly KeySpec[], now: Timestamp): void {
  if (keys.length - spentKeys(keys, now).length >= MOST_KEYS) throw new KeyChangeError('too-many-keys', `There are ${MOST_KEYS} keys already, which is the most there may be.`)
}

function indexOf(keys: readonly KeySpec[], id: string): number {
  const index = keys.findIndex((key) => key.id === id)
  if (index === -1) throw new KeyChangeError('key-unknown', `There is no key ${id}.`)
  return index
}

/** Found by its nonce: by the time it is looked for, others may have been made. */
function madeOf(keys: readonly KeySpec[], { nonce }: KeyMaking): DerivedKeySpec {
  const made = keys.find((key) => key.nonce === nonce)
  if (made?.nonce === undefined) throw new Error('the key that was just written is not in its file')
  return made
}
