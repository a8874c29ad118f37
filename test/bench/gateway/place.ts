/**
 * What the gateway's benches stand on: a home with one SQ for all customers and their phexts, and gateways on it as production starts
 * them. Everything has ended and is gone when `onPlace` resolves.
 */
import { hash } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { formatKey } from '../../../controller/core/key-format.ts'
import { shardName } from '../../../controller/core/placement.ts'
import type { Route } from '../../../controller/core/route.ts'
import type { Limits, TenantId } from '../../../controller/core/specs.ts'
import { createRouteWriter } from '../../../controller/gateway/route-writer.ts'
import { routesFolder } from '../../../controller/gateway/sockets.ts'
import { shardFolders } from '../../../controller/sq/files.ts'
import { controlGet } from '../../gateway/control-client.ts'
import { findProgram } from '../../support/parts.ts'
import { freePort, startChild, statusOf } from './children.ts'
import type { Front } from './fronts.ts'

const MAIN = path.resolve(import.meta.dirname, '../../../controller/gateway/main.ts')
const SHARD = shardName('sq', 0)

/** A customer of the bench, numbered from 1. */
export interface Customer {
  readonly tenant: TenantId
  readonly key: string
  /** With which the gateway reaches SQ. */
  readonly instanceKey: string
}

export function customer(n: number): Customer {
  const key = (name: string): string => formatKey(hash('sha256', `${name} ${n}`, 'hex').slice(0, 32))
  return { tenant: `user${String(n).padStart(3, '0')}` as TenantId, key: key('bench'), instanceKey: key('instance') }
}

export interface Place {
  readonly folder: string
  readonly sqPort: number
  /** Writes the routes of a home of its own beside the shared SQ and its data, and starts a gateway there. */
  startGateway(name: string, routes: Iterable<Route>, settings?: Readonly<Record<string, string>>): Promise<Gateway>
  readonly atEnd: (end: () => unknown) => void
}

export interface Gateway extends Front {
  readonly home: string
  /** The sum of a metric's series; 0 where there is none. */
  metric(name: string): Promise<number>
}

export interface PlaceOptions {
  /** Those whom SQ knows. */
  readonly customers: readonly Customer[]
  /** What lies in each one's folder: file name and text. */
  readonly files: Readonly<Record<string, string>>
}

export async function onPlace<T>({ customers, files }: PlaceOptions, work: (place: Place) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(path.join(tmpdir(), 'tenantry-bench-'))
  const ends: (() => unknown)[] = [() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 })]
  const atEnd = (end: () => unknown): void => void ends.push(end)
  try {
    const data = path.join(folder, 'data')
    for (const { tenant } of customers) {
      mkdirSync(path.join(data, tenant), { recursive: true })
      for (const [name, text] of Object.entries(files)) writeFileSync(path.join(data, tenant, name), text)
    }
    const sqPort = await freePort()
    const config = path.join(folder, 'tenants.json')
    const entries = customers.flatMap(({ tenant, key, instanceKey }) => [key, instanceKey].map((token) => [token, { name: tenant, data_dir: path.join(data, tenant) }]))
    writeFileSync(config, JSON.stringify({ tenants: Object.fromEntries(entries) as object }))
    const sq = await startChild([findProgram('sq')!, 'host', String(sqPort), '--config', config], { cwd: folder, log: '/dev/null', ready: async () => (await statusOf(sqPort, '/api/v2/version?p=probe', customers[0]!.key)) === 200 })
    atEnd(sq.stop)
    return await work({ folder, sqPort, atEnd, startGateway: (name, routes, settings) => startGateway({ folder, name, data, routes, settings, atEnd }) })
  } finally {
    for (const end of ends.reverse()) await end()
  }
}

interface GatewayStart {
  readonly folder: string
  readonly name: string
  readonly data: string
  readonly routes: Iterable<Route>
  readonly settings: Readonly<Record<string, string>> | undefined
  readonly atEnd: (end: () => unknown) => void
}

async function startGateway({ folder, name, data, routes, settings, atEnd }: GatewayStart): Promise<Gateway> {
  const home = path.join(folder, name)
  const shard = shardFolders(home).folder(SHARD)
  mkdirSync(shard, { recursive: true })
  // The gateway measures storage where the shard's data lies.
  symlinkSync(data, path.join(shard, 'data'))
  const writer = createRouteWriter(routesFolder(home), { facts: () => ({}), now: () => new Date() })
  await writer.load()
  await writer.replaceAll(routes)
  await writer.close()
  const port = await freePort()
  const child = await startChild([process.execPath, MAIN, '--home', home, '--port', String(port)], {
    cwd: folder,
    log: path.join(folder, `${name}.log`),
    environment: settings ?? {},
    ready: async () => ((JSON.parse((await controlGet(home, '/')).body) as { tenants: number }).tenants ?? 0) > 0,
  })
  atEnd(child.stop)
  const metric = async (wanted: string): Promise<number> => {
    const { body } = await controlGet(home, '/metrics')
    const lines = body.split('\n').filter((line) => line.startsWith(`${wanted} `) || line.startsWith(`${wanted}{`))
    return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0)
  }
  return { home, port, child, metric }
}

export interface RouteParts {
  readonly sqPort: number
  readonly limits: Limits
  /** Storage is counted where it is known in which shard the data lies. */
  readonly counted: boolean
}

export function routeOf({ tenant, key, instanceKey }: Customer, { sqPort, limits, counted }: RouteParts): Route {
  const keys = [{ id: 'k1', digest: hash('sha256', key, 'hex') }]
  return { tenant, product: 'sq', plan: 'bench', state: 'active', keys, api: '/api/v2/', upstream: { host: '127.0.0.1', port: sqPort }, instanceKey, limits, ...(counted && { shard: SHARD }) }
}
