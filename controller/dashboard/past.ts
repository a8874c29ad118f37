/**
 * What happened to a tenant, read from the repository: each commit that touched its file, in words, and by whom. Git has to walk all of
 * history for it, so the answer is kept for as long as the file stays the same.
 */
import { changerOf, changesBetween, type Change, type Changer, type Titles } from '../core/history.ts'
import type { AnySpec, BlobId, CommitId, LimitName, Tenant, TenantId, Timestamp } from '../core/specs.ts'
import type { FileVersion, GitRepository } from '../git/port.ts'
import { MAX_SPEC_BYTES, type SpecParser } from '../specs/parse.ts'

export interface PastEntry {
  readonly commit: CommitId
  readonly at: Timestamp
  readonly by: Changer
  /** Empty where nothing that an owner sees changed: a comment, the order of lines. */
  readonly changes: readonly Change[]
}

/** The commit that set a limit. */
export interface LimitOrigin {
  readonly file: 'tenant' | 'plan' | 'key'
  readonly commit: CommitId
  readonly at: Timestamp
  readonly by: Changer
}

export interface Past {
  /** Newest first. */
  of(id: TenantId): Promise<readonly PastEntry[]>
  /** Which commit set a limit as it was in force for the tenant at a time; undefined where history does not say. */
  originOf(id: TenantId, plan: string, limit: LimitName, at: Timestamp): Promise<LimitOrigin | undefined>
  /** Which commit made a key. */
  originOfKey(id: TenantId, key: string): Promise<LimitOrigin | undefined>
}

export interface PastOptions {
  readonly repository: Pick<GitRepository, 'read' | 'versions'>
  /** Where a tenant's file lies, and its content's id. */
  readonly fileOf: (id: TenantId) => { readonly path: string; readonly blob: BlobId } | undefined
  readonly parser: () => SpecParser
  readonly titles: Titles
}

interface Version extends Omit<FileVersion, 'blob' | 'before'> {
  readonly was: AnySpec | undefined
  readonly is: AnySpec | undefined
}

const MOST_VERSIONS = 200
const KEPT = 100

export function createPast({ repository, fileOf, parser, titles }: PastOptions): Past {
  const kept = new Map<string, Promise<readonly PastEntry[]>>()

  async function versionsOf(path: string): Promise<Version[]> {
    const versions = await repository.versions(path, MOST_VERSIONS)
    const blobs = [...new Set(versions.flatMap(({ blob, before }) => [blob, before].filter((id) => id !== undefined)))]
    const specs = new Map<BlobId, AnySpec>()
    for await (const { id, text } of repository.read(blobs, MAX_SPEC_BYTES)) {
      const parsed = text === undefined ? undefined : parser().parse(path, text)
      if (parsed?.kind === 'ok') specs.set(id, parsed.spec)
    }
    return versions.map(({ blob, before, ...rest }) => ({ ...rest, was: before && specs.get(before), is: blob && specs.get(blob) }))
  }

  async function read(id: TenantId, path: string): Promise<readonly PastEntry[]> {
    const versions = await versionsOf(path)
    return versions.map((version) => {
      const { commit, authoredAt: at, was, is } = version
      return { commit, at, by: changerOf(id, version), changes: changesBetween(tenantIn(was), tenantIn(is), titles) }
    })
  }

  function of(id: TenantId): Promise<readonly PastEntry[]> {
    const file = fileOf(id)
    if (file === undefined) return Promise.resolve([])
    const name = `${file.path}\n${file.blob}`
    const known = kept.get(name)
    if (known !== undefined) return known
    const reading = read(id, file.path)
    kept.set(name, reading)
    reading.catch(() => kept.delete(name))
    if (kept.size > KEPT) kept.delete(kept.keys().next().value!)
    return reading
  }

  return {
    of,
    async originOfKey(id, key) {
      const made = (await of(id)).findLast(({ changes }) => changes.some(({ field }) => field === `keys.${key}`))
      return made && { file: 'key', commit: made.commit, at: made.at, by: made.by }
    },
    async originOf(id, plan, limit, at) {
      const file = fileOf(id)
      const own = file && settingCommit(await versionsOf(file.path), ofTenant, limit, at)
      if (own !== undefined) return { file: 'tenant', ...originIn(id, own) }
      const shared = settingCommit(await versionsOf(`plans/${plan}.yaml`), ofPlan, limit, at)
      return shared && { file: 'plan', ...originIn(id, shared) }
    },
  }
}

/** What a file says of a limit, as text that is equal for equal sayings; undefined where it says nothing. */
type Saying = (spec: AnySpec | undefined, limit: LimitName) => string | undefined

const ofTenant: Saying = (spec, limit) => (spec?.kind === 'Tenant' && spec.spec.limits?.[limit] !== undefined ? String(spec.spec.limits[limit]) : undefined)
const ofPlan: Saying = (spec, limit) => (spec?.kind === 'Plan' && spec.spec.limits[limit] !== undefined ? `${spec.spec.limits[limit]} ${spec.spec.fairUse?.[limit]}` : undefined)

/** The newest commit up to a time that made the limit what it was then; undefined where the file set none then. */
function settingCommit(versions: readonly Version[], say: Saying, limit: LimitName, at: Timestamp): Version | undefined {
  const before = versions.filter(({ authoredAt }) => Date.parse(authoredAt) <= Date.parse(at))
  if (say(before[0]?.is, limit) === undefined) return undefined
  return before.find(({ was, is }) => say(was, limit) !== say(is, limit))
}

function originIn(id: TenantId, version: Version): Omit<LimitOrigin, 'file'> {
  return { commit: version.commit, at: version.authoredAt, by: changerOf(id, version) }
}

function tenantIn(spec: AnySpec | undefined): Tenant | undefined {
  return spec?.kind === 'Tenant' ? spec : undefined
}
