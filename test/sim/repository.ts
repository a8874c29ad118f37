/** A tenant repository in memory, as git keeps one: real specs, read by the real parser into the real catalog, committed optimistically onto a tip. */
import { createHash } from 'node:crypto'
import { createCatalog, type Catalog } from '../../controller/core/catalog.ts'
import { API_VERSION, type AnySpec, type BlobId, type CommitId, type Plan, type Platform, type Product, type Tenant } from '../../controller/core/specs.ts'
import type { CommitRequest } from '../../controller/git/port.ts'
import type { Finding } from '../../controller/core/problem.ts'
import type { ParsedSpec } from '../../controller/core/parsed.ts'
import { createSpecParser, type SpecParser } from '../../controller/specs/parse.ts'
import { createTenantFiles, type TenantFiles } from '../../controller/specs/tenant-files.ts'
import type { RepositoryWriter } from '../../hooks/stripe/ports.ts'

/** What may go wrong with a push: somebody else was first, it failed, or it went through and nobody said so. */
export type PushFault = 'none' | 'refused' | 'failed' | 'unsaid'

export interface SimRepository {
  readonly catalog: Catalog
  readonly writer: RepositoryWriter
  readonly files: TenantFiles
  readonly commits: readonly CommitRequest[]
  tenants(): readonly Tenant[]
  /** A commit by hand. */
  put(spec: AnySpec): void
}

const real = createSpecParser()
/** By path and text, as the program keeps what it read by blob. */
const parsedBefore = new Map<string, ParsedSpec>()
const PARSED_AT_MOST = 200

const parser: SpecParser = {
  parse(path, text) {
    const key = `${path}\n${text}`
    const known = parsedBefore.get(key)
    if (known !== undefined) return known
    if (parsedBefore.size >= PARSED_AT_MOST) parsedBefore.clear()
    const parsed = real.parse(path, text)
    parsedBefore.set(key, parsed)
    return parsed
  },
}

/** `pushed` is told what is wrong with the files after each commit. */
export function createSimRepository(shared: readonly (Platform | Product | Plan)[], fault: () => PushFault, pushed: (findings: readonly Finding[]) => void): SimRepository {
  const texts = new Map<string, string>()
  const blobs = new Map<string, string>()
  const commits: CommitRequest[] = []
  const catalog = createCatalog()
  let tip = 0

  function take(files: CommitRequest['files']): void {
    tip += 1
    catalog.apply(
      files.map(({ path, text }) => {
        if (text === null) throw new Error('the simulation removes no files')
        const blob = createHash('sha1').update(text).digest('hex') as BlobId
        texts.set(path, text)
        blobs.set(blob, text)
        return { path, file: { path, blob, parsed: parser.parse(path, text) } }
      }),
    )
  }

  async function write<T>(decide: Parameters<RepositoryWriter['write']>[0]): Promise<{ revision?: CommitId; result: T }> {
    for (;;) {
      const { commit, result } = await decide(catalog)
      if (commit === undefined) return { result: result as T }
      const outcome = fault()
      if (outcome === 'failed') throw new Error('the remote hung up')
      if (outcome === 'refused') continue
      take(commit.files)
      commits.push(commit)
      pushed(catalog.findings())
      if (outcome === 'unsaid') throw new Error('the remote hung up after the push')
      return { revision: String(tip).padStart(40, '0') as CommitId, result: result as T }
    }
  }

  let last: Promise<unknown> = Promise.resolve()
  const fileOf = (spec: AnySpec) => ({ path: pathOf(spec), text: JSON.stringify({ apiVersion: API_VERSION, ...spec }) })
  take(shared.map(fileOf))
  return {
    catalog,
    commits,
    put: (spec) => take([fileOf(spec)]),
    tenants: () => [...catalog.tenants()],
    files: createTenantFiles({
      catalog,
      parser: () => parser,
      repository: {
        async *read(ids) {
          for (const blob of ids) yield { blob, text: blobs.get(blob) } as never
        },
      },
    }),
    writer: {
      write<T>(decide: Parameters<RepositoryWriter['write']>[0]) {
        const written = last.catch(() => undefined).then(() => write<T>(decide))
        last = written
        return written as never
      },
    },
  }
}

function pathOf({ kind, metadata: { name } }: AnySpec): string {
  return kind === 'Platform' ? 'platform.yaml' : `${kind.toLowerCase()}s/${name}.yaml`
}
