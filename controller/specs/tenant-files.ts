/** The file of a tenant with another spec in it: comments and order stay as a person wrote them. */
import type { SpecFile } from '../core/parsed.ts'
import type { Tenant, TenantId } from '../core/specs.ts'
import type { FileWrite, GitRepository } from '../git/port.ts'
import { MAX_SPEC_BYTES, type SpecParser } from './parse.ts'
import { tenantEdits } from './tenant-edits.ts'
import { editSpec } from './write.ts'

export interface TenantFiles {
  /** What to write so that the tenant's file says this. Undefined where the file is not valid now, or would not be. */
  edited(tenant: Tenant): Promise<FileWrite | undefined>
}

export interface TenantFilesOptions {
  readonly repository: Pick<GitRepository, 'read'>
  readonly catalog: { entry(id: TenantId): { readonly claims: readonly SpecFile[] } | undefined }
  /** Asked for when it is needed: making one takes a moment. */
  readonly parser: () => SpecParser
}

export function createTenantFiles({ repository, catalog, parser }: TenantFilesOptions): TenantFiles {
  return {
    async edited(tenant) {
      const claims = catalog.entry(tenant.metadata.name)?.claims ?? []
      const [claim] = claims
      if (claim === undefined || claims.length > 1 || claim.parsed.kind === 'bad') return undefined
      const { path, blob, parsed } = claim
      for await (const { text } of repository.read([blob], MAX_SPEC_BYTES)) {
        if (text === undefined) break
        const edited = editSpec(text, tenantEdits((parsed.spec as Tenant).spec, tenant.spec))
        return parser().parse(path, edited).kind === 'ok' ? { path, text: edited } : undefined
      }
      throw new Error(`${path} cannot be read from the repository`)
    },
  }
}
