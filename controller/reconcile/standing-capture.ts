/**
 * One pass over all tenants for the file of standing tenants: which of them are as wanted in every respect, and what stands beside
 * them. The pass takes a while and the world moves on meanwhile: a tenant that is touched after it was looked at does not stand.
 */
import type { Entry } from '../core/catalog-entry.ts'
import type { DesiredTenant } from '../core/desired.ts'
import type { ShardName } from '../core/placement.ts'
import type { Tenant, TenantId, Timestamp } from '../core/specs.ts'
import type { RoutePosition } from '../gateway/route-files.ts'
import type { TreeEntry } from '../git/port.ts'
import type { StandingRow } from '../store/standing-file.ts'
import type { TenantRecord } from '../store/tenant-records.ts'
import { sharedInForce, type StandingHead } from './standing.ts'
import type { StandingKeeperOptions } from './standing-keeper.ts'
import { isTroubled } from './start-up.ts'

export interface Capture {
  /** The tenants that stand, as it goes on. */
  rows(): Iterable<StandingRow>
  /** At the end of the pass: which of the rows do not stand after all, and what else belongs into the file. */
  finish(): Promise<{ readonly gone: ReadonlySet<TenantId>; readonly head: StandingHead }>
  /** Tenants in service that the file does not speak for. */
  readonly left: ReadonlySet<TenantId>
  end(): void
}

const RECORDS_AT_ONCE = 200
const PLAIN_FILE = '100644'

export function createCapture(options: StandingKeeperOptions, goesOn: () => void): Capture {
  const { deps, source, routes } = options
  const standing = new Map<TenantId, ShardName>()
  const left = new Set<TenantId>()
  const timers: (readonly [TenantId, Timestamp])[] = []
  const position = routes.position
  const bought = deps.timeline.awaitingFirstUse()
  const stopListening = source.onTouched((ids) => {
    for (const id of ids) if (standing.has(id)) left.add(id)
  })

  function take(record: TenantRecord): StandingRow | undefined {
    const { tenant } = record
    const desired = bought.has(tenant) || options.isBusy(tenant) ? undefined : settled(options, record)
    const routeDigest = routes.digestOf(tenant)
    if (desired?.place.kind !== 'shard' || routeDigest === undefined) return void left.add(tenant)
    standing.set(tenant, desired.place.shard)
    if (desired.nextChangeAt !== undefined) timers.push([tenant, desired.nextChangeAt])
    return { good: deps.catalog.entry(tenant)!.good!, shard: desired.place.shard, routeDigest }
  }

  return {
    *rows() {
      let last: TenantId | undefined
      for (let records = deps.records.after(last, RECORDS_AT_ONCE); records.length > 0; records = deps.records.after(last, RECORDS_AT_ONCE)) {
        for (const record of records) {
          goesOn()
          const row = record.removedAt === null ? take(record) : undefined
          if (row !== undefined) yield row
        }
        last = records.at(-1)!.tenant
      }
    },
    async finish() {
      const gone = new Set([...left].filter((id) => standing.has(id)))
      const revision = source.revision!
      const others: TreeEntry[] = []
      for (const { path, blob, mode } of deps.catalog.filesBeside({ has: (id) => standing.has(id) && !gone.has(id) })) others.push({ path, blob, mode: mode ?? PLAIN_FILE })
      const shards = standingShards(options, new Set(standing.values()))
      const highest = [...deps.catalog.products()].map(({ metadata, spec }) => `${spec.tenantId.prefix}${deps.catalog.highestNumber(metadata.name)}`)
      const shared = sharedInForce(deps.meta)
      return { gone, head: { madeWith: options.madeWith, revision, shared, others, highest, timers, shards, routes: position && (await sealed(options, position)) } }
    },
    left,
    end: stopListening,
  }
}

/** What is wanted of the tenant, where all of it is in force and nothing is wrong. */
function settled({ deps }: StandingKeeperOptions, { tenant, path, appliedBlob, status }: TenantRecord): DesiredTenant | undefined {
  const entry = deps.catalog.entry(tenant)
  const target = deps.world.target(tenant)
  if (entry === undefined || !isPlain(entry) || isTroubled(status) || target?.kind !== 'follow' || target.heldBy !== undefined) return undefined
  const { good } = entry
  const inForce = good!.blob === appliedBlob && good!.path === path && target.blob === appliedBlob
  return inForce && target.desired.state !== 'ended' ? target.desired : undefined
}

/** One file, in force as it is. */
function isPlain({ good, claims, findings }: Entry<Tenant>): boolean {
  const [claim, ...more] = claims
  return claim !== undefined && more.length === 0 && findings.length === 0 && claim.parsed.kind === 'ok' && good?.blob === claim.blob && good.path === claim.path && good.spec.spec.hold === undefined
}

function standingShards({ deps }: StandingKeeperOptions, shards: ReadonlySet<ShardName>): StandingHead['shards'] {
  return Object.fromEntries([...shards].flatMap((shard) => {
    const standing = deps.shards.standing(shard)
    return standing === undefined ? [] : [[shard, standing]]
  }))
}

/** As far as the files went when the pass began: what came later is read again. */
function sealed({ routes }: StandingKeeperOptions, position: RoutePosition): Promise<StandingHead['routes']> {
  return routes.seal(position)
}
