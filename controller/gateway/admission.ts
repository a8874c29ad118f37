/**
 * How many requests each instance gets at once; whoever is over that waits in its lane. What is let into an SQ beyond its processors only
 * makes everybody wait there, where nobody takes turns: so a small number, and the turns are taken here.
 */
import { createLane, type Lane, type OpenLane } from './lane.ts'
import type { Upstream } from './route-table.ts'

export type { Lane } from './lane.ts'

export interface Admission {
  /** Calls `start` now or later. Undefined where the line is full: `start` is never called then. */
  enter(asking: Asking, start: (lane: Lane) => void): Ticket | undefined
  readonly active: number
  readonly waiting: number
  close(): void
}

export interface Asking {
  readonly upstream: Upstream
  readonly tenant: string
  /** Its instance may be shared, and works on everything at once. */
  readonly sq: boolean
}

export interface Ticket {
  /** Ends the request's place, waiting or started. Exactly once has an effect. */
  leave(): void
}

export interface Places {
  /** To one instance, whatever happens. */
  readonly connections: number
  readonly queue: number
  readonly queuePerTenant: number
  /** To one SQ, of requests that were started just now; a tenant gets all but a quarter of them. */
  readonly prompt: number
  /** To one SQ, of one tenant, slow ones included. */
  readonly connectionsPerTenant: number
}

const CHECK_MS = 100

export function createAdmission(places: Places, nowMs: () => number): Admission {
  const { connections, queue, queuePerTenant, prompt, connectionsPerTenant } = places
  const ofSq = { connections, queue, queuePerTenant, prompt, promptPerTenant: prompt - Math.floor(prompt / 4), connectionsPerTenant }
  const ofOthers = { connections, queue, queuePerTenant, prompt: connections, promptPerTenant: connections, connectionsPerTenant: connections }
  const lanes = new Map<string, OpenLane>()
  let check: NodeJS.Timeout | undefined

  const sum = (of: 'active' | 'waiting'): number => Array.from(lanes.values()).reduce((total, lane) => total + lane[of], 0)

  /** Only while somebody waits. */
  function passOver(): void {
    for (const lane of lanes.values()) if (lane.waiting > 0) lane.passOver()
    if (sum('waiting') > 0) return
    clearInterval(check)
    check = undefined
  }

  return {
    enter({ upstream, tenant, sq }, start) {
      const name = `${upstream.host}:${upstream.port}`
      let lane = lanes.get(name)
      if (lane === undefined) lanes.set(name, (lane = createLane(sq ? ofSq : ofOthers, nowMs)))
      const leave = lane.enter(tenant, start)
      if (leave === undefined) return undefined
      if (lane.waiting > 0) check ??= setInterval(passOver, CHECK_MS).unref()
      return {
        leave() {
          leave()
          if (lane.isIdle && lanes.get(name) === lane) lanes.delete(name)
        },
      }
    },
    get active() {
      return sum('active')
    },
    get waiting() {
      return sum('waiting')
    },
    close: () => clearInterval(check),
  }
}
