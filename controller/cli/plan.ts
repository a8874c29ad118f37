/** `tenantry plan`: what a revision would do, before it is merged. The same diff as the loop's, on two trees, with nothing that runs. */
import path from 'node:path'
import { existsSync } from 'node:fs'
import { formatProblem, type Problem } from '../core/problem.ts'
import { compare, sideOf, type Report, type Totals } from '../core/report.ts'
import type { CommitId } from '../core/specs.ts'
import type { GitRepository } from '../git/port.ts'
import { openStores } from '../installation.ts'
import { loadRevision, parseEntries, problemsOf } from '../specs/load.ts'
import { isSpecPath } from '../specs/paths.ts'
import { EXIT, settingsOf, table, type Answer, type CliContext, type ExitCode } from './context.ts'
import { openRepository, resolveRevision } from './git-at.ts'

export interface PlanOptions {
  readonly repository?: string
  readonly base?: string
  readonly head?: string
  readonly format: 'text' | 'json' | 'markdown'
  readonly check?: true
}

interface Planned {
  readonly base: CommitId
  readonly head: CommitId
  readonly report: Report
  readonly problems: readonly Problem[]
}

export async function plan(context: CliContext, options: PlanOptions): Promise<Answer> {
  const repository = await openRepository(context, options.repository)
  try {
    const head = await resolveRevision(repository, options.head)
    const base = await resolveRevision(repository, options.base ?? (options.repository === undefined ? lastTakenIn(context) : undefined) ?? (await parentOf(repository, head)))
    const planned = await planRevisions(repository, base, head, context.now().toISOString())
    const json = { base, head, ...planned.report, problems: planned.problems }
    const text = options.format === 'json' ? `${JSON.stringify(json, null, 2)}\n` : options.format === 'markdown' ? markdown(planned) : plainText(planned)
    return { json, text, exitCode: options.check ? exitCodeOf(planned) : EXIT.done }
  } finally {
    await repository.close()
  }
}

/** The commit before, for a repository that nothing was taken in from; the first commit is compared with itself. */
async function parentOf(repository: GitRepository, head: CommitId): Promise<CommitId> {
  return (await repository.resolve(`${head}^`)) ?? head
}

/** Reads the base whole, then only what differs: as the loop would. */
export async function planRevisions(repository: GitRepository, base: CommitId, head: CommitId, now: string): Promise<Planned> {
  const { catalog } = await loadRevision(repository, base)
  const before = sideOf(catalog, now)
  const changes = (await repository.changes(base, head)).filter((change) => isSpecPath(change.kind === 'put' ? change.entry.path : change.path))
  const removed = changes.flatMap((change) => (change.kind === 'removed' ? [{ path: change.path }] : []))
  const put = await parseEntries(repository, changes.flatMap((change) => (change.kind === 'put' ? [change.entry] : [])))
  // The catalog moves on to the head; what was desired at the base is kept as a value.
  catalog.apply([...removed, ...put])
  const after = sideOf(catalog, now)
  const problems = await problemsOf({ catalog, textOf: (await loadRevision(repository, head)).textOf })
  return { base, head, report: compare(before, after), problems }
}

function lastTakenIn(context: CliContext): string | undefined {
  const { home } = settingsOf(context)
  if (!existsSync(path.join(home, 'store.db'))) return undefined
  const stores = openStores(home)
  try {
    return stores.meta.get('revision')
  } finally {
    stores.close()
  }
}

function exitCodeOf({ report, problems }: Planned): ExitCode {
  if (problems.length > 0) return EXIT.invalid
  if (report.approvalNeeded) return EXIT.approvalNeeded
  return report.changes.length > 0 ? EXIT.changes : EXIT.done
}

const SIGNS = { create: '+', change: '~', suspend: '!', resume: '>', end: '-', remove: '-' } as const

function plainText({ base, head, report, problems }: Planned): string {
  const lines = [`${base.slice(0, 12)} -> ${head.slice(0, 12)}: ${count(report.changes.length, 'tenant')} changed`]
  for (const { tenant, product, action, fields } of report.changes) {
    lines.push(`  ${SIGNS[action]} ${action} ${tenant} (${product})`)
    for (const { field, from, to } of fields) lines.push(`      ${field}: ${from} -> ${to}`)
  }
  if (report.risks.length > 0) lines.push('', 'Risks:', ...report.risks.map(({ message }) => `  ${message}`))
  if (problems.length > 0) lines.push('', 'Invalid; what is in force stays:', ...problems.map((problem) => `  ${formatProblem(problem)}`))
  return `${[...lines, '', table(totalRows(report))].join('\n')}\n`
}

function markdown({ base, head, report, problems }: Planned): string {
  const rows = report.changes.map(({ tenant, product, action, fields }) => `| ${action} | \`${tenant}\` | ${product} | ${fields.map(({ field, from, to }) => `${field}: ${cell(from)} → ${cell(to)}`).join('<br>')} |`)
  const [header, ...totals] = totalRows(report)
  const sections = [
    `## What ${base.slice(0, 12)} → ${head.slice(0, 12)} would do`,
    rows.length === 0 ? 'No tenant changes.' : ['| action | tenant | product | fields |', '| --- | --- | --- | --- |', ...rows].join('\n'),
    report.risks.length === 0 ? '' : ['### Risks', ...report.risks.map(({ message }) => `- ${cell(message)}`)].join('\n'),
    problems.length === 0 ? '' : ['### Invalid; what is in force stays', ...problems.map((problem) => `- \`${formatProblem(problem).replaceAll('`', "'")}\``)].join('\n'),
    [`| ${header!.join(' | ')} |`, '| --- | --- | --- |', ...totals.map((row) => `| ${row.join(' | ')} |`)].join('\n'),
  ]
  return `${sections.filter((section) => section !== '').join('\n\n')}\n`
}

/** Text from a file must not be able to end a table's cell. */
const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('\n', ' ').replaceAll('<', '&lt;')

function totalRows({ before, after }: Report): string[][] {
  const money = ({ monthly }: Totals): string => Object.entries(monthly).map(([currency, amount]) => `${(amount / 100).toFixed(2)} ${currency.toUpperCase()}`).join(', ') || '0'
  return [
    ['', 'before', 'after'],
    ['tenants', String(before.tenants), String(after.tenants)],
    ['storage sold, MB', String(before.storageMb), String(after.storageMb)],
    ['container memory, MB', String(before.memoryMb), String(after.memoryMb)],
    ['container cores', String(before.cpus), String(after.cpus)],
    ['income a month', money(before), money(after)],
  ]
}

function count(n: number, noun: string): string {
  return `${n} ${noun}${n === 1 ? '' : 's'}`
}
