/** What the reconcile core needs of a container engine. The docker adapter implements it; `unavailable.ts` stands in where there is no engine. */
import type { ContainerSpec, FieldDrift } from '../core/container.ts'
import type { TenantId } from '../core/specs.ts'

export type { ContainerSpec, FieldDrift } from '../core/container.ts'

export interface ObservedContainer {
  readonly name: string
  readonly tenant: TenantId | 'shared'
  readonly product: string
  readonly engineId: string
  readonly configHash: string
  readonly state: 'running' | 'unhealthy' | 'starting' | 'stopped'
  /** Host port on 127.0.0.1 by port name. */
  readonly ports: Readonly<Record<string, number>>
}

export interface Ensured {
  readonly observed: ObservedContainer
  /** What was done; `none` means that nothing had to be. */
  readonly action: 'none' | 'created' | 'started' | 'replaced' | 'reloaded' | 'updated'
  /** Why; empty for a first creation. */
  readonly drift: readonly FieldDrift[]
}

export type Availability = { readonly kind: 'available'; readonly version: string } | { readonly kind: 'missing'; readonly reason: string; readonly fix: string }

/** Errors thrown carry `next` (core/outcome.ts): stalled (image missing), waiting, or transient. */
export interface ContainerRuntime {
  availability(): Promise<Availability>
  /** Everything that carries this installation's label: one call to the engine. */
  list(): Promise<ObservedContainer[]>
  /** Makes the container as wanted, whatever is there: creates, starts, reloads, or replaces it and keeps its volumes. Idempotent, safe to kill anywhere. */
  ensure(spec: ContainerSpec): Promise<Ensured>
  /** Like `ensure`, but only tells what it would find wrong; throws where it has no image to make one from. */
  inspect(spec: ContainerSpec): Promise<readonly FieldDrift[]>
  /** Stops and removes the container and its network; volumes stay. No container is a success. */
  remove(name: string, stopGraceSeconds: number): Promise<void>
  /** Removes the named volumes that were made for `name`: the audited, separate step. */
  destroyVolumes(name: string): Promise<void>
  /** Runs a command inside; its exit code and output, at most 64 KiB where no other bound is given. */
  exec(name: string, command: readonly string[], mostBytes?: number): Promise<{ readonly exitCode: number; readonly output: string }>
  /** Calls back with a container's name when the engine says that something happened to it: a hint only. */
  watch(hint: (name: string) => void): () => void
}
