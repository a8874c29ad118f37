/** `tenantry validate [DIR or GIT-DIR] [--rev REV]`: every error at once, each with its place and what to do. Needs nothing that runs. */
import { existsSync } from 'node:fs'
import path from 'node:path'
import { formatProblem } from '../core/problem.ts'
import { loadFolder, loadRevision, problemsOf, type Loaded } from '../specs/load.ts'
import { EXIT, UsageError, type Answer, type CliContext } from './context.ts'
import { gitFolderOf, openRepository, resolveRevision } from './git-at.ts'

export async function validate(context: CliContext, location: string | undefined, { rev }: { readonly rev?: string }): Promise<Answer> {
  const folder = location === undefined ? undefined : path.resolve(context.folder, location)
  if (folder !== undefined && !existsSync(folder)) throw new UsageError(`${location} does not exist.`)
  // A clone's files are checked as they lie there, unless a revision is asked for: that is what somebody who edits them wants.
  const asFolder = folder !== undefined && rev === undefined && gitFolderOf(folder) !== folder
  return asFolder ? report(await loadFolder(folder)) : checkRevision(context, location, rev)
}

async function checkRevision(context: CliContext, location: string | undefined, rev: string | undefined): Promise<Answer> {
  const repository = await openRepository(context, location)
  try {
    return await report(await loadRevision(repository, await resolveRevision(repository, rev)))
  } finally {
    await repository.close()
  }
}

async function report(loaded: Loaded): Promise<Answer> {
  const { catalog } = loaded
  if (catalog.fileCount === 0) throw new UsageError('There is no platform.yaml, products/, plans/ or tenants/ here. `tenantry init DIR` makes a repository.')
  const problems = await problemsOf(loaded)
  const files = `${catalog.fileCount} file${catalog.fileCount === 1 ? '' : 's'}`
  const summary = problems.length === 0 ? `${files}, nothing wrong.` : `${problems.length} problem${problems.length === 1 ? '' : 's'} in ${files}.`
  return {
    json: { files: catalog.fileCount, problems },
    text: `${[...problems.map(formatProblem), summary].join('\n')}\n`,
    exitCode: problems.length === 0 ? EXIT.done : EXIT.invalid,
  }
}
