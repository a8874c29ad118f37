/**
 * Writes one commit through `git fast-import`, without a work tree and at a cost that follows the change, not the tree.
 * The commit is made under a ref that is taken back in the same stream, so nothing but objects is left, whatever kills it:
 * moving the branch is somebody else's step (local.ts, mirror.ts).
 */
import type { CommitId } from '../core/specs.ts'
import { checkObjectId, type GitCommand } from './git-command.ts'
import type { CommitRequest, FileWrite } from './port.ts'

export interface Person {
  readonly name: string
  readonly email: string
}

export interface NewCommit extends CommitRequest {
  /** Absent for a branch's first commit. */
  readonly parent?: CommitId
  readonly committer: Person
  readonly at: Date
}

/** Never stored: `reset … from 0` at the stream's end drops it before fast-import writes refs. */
const PENDING_REF = 'refs/tenantry/pending'

/** --done: a stream that is cut off is an error, never a shorter commit. */
export const IMPORT = ['fast-import', '--quiet', '--done', '--date-format=raw']

export async function writeCommit(git: GitCommand, commit: NewCommit): Promise<CommitId> {
  const output = await git.run(IMPORT, { input: importStream(commit) })
  const id = output.toString('latin1').trim()
  if (!/^[0-9a-f]{40,64}$/.test(id)) throw new Error(`git fast-import did not name the commit it made in ${git.folder}, but answered ${JSON.stringify(id)}.`)
  return id as CommitId
}

/** The same bytes for the same commit; exported for tests of the format. */
export function importStream(commit: NewCommit): Buffer {
  const seconds = Math.floor(commit.at.getTime() / 1000)
  const none = '0'.repeat(commit.parent?.length ?? 40)
  const head = [
    `commit ${PENDING_REF}`,
    'mark :1',
    `author ${ident(commit.author)} ${seconds} +0000`,
    `committer ${ident(commit.committer)} ${seconds} +0000`,
    data(commit.message.endsWith('\n') ? commit.message : `${commit.message}\n`),
    ...(commit.parent === undefined ? [] : [`from ${checkObjectId(commit.parent)}`]),
  ]
  const tail = ['', 'get-mark :1', `reset ${PENDING_REF}`, `from ${none}`, '', 'done', '']
  return Buffer.from([...head, ...commit.files.map(fileCommand), ...tail].join('\n'))
}

function fileCommand(file: FileWrite): string {
  const quoted = quotePath(file.path)
  return file.text === null ? `D ${quoted}` : `M 100644 inline ${quoted}\n${data(file.text)}`
}

function data(text: string): string {
  return `data ${Buffer.byteLength(text)}\n${text}`
}

/** Names come from customers: what would end the line, or the name, becomes a space. */
function ident(person: Person): string {
  const clean = (text: string) => text.replace(/[<>\0\r\n]/g, ' ').trim()
  return `${clean(person.name)} <${clean(person.email)}>`.trimStart()
}

/** git's C-style quoting; always quoted, so that no path reads as anything else. Throws for a path that no repository should have. */
export function quotePath(path: string): string {
  const problem = pathProblem(path)
  if (problem !== undefined) throw new Error(`The path ${JSON.stringify(path)} can't be written to the tenant repository: ${problem}.`)
  return `"${path.replace(/["\\]/g, '\\$&')}"`
}

function pathProblem(path: string): string | undefined {
  if (path === '') return 'it is empty'
  if (/[\0\r\n]/.test(path)) return 'it contains a line break or a NUL'
  if (!path.isWellFormed()) return 'it is not valid Unicode'
  if (path.startsWith('/')) return 'it starts with "/"; paths start at the repository\'s root'
  const parts = path.split('/')
  if (parts.includes('')) return 'it has an empty part'
  if (parts.includes('.') || parts.includes('..')) return 'it has a "." or ".." part'
  // `git~1` is the same folder on Windows.
  if (parts.some((part) => /^(\.git|git~1)[. ]*$/i.test(part))) return '".git" belongs to git'
  return undefined
}
