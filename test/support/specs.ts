/** Small good specs to start from, the files that hold them, and real hash functions for the core, which takes them as arguments. */
import { createHash, createHmac } from 'node:crypto'
import type { FileDelta } from '../../controller/core/catalog.ts'
import type { Mac } from '../../controller/core/keys.ts'
import type { ParsedSpec } from '../../controller/core/parsed.ts'
import type { AnySpec, BlobId, ContainerRun, DerivedKeySpec, Kind, Plan, Platform, Product, Tenant, TenantId } from '../../controller/core/specs.ts'

export const NOW = '2026-03-01T12:00:00Z'

/** Like a repository's id, of the n-th tenant of product `sq`. */
export const userId = (n: number): TenantId => `user${String(n).padStart(3, '0')}` as TenantId

export function platform(spec: Partial<Platform['spec']> = {}, name = 'sample'): Platform {
  return { kind: 'Platform', metadata: { name }, spec: { domain: 'example.com', deletionLimit: { count: 5, sharePercent: 10 }, retentionDays: 30, keyOverlapHours: 24, bounds: {}, ...spec } }
}

export function sharedProduct(spec: Partial<Product['spec']> = {}, name = 'sq'): Product {
  return { kind: 'Product', metadata: { name }, spec: { title: name, tenantId: { prefix: 'user', digits: 3 }, run: { kind: 'shared-sq', engine: 'process', tenantsPerShard: 500 }, ...spec } }
}

export const CONTAINER: ContainerRun = {
  kind: 'container',
  image: 'tenantry/sq:0.6.0',
  ports: [{ name: 'http', port: 1337 }],
  volumes: [{ name: 'data', path: '/data' }],
  health: { port: 'http', path: '/' },
  pidsLimit: 64,
  stopGraceSeconds: 10,
  memoryMb: 256,
  cpus: 0.5,
}

export function containerProduct(spec: Partial<Product['spec']> = {}, name = 'dedicated'): Product {
  return { kind: 'Product', metadata: { name }, spec: { title: name, tenantId: { prefix: 'ded', digits: 3 }, run: CONTAINER, ...spec } }
}

export function plan(name: string, spec: Partial<Plan['spec']> = {}): Plan {
  return { kind: 'Plan', metadata: { name }, spec: { product: 'sq', title: name, tier: name, prices: { month: { amount: 1000, currency: 'usd' } }, limits: { storageMb: 1000 }, ...spec } }
}

export function keySpec(id = 'k1', changes: Partial<DerivedKeySpec> = {}): DerivedKeySpec {
  return { id, nonce: id.padStart(32, '0'), createdAt: '2026-02-12T13:15:00Z', ...changes }
}

export function tenant(id: string, spec: Partial<Tenant['spec']> = {}): Tenant {
  return { kind: 'Tenant', metadata: { name: id as TenantId }, spec: { product: 'sq', plan: 'standard', owner: { email: `${id}@example.com` }, state: 'active', keys: [keySpec()], ...spec } }
}

const FOLDERS: Record<Kind, string> = { Platform: '', Product: 'products/', Plan: 'plans/', Tenant: 'tenants/' }

export function pathOf({ kind, metadata }: { readonly kind: Kind; readonly metadata: { readonly name: string } }): string {
  return kind === 'Platform' ? 'platform.yaml' : `${FOLDERS[kind]}${metadata.name}.yaml`
}

/** The file that holds a good spec; its blob id is a hash of the spec, as in git. */
export function put(spec: AnySpec, path = pathOf(spec)): FileDelta {
  return file(path, { kind: 'ok', spec })
}

/** A file that cannot be read as a spec. `name` is what it seems to be about. */
export function putBad(kind: Kind, name: string, path = pathOf({ kind, metadata: { name } })): FileDelta {
  return file(path, { kind: 'bad', claims: { kind, name }, problems: [{ file: path, line: 3, column: 5, field: '', message: 'this is no YAML', fix: 'Correct it.' }] })
}

export const remove = (spec: AnySpec | string): FileDelta => ({ path: typeof spec === 'string' ? spec : pathOf(spec) })

function file(path: string, parsed: ParsedSpec): FileDelta {
  return { path, file: { path, blob: digest(JSON.stringify(parsed)).slice(0, 40) as BlobId, parsed } }
}

export const digest = (text: string): string => createHash('sha256').update(text).digest('hex')

/** The keys of a tenant that are derived. */
export const derivedKeys = ({ keys }: Tenant['spec']): DerivedKeySpec[] => keys.filter((key) => key.nonce !== undefined)

/** HMAC-SHA256 under a secret for each version. */
export const mac: Mac = (version, message) => createHmac('sha256', `master secret ${version}`).update(message).digest('hex')
