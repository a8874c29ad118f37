/**
 * Which phexts lie in the container of a tenant with an SQ of its own. SQ has no call that lists them, so its container is asked; nothing of
 * what is stored in them is read.
 */
import type { TenantId } from '../core/specs.ts'
import { ReconcileError } from '../core/outcome.ts'
import type { ContainerRuntime } from '../runtime/port.ts'
import type { World } from './world.ts'

/** Where the rendered configuration has SQ keep its data, inside the container. */
export const DEDICATED_DATA = '/data'

export type DedicatedPhexts =
  | { readonly kind: 'listed'; readonly names: readonly string[] }
  /** There is no such tenant, or it has no SQ of its own. */
  | { readonly kind: 'none' }
  /** Perhaps later, or never: the message is for the log. */
  | { readonly kind: 'failed'; readonly message: string }

/** Room for some ten thousand names. */
const MOST_BYTES = 4 * 1024 * 1024
const ENDING = '.phext'
/** No name has a NUL, and many may have a line break. */
const LIST = ['find', DEDICATED_DATA, '-maxdepth', '1', '-type', 'f', '-name', `*${ENDING}`, '-print0'] as const

export function createDedicatedPhexts(world: Pick<World, 'desired'>, runtime: Pick<ContainerRuntime, 'exec'>): (tenant: TenantId) => Promise<DedicatedPhexts> {
  return async (tenant) => {
    if (world.desired(tenant)?.place.kind !== 'container') return { kind: 'none' }
    try {
      const { exitCode, output } = await runtime.exec(tenant, LIST, MOST_BYTES)
      if (exitCode !== 0) return { kind: 'failed', message: `find ended with ${exitCode} in the container: ${output.slice(0, 200)}` }
      if (Buffer.byteLength(output) >= MOST_BYTES) return { kind: 'failed', message: 'there are too many phexts to list' }
      return { kind: 'listed', names: output.split('\0').filter((file) => file.endsWith(ENDING)).map((file) => file.slice(DEDICATED_DATA.length + 1, -ENDING.length)).sort() }
    } catch (error) {
      if (!(error instanceof ReconcileError)) throw error
      return { kind: 'failed', message: error.message }
    }
  }
}
