/**
 * The gateway as production starts it, beside what else could stand before SQ, all in one run and in turns: only the ratios of one
 * run say something on a shared machine. Load comes from wrk on the same cores. Figures are medians over the rounds.
 */
import path from 'node:path'
import { startCaddy, startNginx, startRouter, type StartFront } from './gateway/fronts.ts'
import { measureFloods } from './gateway/flood.ts'
import { measureKeys } from './gateway/keys.ts'
import { customer, onPlace, routeOf, type Customer, type Gateway, type Place } from './gateway/place.ts'
import { createWrk, type LoadRequest, type RequestFile, type Wrk } from './gateway/wrk.ts'
import { anchor, atLeast, median, rounded, type Bench, type BenchResult } from './result.ts'

/** As many as one SQ has; the maps of all fronts hold them all. */
const CUSTOMERS = 500
/** So many of them ask, one after another. */
const ASKING = 32
const CONNECTIONS = 32
const SCROLLS_A_SECTION = 999
const SECTIONS = 3
/** Out of reach, but looked at for every request. */
const LIMITS = { requestsPerSecond: 1_000_000, requestsPerDay: 1_000_000_000, requestsPerMonth: 10_000_000_000, storageMb: 1_000 }

const WITHOUT_METERS = path.join(import.meta.dirname, 'gateway/without-meters.ts')

type FrontName = 'SQ' | 'nginx' | 'Caddy' | 'sq route' | 'gateway' | 'bare gateway'
type LoadName = 'uncached select' | 'repeated select' | 'small update'

const PLAN: Readonly<Record<LoadName, readonly FrontName[]>> = {
  'uncached select': ['SQ', 'nginx', 'Caddy', 'sq route', 'gateway', 'bare gateway'],
  'repeated select': ['SQ', 'nginx', 'gateway'],
  'small update': ['SQ', 'nginx', 'Caddy', 'sq route', 'gateway', 'bare gateway'],
}

const customers = Array.from({ length: CUSTOMERS }, (_none, index) => customer(index + 1))
const asking = customers.slice(0, ASKING)
const unlimited = customers.slice(ASKING, 2 * ASKING)

export const bench: Bench = async ({ short }) => [...(await besideOthers(short)), ...(await measureKeys(short))]

const besideOthers = (short: boolean): Promise<BenchResult[]> =>
  onPlace({ customers, files: { 'notes.phext': notes(), 'small.phext': 'before' } }, async (place) => {
    const wrk = createWrk(place.folder)
    const gateways = { gateway: await startGateway(place, 'with everything'), bare: await startGateway(place, 'bare') }
    const compared = await compare(place, wrk, gateways, short ? { rounds: 1, seconds: 1 } : { rounds: 7, seconds: 2 })
    return [...compared, ...(await measureFloods({ place, wrk, short, customers, reads: uncachedReads }))]
  })

/** A text of about 100 bytes on each of some thousand scrolls. */
function notes(): string {
  const scroll = (section: number, at: number): string => `section ${section} scroll ${at} `.padEnd(100, 'x')
  return Array.from({ length: SECTIONS }, (_none, section) => Array.from({ length: SCROLLS_A_SECTION }, (_also, at) => scroll(section + 1, at + 1)).join('\x17')).join('\x18')
}

/** `bare`: no limits, no meters, no storage to look at. */
function startGateway(place: Place, kind: 'with everything' | 'bare'): Promise<Gateway> {
  const bare = kind === 'bare'
  const routes = customers.map((one) => routeOf(one, { sqPort: place.sqPort, limits: bare ? {} : LIMITS, counted: !bare }))
  return place.startGateway(bare ? 'bare' : 'gateway', routes, bare ? { NODE_OPTIONS: `--import ${WITHOUT_METERS}` } : {})
}

/** Every scroll of everybody once. */
function uncachedReads(of: readonly Customer[]): LoadRequest[] {
  const reads: LoadRequest[] = []
  for (let section = 1; section <= SECTIONS; section++) {
    for (let at = 1; at <= SCROLLS_A_SECTION; at++) for (const { key } of of) reads.push({ method: 'GET', key, target: `/api/v2/select?p=notes&c=1.1.1/1.1.1/1.${section}.${at}` })
  }
  return reads
}

const repeatedReads = (of: readonly Customer[]): LoadRequest[] => of.map(({ key }) => ({ method: 'GET', key, target: '/api/v2/select?p=notes&c=1.1.1/1.1.1/1.2.500' }))
const updates = (of: readonly Customer[], p = 'small'): LoadRequest[] => of.map(({ key }) => ({ method: 'POST', key, target: `/api/v2/update?p=${p}&c=1.1.1/1.1.1/1.1.1`, body: 'y'.repeat(100) }))

interface Extent {
  readonly rounds: number
  readonly seconds: number
}

interface Gateways {
  readonly gateway: Gateway
  readonly bare: Gateway
}

