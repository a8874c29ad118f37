/**
 * What a neighbour notices while one tenant floods with 500 connections: over its rate limit, where nearly all is refused; without
 * one, where all of it wants to reach SQ; and without one, where all of it is answered from memory. The flood's generator only gets
 * what the others leave of the processor: it stands for machines that are not this one. The neighbour asks in the same way alone and
 * beside the flood: of a gateway that keeps nothing, or of one that has kept all it asks for.
 */
import { anchor, atMost, median, rounded, type BenchResult } from '../result.ts'
import { routeOf, type Customer, type Place } from './place.ts'
import type { LoadFigures, LoadRequest, RequestFile, Wrk } from './wrk.ts'

const FLOOD_CONNECTIONS = 500
/** Of the neighbour: an agent's clients, each of which pauses between two requests, so that alone it leaves most of the machine free. */
const NEIGHBOUR = { connections: 16, thinkMs: 40 } as const
const RATE_LIMIT = { requestsPerSecond: 100, burst: 100 }
const NEIGHBOUR_LIMITS = { requestsPerSecond: 100_000, requestsPerDay: 1_000_000_000, storageMb: 1_000 }

export interface FloodParts {
  readonly place: Place
  readonly wrk: Wrk
  readonly short: boolean
  readonly customers: readonly Customer[]
  readonly reads: (of: readonly Customer[]) => LoadRequest[]
}

const KINDS = ['over its rate limit', 'without a rate limit', 'without a rate limit, from memory'] as const
type Kind = (typeof KINDS)[number]

interface Flood {
  readonly port: number
  readonly requests: RequestFile
}

interface Round {
  readonly alone: LoadFigures
  readonly beside: LoadFigures
  readonly flood: LoadFigures
}

export async function measureFloods(parts: FloodParts): Promise<BenchResult[]> {
  const { wrk, short, customers, reads } = parts
  const [neighbour] = customers
  const asked = wrk.write('neighbour', reads([neighbour!]))
  const seconds = short ? 1 : 4
  const ask = (port: number): Promise<LoadFigures> => wrk.run({ port, requests: asked, ...NEIGHBOUR, seconds })
  const floods = await prepare(parts)
  const rounds: Record<Kind, Round[]> = { 'over its rate limit': [], 'without a rate limit': [], 'without a rate limit, from memory': [] }
  for (let round = -1; round < (short ? 1 : 5); round++) {
    for (const kind of KINDS) {
      const { port, requests } = floods[kind]
      const alone = await ask(port)
      const flooding = wrk.run({ port, requests, connections: FLOOD_CONNECTIONS, seconds: seconds + 2, yielding: true })
      await new Promise((resolve) => setTimeout(resolve, 1_000))
      const beside = await ask(port)
      const flood = await flooding
      if (beside.failed > 0 || beside.refused > 0) throw new Error(`while somebody flooded ${kind}, a neighbour had ${beside.refused} refusals and ${beside.failed} failures`)
      if (round >= 0) rounds[kind].push({ alone, beside, flood })
    }
  }
  const alone = Object.values(rounds).flatMap((all) => all.map((round) => round.alone))
  return [...KINDS.map((kind) => row(kind, rounds[kind])), anchor('p99 of a neighbour alone', median(alone.map(({ p99Ms }) => p99Ms)), 'ms', about(alone))]
}

async function prepare({ place, wrk, customers, reads }: FloodParts): Promise<Record<Kind, Flood>> {
  const [neighbour, limited, free] = customers as readonly [Customer, Customer, Customer]
  const route = (one: Customer, limits: object) => routeOf(one, { sqPort: place.sqPort, limits, counted: true })
  const routes = [route(neighbour, NEIGHBOUR_LIMITS), route(limited, RATE_LIMIT), route(free, {})]
  const asking = await place.startGateway('flooded', routes, { READ_CACHE_MB: '0' })
  const keeping = await place.startGateway('flooded-keeping', routes)
  const [fromLimited, fromFree] = [wrk.write('flood-limited', reads([limited])), wrk.write('flood-free', reads([free]))]
  return {
    'over its rate limit': { port: asking.port, requests: fromLimited },
    'without a rate limit': { port: asking.port, requests: fromFree },
    'without a rate limit, from memory': { port: keeping.port, requests: fromFree },
  }
}

function row(kind: Kind, rounds: readonly Round[]): BenchResult {
  const ratio = median(rounds.map(({ alone, beside }) => beside.p99Ms / alone.p99Ms))
  const flooded = rounds.map(({ flood: { perSecond, refused, requests, failed } }) => `${rounded(perSecond)}/s (${rounded(refused / requests)} refused, ${failed} failed)`)
  const p99 = (of: 'alone' | 'beside'): string => rounds.map((round) => rounded(round[of].p99Ms)).join(', ')
  const detail = `p99 ${p99('beside')} ms, alone ${p99('alone')} ms; ${about(rounds.map(({ beside }) => beside))}; flood: ${flooded.join(', ')}`
  return atMost(`p99 of a neighbour while one tenant floods with ${FLOOD_CONNECTIONS} connections ${kind}, against alone`, ratio, 'times', 2, detail)
}

const about = (all: readonly LoadFigures[]): string => `the neighbour's p50 ${rounded(median(all.map(({ p50Ms }) => p50Ms)))} ms at ${rounded(median(all.map(({ perSecond }) => perSecond)))} requests/s`
