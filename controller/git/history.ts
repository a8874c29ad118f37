/** Questions to history: which paths were ever added, and which commits touched one. Reads only. */
import type { BlobId, CommitId } from '../core/specs.ts'
import { GitError, nulRecords, type GitCommand } from './git-command.ts'
import type { CommitInfo, FileVersion } from './port.ts'

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

const NO_OBJECT = /^0+$/

export async function versionsOf(git: GitCommand, revision: string, path: string, limit: number): Promise<FileVersion[]> {
  // The empty field at its end tells a commit from the change that follows it.
  const args = ['log', `--max-count=${limit}`, '-z', '--raw', '--no-abbrev', '--no-renames', '--no-show-signature', `--format=tformat:${FIELDS.join('%x00')}%x00`, revision, '--', path]
  const values = (await git.run(args)).toString('utf8').split('\0')
  const versions: FileVersion[] = []
  for (let at = 0; at + FIELDS.length < values.length; ) {
    const [commit, author, authoredAt, subject, trailers] = values.slice(at, at + FIELDS.length) as [string, string, string, string, string]
    at += FIELDS.length + 1
    const [, before, blob] = /^\n?:\d+ \d+ ([0-9a-f]+) ([0-9a-f]+) /.exec(values[at] ?? '') ?? []
    if (before === undefined || blob === undefined) continue
    at += 2
    versions.push({ commit: commit as CommitId, author, authoredAt: new Date(authoredAt).toISOString(), subject, trailers: trailerLines(trailers), ...objectAs('blob', blob), ...objectAs('before', before) })
  }
  return versions
}

function objectAs<Name extends string>(name: Name, id: string): Partial<Record<Name, BlobId>> {
  return NO_OBJECT.test(id) ? {} : ({ [name]: id } as Record<Name, BlobId>)
}

function trailerLines(text: string): { name: string; value: string }[] {
  return text.split('\n').flatMap((line) => {
    const colon = line.indexOf(':')
    return colon === -1 ? [] : [{ name: line.slice(0, colon), value: line.slice(colon + 1).trim() }]
  })
}

function readTrailers(text: string): Record<string, string> {
  return Object.fromEntries(trailerLines(text).map(({ name, value }) => [name, value]))
}
