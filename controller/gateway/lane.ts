/**
 * The requests to one instance: few at a time, one tenant after another, so that whoever asks more waits behind himself. A line that is full
 * refuses. A request that takes long leaves its prompt place to others and goes on.
 */

/** What the requests to one instance share. */
export interface Lane {
  /** Set while connections are refused: when that began. */
  refusedSinceMs: number | undefined
}

export interface OpenLane extends Lane {
  /** Calls `start` now or later; answers what ends the place. Undefined where the line is full. */
  enter(tenant: string, start: (lane: Lane) => void): (() => void) | undefined
  /** Slow ones leave their prompt places. */
  passOver(): void
  readonly active: number
  readonly waiting: number
  /** A lane that refuses is remembered, so that each request to a dead instance does not wait anew. Their number is that of ports. */
  readonly isIdle: boolean
}

export interface LanePlaces {
  /** Whatever happens. */
  readonly connections: number
  readonly connectionsPerTenant: number
  /** Of requests that were started just now. */
  readonly prompt: number
  readonly promptPerTenant: number
  readonly queue: number
  readonly queuePerTenant: number
}

/** What began so long ago does not wait for a processor, even on a busy machine: it does much, or its reader is slow. */
const SLOW_MS = 1_000

interface Entry {
  readonly party: Party
  readonly start: (lane: Lane) => void
  place: 'waiting' | 'prompt' | 'slow' | 'left'
  startedAtMs: number
}

/** The requests of one tenant. */
interface Party {
  readonly tenant: string
  prompt: number
  active: number
  /** In the order of arrival; a Set, so that a client who goes away leaves the middle of the line at no cost. */
  readonly line: Set<Entry>
}

interface State {
  readonly places: LanePlaces
  readonly nowMs: () => number
  readonly lane: OpenLane
  readonly parties: Map<string, Party>
  /** Those who wait, the next first. */
  readonly turns: Set<Party>
  /** Started and prompt, the oldest first. */
  readonly started: Set<Entry>
  active: number
  waiting: number
}

export function createLane(places: LanePlaces, nowMs: () => number): OpenLane {
  const lane: OpenLane = {
    refusedSinceMs: undefined,
    enter(tenant, start) {
      let party = state.parties.get(tenant)
      if (party === undefined) state.parties.set(tenant, (party = { tenant, prompt: 0, active: 0, line: new Set() }))
      const entry: Entry = { party, start, place: 'waiting', startedAtMs: 0 }
      if (party.line.size === 0 && mayStart(state, party)) begin(state, entry)
      else if (state.waiting >= places.queue || party.line.size >= places.queuePerTenant) return undefined
      else wait(state, entry)
      return () => leave(state, entry)
    },
    passOver() {
      const before = nowMs() - SLOW_MS
      for (const entry of state.started) {
        if (entry.startedAtMs > before) break
        entry.place = 'slow'
        endPromptness(state, entry)
      }
      startNext(state)
    },
    get active() {
      return state.active
    },
    get waiting() {
      return state.waiting
    },
    get isIdle() {
      return state.active === 0 && state.waiting === 0 && lane.refusedSinceMs === undefined
    },
  }
  const state: State = { places, nowMs, lane, parties: new Map(), turns: new Set(), started: new Set(), active: 0, waiting: 0 }
  return lane
}

function mayStart({ places, active, started }: State, party: Party): boolean {
  const { connections, connectionsPerTenant, prompt, promptPerTenant } = places
  return active < connections && started.size < prompt && party.prompt < promptPerTenant && party.active < connectionsPerTenant
}

function begin(state: State, entry: Entry): void {
  const { party } = entry
  entry.place = 'prompt'
  entry.startedAtMs = state.nowMs()
  state.started.add(entry)
  state.active++
  party.prompt++
  party.active++
  entry.start(state.lane)
}

function wait(state: State, entry: Entry): void {
  entry.party.line.add(entry)
  state.turns.add(entry.party)
  state.waiting++
}

function stopWaiting(state: State, entry: Entry): void {
  const { party } = entry
  party.line.delete(entry)
  if (party.line.size === 0) state.turns.delete(party)
  state.waiting--
}

/** Each tenant in its turn, as long as somebody may. */
function startNext(state: State): void {
  const { turns } = state
  for (let party = nextParty(state); party !== undefined; party = nextParty(state)) {
    const [entry] = party.line
    turns.delete(party)
    turns.add(party)
    stopWaiting(state, entry!)
    begin(state, entry!)
  }
}

function nextParty(state: State): Party | undefined {
  if (state.started.size >= state.places.prompt) return undefined
  for (const party of state.turns) if (mayStart(state, party)) return party
  return undefined
}

function endPromptness({ started }: State, entry: Entry): void {
  started.delete(entry)
  entry.party.prompt--
}

function leave(state: State, entry: Entry): void {
  const { party, place } = entry
  entry.place = 'left'
  if (place === 'left') return
  if (place === 'waiting') stopWaiting(state, entry)
  else {
    if (place === 'prompt') endPromptness(state, entry)
    state.active--
    party.active--
    startNext(state)
  }
  if (party.active === 0 && party.line.size === 0) state.parties.delete(party.tenant)
}
