/**
 * Every change that Tenantry itself makes to the repository goes through here, one after another: bring the catalog to the tip,
 * decide on exactly that, commit on exactly that. Git is the lock: where somebody else was first, the decision is made anew.
 */
import type { CatalogView } from '../core/catalog-view.ts'
import type { CommitId } from '../core/specs.ts'
import type { CommitRequest, GitRepository } from '../git/port.ts'
import type { Source } from './source.ts'

export interface Decision<T> {
  readonly commit?: CommitRequest
  readonly result: T
}

export interface RepositoryWriter {
  /**
   * Lets `decide` choose on the present tip and makes its commit durable there before resolving. `decide` may be called again
   * and must not act by itself. Throws where the repository cannot be read or written, or somebody else is first ten times.
   */
  write<T>(decide: (catalog: CatalogView) => Decision<T> | Promise<Decision<T>>): Promise<{ readonly revision?: CommitId; readonly result: T }>
}

const ATTEMPTS = 10

export function createRepositoryWriter(repository: GitRepository, source: Source, catalog: CatalogView, onCommit: () => void): RepositoryWriter {
  let queue: Promise<unknown> = Promise.resolve()

  async function writeNow<T>(decide: (catalog: CatalogView) => Decision<T> | Promise<Decision<T>>): Promise<{ revision?: CommitId; result: T }> {
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const tip = await source.sync()
      const { commit, result } = await decide(catalog)
      if (commit === undefined) return { result }
      const outcome = await repository.commit(tip, commit)
      if (outcome.kind === 'refused') continue
      onCommit()
      return { revision: outcome.id, result }
    }
    throw new Error(`the tenant repository changed ${ATTEMPTS} times while writing to it; try again`)
  }

  return {
    write(decide) {
      const result = queue.then(() => writeNow(decide))
      queue = result.catch(() => undefined)
      return result
    },
  }
}
