/** The branch of a bare repository on this disk: moved by an atomic compare-and-swap on its ref. */
import type { CommitId } from '../core/specs.ts'
import { readRef, settlePublish, type Branch } from './branch.ts'
import type { GitCommand } from './git-command.ts'
import { removeStaleLocks, type LockPolicy } from './locks.ts'

export function createLocalBranch(options: { readonly git: GitCommand; readonly branch: string; readonly locks: LockPolicy }): Branch {
  const { git, locks } = options
  const ref = `refs/heads/${options.branch}`
  const tip = () => readRef(git, ref)

  async function publish(commit: CommitId, parent: CommitId): Promise<boolean> {
    const move = () => git.run(['update-ref', ref, commit, parent])
    try {
      await move()
      return true
    } catch (failure) {
      if ((await tip()) === parent && (await removeStaleLocks(git.folder, locks)).length > 0) {
        return move().then(
          () => true,
          async (again: unknown) => settlePublish(git, await tip(), commit, parent, again),
        )
      }
      return settlePublish(git, await tip(), commit, parent, failure)
    }
  }

  return {
    ref,
    tip,
    publish,
    async refresh() {
      // Also what an operator's killed push left: it would refuse all later pushes.
      await removeStaleLocks(git.folder, locks)
    },
  }
}
