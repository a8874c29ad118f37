/** When a trial that an agent began is over: nobody claimed it, or who claimed it did not pay. Pure. */
import { GRACE_DAYS } from './billing.ts'
import type { Plan, Tenant, TenantSpec, Timestamp } from './specs.ts'
import { timestampOf } from './timestamp.ts'

const DAY_MS = 86_400_000

/**
 * What the spec should be now: an unclaimed trial ends with its time, its data is kept for the retention period. A claimed one is
 * suspended first, for the plan's grace, since a person stands behind it. The very same object where nothing changes.
 */
export function endTrial({ spec }: Tenant, plan: Plan | undefined, now: Timestamp): TenantSpec {
  const { trial, billing, state, stateBy } = spec
  const isByPerson = state !== 'active' && stateBy === undefined
  if (trial === undefined || billing?.subscription !== undefined || state === 'ended' || isByPerson) return spec
  const over = Date.parse(now) - Date.parse(trial.endsAt)
  if (over < 0) return spec
  const grace = trial.claimedAt === undefined ? 0 : (plan?.spec.graceDays ?? GRACE_DAYS) * DAY_MS
  if (over >= grace) return { ...spec, state: 'ended', stateBy: 'trial', stateReason: 'the trial ended and nobody paid', endedAt: timestampOf(Date.parse(now)) }
  return state === 'suspended' ? spec : { ...spec, state: 'suspended', stateBy: 'trial', stateReason: 'the trial ended: pay to go on' }
}
