/** What one look at an event came to, and how that is written down: in the inbox, in the log, in the metrics. */
import type { TenantId } from '../../controller/core/specs.ts'
import type { OpenEvent, Settlement } from '../../controller/store/inbox.ts'
import type { Log } from './ports.ts'

export type Verdict =
  /** `agrees`: the repository said so already. `case`: a person was told. `no-tenant`: it ended before it had one. */
  | { readonly kind: 'done'; readonly reason: 'provisioned' | 'already' | 'paid-for' | 'billed' | 'agrees'; readonly tenant: TenantId }
  | { readonly kind: 'ignored'; readonly reason: 'not-ours' | 'never-paid' | 'waits-for-purchase' | 'put-before-a-person' | 'expired'; readonly note: string }
  | { readonly kind: 'held'; readonly reason: string; readonly detail: string }
  | { readonly kind: 'retry'; readonly reason: 'unpaid' | 'stripe-failed' | 'write-failed'; readonly note: string; readonly inMs: number }

/** Held events are looked at again at once when the repository changes; this is for what changes at Stripe. */
const HELD_RECHECK_MS = 5 * 60_000

export function settlementOf(event: OpenEvent, verdict: Verdict, atMs: number): Settlement {
  const { id } = event
  const after = (ms: number) => new Date(atMs + ms).toISOString()
  switch (verdict.kind) {
    case 'done':
      return { kind: 'done', id, note: verdict.reason, tenant: verdict.tenant }
    case 'ignored':
      return { kind: 'ignored', id, note: verdict.note }
    case 'held':
      return { kind: 'held', id, note: heldNote(verdict), nextAttemptAt: after(HELD_RECHECK_MS) }
    case 'retry': {
      const nextAttemptAt = after(verdict.inMs)
      // What waits for a person goes on waiting for one while it could not be looked at.
      if (event.state === 'held') return { kind: 'held', id, note: event.note ?? verdict.note, nextAttemptAt }
      return { kind: 'retry', id, note: verdict.note, nextAttemptAt }
    }
  }
}

function heldNote({ reason, detail }: Extract<Verdict, { kind: 'held' }>): string {
  return `${reason}: ${detail}`
}

export interface Reporting {
  readonly log: Log
  /** Called once for each settled attempt; `reason` is one of a fixed set. */
  readonly count: (outcome: Settlement['kind'], reason: string) => void
}

/** Each hold is alerted once, not at every look. */
export function report({ log, count }: Reporting, event: OpenEvent, verdict: Verdict): void {
  const isNews = verdict.kind !== 'held' || event.state !== 'held' || event.note !== heldNote(verdict)
  if (!isNews) return
  count(verdict.kind, verdict.reason)
  const fields = { event: event.id, trace: event.trace, reason: verdict.reason }
  if (verdict.kind === 'held') log.warn({ ...fields, detail: verdict.detail }, 'purchase held: a person has to decide')
  else if (verdict.kind === 'done' && verdict.reason !== 'agrees') log.info({ ...fields, tenant: verdict.tenant }, verdict.reason === 'billed' ? 'billing changed a tenant' : 'purchase served')
}
