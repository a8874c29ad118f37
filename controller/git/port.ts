/** What the rest of the program needs of git. One adapter (repository.ts) works on a bare repository: the tenant repository itself where it is a local path, a mirror of it where it is a URL. */
import type { BlobId, CommitId } from '../core/specs.ts'

/** One entry of a tree that is not a folder. `mode` is git's, in octal text: 100644, 100755, 120000 (symlink), 160000 (submodule). */
export interface TreeEntry {
  readonly path: string
  readonly mode: string
  readonly blob: BlobId
}

export type TreeChange =
  | { readonly kind: 'put'; readonly entry: TreeEntry }
  | { readonly kind: 'removed'; readonly path: string }

export interface Blob {
  readonly id: BlobId
  /** In bytes. `text` is absent where the size is over the limit that was asked for. */
  readonly size: number
  readonly text?: string
}

export interface FileWrite {
  readonly path: string
  /** null removes the file. */
  readonly text: string | null
}

export interface CommitInfo {
  readonly id: CommitId
  readonly author: string
  readonly authoredAt: string
  readonly subject: string
  readonly trailers: Readonly<Record<string, string>>
}

/** What one commit made of a file. */
export interface FileVersion {
  readonly commit: CommitId
  readonly author: string
  readonly authoredAt: string
  readonly subject: string
  /** As they stand; one name may come several times. */
  readonly trailers: readonly { readonly name: string; readonly value: string }[]
  /** Absent where the commit removed the file. */
  readonly blob?: BlobId
  /** Absent where the commit added it. */
  readonly before?: BlobId
}

export interface CommitRequest {
  readonly message: string
  readonly author: { readonly name: string; readonly email: string }
  readonly files: readonly FileWrite[]
}

/** The outcome of one optimistic commit. `refused`: somebody else was first; read the new tip and decide again. */
export type CommitOutcome = { readonly kind: 'committed'; readonly id: CommitId } | { readonly kind: 'refused' }

export interface GitRepository {
  /** Fetches where the repository is remote. Throws where it cannot be read: an error never reads as "empty". */
  refresh(): Promise<void>
  /** The branch's commit, or undefined where the branch does not exist. */
  tip(): Promise<CommitId | undefined>
  /** The commit that a person names: a branch, a tag, the beginning of an id, `HEAD~2`. Undefined where there is none. */
  resolve(revision: string): Promise<CommitId | undefined>
  /** Every file of a commit's tree. */
  list(commit: CommitId): AsyncIterable<TreeEntry>
  /** What differs between two trees; works across a force-push, since trees are compared and not history. */
  changes(from: CommitId, to: CommitId): Promise<TreeChange[]>
  /** Contents in the order asked, through one long-lived `cat-file`; nothing over `maxBytes` is read. */
  read(blobs: readonly BlobId[], maxBytes: number): AsyncIterable<Blob>
  /**
   * Puts `files` on top of `parent` and moves the branch only if it still stands at `parent`. Where it throws, the branch may have
   * moved all the same (a connection that broke after the push): refresh, read the tip, decide again.
   */
  commit(parent: CommitId, request: CommitRequest): Promise<CommitOutcome>
  /** Paths ever added under a folder in `range` (all of history without one), for ids that must never be used twice. */
  pathsEverAdded(folder: string, range?: { readonly from: CommitId; readonly to: CommitId }): AsyncIterable<string>
  /** Commits that touched a path, newest first. */
  log(path: string, limit: number): Promise<CommitInfo[]>
  /** What those commits made of the file, newest first; merges that changed nothing themselves are left out. */
  versions(path: string, limit: number): Promise<FileVersion[]>
  /** Calls back when the branch may have moved; a hint only. Returns how to stop. */
  watch(poke: () => void): Promise<() => Promise<void>>
  close(): Promise<void>
}
