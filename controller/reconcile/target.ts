/** What is wanted of a tenant, and what would become of it, as values that the loop's parts hand to each other. */
import type { TenantChange } from '../core/change-set.ts'
import type { DesiredTenant } from '../core/desired.ts'
import type { Finding } from '../core/problem.ts'
import type { BlobId, TenantId, Timestamp } from '../core/specs.ts'

/** What is wanted of one tenant. */
export type Target =
  /** Make it so; `desired.state` says whether it serves. */
  | { readonly kind: 'follow'; readonly desired: DesiredTenant; readonly blob: BlobId; readonly path: string; readonly findings: readonly Finding[]; readonly heldBy: 'BadFile' | 'BadPlan' | 'BadProduct' | undefined }
  /** Leave it exactly as it is. `desired` is what it was told last, undefined where it was never made. */
  | { readonly kind: 'leave'; readonly reason: 'OnHold' | 'AwaitingApproval' | 'BadFile' | 'IdUsedBefore'; readonly message: string; readonly desired: DesiredTenant | undefined; readonly findings: readonly Finding[] }
  /** Gone from the repository: stop it, keep its data. */
  | { readonly kind: 'retire'; readonly desired: DesiredTenant | undefined }
  /** Never had a good spec: nothing to do but say why. */
  | { readonly kind: 'invalid'; readonly path: string; readonly product: string; readonly findings: readonly Finding[] }

/** What would become of a tenant, before removals are counted. */
export interface Proposal {
  readonly id: TenantId
  readonly was: DesiredTenant | undefined
  readonly target: Target
  readonly change: TenantChange | undefined
  /** When time alone may change the answer; a tenant that waits for a person has no such time. */
  readonly nextAt?: Timestamp | undefined
}
