/**
 * What a process before this one left in force, in one file (store/standing-file.ts): with it, a start reads only what has changed
 * since. It is a memory and never the truth: it counts only for the code, the secrets and the place that it was made with, for
 * shared specs that are the same to the letter, and as far as git can tell what has changed from its revision to the tip. Where
 * any of this is otherwise the start reads everything, as if there were no file.
 */
import { rm, readdir } from 'node:fs/promises'
import path from 'node:path'
import type { KeptRoutes } from '../gateway/route-writer.ts'
import type { RouteSeal } from '../gateway/route-files.ts'
import type { ShardName } from '../core/placement.ts'
import type { CommitId, TenantId, Timestamp } from '../core/specs.ts'
import type { StandingTenants } from '../core/standing.ts'
import type { GitRepository, TreeChange, TreeEntry } from '../git/port.ts'
import { isSpecPath, kindOfPath } from '../specs/paths.ts'
import type { StandingShard } from '../sq/shards.ts'
import type { LooseTenants } from '../store/loose-tenants.ts'
import type { Meta } from '../store/meta.ts'
import { readStandingFile, type StandingFile } from '../store/standing-file.ts'

/** What stands beside the tenants in the file. */
export interface StandingHead {
  /** Of everything that the file was made with beside the repository. */
  readonly madeWith: string
  readonly revision: CommitId
  /** Platform, products and plans in force, as the store remembers them. */
  readonly shared: Readonly<Record<string, string>>
  /** Files of the revision that are about no standing tenant. */
  readonly others: readonly TreeEntry[]
  /** Names with the highest numbers that were seen. */
  readonly highest: readonly string[]
  readonly timers: readonly (readonly [TenantId, Timestamp])[]
  readonly shards: Readonly<Record<ShardName, StandingShard>>
  readonly routes: RouteSeal | undefined
}

export interface Standing {
  readonly head: StandingHead
  readonly tenants: StandingTenants
  readonly routes: KeptRoutes | undefined
  /** Tenants that the file does not speak for. */
  readonly loose: ReadonlySet<TenantId>
  /** From its revision to the tip; of tenants' files alone. */
  readonly changes: readonly TreeChange[]
}

export interface StandingStore {
  /** What may be relied on at this tip; undefined where nothing may. */
  open(tip: CommitId): Promise<Standing | undefined>
}

export interface StandingStoreOptions {
  readonly folder: string
  readonly madeWith: string
  readonly loose: LooseTenants
  readonly meta: Meta
  readonly repository: Pick<GitRepository, 'changes'>
  /** Told why a file that is there is not used. */
  readonly onIgnored?: (reason: string, error?: unknown) => void
}

/** Names in the store, each with blob and path of a shared spec in force. */
export const SHARED_PREFIX = 'in-force/'

export function sharedInForce(meta: Meta): Readonly<Record<string, string>> {
  return Object.fromEntries(meta.startingWith(SHARED_PREFIX).map(({ name, value }) => [name, value]))
}

export function createStandingStore(options: StandingStoreOptions): StandingStore {
  const { folder, loose, meta, repository } = options
  const ignore = (reason: string, error?: unknown): undefined => options.onIgnored?.(reason, error) as undefined

  async function open(tip: CommitId): Promise<Standing | undefined> {
    const { mark } = loose
    if (mark === undefined) return undefined
    const file = await readStandingFile<StandingHead>(path.join(folder, mark.file), mark.digest)
    if (file === undefined) return ignore('it is gone or damaged')
    const { head, tenants } = file
    if (head.madeWith !== options.madeWith) return ignore('it was made by another version, with other secrets or in another place')
    if (!isSame(head.shared, sharedInForce(meta))) return ignore('platform, products or plans are others')
    const changes = (await repository.changes(head.revision, tip)).filter((change) => isSpecPath(pathOf(change)))
    if (changes.some((change) => kindOfPath(pathOf(change)) !== 'Tenant')) return ignore('platform, products or plans have changed')
    return { head, tenants, routes: keptRoutes(file), loose: new Set(loose.ids()), changes }
  }

  return {
    // Whatever is wrong with it, a start without it is right.
    open: (tip) => open(tip).catch((error: unknown) => ignore('it cannot be used', error)),
  }
}

function keptRoutes({ head, tenants, routeDigest }: StandingFile<StandingHead>): KeptRoutes | undefined {
  if (head.routes === undefined) return undefined
  return {
    seal: head.routes,
    lines: {
      size: tenants.size,
      digestOf: routeDigest,
      *digests() {
        for (const { tenant } of tenants.summaries()) yield [tenant, routeDigest(tenant)!]
      },
    },
  }
}

const pathOf = (change: TreeChange): string => (change.kind === 'put' ? change.entry.path : change.path)

function isSame(one: Readonly<Record<string, string>>, other: Readonly<Record<string, string>>): boolean {
  const names = Object.keys(one)
  return names.length === Object.keys(other).length && names.every((name) => one[name] === other[name])
}

/** Files that no mark names: of earlier rounds, and what a crash left. */
export async function removeStrays(folder: string, kept: string | undefined): Promise<void> {
  const names = await readdir(folder).catch(() => [])
  await Promise.all(names.filter((name) => name !== kept).map((name) => rm(path.join(folder, name), { force: true })))
}
