/** What a hundred thousand keys cost: memory of a gateway with one worker, looking one up, and requests a second, against a thousand keys. */
import { hash } from 'node:crypto'
import { decideAccess, findCredentials, findEntry, type AccessContext } from '../../../controller/gateway/access.ts'
import { createRouteTable, type RouteTable } from '../../../controller/gateway/route-table.ts'
import { anchor, atMost, median, rounded, under, type BenchResult } from '../result.ts'
import { customer, onPlace, routeOf, type Customer, type Gateway } from './place.ts'
import { createWrk } from './wrk.ts'

const FEW = 1_000
const MANY = 100_000
const LIMITS = { requestsPerSecond: 100_000, requestsPerDay: 1_000_000_000, storageMb: 1_000 }
const workers = (count: number) => ({ GATEWAY_WORKERS: String(count) })
const BAR = 1.2

export async function measureKeys(short: boolean): Promise<BenchResult[]> {
  return [...(await throughGateways(short)), lookUps(short ? 5 : 60)]
}

/** The thousand customers who ask are the same; among how many others they are found is what differs. */
async function throughGateways(short: boolean): Promise<BenchResult[]> {
  const asking = Array.from({ length: FEW }, (_none, index) => customer(1 + index * (MANY / FEW)))
  return onPlace({ customers: asking, files: {} }, async (place) => {
    const wrk = createWrk(place.folder)
    const routes = (all: readonly Customer[]) => all.map((one) => routeOf(one, { sqPort: place.sqPort, limits: LIMITS, counted: true }))
    const few = await place.startGateway('few', routes(asking), workers(1))
    const everybody = routes(Array.from({ length: MANY }, (_none, index) => customer(index + 1)))
    const many = await place.startGateway('many', everybody, workers(1))
    const requests = wrk.write('keys', asking.map(({ key }) => ({ method: 'GET', key, target: '/api/v2/select?p=notes&c=1.1.1/1.1.1/1.1.1' })))
    const atStartMb = many.child.residentMb()
    const rate = async ({ port }: Gateway): Promise<number> => {
      const { perSecond, refused, failed } = await wrk.run({ port, requests, connections: 32, seconds: short ? 1 : 2 })
      if (refused + failed > 0) throw new Error(`${refused} requests were refused, ${failed} failed`)
      return perSecond
    }
    const rates: { few: number; many: number }[] = []
    for (let round = 0; round < (short ? 2 : 8); round++) {
      const order = round % 2 === 0 ? ([few, many] as const) : ([many, few] as const)
      const [first, second] = [await rate(order[0]), await rate(order[1])]
      // The first round warms up.
      if (round > 0) rates.push(round % 2 === 0 ? { few: first, many: second } : { few: second, many: first })
    }
    const slower = rates.map(({ few: fewer, many: more }) => fewer / more)
    const oneMb = many.child.residentMb()
    const fewMb = few.child.residentMb()
    await many.child.stop()
    const two = await place.startGateway('two', everybody, workers(2))
    for (let n = 0; n < 2; n++) await rate(two)
    const memory = `a gateway with two workers (${rounded(two.child.residentMb())} MiB) against one (${rounded(oneMb)} MiB, ${rounded(atStartMb)} at its start; ${rounded(fewMb)} with ${FEW} keys), after load`
    return [
      under(`memory of one worker, ${MANY} keys`, two.child.residentMb() - oneMb, 'MiB', 250, memory),
      anchor(`memory of the whole gateway with one worker, ${MANY} keys`, oneMb, 'MiB', 'coordinator and worker'),
      atMost(`time of a request answered with ${MANY} keys against ${FEW}`, median(slower), 'times', BAR, `rounds: ${slower.map(rounded).join(', ')}; ${rounded(median(rates.map((each) => each.many)))} against ${rounded(median(rates.map((each) => each.few)))} requests/s`),
    ]
  })
}

const SAMPLE = 1_000
const digestOf = (key: string): string => hash('sha256', key, 'hex')

/** The whole decision from a request's headers to its tenant. Each round looks up other keys, as cold as they come from the network. */
function lookUps(rounds: number): BenchResult {
  const tables = { few: tableOf(FEW), many: tableOf(MANY) }
  const times: { few: number[]; many: number[] } = { few: [], many: [] }
  for (let round = -10; round < rounds; round++) {
    for (const [name, keys] of [['few', FEW], ['many', MANY]] as const) {
      const headers = Array.from({ length: SAMPLE }, (_none, at) => ['Host', 'a', 'User-Agent', 'agent/1.0', 'Authorization', `Bearer ${customer(1 + Math.floor(random(round * SAMPLE + at) * keys)).key}`])
      const ns = timed(tables[name], headers)
      if (round >= 0) times[name].push(ns)
    }
  }
  const [few, many] = [median(times.few), median(times.many)]
  return atMost(`looking up a key among ${MANY} against ${FEW}`, many / few, 'times', BAR, `${rounded(many)} ns against ${rounded(few)} ns, from the headers to the tenant; ${rounds} rounds of ${SAMPLE} keys that were not looked up lately`)
}

function tableOf(count: number): RouteTable {
  const table = createRouteTable()
  for (let n = 1; n <= count; n++) table.apply({ put: routeOf(customer(n), { sqPort: 1, limits: LIMITS, counted: true }) })
  return table
}

const SELECT = { method: 'GET', target: '/api/v2/select', path: '/api/v2/select' }

/** Nanoseconds for one decision. */
function timed(table: RouteTable, all: readonly (readonly string[])[]): number {
  const context: AccessContext = { table, facts: { links: {}, products: {}, plans: {} }, nowMs: Date.now(), digestOf }
  let granted = 0
  const begun = performance.now()
  for (const headers of all) {
    const identity = findEntry(findCredentials(headers), context)
    if (identity.kind === 'known' && decideAccess(identity, SELECT, context).kind === 'granted') granted++
  }
  const ns = ((performance.now() - begun) * 1e6) / all.length
  if (granted !== all.length) throw new Error(`${all.length - granted} keys were not found`)
  return ns
}

/** From 0 to 1, the same in each run. */
function random(seed: number): number {
  const mixed = Math.imul(seed ^ (seed >>> 15), 0x2c1b3c6d) ^ Math.imul(seed + 0x9e3779b9, 0x297a2d39)
  return ((mixed ^ (mixed >>> 13)) >>> 0) / 2 ** 32
}
