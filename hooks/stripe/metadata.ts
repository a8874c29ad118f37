/** What Tenantry writes on its objects at Stripe. An object without it belongs to somebody else's business on the same account. */

export const METADATA = {
  plan: 'tenantry_plan',
  interval: 'tenantry_interval',
  username: 'tenantry_username',
  installation: 'tenantry_installation',
  /** The tenant that is paid for, where there is one already. */
  tenant: 'tenantry_tenant',
} as const

/** Whether an object is of this installation, another one, or nobody's here. */
export function ownerOf(metadata: Readonly<Record<string, string>> | null | undefined, installation: string): 'ours' | 'other' | 'nobody' {
  if (metadata?.[METADATA.plan] === undefined) return 'nobody'
  const owner = metadata[METADATA.installation]
  return owner === undefined || owner === installation ? 'ours' : 'other'
}
