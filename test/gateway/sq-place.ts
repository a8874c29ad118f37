/**
 * A real SQ for tests of the gateway: tenants with keys and data folders of their own, and the routes that lead to them. Folders are
 * given relative to SQ's own, so that two places show the same paths.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { onTestFinished } from 'vitest'
import { shardName } from '../../controller/core/placement.ts'
import type { Route } from '../../controller/core/route.ts'
import type { TenantId } from '../../controller/core/specs.ts'
import { shardFolders } from '../../controller/sq/files.ts'
import { startSq, type Program } from '../sq/bundled/programs.ts'
import { tempFolder } from '../support/temp.ts'
import { digestOf, makeKey, routeFor, type RouteOptions } from './gateway-fixture.ts'

export interface SqTenant {
  readonly tenant: string
  readonly keys: readonly string[]
  readonly instanceKey: string
}

export interface SqPlace {
  readonly home: string
  readonly sq: Program
  /** The folder of a tenant's phexts. */
  readonly data: (tenant: string) => string
  readonly route: (tenant: SqTenant, more?: RouteOptions) => Route
}

const SHARD = shardName('sq', 0)

export function makeTenant(tenant: string, keys = 1): SqTenant {
  return { tenant, keys: Array.from({ length: keys }, makeKey), instanceKey: makeKey() }
}

/** Ends with the test. */
export async function startSqPlace(tenants: readonly SqTenant[], home = tempFolder('sq-place')): Promise<SqPlace> {
  const folders = shardFolders(home)
  const data = (tenant: string): string => folders.data(SHARD, tenant as TenantId)
  for (const { tenant } of tenants) mkdirSync(data(tenant), { recursive: true })
  const entries = tenants.flatMap(({ tenant, keys, instanceKey }) => [...keys, instanceKey].map((key) => [key, { name: tenant, data_dir: path.join('data', tenant) }]))
  writeFileSync(folders.config(SHARD), JSON.stringify({ tenants: Object.fromEntries(entries) as object }))
  const sq = await startSq('real', folders.folder(SHARD), ['--config', folders.config(SHARD)])
  onTestFinished(() => sq.stop())
  const upstream = { host: '127.0.0.1', port: sq.port }
  return {
    home,
    sq,
    data,
    route: ({ tenant, keys, instanceKey }, more = {}) => ({ ...routeFor(tenant, keys[0]!, { upstream, shard: SHARD, instanceKey, ...more }), keys: keys.map((key, n) => ({ id: `k${n + 1}`, digest: digestOf(key) })) }),
  }
}
