/**
 * The tenant repository: reads and writes one branch of a bare repository, which is the repository itself where it is a folder
 * of this machine, and a mirror of it where it is a URL. Joins the parts of this folder; decides nothing about tenants.
 */
import type { CommitId } from '../core/specs.ts'
import type { Branch } from './branch.ts'
import { createObjectReader, type ObjectReader } from './cat-file.ts'
import { createGarbageCollection } from './collect-garbage.ts'
import { writeCommit, type Person } from './fast-import.ts'
import { checkObjectId, createGitCommand, type Environment, type GitCommand } from './git-command.ts'
import { addedPaths, commitsTouching, resolveCommit, versionsOf } from './history.ts'
import { createLocalBranch } from './local.ts'
import { parseLocation, type Location } from './location.ts'
import { STALE_LOCK_MS, type LockPolicy } from './locks.ts'
import { createMirror } from './mirror.ts'
import { createRemote } from './network.ts'
import type { CommitOutcome, CommitRequest, GitRepository } from './port.ts'
import { diffTrees, listTree } from './tree.ts'
import { watchRefs } from './watch.ts'

export interface RepositoryOptions {
  /** A folder, which must be a bare repository, or a URL. */
  readonly location: string
  readonly branch: string
  /** Where a URL's mirror is kept. */
  readonly mirrorFolder: string
  /** The program's environment; git sees a few named variables of it. */
  readonly environment: Environment
  readonly now: () => Date
  readonly committer?: Person
  /** Only its objects are looked at, so a clone with a work tree will do. */
  readonly readOnly?: true
  /** For each fetch and push. */
  readonly networkTimeoutMs?: number
  /** Failures of background work that nothing waits for. */
  readonly onBackgroundError?: (error: unknown) => void
}

export const DEFAULT_COMMITTER: Person = { name: 'Tenantry', email: 'tenantry@localhost' }
const NETWORK_TIMEOUT_MS = 120_000

/** A folder must be a bare repository; a URL need not be reachable yet: `refresh` says whether it is, `tip` what was last known. */
export async function createRepository(options: RepositoryOptions): Promise<GitRepository> {
  const location = parseLocation(options.location)
  const git = createGitCommand({ folder: location.kind === 'local' ? location.folder : options.mirrorFolder, environment: options.environment })
  await checkBranchName(git, options.branch)
  const reader = createObjectReader(git)
  const locks = { now: options.now, staleAfterMs: STALE_LOCK_MS }
  const { branch, suspect } = location.kind === 'local' ? await openLocal(git, options, locks) : await openMirror(git, options, location, locks, reader)
  const garbage = createGarbageCollection({ git, onCollected: reader.recycle, onError: options.onBackgroundError ?? (() => undefined) })

  async function commit(parent: CommitId, request: CommitRequest): Promise<CommitOutcome> {
    const id = await writeCommit(git, { ...request, parent, committer: options.committer ?? DEFAULT_COMMITTER, at: options.now() })
    const moved = await branch.publish(id, parent)
    garbage.changed()
    return moved ? { kind: 'committed', id } : { kind: 'refused' }
  }

  return {
    async refresh() {
      await branch.refresh()
      // A local repository is packed by the pushes of others themselves.
      if (location.kind === 'remote') garbage.changed()
    },
    tip: branch.tip,
    resolve: (revision) => resolveCommit(git, revision),
    list: (id) => noticing(listTree(git, id), suspect),
    changes: (from, to) => diffTrees(git, from, to).catch(rethrowAfter(suspect)),
    read: (blobs, maxBytes) => noticing(reader.read(blobs, maxBytes), suspect),
    commit,
    pathsEverAdded: (folder, range) => addedPaths(git, range === undefined ? branch.ref : `${checkObjectId(range.from)}..${checkObjectId(range.to)}`, folder),
    log: (path, limit) => commitsTouching(git, branch.ref, path, limit),
    versions: (path, limit) => versionsOf(git, branch.ref, path, limit),
    watch: async (poke) => (location.kind === 'local' ? watchRefs(git.folder, poke) : async () => undefined),
    async close() {
      await garbage.close()
      await reader.close()
    },
  }
}

interface OpenBranch {
  readonly branch: Branch
  /** A read failed: the copy on this disk may be damaged. */
  readonly suspect: () => void
}

async function openLocal(git: GitCommand, options: RepositoryOptions, locks: LockPolicy): Promise<OpenBranch> {
  const bare = await git.run(['rev-parse', '--is-bare-repository']).catch((cause: unknown) => {
    throw new Error(`${git.folder} is not a git repository that can be read. Make one with "tenantry init", or set TENANTRY_REPOSITORY.`, { cause })
  })
  if (options.readOnly !== true && bare.toString('utf8').trim() !== 'true') throw new Error(`${git.folder} is not a bare repository: use "git clone --bare", and push to that one.`)
  const branch = createLocalBranch({ git, branch: options.branch, locks })
  // A repository that is only looked at keeps even its stale locks.
  if (options.readOnly !== true) await branch.refresh()
  return { branch, suspect: () => undefined }
}

async function openMirror(git: GitCommand, options: RepositoryOptions, location: Extract<Location, { kind: 'remote' }>, locks: LockPolicy, reader: ObjectReader): Promise<OpenBranch> {
  const remote = createRemote({ folder: git.folder, location, environment: options.environment, timeoutMs: options.networkTimeoutMs ?? NETWORK_TIMEOUT_MS })
  const branch = createMirror({ git, remote, url: location.url, branch: options.branch, locks, onRemade: reader.recycle })
  await branch.open()
  return { branch, suspect: branch.suspect }
}

async function checkBranchName(git: GitCommand, branch: string): Promise<void> {
  await git.run(['check-ref-format', `refs/heads/${branch}`]).catch((cause: unknown) => {
    throw new Error(`${JSON.stringify(branch)} is not a name that git allows for a branch: set TENANTRY_BRANCH.`, { cause })
  })
}

async function* noticing<T>(items: AsyncGenerator<T, void, undefined>, suspect: () => void): AsyncGenerator<T, void, undefined> {
  try {
    yield* items
  } catch (error) {
    suspect()
    throw error
  }
}

function rethrowAfter(suspect: () => void): (error: unknown) => never {
  return (error) => {
    suspect()
    throw error
  }
}
