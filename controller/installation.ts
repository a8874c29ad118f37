/**
 * Opens what lies under HOME: secrets made once, the store, the tenant repository. Shared by `up` and by the commands that read
 * or commit without it. Starts nothing.
 */
import { randomBytes, randomUUID } from 'node:crypto'
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { createCatalog, type Catalog } from './core/catalog.ts'
import type { GitRepository } from './git/port.ts'
import { createRepository } from './git/repository.ts'
import { createKeyring, newMasterKey, parseMasterKey } from './keyring.ts'
import type { Keyring } from './reconcile/ports.ts'
import { createGivenNumbers } from './reconcile/given-numbers.ts'
import { createSource, type Source } from './reconcile/source.ts'
import { createStandingStore } from './reconcile/standing.ts'
import { createRepositoryWriter, type RepositoryWriter } from './reconcile/writer.ts'
import { programVersion } from './program-version.ts'
import type { Environment, Settings } from './settings.ts'
import { createSpecParser } from './specs/parse.ts'
import { createAdoptions, type Adoptions } from './store/adoptions.ts'
import { createAudit, type Audit } from './store/audit.ts'
import { openStore, type Store } from './store/db.ts'
import { createDeletions, type Deletions } from './store/deletions.ts'
import { createHighestNumbers } from './store/highest-numbers.ts'
import { createLooseTenants, type LooseTenants } from './store/loose-tenants.ts'
import { createMeta, type Meta } from './store/meta.ts'
import { createSpecCache, type SpecCache } from './store/spec-cache.ts'
import { createTenantRecords, type TenantRecords } from './store/tenant-records.ts'
import { createTimeline, type Timeline } from './store/timeline.ts'

export interface Stores {
  /** For what must survive a power cut once it was acknowledged. */
  readonly durable: Store
  readonly meta: Meta
  readonly cache: SpecCache
  readonly records: TenantRecords
  readonly loose: LooseTenants
  readonly deletions: Deletions
  readonly audit: Audit
  readonly adoptions: Adoptions
  readonly timeline: Timeline
  close(): void
}

export interface Installation {
  readonly settings: Settings
  /** Labels what this installation made. */
  readonly id: string
  readonly stores: Stores
  readonly keyring: Keyring
  readonly repository: GitRepository
  readonly catalog: Catalog
  readonly source: Source
  /** Where standing tenants are kept, and what their file is made with beside the repository. */
  readonly standing: { readonly folder: string; readonly madeWith: string }
  /** `onCommit` of the options is called after each commit of ours. */
  readonly writer: RepositoryWriter
  close(): Promise<void>
}

export interface OpenOptions {
  readonly environment: Environment
  readonly now: () => Date
  readonly onCommit?: () => void
  readonly onProgress?: (read: number, total: number) => void
  readonly onBackgroundError?: (error: unknown) => void
  /** Why a start has to read everything although standing tenants were kept. */
  readonly onStandingIgnored?: (reason: string, error?: unknown) => void
}

export function openStores(home: string): Stores {
  mkdirSync(home, { recursive: true, mode: 0o700 })
  const file = path.join(home, 'store.db')
  const durable = openStore(file, 'durable')
  const db = openStore(file, 'rebuildable')
  const meta = createMeta(db)
  return {
    durable,
    meta,
    cache: createSpecCache(db),
    records: createTenantRecords(db),
    loose: createLooseTenants(db, meta),
    deletions: createDeletions(db),
    audit: createAudit(db),
    adoptions: createAdoptions(durable),
    timeline: createTimeline(db),
    close() {
      db.close()
      durable.close()
    },
  }
}

export async function openInstallation(settings: Settings, options: OpenOptions): Promise<Installation> {
  const { home } = settings
  const stores = openStores(home)
  const id = stores.meta.get('installation') ?? randomUUID().slice(0, 8)
  stores.meta.set('installation', id)
  const keyring = createKeyring(settings.masterKey ?? parseMasterKey(secretFile(path.join(home, 'master.key'), newMasterKey)))
  const repository = await createRepository({
    location: settings.repository,
    branch: settings.branch,
    mirrorFolder: path.join(home, 'mirror.git'),
    environment: options.environment,
    now: options.now,
    ...(options.onBackgroundError && { onBackgroundError: options.onBackgroundError }),
  })
  const catalog = createCatalog()
  const givenNumbers = createGivenNumbers({ repository, numbers: createHighestNumbers(stores.durable), meta: stores.meta })
  const standing = { folder: path.join(home, 'standing'), madeWith: await madeWith(home, keyring) }
  const standingStore = createStandingStore({ ...standing, loose: stores.loose, meta: stores.meta, repository, ...(options.onStandingIgnored && { onIgnored: options.onStandingIgnored }) })
  const source = createSource({ repository, givenNumbers, standing: standingStore, parser: createSpecParser(), catalog, cache: stores.cache, records: stores.records, meta: stores.meta, ...(options.onProgress && { onProgress: options.onProgress }) })
  const writer = createRepositoryWriter(repository, source, catalog, () => options.onCommit?.())
  return {
    settings,
    id,
    stores,
    keyring,
    repository,
    catalog,
    source,
    standing,
    writer,
    async close() {
      await repository.close()
      stores.close()
    },
  }
}

/** Keys, files' places and what the code makes of a spec: what a rendered file depends on beside the specs. */
async function madeWith(home: string, keyring: Keyring): Promise<string> {
  const secrets = keyring.masterVersions.map((version) => keyring.mac(version, 'tenantry/standing/v1'))
  return keyring.digest([await programVersion(), path.resolve(home), ...secrets].join('\n'))
}

/** A secret under HOME: made once, readable by its owner alone. */
export function secretFile(file: string, make: () => string): string {
  if (!existsSync(file)) {
    mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 })
    writeFileSync(file, `${make()}\n`, { mode: 0o600, flag: 'wx' })
  }
  chmodSync(file, 0o600)
  return readFileSync(file, 'utf8').trim()
}

export function adminTokenOf(settings: Settings): string {
  return settings.adminToken ?? secretFile(path.join(settings.home, 'admin-token'), () => randomBytes(24).toString('base64url'))
}
