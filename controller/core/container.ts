/**
 * What a container should be, as a value: the product's run block, the tenant's limits and the rendered files. The docker
 * adapter makes it so; it knows nothing of products, plans or tenants beyond what stands here.
 */
import type { DesiredTenant } from './desired.ts'
import type { ContainerRun, Limits, TenantId } from './specs.ts'

/** One container as it should be. Everything in it but `files` is part of the configuration hash. */
export interface ContainerSpec {
  /** Unique in this installation; becomes the container's name with the installation's prefix: a tenant's id, or a shard's. */
  readonly name: string
  readonly tenant: TenantId | 'shared'
  readonly product: string
  readonly image: string
  readonly command?: readonly string[]
  readonly user?: string
  readonly environment: Readonly<Record<string, string>>
  readonly capabilities: readonly string[]
  readonly memoryMb: number
  readonly cpus: number
  readonly pidsLimit: number
  readonly ports: readonly { readonly name: string; readonly port: number }[]
  /** Named volumes, kept when the container is replaced or removed. */
  readonly volumes: readonly { readonly name: string; readonly path: string }[]
  /** Folders of this machine, mounted at the same path: the shared SQ's own folder. */
  readonly binds: readonly string[]
  readonly tmpfs: readonly string[]
  readonly health: { readonly port: string; readonly path: string }
  readonly stopGraceSeconds: number
  /** Secret texts that appear under /run/tenantry in the container, mode 0600; a change of these alone replaces nothing. */
  readonly files: readonly { readonly name: string; readonly text: string }[]
  /** Run inside after files changed; absent: restart. */
  readonly reload?: readonly string[]
}

/** A field that is not as wanted: every repair names it. Never holds a secret. */
export interface FieldDrift {
  readonly field: string
  readonly wanted: string
  readonly found: string
}

/** The container of a tenant. `files` are rendered by the caller: they hold keys. */
export function tenantContainer(run: ContainerRun, desired: DesiredTenant, files: ContainerSpec['files']): ContainerSpec {
  return {
    name: desired.tenant,
    tenant: desired.tenant,
    product: desired.product,
    image: run.image,
    ...(run.command && { command: run.command }),
    ...(run.user !== undefined && { user: run.user }),
    environment: run.environment ?? {},
    capabilities: run.capabilities ?? [],
    memoryMb: desired.limits.memoryMb ?? run.memoryMb,
    cpus: desired.limits.cpus ?? run.cpus,
    pidsLimit: run.pidsLimit,
    ports: run.ports,
    volumes: run.volumes,
    binds: [],
    tmpfs: run.tmpfs ?? [],
    health: run.health,
    stopGraceSeconds: run.stopGraceSeconds,
    files,
    ...(run.reload && { reload: run.reload }),
  }
}

/** What a container takes from its host, for capacity sums. */
export function containerNeeds(run: ContainerRun, limits: Limits): { readonly memoryMb: number; readonly cpus: number } {
  return { memoryMb: limits.memoryMb ?? run.memoryMb, cpus: limits.cpus ?? run.cpus }
}
