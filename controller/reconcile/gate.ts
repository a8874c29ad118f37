/** Holds back what takes more tenants out of service in one revision than the platform allows, until a person approves exactly that set. */
import { takesOut } from '../core/change-set.ts'
import { gateDeletions, NO_LIMIT_KNOWN, type DeletionLimit } from '../core/deletion-gate.ts'
import type { CommitId } from '../core/specs.ts'
import type { Deletions } from '../store/deletions.ts'
import type { Proposal } from './target.ts'

/** Answers the proposals with those that must wait turned into "leave it". What waits is kept in the store; what came back is forgotten there. */
export function gate(proposals: readonly Proposal[], { revision, limit = NO_LIMIT_KNOWN, total, deletions }: { readonly revision: CommitId; readonly limit: DeletionLimit | undefined; readonly total: number; readonly deletions: Deletions }): readonly Proposal[] {
  const waiting = new Map(deletions.all().map((held) => [held.tenant, held]))
  for (const proposal of proposals) if (waiting.has(proposal.id) && !leaves(proposal)) deletions.forget(proposal.id)
  const leaving = proposals.filter(leaves)
  if (leaving.length === 0) return proposals
  const fresh = leaving.filter(({ id }) => !waiting.has(id))
  const holdFresh = gateDeletions(limit, Math.max(total, proposals.length), fresh.length).kind === 'held'
  if (holdFresh) deletions.hold(revision, fresh.map(({ id }) => id))
  return proposals.map((proposal) => {
    const held = waiting.get(proposal.id)
    if (!leaves(proposal) || (held === undefined ? !holdFresh : held.approvedAt !== null)) return proposal
    return heldBack(proposal, held?.revision ?? revision)
  })
}

function leaves({ change }: Proposal): boolean {
  return change !== undefined && takesOut(change.action)
}

function heldBack({ id, was }: Proposal, revision: CommitId): Proposal {
  const message = `waits for \`tenantry approve ${revision.slice(0, 12)}\`: the revision takes more tenants out of service than the deletion limit allows`
  return { id, was, target: { kind: 'leave', reason: 'AwaitingApproval', message, desired: was, findings: [] }, change: undefined }
}
