/**
 * Packs the small objects that thousands of small commits leave. In the background, at the lowest priority, in bounded time and
 * memory, and never twice at once; git itself decides whether there is anything to do.
 */
import os from 'node:os'
import type { GitCommand, RunningGit } from './git-command.ts'

/** Commits and fetches between two looks: a look costs a process, and git packs at some thousand loose objects. */
const CHANGES_BETWEEN = 100
const LIMIT_MS = 10 * 60_000

export interface GarbageCollection {
  /** Objects were written, or may have been. */
  changed(): void
  /** Settles once a run that is under way has ended. */
  idle(): Promise<void>
  close(): Promise<void>
}

export interface GarbageOptions {
  readonly git: GitCommand
  /** Packs were replaced: whoever holds the old ones open may let go. */
  readonly onCollected: () => Promise<void>
  /** Nothing depends on a run, so its failure stops nobody; somebody should see it. */
  readonly onError: (error: unknown) => void
  readonly changesBetween?: number
}

export function createGarbageCollection({ git, onCollected, onError, changesBetween = CHANGES_BETWEEN }: GarbageOptions): GarbageCollection {
  let changes = 0
  let running: { git: RunningGit; finished: Promise<void> } | undefined
  let closed = false

  function start(): void {
    const args = ['-c', 'gc.auto=6700', '-c', 'gc.autoDetach=false', '-c', 'pack.threads=1', '-c', 'pack.windowMemory=64m', 'gc', '--auto', '--quiet']
    const process = git.launch(args, LIMIT_MS)
    process.child.stdin.end()
    process.child.stdout.resume()
    if (process.child.pid !== undefined) lowerPriority(process.child.pid)
    const finished = process.done.then(onCollected).catch((error: unknown) => {
      if (!closed) onError(error)
    })
    running = { git: process, finished: finished.finally(() => (running = undefined)) }
  }

  return {
    changed() {
      changes += 1
      if (closed || running !== undefined || changes < changesBetween) return
      changes = 0
      start()
    },
    idle: async () => running?.finished,
    async close() {
      closed = true
      running?.git.child.kill()
      await running?.finished
    },
  }
}

function lowerPriority(pid: number): void {
  try {
    os.setPriority(pid, os.constants.priority.PRIORITY_LOW)
  } catch {
    // It has ended already, or this system has no priorities.
  }
}
