/** Stands in where there is no container engine: products that need one wait with a clear reason, everything else goes on. */
import type { ContainerRuntime } from '../port.ts'
import { ENGINE_FIX, engineMissing } from './errors.ts'

/** Every call that would need the engine throws `EngineMissing`, which waits. `reason` says why there is none. */
export function createMissingRuntime(reason: string): ContainerRuntime {
  const refuse = () => Promise.reject(engineMissing(reason))
  return {
    availability: () => Promise.resolve({ kind: 'missing', reason, fix: ENGINE_FIX }),
    // Not an empty list: that would say that everything is gone.
    list: refuse,
    ensure: refuse,
    inspect: refuse,
    remove: refuse,
    destroyVolumes: refuse,
    exec: refuse,
    watch: () => () => undefined,
  }
}
