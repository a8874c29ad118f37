/**
 * Errors named by what happens next. An adapter throws `ReconcileError`; anything else that is thrown counts as transient.
 * `stalled`: a person must act, a retry would fail the same way. `waiting`: nothing to do until a time or an event. `transient`: back off and try again.
 */
import type { Timestamp } from './specs.ts'

export type Next = { readonly kind: 'stalled' } | { readonly kind: 'waiting'; readonly until?: Timestamp } | { readonly kind: 'transient' }

export class ReconcileError extends Error {
  override readonly name = 'ReconcileError'
  readonly next: Next
  /** Stable, CamelCase, for status conditions: `ImageMissing`, `EngineMissing`. */
  readonly reason: string

  constructor(next: Next, reason: string, message: string, options?: ErrorOptions) {
    super(message, options)
    this.next = next
    this.reason = reason
  }
}
