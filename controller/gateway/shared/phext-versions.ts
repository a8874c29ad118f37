/**
 * How often each phext was written to, exactly and for all threads: what an answer kept in memory is compared with, and what tells when
 * a file may be measured. A fixed table over shared memory, indexed by a hash: two phexts in one place cost only needless caution.
 *
 * A write raises the count of writes under way before the version, and a reader reads the version before that count. So whoever saw
 * a version while nothing was under way knows that no write had begun at that version, and every later one raises it.
 */

const SLOTS = 1 << 16
export interface PhextVersions {
  /** Call it before SQ can see the write. Without `phext`: it may change any phext of the tenant. */
  writeBegins(tenant: string, phext: string | undefined): WriteTicket
  read(tenant: string, phext: string): PhextVersion
  /** The places of a phext in the table, for those who ask again and again. */
  placeOf(tenant: string, phext: string): PhextPlace
  versionAt(place: PhextPlace): number
  isQuietAt(place: PhextPlace): boolean
  /** SQ may hold this phext otherwise than its file does, so that it can change without a write: nothing of it is quiet from now on. */
  distrust(tenant: string, phext: string | undefined): void
  /** A thread is gone: its writes under way have ended. Only some time after its death, since SQ may still be at them. */
  endLane(lane: number): void
}

export interface WriteTicket {
  /** The write is done, or was never sent. With an unknown outcome, only when SQ cannot be at it any more. Once has an effect. */
  ends(): void
}

export interface PhextVersion {
  readonly version: number
  /** No write was under way, after `version` was read. */
  readonly quiet: boolean
}

export interface PhextPlace {
  readonly phext: number
  readonly tenant: number
}

/**
 * `lanes`: one for each thread, and some for those that take the place of dead ones. The machine gives the memory as it is used.
 */
export function phextVersionsBuffer(lanes = 1): SharedArrayBuffer {
  return new SharedArrayBuffer(4 * SLOTS * (2 + lanes))
}

/** `lane`: the number of the thread, unlike that of every other one that lives or whose lane was not ended yet. */
export function createPhextVersions(buffer: SharedArrayBuffer, lane = 0): PhextVersions {
  const lanes = buffer.byteLength / (4 * SLOTS) - 2
  if (lane < 0 || lane >= lanes) throw new Error(`a lane is a number below ${lanes}, not ${lane}`)
  const versions = new Int32Array(buffer, 0, SLOTS)
  const distrusted = new Int32Array(buffer, 4 * SLOTS, SLOTS)
  const underWay = new Int32Array(buffer, 8 * SLOTS, SLOTS * lanes)

  function isQuiet(slot: number): boolean {
    if (Atomics.load(distrusted, slot) !== 0) return false
    for (let at = slot * lanes; at < (slot + 1) * lanes; at++) if (Atomics.load(underWay, at) !== 0) return false
    return true
  }

  /** Both only ever grow, so that an equal sum means two equal parts. */
  const versionAt = ({ phext, tenant }: PhextPlace): number => (Atomics.load(versions, phext) + Atomics.load(versions, tenant)) | 0
  const isQuietAt = ({ phext, tenant }: PhextPlace): boolean => isQuiet(phext) && isQuiet(tenant)

  return {
    writeBegins(tenant, phext) {
      const slot = slotOf(tenant, phext)
      const own = slot * lanes + lane
      Atomics.add(underWay, own, 1)
      Atomics.add(versions, slot, 1)
      let open = true
      return {
        ends() {
          if (!open) return
          open = false
          Atomics.add(versions, slot, 1)
          Atomics.sub(underWay, own, 1)
        },
      }
    },
    read(tenant, phext) {
      const place = placeOf(tenant, phext)
      return { version: versionAt(place), quiet: isQuietAt(place) }
    },
    placeOf,
    versionAt,
    isQuietAt,
    distrust(tenant, phext) {
      const slot = slotOf(tenant, phext)
      Atomics.store(distrusted, slot, 1)
      Atomics.add(versions, slot, 1)
    },
    endLane(gone) {
      for (let slot = 0; slot < SLOTS; slot++) if (Atomics.exchange(underWay, slot * lanes + gone, 0) !== 0) Atomics.add(versions, slot, 1)
    },
  }
}

const placeOf = (tenant: string, phext: string): PhextPlace => ({ phext: slotOf(tenant, phext), tenant: slotOf(tenant, undefined) })

/** FNV-1a. The tenant's own slot is that of a name that no phext can have. */
function slotOf(tenant: string, phext: string | undefined): number {
  let hash = mix(0x811c9dc5, tenant)
  hash = Math.imul(hash ^ 0x10000, 0x01000193)
  if (phext !== undefined) hash = mix(Math.imul(hash ^ 0x10001, 0x01000193), phext)
  hash ^= hash >>> 15
  return (hash ^ (hash >>> 7)) & (SLOTS - 1)
}

function mix(start: number, text: string): number {
  let hash = start
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193)
  return hash
}
