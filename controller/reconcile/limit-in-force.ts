/** The deletion limit that was in force before the revision at hand, kept over restarts: a revision that raises it may not use it at once. */
import type { DeletionLimit } from '../core/deletion-gate.ts'
import type { Meta } from '../store/meta.ts'

export interface LimitInForce {
  get(): DeletionLimit | undefined
  set(limit: DeletionLimit): void
}

const NAME = 'deletion-limit'

export function createLimitInForce(meta: Meta): LimitInForce {
  return {
    get() {
      const text = meta.get(NAME)
      return text === undefined ? undefined : (JSON.parse(text) as DeletionLimit)
    },
    set: (limit) => meta.set(NAME, JSON.stringify(limit)),
  }
}
