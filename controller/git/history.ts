/** Questions to history: which paths were ever added, and which commits touched one. Reads only. */
import type { CommitId } from '../core/specs.ts'
import { GitError, nulRecords, type GitCommand } from './git-command.ts'
import type { CommitInfo } from './port.ts'

/**
 * Each path once. Every parent of every merge counts: a file that was added on a side branch and dropped by its merge did
 * take its id.
 */
export async function* addedPaths(git: GitCommand, revisions: string, folder: string): AsyncGenerator<string, void, undefined> {
  const args = ['log', '--full-history', '-m', '--root', '--diff-filter=A', '--no-renames', '--name-only', '--format=', '-z', revisions, '--', folder]
  const seen = new Set<string>()
  for await (const record of nulRecords(git.stream(args))) {
    if (record === '' || seen.has(record)) continue
    seen.add(record)
    yield record
  }
}

/** Undefined for what names no commit; a repository that can't be read throws. An option is never taken for a revision. */
export async function resolveCommit(git: GitCommand, revision: string): Promise<CommitId | undefined> {
  try {
    const output = await git.run(['rev-parse', '--verify', '--quiet', '--end-of-options', `${revision}^{commit}`])
    return output.toString('utf8').trim() as CommitId
  } catch (error) {
    if (error instanceof GitError && error.exitCode === 1) return undefined
    throw error
  }
}

const FIELDS = ['%H', '%an <%ae>', '%aI', '%s', '%(trailers:only=true,unfold=true)']

export async function commitsTouching(git: GitCommand, revision: string, path: string, limit: number): Promise<CommitInfo[]> {
  const output = await git.run(['log', `--max-count=${limit}`, '-z', '--no-show-signature', `--format=tformat:${FIELDS.join('%x00')}`, revision, '--', path])
  const values = output.toString('utf8').split('\0')
  const commits: CommitInfo[] = []
  for (let start = 0; start + FIELDS.length <= values.length; start += FIELDS.length) {
    const [id, author, authoredAt, subject, trailers] = values.slice(start, start + FIELDS.length) as [string, string, string, string, string]
    commits.push({ id: id as CommitId, author, authoredAt: new Date(authoredAt).toISOString(), subject, trailers: readTrailers(trailers) })
  }
  return commits
}

function readTrailers(text: string): Record<string, string> {
  const pairs = text.split('\n').flatMap((line) => {
    const colon = line.indexOf(':')
    return colon === -1 ? [] : [[line.slice(0, colon), line.slice(colon + 1).trim()] as const]
  })
  return Object.fromEntries(pairs)
}
