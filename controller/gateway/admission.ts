/**
 * How many requests an instance gets at once: a bounded number, the rest wait in line, and a full line refuses. First come, first
 * served for now: fairness between tenants has its place here, in which waiting request `leave` starts next.
 */
import type { Upstream } from './route-table.ts'

export interface Admission {
  /** Calls `start` now or later. Undefined where the line is full: `start` is never called then. */
  enter(upstream: Upstream, start: (lane: Lane) => void): Ticket | undefined
  readonly active: number
  readonly waiting: number
}

export interface Ticket {
  /** Ends the request's place, waiting or started. Exactly once has an effect. */
  leave(): void
}

/** What the requests to one instance share. */
export interface Lane {
  /** Set while connections are refused: when that began. */
  refusedSinceMs: number | undefined
}

interface OpenLane extends Lane {
  active: number
  /** In the order of arrival; a Set, so that a client who goes away leaves the middle of the line at no cost. */
  readonly line: Set<() => void>
}

export function createAdmission({ connections, queue }: { readonly connections: number; readonly queue: number }): Admission {
  const lanes = new Map<string, OpenLane>()
  let active = 0
  let waiting = 0

  function laneOf(name: string): OpenLane {
    let lane = lanes.get(name)
    if (lane === undefined) lanes.set(name, (lane = { active: 0, line: new Set(), refusedSinceMs: undefined }))
    return lane
  }

  function startNext(name: string, lane: OpenLane): void {
    const [next] = lane.line
    if (next !== undefined) next()
    // A lane that refuses is remembered, so that each request to a dead instance does not wait anew. Their number is that of ports.
    else if (lane.active === 0 && lane.refusedSinceMs === undefined) lanes.delete(name)
  }

  return {
    enter(upstream, start) {
      const name = `${upstream.host}:${upstream.port}`
      const lane = laneOf(name)
      let place: 'waiting' | 'started' | 'left' = 'waiting'
      const begin = (): void => {
        if (lane.line.delete(begin)) waiting--
        place = 'started'
        lane.active++
        active++
        start(lane)
      }
      const leave = (): void => {
        if (place === 'waiting' && lane.line.delete(begin)) waiting--
        if (place === 'started') {
          lane.active--
          active--
          startNext(name, lane)
        }
        place = 'left'
      }
      if (lane.active < connections) begin()
      else if (lane.line.size >= queue) return undefined
      else {
        lane.line.add(begin)
        waiting++
      }
      return { leave }
    },
    get active() {
      return active
    },
    get waiting() {
      return waiting
    },
  }
}
