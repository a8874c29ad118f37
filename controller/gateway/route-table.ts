/**
 * The routes in memory: from a key's digest to its tenant. No customer's key is ever here; instance keys, which open only SQ, are. Built for a hundred thousand tenants: texts that
 * many routes share are kept once, and an expiry is a number, so that a look-up parses nothing.
 */
import type { ShardName } from '../core/placement.ts'
import type { Route, RouteKey, RouteRecord } from '../core/route.ts'
import type { KeyAccess, Limits, TenantId, TenantState } from '../core/specs.ts'

export interface TableRoute {
  readonly tenant: TenantId
  readonly product: string
  readonly plan: string
  readonly state: TenantState
  readonly stateReason: string | undefined
  readonly api: string | undefined
  readonly upstream: Upstream | undefined
  readonly waiting: string | undefined
  /** With which its SQ is reached. A secret. */
  readonly instanceKey: string | undefined
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
  readonly name: string | undefined
  readonly route: TableRoute
  /** Milliseconds since 1970; Infinity where the key has no end. */
  readonly expiresAtMs: number
  /** What it may, where that is less than its tenant may. */
  readonly narrower: NarrowerKey | undefined
}

export interface NarrowerKey {
  /** The key that it was made from. */
  readonly parent: string | undefined
  readonly readOnly: boolean
  /** The only phexts that it opens; undefined: all. */
  readonly phexts: readonly string[] | undefined
  /** A request counts against each of these: its own limits and those of the keys above it. */
  readonly limits: readonly KeyLimit[]
}

/** The limits that a key has of its own; at least one of the two is there. */
export interface KeyLimit {
  readonly key: string
  readonly requestsPerSecond: number | undefined
  /** Over the key's whole life. */
  readonly requests: number | undefined
}

export interface RouteTable {
  apply(record: RouteRecord): void
  /** `digest`: SHA-256 of the whole key in lower-case hex. */
  findKey(digest: string): TableKey | undefined
  findTenant(tenant: TenantId): TableRoute | undefined
  /** Whether there are keys whose text is not of Tenantry's making, so that the text says nothing about whether it opens anything. */
  readonly hasImportedKeys: boolean
  /** The public path prefixes of all products that are routed now. */
  readonly apis: readonly string[]
  readonly tenants: number
  readonly keys: number
}

export function createRouteTable(): RouteTable {
  const byDigest = new Map<string, TableKey>()
  const byTenant = new Map<TenantId, TableRoute>()
  const imported = new Set<string>()
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
    for (const digest of route.digests) {
      if (byDigest.get(digest)?.route !== route) continue
      byDigest.delete(digest)
      imported.delete(digest)
    }
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
      instanceKey: source.instanceKey,
      limits: share(source.limits),
      fairUse: share(source.fairUse),
      shard: share(source.shard),
      awaitingFirstUse: source.awaitingFirstUse === true,
      digests: source.keys.map((key) => key.digest),
    }
    byTenant.set(route.tenant, route)
    for (const key of source.keys) {
      const expiresAtMs = key.expiresAt === undefined ? Infinity : Date.parse(key.expiresAt)
      byDigest.set(key.digest, { id: share(key.id), name: key.name, route, expiresAtMs, narrower: narrower(key, source.keys) })
      if (key.imported) imported.add(key.digest)
    }
    countApi(route.api, 1)
  }

  const shareUpstream = ({ host, port }: Upstream): Upstream => share({ host: share(host), port })

  return {
    apply: (record) => ('put' in record ? put(record.put) : drop(record.drop)),
    findKey: (digest) => byDigest.get(digest),
    findTenant: (tenant) => byTenant.get(tenant),
    get hasImportedKeys() {
      return imported.size > 0
    },
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

function narrower(key: RouteKey, keys: readonly RouteKey[]): NarrowerKey | undefined {
  const { access, parent } = key
  if (access === undefined && parent === undefined) return undefined
  return { parent, readOnly: access?.readOnly === true, phexts: access?.phexts, limits: limitsAbove(key, keys) }
}

/** The limits of a key and of all keys above it. As many steps as there are keys: a circle ends. */
function limitsAbove(key: RouteKey, keys: readonly RouteKey[]): KeyLimit[] {
  const limits: KeyLimit[] = []
  let next: RouteKey | undefined = key
  for (let step = 0; next !== undefined && step < keys.length; step++) {
    const { id, access, parent }: RouteKey = next
    const { requestsPerSecond, requests }: KeyAccess = access ?? {}
    if (requestsPerSecond !== undefined || requests !== undefined) limits.push({ key: id, requestsPerSecond, requests })
    next = parent === undefined ? undefined : keys.find((other) => other.id === parent)
  }
  return limits
}
