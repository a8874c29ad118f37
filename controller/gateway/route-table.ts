/**
 * The routes in memory: from a key's digest to its tenant. No raw key is ever here. Built for a hundred thousand tenants: texts that
 * many routes share are kept once, and an expiry is a number, so that a look-up parses nothing.
 */
import type { ShardName } from '../core/placement.ts'
import type { Route, RouteRecord } from '../core/route.ts'
import type { Limits, TenantId, TenantState } from '../core/specs.ts'

export interface TableRoute {
  readonly tenant: TenantId
  readonly product: string
  readonly plan: string
  readonly state: TenantState
  readonly stateReason: string | undefined
  readonly api: string | undefined
  readonly upstream: Upstream | undefined
  readonly waiting: string | undefined
  readonly limits: Limits
  readonly fairUse: Limits | undefined
  readonly shard: ShardName | undefined
  readonly awaitingFirstUse: boolean
  readonly digests: readonly string[]
}

export interface Upstream {
  readonly host: string
  readonly port: number
}

export interface TableKey {
  readonly id: string
  readonly route: TableRoute
  /** Milliseconds since 1970; Infinity where the key has no end. */
  readonly expiresAtMs: number
}

export interface RouteTable {
  apply(record: RouteRecord): void
  /** `digest`: SHA-256 of the whole key in lower-case hex. */
  findKey(digest: string): TableKey | undefined
  findTenant(tenant: TenantId): TableRoute | undefined
  /** The public path prefixes of all products that are routed now. */
  readonly apis: readonly string[]
  readonly tenants: number
  readonly keys: number
}

export function createRouteTable(): RouteTable {
  const byDigest = new Map<string, TableKey>()
  const byTenant = new Map<TenantId, TableRoute>()
  const apiCounts = new Map<string, number>()
  const shared = new Map<string, unknown>()
  let apis: readonly string[] = []

  /** One copy of each text, limit set and address. Their number is that of plans and instances, not of tenants. */
  function share<T>(value: T): T {
    if (value === undefined) return value
    const key = typeof value === 'string' ? value : `\0${JSON.stringify(value)}`
    const known = shared.get(key)
    if (known !== undefined) return known as T
    shared.set(key, value)
    return value
  }

  function countApi(api: string | undefined, change: 1 | -1): void {
    if (api === undefined) return
    const count = (apiCounts.get(api) ?? 0) + change
    if (count === 0) apiCounts.delete(api)
    else apiCounts.set(api, count)
    if (count === 0 || (count === 1 && change === 1)) apis = [...apiCounts.keys()]
  }

  function drop(tenant: TenantId): void {
    const route = byTenant.get(tenant)
    if (route === undefined) return
    byTenant.delete(tenant)
    for (const digest of route.digests) if (byDigest.get(digest)?.route === route) byDigest.delete(digest)
    countApi(route.api, -1)
  }

  function put(source: Route): void {
    drop(source.tenant)
    const route: TableRoute = {
      tenant: source.tenant,
      product: share(source.product),
      plan: share(source.plan),
      state: share(source.state),
      stateReason: source.stateReason,
      api: share(source.api),
      upstream: source.upstream === undefined ? undefined : shareUpstream(source.upstream),
      waiting: source.waiting,
      limits: share(source.limits),
      fairUse: share(source.fairUse),
      shard: share(source.shard),
      awaitingFirstUse: source.awaitingFirstUse === true,
      digests: source.keys.map((key) => key.digest),
    }
    byTenant.set(route.tenant, route)
    for (const { id, digest, expiresAt } of source.keys) {
      byDigest.set(digest, { id: share(id), route, expiresAtMs: expiresAt === undefined ? Infinity : Date.parse(expiresAt) })
    }
    countApi(route.api, 1)
  }

  const shareUpstream = ({ host, port }: Upstream): Upstream => share({ host: share(host), port })

  return {
    apply: (record) => ('put' in record ? put(record.put) : drop(record.drop)),
    findKey: (digest) => byDigest.get(digest),
    findTenant: (tenant) => byTenant.get(tenant),
    get apis() {
      return apis
    },
    get tenants() {
      return byTenant.size
    },
    get keys() {
      return byDigest.size
    },
  }
}
