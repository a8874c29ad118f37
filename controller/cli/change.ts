/** Commands that change a tenant. Each is one commit whose message says who and why; what the file would become is checked before. */
import type { Catalog } from '../core/catalog.ts'
import { formatProblem } from '../core/problem.ts'
import type { Tenant, TenantId } from '../core/specs.ts'
import type { GitRepository } from '../git/port.ts'
import { createSpecParser, MAX_SPEC_BYTES } from '../specs/parse.ts'
import { editSpec, type SpecEdit } from '../specs/write.ts'
import { UsageError, withInstallation, type Answer, type CliContext } from './context.ts'
import { pokeController } from './run-file.ts'
import { settingsOf } from './context.ts'

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
      const { spec, text, path } = await currentFile(catalog, repository, request.tenant as TenantId)
      const edited = editSpec(text, request.edits(spec, catalog))
      const tenant = checked(path, edited)
      if (edited === text) return { result: tenant }
      const message = `tenant: ${request.what} ${request.tenant}\n\n${request.why ?? 'No reason was given.'}\n\nBy: ${context.person.name}\n`
      return { result: tenant, commit: { message, author: context.person, files: [{ path, text: edited }] } }
    })
    return { tenant: result, revision }
  })
  await pokeController(settingsOf(context).home)
  return changed
}

/** The file as it stands at the tip. A file that is not valid is edited by hand. */
async function currentFile(catalog: Catalog, repository: GitRepository, id: TenantId): Promise<{ spec: Tenant; text: string; path: string }> {
  const entry = catalog.entry(id)
  const claim = entry?.claims[0]
  if (entry === undefined || claim === undefined) throw new UsageError(`There is no tenant ${id} in the repository. \`tenantry status\` lists them.`)
  if (entry.claims.length > 1 || claim.parsed.kind === 'bad') throw new UsageError(`The file of ${id} is not valid (\`tenantry validate\` says why); put it right first.`)
  for await (const { text } of repository.read([claim.blob], MAX_SPEC_BYTES)) {
    if (text !== undefined) return { spec: claim.parsed.spec as Tenant, text, path: claim.path }
  }
  throw new Error(`${claim.path} cannot be read from the repository`)
}

function checked(path: string, text: string): Tenant {
  const parsed = createSpecParser().parse(path, text)
  if (parsed.kind === 'ok') return parsed.spec as Tenant
  throw new UsageError(`The change would make the file invalid:\n${parsed.problems.map((problem) => `  ${formatProblem(problem)}`).join('\n')}`)
}

export async function suspend(context: CliContext, tenant: string, { reason }: { reason?: string }): Promise<Answer> {
  return answerOf(
    await changeTenant(context, {
      tenant,
      what: 'suspend',
      why: reason,
      edits: () => [
        { path: ['spec', 'state'], value: 'suspended' },
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
        { path: ['spec', 'stateReason'], value: reason ?? `ended by ${context.person.name}` },
        { path: ['spec', 'endedAt'], value: context.now().toISOString().replace(/\.\d+Z$/, 'Z') },
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
