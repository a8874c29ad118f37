/** A request that was let through, on its way to its instance. */
import type { Granted } from './access.ts'
import type { Account } from './allowance.ts'
import type { Incoming } from './data-path.ts'
import type { Expected } from './read-cache.ts'
import type { CheckedCall } from './sq-guard.ts'

export interface Passed {
  readonly incoming: Incoming
  readonly access: Granted
  readonly account: Account
  readonly limitHeaders: readonly string[]
  /** What goes to the instance; the client's own method and target where nothing has to be translated. */
  readonly method: string
  readonly target: string
  /** Set for a call to SQ that concerns a phext. */
  readonly checked?: CheckedCall
  /** Set for a read whose answer may be held until it is whole. */
  readonly held?: HeldRead
}

export interface HeldRead {
  /** Undefined where the answer is not to be kept. */
  readonly expected: Expected | undefined
  /** Nothing at a name is 404. */
  readonly byName: boolean
}

export interface Body {
  readonly pieces: readonly Buffer[]
  readonly bytes: number
  readonly release: () => void
}

export const NO_BODY: Body = { pieces: [], bytes: 0, release: () => undefined }
