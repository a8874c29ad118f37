/** All memory that the workers and the coordinator share, made once by the coordinator. What nobody touched yet costs nothing. */
import { failedAttemptsBuffer } from './failed-attempts.ts'
import { keySlotsBuffer } from './key-slots.ts'
import { phextVersionsBuffer } from './phext-versions.ts'
import { tenantSlotsBuffer } from './tenant-slots.ts'

export interface SharedBuffers {
  readonly tenantSlots: SharedArrayBuffer
  readonly keySlots: SharedArrayBuffer
  readonly phextVersions: SharedArrayBuffer
  readonly failedAttempts: SharedArrayBuffer
}

/** `lanes`: how many workers there may be, with those whose writes may not have ended yet. */
export function createSharedBuffers(lanes: number): SharedBuffers {
  return { tenantSlots: tenantSlotsBuffer(), keySlots: keySlotsBuffer(), phextVersions: phextVersionsBuffer(lanes), failedAttempts: failedAttemptsBuffer() }
}
