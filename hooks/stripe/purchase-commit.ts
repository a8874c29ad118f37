/**
 * The commit that a batch of purchases becomes: one file for each tenant, and a message that says who got what, and why.
 * No e-mail address and no secret is in the message.
 */
import type { Tenant } from '../../controller/core/specs.ts'
import type { PurchaseOutcome } from '../../controller/core/purchase.ts'
import type { CommitRequest } from '../../controller/git/port.ts'

export interface Provisioned {
  readonly outcome: Extract<PurchaseOutcome, { kind: 'provision' }>
  /** The event that told of the payment. */
  readonly event: string
  readonly trace: string
}

const AUTHOR = { name: 'Tenantry', email: 'tenantry@localhost' }

/** Undefined where there is nothing to write. */
export function purchaseCommit(provisioned: readonly Provisioned[], stringify: (tenant: Tenant) => string): CommitRequest | undefined {
  if (provisioned.length === 0) return undefined
  return { message: message(provisioned), author: AUTHOR, files: provisioned.map(({ outcome }) => ({ path: outcome.path, text: stringify(outcome.tenant) })) }
}

function message(provisioned: readonly Provisioned[]): string {
  const lines = provisioned.map(line)
  const trailers = provisioned.map(({ trace }) => `Trace: ${trace}`)
  return `${subject(provisioned)}\n\n${lines.join('\n')}\n\n${trailers.join('\n')}\n`
}

function subject(provisioned: readonly Provisioned[]): string {
  const [first, ...others] = provisioned
  const plans = [...new Set(provisioned.map(({ outcome }) => outcome.tenant.spec.plan))].sort()
  const what = others.length === 0 ? first!.outcome.tenant.metadata.name : `${provisioned.length} tenants`
  return `purchase: ${what} on ${plans.length > 3 ? `${plans.length} plans` : plans.join(', ')}`
}

function line({ outcome: { tenant, soldAs, usernameWanted }, event }: Provisioned): string {
  const { plan, owner, billing } = tenant.spec
  const who = owner.username ?? billing?.customer ?? 'a buyer without a name'
  const notes = [
    ...(soldAs === undefined ? [] : [`instead of ${soldAs}, which is full`]),
    ...(usernameWanted === undefined ? [] : ['the user name asked for was not free or not allowed']),
  ]
  return `- ${tenant.metadata.name} for ${who} on ${plan}, event ${event}${notes.map((note) => `; ${note}`).join('')}`
}
