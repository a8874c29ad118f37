/** A reconcile core whose catalog, world and store are real, with hand-written fakes for shards, container engine, routes and clock. */
import path from 'node:path'
import { pino } from 'pino'
import { onTestFinished } from 'vitest'
import { createCatalog, type Catalog, type FileDelta } from '../../controller/core/catalog.ts'
import type { TenantChange } from '../../controller/core/change-set.ts'
import { ReconcileError } from '../../controller/core/outcome.ts'
import type { ShardName } from '../../controller/core/placement.ts'
import type { Route } from '../../controller/core/route.ts'
import type { AnySpec, BlobId, CommitId, TenantId } from '../../controller/core/specs.ts'
import type { Condition, ConditionType } from '../../controller/core/status.ts'
import type { Stores } from '../../controller/installation.ts'
import { createKeyring } from '../../controller/keyring.ts'
import { createFormerTenant, createLastApplied } from '../../controller/reconcile/last-applied.ts'
import type { ReconcileDependencies } from '../../controller/reconcile/ports.ts'
import { createLimitInForce } from '../../controller/reconcile/limit-in-force.ts'
import { createWorld } from '../../controller/reconcile/world.ts'
import type { ContainerRuntime, Ensured } from '../../controller/runtime/port.ts'
import { shardFolders } from '../../controller/sq/files.ts'
import type { Shards, ShardState } from '../../controller/sq/shards.ts'
import { createAdoptions } from '../../controller/store/adoptions.ts'
import { createAudit } from '../../controller/store/audit.ts'
import { openStore } from '../../controller/store/db.ts'
import { createDeletions } from '../../controller/store/deletions.ts'
import { createLooseTenants } from '../../controller/store/loose-tenants.ts'
import { createMeta } from '../../controller/store/meta.ts'
import { createSpecCache } from '../../controller/store/spec-cache.ts'
import { createTenantRecords } from '../../controller/store/tenant-records.ts'
import { createTimeline } from '../../controller/store/timeline.ts'
import { NOW, plan, platform, put, sharedProduct } from '../support/specs.ts'
import { tempFolder } from '../support/temp.ts'

export const rev = (n: number): CommitId => String(n).padStart(40, 'a') as CommitId
export const shard = (n = 0): ShardName => `sq-${String(n).padStart(3, '0')}` as ShardName
export const SHARED: readonly FileDelta[] = [put(platform({ retentionDays: 30, deletionLimit: { count: 2, sharePercent: 100 } })), put(sharedProduct()), put(plan('standard'))]

export interface Fakes {
  /** Every changing call, in order: `routes.put user001 up`, `shards.sync sq-000`, … */
  readonly calls: string[]
  readonly routes: Map<TenantId, Route>
  /** Containers that exist. */
  readonly containers: Set<string>
  /** Ports of shards; one that is missing cannot be brought up. */
  readonly ports: Map<ShardName, number>
  /** Thrown by the next call whose text begins so, once or for as long as it stands here. */
  readonly faults: Map<string, Error>
  /** Called after each changing call took effect: throw to be killed there. */
  afterCall: (call: string) => void
  repairs: ShardState['repairs']
  ensured: Partial<Ensured>
  containerPort: number
}

export interface Core {
  readonly deps: ReconcileDependencies
  readonly fakes: Fakes
  readonly stores: Omit<Stores, 'durable' | 'close'>
  readonly catalog: Catalog
  readonly home: string
  readonly outcomes: string[]
  at: Date
  /** Takes files in and works out what is wanted. */
  take(deltas: readonly FileDelta[], revision?: CommitId): readonly TenantChange[]
  condition(id: TenantId, type: ConditionType): Condition | undefined
  /** How many rows the store has changed so far. */
  writes(): number
}

export interface CoreOptions {
  readonly home?: string
  /** Files that are there from the beginning. */
  readonly files?: readonly FileDelta[]
}

export const master = [{ version: 1, hex: '11'.repeat(32) }] as const

