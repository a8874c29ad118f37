/** What the Stripe hooks need of the rest of the program. The composition root hands in what fits. */
import type { CatalogView } from '../../controller/core/catalog-view.ts'
import type { CommitId } from '../../controller/core/specs.ts'
import type { CommitRequest } from '../../controller/git/port.ts'

interface Decision<T> {
  readonly commit?: CommitRequest
  readonly result: T
}

export type Decide<T> = (catalog: CatalogView) => Decision<T> | Promise<Decision<T>>

export interface RepositoryWriter {
  /**
   * Serialised. Brings the catalog to the branch's tip, lets `decide` choose, commits on exactly that tip; refused: decides again.
   * Resolves when the push is durable.
   */
  write<T>(decide: Decide<T>): Promise<{ readonly revision?: CommitId; readonly result: T }>
}

/** Structured log with static messages; pino's logger fits. */
export interface Log {
  info(data: object, message: string): void
  warn(data: object, message: string): void
  error(data: object, message: string): void
}
