/**
 * Makes trials and gives them to the people who claim them. Those that wait are written in one commit, on the repository's tip, and
 * numbers are raised in the store before: nothing is given twice, whatever crashes.
 */
import { allocateTrials, isUnclaimed, type TrialOutcome, type TrialWish } from '../core/agent-trial.ts'
import type { CatalogView } from '../core/catalog-view.ts'
import type { SpecFile } from '../core/parsed.ts'
import type { Tenant, TenantId, Timestamp } from '../core/specs.ts'
import type { CommitRequest, GitRepository } from '../git/port.ts'
import type { RepositoryWriter } from '../reconcile/writer.ts'
import { MAX_SPEC_BYTES } from '../specs/parse.ts'
import { editSpec, stringifyTenant } from '../specs/write.ts'
import type { HighestNumbers } from '../store/highest-numbers.ts'
import { timestampOf } from '../core/timestamp.ts'

export interface Trials {
  /** Rejects where the repository cannot be written. */
  begin(wish: TrialWish): Promise<TrialOutcome>
  /** `taken`: somebody else was first; `ended`: it runs no more, or its file is not good. */
  claim(tenant: TenantId, email: string): Promise<'claimed' | 'taken' | 'ended'>
}

interface Catalog extends CatalogView {
  entry(id: TenantId): { readonly claims: readonly SpecFile[] } | undefined
}

export interface TrialsOptions {
  readonly repository: Pick<GitRepository, 'read'>
  readonly writer: RepositoryWriter
  readonly catalog: Catalog
  /** Takes in what was committed, so that the next page shows it. */
  readonly sync: () => Promise<unknown>
  readonly highestNumbers: HighestNumbers
  readonly masterVersion: number
  readonly now: () => Date
}

interface Waiting {
  readonly wish: TrialWish
  readonly resolve: (outcome: TrialOutcome) => void
  readonly reject: (error: unknown) => void
}

const MOST_AT_ONCE = 100
const AUTHOR = { name: 'Tenantry', email: 'tenantry@localhost' }

export function createTrials({ repository, writer, catalog, sync, highestNumbers, masterVersion, now }: TrialsOptions): Trials {
  const waiting: Waiting[] = []
  const open = createOpenTrials(catalog)
  let writing = false
  /** It is written, whether it is seen at once or with the next look. */
  const seen = (): Promise<unknown> => sync().catch(() => undefined)
  const timestamp = (): Timestamp => timestampOf(now())

  function decide(wishes: readonly TrialWish[], before: ReadonlyMap<string, number>): { commit?: CommitRequest; result: TrialOutcome[] } {
    const at = timestamp()
    const result = allocateTrials(catalog, wishes, { highestNumber: (product) => before.get(product) ?? 0, unclaimed: open.list(at), now: at, masterVersion })
    const made = result.filter((outcome) => outcome.kind === 'provision')
    if (made.length === 0) return { result }
    for (const { tenant, number } of made) highestNumbers.raise(tenant.spec.product, number)
    return { result, commit: { message: messageOf(made.map(({ tenant }) => tenant)), author: AUTHOR, files: made.map(({ path, tenant }) => ({ path, text: stringifyTenant(tenant) })) } }
  }

  async function writeAll(): Promise<void> {
    writing = true
    while (waiting.length > 0) {
      const batch = waiting.splice(0, MOST_AT_ONCE)
      try {
        let before: ReadonlyMap<string, number> | undefined
        const { result } = await writer.write(() => {
          // As they are at the first attempt: after a refused push the same numbers may be given again, nobody saw them.
          before ??= new Map([...catalog.products()].map(({ metadata: { name } }) => [name, highestNumbers.get(name)]))
          return decide(batch.map(({ wish }) => wish), before)
        })
        await seen()
        result.forEach((outcome, at) => {
          if (outcome.kind === 'provision') open.add(outcome.tenant.metadata.name)
          batch[at]!.resolve(outcome)
        })
      } catch (error) {
        for (const { reject } of batch) reject(error)
      }
    }
    writing = false
  }

  async function textOf(id: TenantId): Promise<{ readonly path: string; readonly text: string } | undefined> {
    const claims = catalog.entry(id)?.claims ?? []
    const [file] = claims
    if (file === undefined || claims.length > 1 || file.parsed.kind === 'bad') return undefined
    for await (const { text } of repository.read([file.blob], MAX_SPEC_BYTES)) if (text !== undefined) return { path: file.path, text }
    return undefined
  }

  return {
    begin: (wish) =>
      new Promise((resolve, reject) => {
        waiting.push({ wish, resolve, reject })
        if (!writing) void writeAll()
      }),
    async claim(id, email) {
      const { result } = await writer.write<'claimed' | 'taken' | 'ended'>(async () => {
        const tenant = catalog.tenant(id)
        if (tenant?.spec.trial?.claimedAt !== undefined) return { result: tenant.spec.owner.email.toLowerCase() === email ? 'claimed' : 'taken' }
        const file = await textOf(id)
        if (tenant === undefined || file === undefined || !isUnclaimed(tenant, timestamp())) return { result: 'ended' }
        const text = editSpec(file.text, [{ path: ['spec', 'owner', 'email'], value: email }, { path: ['spec', 'trial', 'claimedAt'], value: timestamp() }])
        return { result: 'claimed', commit: { message: `trial: ${id} claimed\n\nA person proved their address with the link that its agent was given. Its keys stay as they are.\n`, author: AUTHOR, files: [{ path: file.path, text }] } }
      })
      await seen()
      return result
    },
  }
}

/** Ids of trials that nobody claimed: all are looked through once, and then those that are made here are added. */
function createOpenTrials(catalog: CatalogView): { list(now: Timestamp): readonly Tenant[]; add(id: TenantId): void } {
  let ids: Set<TenantId> | undefined
  const isOpen = (tenant: Tenant | undefined): tenant is Tenant => tenant?.spec.trial !== undefined && tenant.spec.trial.claimedAt === undefined && tenant.spec.state !== 'ended'
  return {
    list(now) {
      ids ??= new Set([...catalog.tenants()].filter(isOpen).map(({ metadata }) => metadata.name))
      const tenants = [...ids].map((id) => catalog.tenant(id)).filter(isOpen)
      ids = new Set(tenants.filter((tenant) => isUnclaimed(tenant, now)).map(({ metadata }) => metadata.name))
      return tenants
    },
    add: (id) => void ids?.add(id),
  }
}

function messageOf(made: readonly Tenant[]): string {
  const lines = made.map(({ metadata, spec }) => `- ${metadata.name} on ${spec.plan} until ${spec.trial!.endsAt}`)
  const what = made.length === 1 ? `${made[0]!.metadata.name} on ${made[0]!.spec.plan}` : `${made.length} tenants`
  return `trial: ${what}, begun by ${made.length === 1 ? 'an agent' : 'agents'}\n\n${lines.join('\n')}\n`
}
