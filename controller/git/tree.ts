/** Reads trees: every file of one, and what differs between two. Trees are compared, never history, so a force-push changes nothing here. */
import type { BlobId, CommitId } from '../core/specs.ts'
import { checkObjectId, nulRecords, type GitCommand } from './git-command.ts'
import type { TreeChange, TreeEntry } from './port.ts'

/** Submodules come with the commit they point at in `blob`; the mode tells. */
export async function* listTree(git: GitCommand, commit: CommitId): AsyncGenerator<TreeEntry, void, undefined> {
  for await (const record of nulRecords(git.stream(['ls-tree', '-r', '-z', '--full-tree', checkObjectId(commit)]))) {
    // `100644 blob OID<TAB>path`; the path may itself contain tabs.
    const tab = record.indexOf('\t')
    const [mode, , blob] = record.slice(0, tab).split(' ')
    if (tab === -1 || mode === undefined || blob === undefined) throw new Error(`git ls-tree gave a line that is not understood: ${JSON.stringify(record)}`)
    yield { path: record.slice(tab + 1), mode, blob: blob as BlobId }
  }
}

export async function diffTrees(git: GitCommand, from: CommitId, to: CommitId): Promise<TreeChange[]> {
  const args = ['diff-tree', '-r', '--raw', '-z', '--no-renames', '--no-abbrev', '--ignore-submodules=none', checkObjectId(from), checkObjectId(to), '--']
  const changes: TreeChange[] = []
  let header: string | undefined
  for await (const record of nulRecords(git.stream(args))) {
    if (header === undefined) {
      header = record
      continue
    }
    changes.push(readChange(header, record))
    header = undefined
  }
  return changes
}

/** `:100644 100644 OLD NEW M`, its path in the record after it. */
function readChange(header: string, path: string): TreeChange {
  const [, mode, , blob, status] = header.split(' ')
  if (!header.startsWith(':') || mode === undefined || blob === undefined || status === undefined) {
    throw new Error(`git diff-tree gave a line that is not understood: ${JSON.stringify(header)}`)
  }
  return status === 'D' ? { kind: 'removed', path } : { kind: 'put', entry: { path, mode, blob: blob as BlobId } }
}
