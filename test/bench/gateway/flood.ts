/**
 * What a neighbour notices while one tenant floods with 500 connections: over its rate limit, where nearly all is refused, and without
 * one, where all of it wants to reach SQ. The flood's generator only gets what the others leave of the processor: it stands for
 * machines that are not this one. Neighbour and flood ask for what the gateway does not hold in memory.
 */
import { anchor, atMost, median, rounded, type BenchResult } from '../result.ts'
import { routeOf, type Customer, type Place } from './place.ts'
import type { LoadFigures, LoadRequest, Wrk } from './wrk.ts'

const FLOOD_CONNECTIONS = 500
/** Of the neighbour: an agent's clients, each of which pauses between two requests. */
const NEIGHBOUR = { connections: 16, thinkMs: 10 } as const
const RATE_LIMIT = { requestsPerSecond: 100, burst: 100 }
const NEIGHBOUR_LIMITS = { requestsPerSecond: 100_000, requestsPerDay: 1_000_000_000, storageMb: 1_000 }

export interface FloodParts {
  readonly place: Place
  readonly wrk: Wrk
  readonly short: boolean
  readonly customers: readonly Customer[]
  readonly reads: (of: readonly Customer[]) => LoadRequest[]
}

type Kind = 'over its rate limit' | 'without a rate limit'
const KINDS: readonly Kind[] = ['over its rate limit', 'without a rate limit']

export async function measureFloods({ place, wrk, short, customers, reads }: FloodParts): Promise<BenchResult[]> {
  const [neighbour, limited, free] = customers as readonly [Customer, Customer, Customer]
  const route = (one: Customer, limits: object) => routeOf(one, { sqPort: place.sqPort, limits, counted: true })
  const gateway = await place.startGateway('flooded', [route(neighbour, NEIGHBOUR_LIMITS), route(limited, RATE_LIMIT), route(free, {})])
  const files = { neighbour: wrk.write('neighbour', reads([neighbour])), 'over its rate limit': wrk.write('flood-limited', reads([limited])), 'without a rate limit': wrk.write('flood-free', reads([free])) }
  const rounds = short ? 1 : 5
  const seconds = short ? 1 : 4
  const ask = (from: number): Promise<LoadFigures> => wrk.run({ port: gateway.port, requests: files.neighbour, ...NEIGHBOUR, seconds, from })
  const flood = (kind: Kind): Promise<LoadFigures> => wrk.run({ port: gateway.port, requests: files[kind], connections: FLOOD_CONNECTIONS, seconds: seconds + 2, yielding: true })

  const alone: LoadFigures[] = []
  const beside: Record<Kind, LoadFigures[]> = { 'over its rate limit': [], 'without a rate limit': [] }
  const floods: Record<Kind, LoadFigures[]> = { 'over its rate limit': [], 'without a rate limit': [] }
  for (let round = -1; round < rounds; round++) {
    const quiet = await ask(0)
    if (round >= 0) alone.push(quiet)
    for (const kind of KINDS) {
      const flooding = flood(kind)
      await new Promise((resolve) => setTimeout(resolve, 1_000))
      const figures = await ask(0)
      const flooded = await flooding
      if (figures.failed > 0 || figures.refused > 0) throw new Error(`while somebody flooded ${kind}, a neighbour had ${figures.refused} refusals and ${figures.failed} failures`)
      if (round < 0) continue
      beside[kind].push(figures)
      floods[kind].push(flooded)
    }
  }
  return [...KINDS.map((kind) => row(kind, alone, beside[kind], floods[kind])), anchor('p99 of a neighbour alone', median(alone.map(({ p99Ms }) => p99Ms)), 'ms', about(alone))]
}

function row(kind: Kind, alone: readonly LoadFigures[], beside: readonly LoadFigures[], floods: readonly LoadFigures[]): BenchResult {
  const ratio = median(beside.map(({ p99Ms }, round) => p99Ms / alone[round]!.p99Ms))
  const flooded = floods.map(({ perSecond, refused, requests, failed }) => `${rounded(perSecond)}/s (${rounded(refused / requests)} refused, ${failed} failed)`)
  const detail = `p99 ${beside.map(({ p99Ms }) => rounded(p99Ms)).join(', ')} ms, alone ${alone.map(({ p99Ms }) => rounded(p99Ms)).join(', ')} ms; ${about(beside)}; flood: ${flooded.join(', ')}`
  return atMost(`p99 of a neighbour while one tenant floods with ${FLOOD_CONNECTIONS} connections ${kind}, against alone`, ratio, 'times', 2, detail)
}

const about = (all: readonly LoadFigures[]): string => `the neighbour's p50 ${rounded(median(all.map(({ p50Ms }) => p50Ms)))} ms at ${rounded(median(all.map(({ perSecond }) => perSecond)))} requests/s`
