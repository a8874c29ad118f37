/**
 * The commit that a batch becomes: a file for each tenant that is new or changed, and a message that says who got what, and why.
 * No e-mail address and no secret is in the message.
 */
import type { BillingAct } from '../../controller/core/billing.ts'
import type { PurchaseOutcome } from '../../controller/core/purchase.ts'
import type { Tenant } from '../../controller/core/specs.ts'
import type { CommitRequest, FileWrite } from '../../controller/git/port.ts'
import type { OpenEvent } from '../../controller/store/inbox.ts'

export interface Bought {
  readonly outcome: Extract<PurchaseOutcome, { kind: 'provision' | 'paid' }>
  /** The event that told of the payment. */
  readonly event: OpenEvent
  readonly file: FileWrite
}

export interface Billed {
  readonly tenant: Tenant
  readonly acts: readonly BillingAct[]
  readonly events: readonly OpenEvent[]
  readonly file: FileWrite
}

export const AUTHOR = { name: 'Tenantry', email: 'tenantry@localhost' }

/** Undefined where there is nothing to write. */
export function batchCommit(bought: readonly Bought[], billed: readonly Billed[]): CommitRequest | undefined {
  if (bought.length + billed.length === 0) return undefined
  const lines = [...bought.map(boughtLine), ...billed.map(billedLine)]
  const events = billed.flatMap((each) => each.events)
  const trailers = [...bought.map(({ event }) => `Trace: ${event.trace}`), ...events.flatMap(({ id, trace }) => [`Trace: ${trace}`, `Event: ${id}`])]
  return { message: `${subject(bought, billed)}\n\n${lines.join('\n')}\n\n${trailers.join('\n')}\n`, author: AUTHOR, files: fileOf([...bought, ...billed]) }
}

/** Of a tenant that two reasons changed in one batch, the last file says both. */
function fileOf(changes: readonly { readonly file: FileWrite }[]): FileWrite[] {
  return [...new Map(changes.map(({ file }) => [file.path, file])).values()]
}

function subject(bought: readonly Bought[], billed: readonly Billed[]): string {
  if (bought.length === 0) return billedSubject(billed)
  const [first, ...others] = bought
  const plans = [...new Set(bought.map(({ outcome }) => outcome.tenant.spec.plan))].sort()
  const what = others.length === 0 ? first!.outcome.tenant.metadata.name : `${bought.length} tenants`
  const purchases = `purchase: ${what} on ${plans.length > 3 ? `${plans.length} plans` : plans.join(', ')}`
  return billed.length === 0 ? purchases : `${purchases}; billing of ${billed.length === 1 ? billed[0]!.tenant.metadata.name : `${billed.length} others`}`
}

function billedSubject(billed: readonly Billed[]): string {
  const [first, ...others] = billed
  return others.length === 0 ? `billing: ${first!.tenant.metadata.name} ${what(first!.acts)}` : `billing: ${billed.length} tenants`
}

function boughtLine({ outcome, event }: Bought): string {
  const { plan, owner, billing } = outcome.tenant.spec
  const who = owner.username ?? billing?.customer ?? 'a buyer without a name'
  const notes = [
    ...(outcome.kind === 'paid' ? ['which was a trial'] : []),
    ...(outcome.soldAs === undefined ? [] : [`instead of ${outcome.soldAs}, which is full`]),
    ...(outcome.kind === 'paid' || outcome.usernameWanted === undefined ? [] : ['the user name asked for was not free or not allowed']),
  ]
  return `- ${outcome.tenant.metadata.name} for ${who} on ${plan}, event ${event.id}${notes.map((note) => `; ${note}`).join('')}`
}

function billedLine({ tenant, acts, events }: Billed): string {
  return `- ${tenant.metadata.name}: ${what(acts)}, event ${events.map(({ id }) => id).join(', ')}`
}

function what(acts: readonly BillingAct[]): string {
  return acts.length === 0 ? 'billing fields' : acts.map(({ text }) => text).join('; ')
}