type Rates = Readonly<Record<LoadName, Partial<Record<FrontName, number[]>>>>

async function compare(place: Place, wrk: Wrk, gateways: Gateways, extent: Extent): Promise<BenchResult[]> {
  const ports = await startFronts(place, gateways)
  const sizes = { 'uncached select': uncachedReads, 'repeated select': repeatedReads, 'small update': updates }
  const files = (name: string, of: readonly Customer[]) => Object.fromEntries(Object.entries(sizes).map(([load, make]) => [load, wrk.write(`${name}-${load.replace(' ', '-')}`, make(of))])) as Record<LoadName, RequestFile>
  const requests = { limited: files('limited', asking), free: files('free', unlimited) }
  const forget = { limited: wrk.write('forget-limited', updates(asking, 'notes')), free: wrk.write('forget-free', updates(unlimited, 'notes')) }
  const rates: Rates = { 'uncached select': {}, 'repeated select': {}, 'small update': {} }
  let from = 0

  async function measure(load: LoadName, front: FrontName, seconds: number): Promise<number> {
    const who = front === 'bare gateway' ? 'free' : 'limited'
    // A write to each phext makes the gateway forget what it keeps of it.
    if (load === 'uncached select' && front.endsWith('gateway')) await wrk.run({ port: ports[front], requests: forget[who], connections: 4, seconds: 1 })
    const figures = await wrk.run({ port: ports[front], requests: requests[who][load], connections: CONNECTIONS, seconds, from })
    from += 20_011
    if (figures.refused > 0 || figures.failed > CONNECTIONS) throw new Error(`${load} through ${front}: ${figures.refused} refused, ${figures.failed} failed of ${figures.requests}`)
    return figures.perSecond
  }

  for (let round = -1; round < extent.rounds; round++) {
    for (const [load, fronts] of Object.entries(PLAN) as [LoadName, readonly FrontName[]][]) {
      // The order turns, so that nobody always meets the quieter machine; the first round warms up.
      for (let turn = 0; turn < fronts.length; turn++) {
        const front = fronts[(turn + round + 1) % fronts.length]!
        const rate = await measure(load, front, round === -1 ? 1 : extent.seconds)
        if (round >= 0) (rates[load][front] ??= []).push(rate)
      }
    }
  }
  return rows(rates, extent, gateways.gateway)
}

async function startFronts(place: Place, { gateway, bare }: Gateways): Promise<Record<FrontName, number>> {
  const begin = async (name: string, start: StartFront): Promise<number> => {
    const { port, child } = await start({ folder: path.join(place.folder, name), sqPort: place.sqPort, keys: customers.map(({ key }) => key) })
    place.atEnd(child.stop)
    return port
  }
  const [nginx, caddy, router] = [await begin('nginx', startNginx), await begin('caddy', startCaddy), await begin('router', startRouter)]
  return { SQ: place.sqPort, nginx, Caddy: caddy, 'sq route': router, gateway: gateway.port, 'bare gateway': bare.port }
}

function rows(rates: Rates, { rounds, seconds }: Extent, gateway: Gateway): BenchResult[] {
  const ratio = (load: LoadName, front: FrontName, against: FrontName): number => median(rates[load][front]!.map((rate, round) => rate / rates[load][against]![round]!))
  const share = (load: LoadName, front: FrontName, against: FrontName, bar: number, name: string): BenchResult => {
    const spread = rates[load][front]!.map((rate, round) => rounded(rate / rates[load][against]![round]!)).join(', ')
    return atLeast(name, ratio(load, front, against), 'times', bar, `rounds: ${spread}`)
  }
  const anchors = (Object.entries(PLAN) as [LoadName, readonly FrontName[]][]).flatMap(([load, fronts]) =>
    fronts.filter((front) => front !== 'bare gateway').map((front) => anchor(`${load}, ${front}`, median(rates[load][front]!), 'requests/s', front === 'SQ' ? 'nothing before it' : `${rounded(ratio(load, front, 'SQ'))} of bare SQ, ${rounded(ratio(load, front, 'nginx'))} of nginx`)),
  )
  return [
    share('uncached select', 'gateway', 'nginx', 0.75, `uncached select, ${CONNECTIONS} connections, gateway against nginx`),
    share('repeated select', 'gateway', 'SQ', 4, 'repeated select, gateway against bare SQ'),
    share('small update', 'gateway', 'SQ', 0.75, 'small update, gateway against bare SQ'),
    share('uncached select', 'gateway', 'bare gateway', 0.9, 'limits, meters and storage checks on against off, uncached select'),
    share('small update', 'gateway', 'bare gateway', 0.9, 'limits, meters and storage checks on against off, small update'),
    ...anchors,
    anchor('memory of the gateway after this load', gateway.child.residentMb(), 'MiB', `${rounds} rounds of ${seconds} s each`),
  ]
}
