/** A tenant repository in memory: a CatalogView over its files' values, and a writer that commits to it, can be refused and can die. */
import type { CatalogView } from '../../../controller/core/catalog-view.ts'
import { tenantPath } from '../../../controller/core/purchase.ts'
import type { CommitId, Plan, Product, Tenant, TenantId } from '../../../controller/core/specs.ts'
import { parseTenantNumber } from '../../../controller/core/tenant-id.ts'
import type { TenantFiles } from '../../../controller/specs/tenant-files.ts'
import type { CommitRequest } from '../../../controller/git/port.ts'
import type { Decide, RepositoryWriter } from '../../../hooks/stripe/ports.ts'

export const SQ: Product = {
  kind: 'Product',
  metadata: { name: 'sq' },
  spec: { title: 'SQ Cloud', tenantId: { prefix: 'user', digits: 3 }, run: { kind: 'shared-sq', engine: 'process', tenantsPerShard: 500 } },
}

export function plan(name: string, changes: Partial<Plan['spec']> = {}): Plan {
  const month = { amount: 1500, currency: 'usd' }
  const year = { amount: 15000, currency: 'usd' }
  return { kind: 'Plan', metadata: { name }, spec: { product: 'sq', title: name, tier: 'standard', prices: { month, year }, limits: {}, ...changes } }
}

export const FOUNDER = plan('sq-founder', {
  title: 'SQ Cloud Founder',
  tier: 'founder',
  prices: { month: { amount: 1000, currency: 'usd' }, year: { amount: 10000, currency: 'usd' } },
  slots: 500,
  successor: 'sq-standard',
  trialDays: 14,
})
export const STANDARD = plan('sq-standard')

export function catalogOf(shared: { readonly plans?: readonly Plan[]; readonly products?: readonly Product[] }, tenants: readonly Tenant[]): CatalogView {
  const { plans = [FOUNDER, STANDARD], products = [SQ] } = shared
  const productNamed = (name: string) => products.find(({ metadata }) => metadata.name === name)
  const by = (test: (tenant: Tenant) => boolean) => tenants.find(test)?.metadata.name
  return {
    platform: undefined,
    product: productNamed,
    plan: (name) => plans.find(({ metadata }) => metadata.name === name),
    plans: () => plans,
    products: () => products,
    tenant: (id) => tenants.find(({ metadata }) => metadata.name === id),
    tenants: () => tenants,
    pathOf: (id) => (by(({ metadata }) => metadata.name === id) === undefined ? undefined : `tenants/${id}.yaml`),
    tenantByCheckout: (checkout) => by(({ spec }) => spec.billing?.checkout === checkout),
    tenantBySubscription: (subscription) => by(({ spec }) => spec.billing?.subscription === subscription),
    tenantByUsername: (product, username) => by(({ spec }) => spec.product === product && spec.owner.username === username),
    slotsTaken: (name) => tenants.filter(({ spec }) => spec.plan === name && spec.state !== 'ended').length,
    highestNumber: (product) => Math.max(0, ...tenants.filter(({ spec }) => spec.product === product).map(({ metadata }) => parseTenantNumber(productNamed(product)!, metadata.name) ?? 0)),
  }
}

export interface RepositoryDouble {
  readonly tenants: readonly Tenant[]
  readonly commits: readonly CommitRequest[]
  readonly writer: RepositoryWriter
  readonly files: TenantFiles
  plans: readonly Plan[]
  /** Called between deciding and committing: may throw, or put a commit of somebody else first by returning 'refused'. */
  beforePush: () => 'go' | 'refused'
  /** Called when the push is durable, before the writer says so: may throw. */
  afterPush: () => void
  catalog(): CatalogView
  add(tenant: Tenant): void
  remove(id: TenantId): void
}

/** Tenants are written as JSON, which is YAML too: see `stringify`. */
export function createRepositoryDouble(): RepositoryDouble {
  const files = new Map<string, Tenant>()
  const commits: CommitRequest[] = []
  let last: Promise<unknown> = Promise.resolve()
  const repository: RepositoryDouble = {
    get tenants() {
      return [...files.values()]
    },
    commits,
    plans: [FOUNDER, STANDARD],
    beforePush: () => 'go',
    afterPush: () => undefined,
    catalog: () => catalogOf({ plans: repository.plans }, [...files.values()]),
    add: (tenant) => void files.set(tenantPath(SQ, parseTenantNumber(SQ, tenant.metadata.name)!), tenant),
    remove(id) {
      for (const [path, tenant] of files) if (tenant.metadata.name === id) files.delete(path)
    },
    files: { edited: (tenant) => Promise.resolve({ path: tenantPath(SQ, parseTenantNumber(SQ, tenant.metadata.name)!), text: stringify(tenant) }) },
    writer: {
      write(decide) {
        const result = last.catch(() => undefined).then(() => writeOnce(decide))
        last = result
        return result
      },
    },
  }

  async function writeOnce<T>(decide: Decide<T>): Promise<{ revision?: CommitId; result: T }> {
    for (;;) {
      await Promise.resolve()
      const { commit, result } = await decide(repository.catalog())
      if (commit === undefined) return { result }
      if (repository.beforePush() === 'refused') continue
      for (const { path, text } of commit.files) {
        const tenant = JSON.parse(text!) as Tenant
        // An edit keeps the keys; anything else would be a second tenant under an id that was given.
        if (files.has(path) && JSON.stringify(files.get(path)!.spec.keys) !== JSON.stringify(tenant.spec.keys)) throw new Error(`${path} exists already`)
        files.set(path, tenant)
      }
      commits.push(commit)
      repository.afterPush()
      return { revision: String(commits.length).padStart(40, '0') as CommitId, result }
    }
  }
  return repository
}

export const stringify = (tenant: Tenant): string => JSON.stringify(tenant)
