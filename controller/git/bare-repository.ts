/** Makes a new tenant repository: a bare one with a first commit. For `tenantry init` and a first run; touches none that has its branch. */
import { mkdir, readdir } from 'node:fs/promises'
import type { CommitId } from '../core/specs.ts'
import { readRef } from './branch.ts'
import { writeCommit, type Person } from './fast-import.ts'
import { createGitCommand, type Environment, type GitCommand } from './git-command.ts'
import { removeStaleLocks, STALE_LOCK_MS } from './locks.ts'
import type { FileWrite } from './port.ts'
import { DEFAULT_COMMITTER } from './repository.ts'

export interface BareRepositoryOptions {
  readonly folder: string
  readonly branch: string
  readonly files: readonly FileWrite[]
  readonly message: string
  readonly environment: Environment
  readonly now: () => Date
  readonly author?: Person
}

const INIT_ATTEMPTS = 20
const INIT_PAUSE_MS = 50

/** What a bare repository may consist of before its first commit, so also what a killed `git init` may have left. */
const GITS_OWN = ['HEAD', 'branches', 'config', 'config.lock', 'description', 'hooks', 'info', 'objects', 'refs', 'HEAD.lock']

/**
 * The branch's first commit, or its present one where the branch exists already: then `files` are not looked at. Can be
 * repeated after a crash at any point. Throws where the folder holds anything else.
 */
export async function createBareRepository(options: BareRepositoryOptions): Promise<CommitId> {
  const { folder, branch } = options
  const git = createGitCommand(options)
  const ref = `refs/heads/${branch}`
  await mkdir(git.folder, { recursive: true })
  const foreign = (await readdir(git.folder)).find((name) => !GITS_OWN.includes(name))
  if (foreign === undefined) {
    await removeStaleLocks(git.folder, { now: options.now, staleAfterMs: STALE_LOCK_MS })
    await initialise(git, branch)
  }
  // A damaged repository throws here: it must not get a first commit over what it holds.
  const existing = await readRef(git, ref).catch((cause: unknown) => {
    throw foreign === undefined ? cause : taken(folder, foreign)
  })
  if (existing !== undefined) return existing
  if (foreign !== undefined) throw taken(folder, foreign)
  const author = options.author ?? DEFAULT_COMMITTER
  const id = await writeCommit(git, { message: options.message, author, committer: DEFAULT_COMMITTER, files: options.files, at: options.now() })
  try {
    // The empty old value: only where the branch does not exist.
    await git.run(['update-ref', ref, id, ''])
    return id
  } catch (failure) {
    const other = await readRef(git, ref)
    if (other === undefined) throw failure
    return other
  }
}

/** Again while another one makes the same repository at the same time, which git reports as a locked file. */
async function initialise(git: GitCommand, branch: string): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      await git.run(['init', '--bare', '--quiet', '--template=', `--initial-branch=${branch}`, git.folder])
      return
    } catch (error) {
      if (attempt === INIT_ATTEMPTS || !/could not lock|File exists/.test(String(error))) throw error
      await new Promise((resolve) => setTimeout(resolve, INIT_PAUSE_MS))
    }
  }
}

function taken(folder: string, by: string): Error {
  return new Error(`${folder} can't become a tenant repository: it holds "${by}". Name an empty or a new folder.`)
}
