/**
 * Which tenants a signed-in person may see: those whose file names the address that is proved to be theirs. Everything that the dashboard
 * shows or does goes through here; an id that is somebody else's is answered as one that does not exist.
 */
import type { Session } from '../accounts/port.ts'
import type { Tenant, TenantId } from '../core/specs.ts'
import { compareIds } from '../core/tenant-id.ts'

export interface Owned {
  /** In force, ended ones last. */
  all(session: Session): readonly Tenant[]
  one(session: Session, id: string): Tenant | undefined
}

export interface OwnedCatalog {
  ownedBy(email: string): readonly TenantId[]
  tenant(id: TenantId): Tenant | undefined
}

export function createOwned(catalog: OwnedCatalog): Owned {
  function one(session: Session, id: string): Tenant | undefined {
    const tenant = session.emailVerified ? catalog.tenant(id as TenantId) : undefined
    return tenant !== undefined && isOwner(session, tenant) ? tenant : undefined
  }
  return {
    one,
    all(session) {
      if (!session.emailVerified) return []
      // The index also knows a new file that is not in force: what is in force decides.
      const tenants = [...new Set(catalog.ownedBy(session.email))].flatMap((id) => one(session, id) ?? [])
      return tenants.sort((a, b) => Number(a.spec.state === 'ended') - Number(b.spec.state === 'ended') || compareIds(a.metadata.name, b.metadata.name))
    },
  }
}

function isOwner({ email }: Session, { spec }: Tenant): boolean {
  return spec.owner.email.toLowerCase() === email.toLowerCase()
}