export function createCore({ home = tempFolder('core'), files = SHARED }: CoreOptions = {}): Core {
  const db = openStore(path.join(home, 'store.db'), 'rebuildable')
  onTestFinished(() => db.close())
  const meta = createMeta(db)
  const stores = { meta, loose: createLooseTenants(db, meta), cache: createSpecCache(db), records: createTenantRecords(db), deletions: createDeletions(db), audit: createAudit(db), adoptions: createAdoptions(db), timeline: createTimeline(db) }
  const catalog = createCatalog()
  const fakes: Fakes = { calls: [], routes: new Map(), containers: new Set(), ports: new Map([[shard(0), 11_000], [shard(1), 11_001]]), faults: new Map(), afterCall: () => undefined, repairs: [], ensured: {}, containerPort: 1 }
  const outcomes: string[] = []
  const world = createWorld({ catalog, deletions: stores.deletions, limitInForce: createLimitInForce(stores.meta), lastApplied: createLastApplied(stores, catalog), former: createFormerTenant(stores) })
  const core: Core = {
    fakes,
    stores,
    catalog,
    home,
    outcomes,
    at: new Date(NOW),
    deps: {
      ...stores,
      catalog,
      world,
      shards: fakeShards(fakes),
      folders: shardFolders(home),
      runtime: fakeRuntime(fakes),
      routes: {
        put: (routes) => called(fakes, routes.map(({ tenant, upstream, waiting }) => `routes.put ${tenant} ${upstream ? 'up' : (waiting ?? 'down')}`), () => routes.forEach((route) => fakes.routes.set(route.tenant, route))),
        drop: (tenants) => called(fakes, tenants.map((tenant) => `routes.drop ${tenant}`), () => tenants.forEach((tenant) => fakes.routes.delete(tenant))),
      },
      keyring: createKeyring(master),
      observer: { outcome: (result) => void outcomes.push(result), repaired: (tenant, action) => void outcomes.push(`repaired ${tenant} ${action}`), purchaseReady: () => void outcomes.push('purchase ready') },
      log: pino({ level: 'silent' }),
      now: () => core.at,
      chance: () => 0,
    },
    take(deltas, revision = rev(1)) {
      return world.advance(catalog.apply(deltas).tenants, revision, core.at.toISOString())
    },
    condition: (id, type) => stores.records.get(id)?.status.conditions.find((condition) => condition.type === type),
    writes: () => (db.prepare('SELECT total_changes() AS n').get() as { n: number }).n,
  }
  if (files.length > 0) core.take(files, rev(0))
  return core
}

async function called(fakes: Fakes, texts: readonly string[], effect: () => void): Promise<void> {
  await Promise.resolve()
  for (const text of texts) {
    fakes.calls.push(text)
    for (const [beginning, fault] of fakes.faults) if (text.startsWith(beginning)) throw fault
  }
  effect()
  for (const text of texts) fakes.afterCall(text)
}

function fakeShards(fakes: Fakes): Shards {
  const note = (text: string): void => void fakes.calls.push(text)
  return {
    async sync(name) {
      await called(fakes, [`shards.sync ${name}`], () => undefined)
      const port = fakes.ports.get(name)
      if (port === undefined) throw new ReconcileError({ kind: 'transient' }, 'SqDoesNotStart', `shard ${name} does not start`)
      return { port, repairs: fakes.repairs }
    },
    invalidate: (name) => note(`shards.invalidate ${name}`),
    distrust: (name) => note(`shards.distrust ${name}`),
    trust: (name) => note(`shards.trust ${name}`),
    standing: () => undefined,
    stop: (name) => called(fakes, [`shards.stop ${name}`], () => undefined),
    portOf: (name) => fakes.ports.get(name),
  }
}

function fakeRuntime(fakes: Fakes): ContainerRuntime {
  return {
    availability: () => Promise.resolve({ kind: 'available', version: '0' }),
    list: () => Promise.resolve([]),
    inspect: () => Promise.resolve([]),
    async ensure(spec) {
      await called(fakes, [`runtime.ensure ${spec.name}`], () => fakes.containers.add(spec.name))
      return { observed: { name: spec.name, tenant: spec.tenant, product: spec.product, engineId: 'e', configHash: 'h', state: 'running', ports: { http: fakes.containerPort } }, action: 'none', drift: [], ...fakes.ensured }
    },
    remove: (name) => called(fakes, [`runtime.remove ${name}`], () => fakes.containers.delete(name)),
    destroyVolumes: (name) => called(fakes, [`runtime.destroyVolumes ${name}`], () => undefined),
    exec: async (name) => {
      await called(fakes, [`runtime.exec ${name}`], () => undefined)
      return { exitCode: 0, output: '' }
    },
    watch: () => () => undefined,
  }
}

/** Puts a good spec's file in, and what a restart reads of it: its cached spec. */
export function remembered({ stores }: Core, spec: AnySpec): FileDelta {
  const delta = put(spec)
  stores.cache.putMany([{ blob: delta.file!.blob, spec }])
  return delta
}

export const blobOf = (spec: AnySpec): BlobId => put(spec).file!.blob
export const dataFolder = ({ home }: Core, id: TenantId, name = shard(0)): string => path.join(home, 'sq', name, 'data', id)
