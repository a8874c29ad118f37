/** What a tenant paid for by use at a commit: read from git, where the present catalog says something else, or may. */
import { meterTerms, type MeterTerms } from '../core/metering-bill.ts'
import type { BlobId, CommitId, Plan, Tenant, TenantId } from '../core/specs.ts'
import type { GitRepository } from '../git/port.ts'
import { kindOfPath } from '../specs/paths.ts'
import { isSpecPath, MAX_SPEC_BYTES, type SpecParser } from '../specs/parse.ts'

export interface TermsAt {
  at(revision: CommitId, tenant: TenantId): Promise<readonly MeterTerms[]>
}

interface Tree {
  readonly plans: ReadonlyMap<string, Plan>
  readonly tenants: ReadonlyMap<string, BlobId>
}

/** Keeps the tree that was asked for last. */
export function createTermsAt(repository: Pick<GitRepository, 'list' | 'read'>, parser: () => SpecParser): TermsAt {
  let kept: { readonly revision: CommitId; readonly tree: Tree } | undefined

  async function specsOf(paths: ReadonlyMap<string, BlobId>): Promise<(Plan | Tenant)[]> {
    const [names, blobs] = [[...paths.keys()], [...paths.values()]]
    const specs: (Plan | Tenant)[] = []
    let index = 0
    for await (const { text } of repository.read(blobs, MAX_SPEC_BYTES)) {
      const parsed = text === undefined ? undefined : parser().parse(names[index]!, text)
      if (parsed?.kind === 'ok') specs.push(parsed.spec as Plan | Tenant)
      index++
    }
    return specs
  }

  async function treeOf(revision: CommitId): Promise<Tree> {
    if (kept?.revision === revision) return kept.tree
    const plans = new Map<string, BlobId>()
    const tenants = new Map<string, BlobId>()
    for await (const { path, blob } of repository.list(revision)) {
      if (!isSpecPath(path)) continue
      const kind = kindOfPath(path)
      if (kind === 'Plan') plans.set(path, blob)
      if (kind === 'Tenant') tenants.set(path, blob)
    }
    const tree = { plans: new Map((await specsOf(plans)).map((plan) => [plan.metadata.name as string, plan as Plan])), tenants }
    kept = { revision, tree }
    return tree
  }

  return {
    async at(revision, tenant) {
      const { plans, tenants } = await treeOf(revision)
      // By name first, as files are called; a file may be called otherwise.
      const byName = new Map([...tenants].filter(([path]) => path.endsWith(`/${tenant}.yaml`) || path.endsWith(`/${tenant}.yml`)))
      const isIt = ({ metadata }: Plan | Tenant): boolean => metadata.name === tenant
      const spec = (await specsOf(byName)).find(isIt) ?? (await specsOf(tenants)).find(isIt)
      return spec === undefined ? [] : meterTerms(spec as Tenant, plans.get((spec as Tenant).spec.plan))
    },
  }
}
