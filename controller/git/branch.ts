/** The seam between reading and writing one branch, and the two places where the truth may be: local.ts and mirror.ts. */
import type { CommitId } from '../core/specs.ts'
import { GitError, type GitCommand } from './git-command.ts'

export interface Branch {
  /** The ref that holds the branch in the repository that is read. */
  readonly ref: string
  /** Brings the ref up to date. */
  refresh(): Promise<void>
  /** Moves the branch from `parent` to `commit`, its child; false where somebody else was first. */
  publish(commit: CommitId, parent: CommitId): Promise<boolean>
  /** Undefined where the branch does not exist; throws where that can't be known. */
  tip(): Promise<CommitId | undefined>
}

/** The commit a ref points at. An unreadable repository and a damaged ref throw: neither may look like a branch that is gone. */
export async function readRef(git: GitCommand, ref: string): Promise<CommitId | undefined> {
  const output = await git.run(['for-each-ref', '--format=%(refname) %(objecttype) %(objectname)', ref])
  const line = output.toString('utf8').split('\n').find((each) => each.startsWith(`${ref} `))
  if (line !== undefined) {
    const [, type, id] = line.split(' ')
    if (type !== 'commit' || id === undefined) throw new Error(`${ref} in ${git.folder} points at a ${type}, not a commit.`)
    return id as CommitId
  }
  // for-each-ref leaves a damaged ref out with a warning only; this asks for its value.
  const damaged = await git.run(['rev-parse', '--quiet', '--verify', ref]).then(
    () => false,
    (error: unknown) => !(error instanceof GitError && error.exitCode === 1 && error.message.endsWith('no message')),
  )
  if (damaged) throw new Error(`${ref} in ${git.folder} can't be read: run "git fsck" there, or restore the branch.`)
  return undefined
}

/** After a publish that failed without a clear answer: did it happen all the same? `failure` is thrown where the branch did not move at all. */
export async function settlePublish(git: GitCommand, tip: CommitId | undefined, commit: CommitId, parent: CommitId, failure: unknown): Promise<boolean> {
  if (tip === parent) throw failure
  return tip !== undefined && isAncestor(git, commit, tip)
}

async function isAncestor(git: GitCommand, ancestor: CommitId, commit: CommitId): Promise<boolean> {
  try {
    await git.run(['merge-base', '--is-ancestor', ancestor, commit])
    return true
  } catch (error) {
    if (error instanceof GitError && error.exitCode === 1) return false
    throw error
  }
}
