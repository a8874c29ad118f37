/**
 * The branch of a repository behind a URL, kept as a bare mirror on this disk. The remote is the truth: the mirror is fetched
 * with force, and made anew when it is damaged, half made or of another URL. A folder that this file did not make is left alone.
 */
import { createHash } from 'node:crypto'
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import type { CommitId } from '../core/specs.ts'
import { readRef, settlePublish, type Branch } from './branch.ts'
import { GitError, type GitCommand } from './git-command.ts'
import { removeStaleLocks, type LockPolicy } from './locks.ts'
import type { Remote } from './network.ts'

/** Says that the folder is ours to clear, and which URL and branch it mirrors. */
const MARKER = 'tenantry-mirror'
/** There once a fetch has succeeded: until then nothing is known of the branch. */
const FETCHED = 'tenantry-fetched'

export interface MirrorOptions {
  readonly git: GitCommand
  readonly remote: Remote
  readonly url: string
  readonly branch: string
  readonly locks: LockPolicy
  /** Called when the mirror's objects were replaced under whoever reads them. */
  readonly onRemade: () => Promise<void>
}

export interface Mirror extends Branch {
  /** Makes the folder ready; needs no network. */
  open(): Promise<void>
  /** After a failed read: has the next refresh look at the whole mirror. */
  suspect(): void
}

export function createMirror(options: MirrorOptions): Mirror {
  const { git, remote, branch, locks } = options
  const ref = `refs/remotes/origin/${branch}`
  const inTurn = createTurns()
  let suspected = false

  async function tip(): Promise<CommitId | undefined> {
    if (!(await exists(path.join(git.folder, FETCHED)))) throw new Error(`${options.url} was never fetched yet: its branch is not known.`)
    return readRef(git, ref)
  }

  async function fetch(): Promise<void> {
    try {
      await remote.fetch(branch, ref)
    } catch (failure) {
      if (!(await isSound(git, ref))) {
        await remake()
        await remote.fetch(branch, ref)
      } else if (await remote.hasBranch(branch).catch(() => true)) {
        throw failure
      } else {
        await git.run(['update-ref', '-d', ref])
      }
    }
    await writeFile(path.join(git.folder, FETCHED), '')
  }

  async function remake(): Promise<void> {
    await clear(git.folder)
    await prepare(git, options.url, branch)
    await options.onRemade()
  }

  async function refreshNow(): Promise<void> {
    await prepare(git, options.url, branch)
    await removeStaleLocks(git.folder, locks)
    if (suspected && !(await isSound(git, ref))) await remake()
    suspected = false
    await fetch()
  }

  async function publishNow(commit: CommitId, parent: CommitId): Promise<boolean> {
    try {
      await remote.push(branch, commit, parent)
    } catch (failure) {
      // Refused, declined by a hook, or cut off after it was taken: only the remote knows.
      await refreshNow()
      return settlePublish(git, await tip(), commit, parent, failure)
    }
    // The push counts whether or not the mirror takes note of it; the next refresh does so in any case.
    await git.run(['update-ref', ref, commit]).catch(() => undefined)
    return true
  }

  return {
    ref,
    tip,
    refresh: () => inTurn(refreshNow),
    publish: (commit, parent) => inTurn(() => publishNow(commit, parent)),
    suspect: () => (suspected = true),
    open: () =>
      inTurn(async () => {
        await prepare(git, options.url, branch)
        await removeStaleLocks(git.folder, locks)
        if (!(await isSound(git, ref))) await remake()
      }),
  }
}

/** One at a time: a fetch and a push of the same mirror would meet at its locks. */
function createTurns(): <T>(task: () => Promise<T>) => Promise<T> {
  let last: Promise<unknown> = Promise.resolve()
  return (task) => {
    const result = last.then(task)
    last = result.catch(() => undefined)
    return result
  }
}

/** Harmless when repeated, and after a crash at any step: the marker comes first, and `git init` completes what is there. */
async function prepare(git: GitCommand, url: string, branch: string): Promise<void> {
  const identity = createHash('sha256').update(`${url}\n${branch}\n`).digest('hex')
  const marker = path.join(git.folder, MARKER)
  await mkdir(git.folder, { recursive: true })
  const names = await readdir(git.folder)
  if (names.length > 0 && !names.includes(MARKER)) throw new Error(`${git.folder} is not a mirror that Tenantry made: move it away, or set another TENANTRY_HOME.`)
  if (names.includes(MARKER) && (await readFile(marker, 'utf8')) === identity && names.includes('HEAD')) return
  await clear(git.folder)
  await writeFile(marker, identity)
  await git.run(['init', '--bare', '--quiet', '--template=', `--initial-branch=${branch}`, git.folder])
}

/** The note that the branch is known goes first, the marker last. */
async function clear(folder: string): Promise<void> {
  await rm(path.join(folder, FETCHED), { force: true })
  for (const name of await readdir(folder)) if (name !== MARKER) await rm(path.join(folder, name), { recursive: true, force: true, maxRetries: 3 })
  await rm(path.join(folder, MARKER), { force: true })
}

/** Whether every object of the branch's newest tree is there. A branch that does not exist is sound. */
async function isSound(git: GitCommand, ref: string): Promise<boolean> {
  try {
    const tip = await readRef(git, ref)
    if (tip !== undefined) await git.run(['rev-list', '--objects', '--quiet', '--max-count=1', tip])
    return true
  } catch (error) {
    // A git that could not start, or was killed, says nothing about the mirror: it must not cost what is known.
    if (error instanceof GitError && error.exitCode === undefined) throw error
    return false
  }
}

async function exists(file: string): Promise<boolean> {
  return readFile(file).then(
    () => true,
    (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return false
      throw error
    },
  )
}
