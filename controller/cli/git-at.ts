/** A git repository that a person names: bare, or a clone with a work tree, of which only the objects are read. */
import { existsSync, statSync } from 'node:fs'
import path from 'node:path'
import type { CommitId } from '../core/specs.ts'
import type { GitRepository } from '../git/port.ts'
import { createRepository } from '../git/repository.ts'
import { settingsOf, UsageError, type CliContext } from './context.ts'

/** The git folder at a path: itself where it is bare, its `.git` where it is a clone; undefined where it is no repository. */
export function gitFolderOf(folder: string): string | undefined {
  if (existsSync(path.join(folder, 'HEAD')) && existsSync(path.join(folder, 'objects'))) return folder
  const inner = path.join(folder, '.git')
  return existsSync(inner) && statSync(inner).isDirectory() ? inner : undefined
}

/** Opens the named repository, or this installation's. */
export async function openRepository(context: CliContext, location: string | undefined): Promise<GitRepository> {
  const settings = settingsOf(context)
  const folder = location === undefined ? undefined : gitFolderOf(path.resolve(context.folder, location))
  if (location !== undefined && folder === undefined) throw new UsageError(`${location} is not a git repository.`)
  const repository = await createRepository({ location: folder ?? settings.repository, branch: settings.branch, mirrorFolder: path.join(settings.home, 'mirror.git'), environment: context.machine.environment, now: context.now, readOnly: true })
  await repository.refresh()
  return repository
}

/** A revision as people write it (branch, tag, beginning of an id) as a full commit id; the branch's tip without one. */
export async function resolveRevision(repository: GitRepository, revision: string | undefined): Promise<CommitId> {
  const commit = revision === undefined ? await repository.tip() : await repository.resolve(revision)
  if (commit === undefined) throw new UsageError(revision === undefined ? 'The repository has no such branch (TENANTRY_BRANCH).' : `There is no revision ${JSON.stringify(revision)} in the repository.`)
  return commit
}
