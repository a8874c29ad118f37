/** A gateway before the real SQ with two tenants on one shard, as they are in production. Ends with the test. */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { onTestFinished } from 'vitest'
import { shardName } from '../../controller/core/placement.ts'
import type { KeyAccess, Limits } from '../../controller/core/specs.ts'
import { shardFolders } from '../../controller/sq/files.ts'
import { startSq } from '../sq/bundled/programs.ts'
import { tempFolder } from '../support/temp.ts'
import { waitFor } from '../support/wait.ts'
import { digestOf, makeKey, routeFor, startFixture, type Fixture, type RouteOptions } from './gateway-fixture.ts'

export type Who = 'a' | 'b'

export interface SqTenants extends Fixture {
  readonly keys: Readonly<Record<Who, string>>
  readonly folder: (who: Who) => string
  /** A request with the key of one of them. */
  ask(who: Who, target: string, init?: RequestInit): Promise<Response>
  /** What lies on disk, by the phext's name. */
  onDisk(who: Who): Map<string, string>
  change(who: Who, route: RouteOptions): Promise<unknown>
  /** A further key that may less. Resolves with it when it is in force. */
  narrowKey(who: Who, access: KeyAccess): Promise<string>
}

export async function startSqTenants(limits: Partial<Record<Who, Limits>> = {}, home = tempFolder('tenants'), routes: Partial<Record<Who, RouteOptions>> = {}, workers = 0): Promise<SqTenants> {
  const shard = shardName('sq', 0)
  const folders = shardFolders(home)
  const keys = { a: makeKey(), b: makeKey() }
  const names = { a: 'user001', b: 'user002' }
  const folder = (who: Who): string => folders.data(shard, names[who] as never)
  for (const who of ['a', 'b'] as const) mkdirSync(folder(who), { recursive: true })
  writeFileSync(folders.config(shard), JSON.stringify({ tenants: Object.fromEntries((['a', 'b'] as const).map((who) => [keys[who], { name: names[who], data_dir: folder(who) }])) }))
  const sq = await startSq('real', folders.folder(shard), ['--config', folders.config(shard)])
  onTestFinished(() => sq.stop())
  const place = { upstream: { host: '127.0.0.1', port: sq.port }, shard }
  const routeOf = (who: Who, more: RouteOptions = {}) => routeFor(names[who], keys[who], { ...place, limits: limits[who] ?? {}, ...routes[who], ...more })
  const fixture = await startFixture([routeOf('a'), routeOf('b')], {}, home, undefined, undefined, workers)
  return {
    ...fixture,
    keys,
    folder,
    ask: (who, target, init = {}) => fetch(`${fixture.url}${target}`, { ...init, headers: { Authorization: `Bearer ${keys[who]}`, ...init.headers } }),
    onDisk(who) {
      const phexts = readdirSync(folder(who)).filter((file) => file.endsWith('.phext'))
      return new Map(phexts.map((file) => [file.slice(0, -'.phext'.length), readFileSync(path.join(folder(who), file), 'utf8')]))
    },
    change: (who, more) => fixture.writer.put([routeOf(who, more)]),
    async narrowKey(who, access) {
      const key = makeKey()
      const route = routeOf(who, { instanceKey: keys[who] })
      await fixture.writer.put([{ ...route, keys: [...route.keys, { id: 'k2', digest: digestOf(key), access }] }])
      await waitFor(async () => (await fetch(`${fixture.url}/api/usage`, { headers: { Authorization: `Bearer ${key}` } })).status === 200, 'the key is in force')
      return key
    },
  }
}
