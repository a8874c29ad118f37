/**
 * Changes of tenants' files that customers ask for, most of them of keys, written in one commit for all that wait: one after another,
 * each on what the one before it made of the file. What cannot be done is refused alone. Nothing of a key's text is here.
 */
import type { CatalogView } from '../core/catalog-view.ts'
import { keyFindings } from '../core/check-keys.ts'
import type { SpecFile } from '../core/parsed.ts'
import type { Tenant, TenantId } from '../core/specs.ts'
import { MAX_SPEC_BYTES, type SpecParser } from '../specs/parse.ts'
import { editSpec, type SpecEdit } from '../specs/write.ts'
import type { CommitRequest, GitRepository } from '../git/port.ts'
import type { RepositoryWriter } from '../reconcile/writer.ts'
import { KeyChangeError } from './errors.ts'

export interface KeyChange {
  readonly tenant: TenantId
  /** Who asked: an agent with this key, or the owner. */
  readonly by: { readonly kind: 'key'; readonly key: string } | { readonly kind: 'owner' }
  /** What it is about, as commits are named; keys where absent. */
  readonly area?: 'account'
  /** Answers the fields to change, none where all is so already. Throws KeyChangeError. May be asked again on another state of the file. */
  readonly edits: (tenant: Tenant) => readonly SpecEdit[]
  /** What was done, for the commit message, without tenant and asker. */
  readonly what: (tenant: Tenant) => string
}

export interface KeyChanges {
  /** Resolves with the tenant as it stands in the repository then. Rejects with KeyChangeError, or where the repository cannot be written. */
  submit(change: KeyChange): Promise<Tenant>
}

export interface KeyChangesOptions {
  readonly repository: Pick<GitRepository, 'read'>
  readonly writer: RepositoryWriter
  readonly catalog: Catalog
  /** Asked for when it is needed: making one takes a moment. */
  readonly parser: () => SpecParser
}

interface Catalog extends CatalogView {
  entry(id: TenantId): { readonly claims: readonly SpecFile[] } | undefined
}

interface Waiting {
  readonly change: KeyChange
  readonly resolve: (tenant: Tenant) => void
  readonly reject: (error: unknown) => void
}

interface File {
  readonly path: string
  readonly text: string
  readonly tenant: Tenant
}

type Outcome = { readonly kind: 'done'; readonly tenant: Tenant } | { readonly kind: 'refused'; readonly error: KeyChangeError }

const MOST_AT_ONCE = 100
const AUTHOR = { name: 'Tenantry', email: 'tenantry@localhost' }

export function createKeyChanges({ repository, writer, catalog, parser }: KeyChangesOptions): KeyChanges {
  const waiting: Waiting[] = []
  let writing = false

  async function currentFile(id: TenantId): Promise<File> {
    const claims = catalog.entry(id)?.claims ?? []
    const [claim] = claims
    if (claim === undefined || claims.length > 1 || claim.parsed.kind === 'bad') throw new KeyChangeError('account-file-invalid')
    for await (const { text } of repository.read([claim.blob], MAX_SPEC_BYTES)) {
      if (text !== undefined) return { path: claim.path, text, tenant: claim.parsed.spec as Tenant }
    }
    throw new Error(`${claim.path} cannot be read from the repository`)
  }

  function changed(file: File, change: KeyChange): File {
    const text = editSpec(file.text, change.edits(file.tenant))
    if (text === file.text) return file
    const parsed = parser().parse(file.path, text)
    if (parsed.kind === 'bad') throw new KeyChangeError('key-not-possible', parsed.problems.map(({ message }) => message).join('; '))
    const tenant = parsed.spec as Tenant
    const findings = keyFindings(tenant, file.path, { product: catalog.product(tenant.spec.product), heldBy: () => undefined })
    if (findings.length > 0) throw new KeyChangeError('key-not-possible', findings.map(({ message }) => message).join('; '))
    return { ...file, text, tenant }
  }

  async function decide(batch: readonly Waiting[]): Promise<{ commit?: CommitRequest; result: Outcome[] }> {
    const files = new Map<TenantId, File>()
    const outcomes: Outcome[] = []
    const done: { readonly change: KeyChange; readonly tenant: Tenant }[] = []
    const written = new Set<TenantId>()
    for (const { change } of batch) {
      try {
        const before = files.get(change.tenant) ?? (await currentFile(change.tenant))
        const after = changed(before, change)
        files.set(change.tenant, after)
        if (after !== before) {
          written.add(change.tenant)
          done.push({ change, tenant: after.tenant })
        }
        outcomes.push({ kind: 'done', tenant: after.tenant })
      } catch (error) {
        if (!(error instanceof KeyChangeError)) throw error
        outcomes.push({ kind: 'refused', error })
      }
    }
    if (done.length === 0) return { result: outcomes }
    return { commit: { message: messageOf(done), author: AUTHOR, files: [...written].map((id) => files.get(id)!).map(({ path, text }) => ({ path, text })) }, result: outcomes }
  }

  async function writeAll(): Promise<void> {
    writing = true
    while (waiting.length > 0) {
      const batch = waiting.splice(0, MOST_AT_ONCE)
      try {
        const { result } = await writer.write(() => decide(batch))
        result.forEach((outcome, at) => (outcome.kind === 'done' ? batch[at]!.resolve(outcome.tenant) : batch[at]!.reject(outcome.error)))
      } catch (error) {
        for (const { reject } of batch) reject(error)
      }
    }
    writing = false
  }

  return {
    submit: (change) =>
      new Promise((resolve, reject) => {
        waiting.push({ change, resolve, reject })
        if (!writing) void writeAll()
      }),
  }
}

function messageOf(done: readonly { readonly change: KeyChange; readonly tenant: Tenant }[]): string {
  const lines = done.map(({ change, tenant }) => `${change.tenant}: ${change.what(tenant)}`)
  const tenants = new Set(done.map(({ change }) => change.tenant))
  const area = done.every(({ change }) => change.area === undefined) ? 'keys' : 'account'
  const subject = done.length === 1 ? `${area}: ${change(done[0]!)}` : `${area}: ${done.length} changes asked for by ${tenants.size === 1 ? [...tenants][0] : `${tenants.size} tenants`}`
  const trailers = done.map(({ change: { tenant, by } }) => `By: ${by.kind === 'key' ? `key ${by.key}` : 'owner'} of ${tenant}`)
  return `${subject}\n\n${lines.map((line) => `- ${line}`).join('\n')}\n\n${[...new Set(trailers)].join('\n')}\n`
}

/** Short enough for a subject, whatever a customer calls a key. */
function change({ change: { tenant, what }, tenant: spec }: { readonly change: KeyChange; readonly tenant: Tenant }): string {
  const text = `${tenant}: ${what(spec)}`
  return text.length <= 72 ? text : `${text.slice(0, 71)}…`
}
