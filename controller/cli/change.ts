/** Commands that change a tenant. Each is one commit whose message says who and why; what the file would become is checked before. */
import type { Catalog } from '../core/catalog.ts'
import type { SpecFile } from '../core/parsed.ts'
import { formatProblem, type Finding, type Problem } from '../core/problem.ts'
import type { BlobId, Tenant, TenantId } from '../core/specs.ts'
import type { GitRepository } from '../git/port.ts'
import { createSpecParser, MAX_SPEC_BYTES, placeOf } from '../specs/parse.ts'
import { editSpec, type SpecEdit } from '../specs/write.ts'
import { settingsOf, UsageError, withInstallation, type Answer, type CliContext } from './context.ts'
import { pokeController } from './run-file.ts'
import { timestampOf } from '../core/timestamp.ts'

export interface ChangeRequest {
  readonly tenant: string
  /** The commit's subject, without the tenant's name. */
  readonly what: string
  readonly why: string | undefined
  /** Answers the fields to change; may throw UsageError. */
  readonly edits: (tenant: Tenant, catalog: Catalog) => readonly SpecEdit[]
}

export interface Changed {
  readonly tenant: Tenant
  readonly revision: string | undefined
}

/** Makes the change a commit and tells the controller to look. No commit where nothing would differ. */
export async function changeTenant(context: CliContext, request: ChangeRequest): Promise<Changed> {
  const changed = await withInstallation(context, async ({ writer, catalog, repository }) => {
    const { revision, result } = await writer.write(async () => {
      const { spec, text, claim } = await currentFile(catalog, repository, request.tenant as TenantId)
      const edited = editSpec(text, request.edits(spec, catalog))
      if (edited === text) return { result: spec }
      const tenant = checked(catalog, spec, claim, edited)
      const message = `tenant: ${request.what} ${request.tenant}\n\n${request.why ?? 'No reason was given.'}\n\nBy: ${context.person.name}\n`
      return { result: tenant, commit: { message, author: context.person, files: [{ path: claim.path, text: edited }] } }
    })
    return { tenant: result, revision }
  })
  await pokeController(settingsOf(context).home)
  return changed
}

/** The file as it stands at the tip. A file that is not valid is edited by hand. */
async function currentFile(catalog: Catalog, repository: GitRepository, id: TenantId): Promise<{ spec: Tenant; text: string; claim: SpecFile }> {
  const entry = catalog.entry(id)
  const claim = entry?.claims[0]
  if (entry === undefined || claim === undefined) throw new UsageError(`There is no tenant ${id} in the repository. \`tenantry status\` lists them.`)
  if (entry.claims.length > 1 || claim.parsed.kind === 'bad') throw new UsageError(`The file of ${id} is not valid (\`tenantry validate\` says why); put it right first.`)
  for await (const { text } of repository.read([claim.blob], MAX_SPEC_BYTES)) {
    if (text !== undefined) return { spec: claim.parsed.spec as Tenant, text, claim }
  }
  throw new Error(`${claim.path} cannot be read from the repository`)
}

/** What the file would become: right in itself and beside everything else in the repository, or as wrong as it was. */
function checked(catalog: Catalog, { metadata }: Tenant, claim: SpecFile, text: string): Tenant {
  const { path } = claim
  const parsed = createSpecParser().parse(path, text)
  if (parsed.kind === 'bad') throw invalid(parsed.problems)
  const findings = (): readonly Finding[] => catalog.entry(metadata.name)?.findings ?? []
  const known = new Set(findings().map(({ field, message }) => `${field} ${message}`))
  catalog.apply([{ path, file: { path, blob: NOT_IN_GIT, parsed } }])
  const problems = findings().filter(({ field, message }) => !known.has(`${field} ${message}`)).map((finding) => ({ ...finding, ...placeOf(text, finding.field) }))
  catalog.apply([{ path, file: claim }])
  if (problems.length > 0) throw invalid(problems)
  return parsed.spec as Tenant
}

const NOT_IN_GIT = '' as BlobId

const invalid = (problems: readonly Problem[]): UsageError => new UsageError(`The change would make the file invalid:\n${problems.map((problem) => `  ${formatProblem(problem)}`).join('\n')}`)

/** No rule undoes what a person set. */
const BY_A_PERSON: SpecEdit = { path: ['spec', 'stateBy'], value: undefined }

export async function suspend(context: CliContext, tenant: string, { reason }: { reason?: string }): Promise<Answer> {
  return answerOf(
    await changeTenant(context, {
      tenant,
      what: 'suspend',
      why: reason,
      edits: () => [
        { path: ['spec', 'state'], value: 'suspended' },
        BY_A_PERSON,
        { path: ['spec', 'stateReason'], value: reason ?? `suspended by ${context.person.name}` },
      ],
    }),
    'is suspended: its requests are refused, its data is kept',
  )
}

export async function resume(context: CliContext, tenant: string, { reason }: { reason?: string }): Promise<Answer> {
  return answerOf(
    await changeTenant(context, {
      tenant,
      what: 'resume',
      why: reason,
      edits: () => [
        { path: ['spec', 'state'], value: 'active' },
        BY_A_PERSON,
        { path: ['spec', 'stateReason'], value: undefined },
        { path: ['spec', 'endedAt'], value: undefined },
      ],
    }),
    'is served again',
  )
}

export async function end(context: CliContext, tenant: string, { reason }: { reason?: string }): Promise<Answer> {
  return answerOf(
    await changeTenant(context, {
      tenant,
      what: 'end',
      why: reason,
      edits: () => [
        { path: ['spec', 'state'], value: 'ended' },
        BY_A_PERSON,
        { path: ['spec', 'stateReason'], value: reason ?? `ended by ${context.person.name}` },
        { path: ['spec', 'endedAt'], value: timestampOf(context.now()) },
      ],
    }),
    'has ended: it is stopped, and its data is kept for the retention period',
  )
}

const SETTABLE = /^(limits\.[A-Za-z]+|plan|owner\.(email|username)|stateReason|hold\.(until|reason|by))$/

/** `set TENANT limits.storageMb=5000 …`; an empty value removes the field. */
export async function set(context: CliContext, tenant: string, assignments: readonly string[], { reason }: { reason?: string }): Promise<Answer> {
  const edits = assignments.map((assignment): SpecEdit => {
    const at = assignment.indexOf('=')
    const field = assignment.slice(0, at).replace(/^spec\./, '')
    if (at < 1 || !SETTABLE.test(field)) throw new UsageError(`${JSON.stringify(assignment)} cannot be set. Write FIELD=VALUE with a field such as limits.storageMb, plan, owner.email or hold.until.`)
    return { path: ['spec', ...field.split('.')], value: valueOf(assignment.slice(at + 1)) }
  })
  const changed = await changeTenant(context, { tenant, what: `set ${assignments.map((assignment) => assignment.split('=')[0]).join(', ')} of`, why: reason, edits: () => edits })
  return answerOf(changed, 'is changed')
}

function valueOf(text: string): string | number | undefined {
  if (text === '') return undefined
  return /^-?\d+(\.\d+)?$/.test(text) ? Number(text) : text
}

function answerOf({ tenant, revision }: Changed, what: string): Answer {
  const name = tenant.metadata.name
  return {
    json: { tenant: name, revision: revision ?? null, spec: tenant.spec },
    text: revision === undefined ? `${name} was so already; nothing was committed.\n` : `${name} ${what} (commit ${revision.slice(0, 12)}).\n`,
  }
}
