/**
 * The tenant repository as a whole, at one commit: which files are about what, the last good spec of each thing, and what is
 * wrong. Fed with changed files alone, so that the cost of a commit is the size of the commit. A bad file holds the thing it
 * is about at its last good spec and touches nothing else. In-memory state without I/O: the same files give the same catalog.
 */
import type { CatalogView } from './catalog-view.ts'
import { createCatalogView, createHighestNumbers } from './catalog-view-of.ts'
import { checkPlan, checkProduct, checkTenant } from './check.ts'
import type { ParsedSpec, SpecFile } from './parsed.ts'
import type { Finding } from './problem.ts'
import type { AnySpec, BlobId, Kind, Plan, Product, Tenant, TenantId } from './specs.ts'
import { createTenantIndex, type TenantIndex } from './tenant-index.ts'
import { contextOf } from './tenant-context.ts'

/** A file put or removed (`parsed` absent). */
export interface FileDelta {
  readonly path: string
  readonly file?: SpecFile
}

export interface Good<T extends AnySpec = AnySpec> {
  readonly spec: T
  readonly path: string
  readonly blob: BlobId
}

/** Everything known about one named thing. `good` is the last spec that was right in itself and in its context. */
export interface Entry<T extends AnySpec = AnySpec> {
  readonly name: string
  readonly good: Good<T> | undefined
  /** The files that are about it now: none where it was removed, several where they clash. */
  readonly claims: readonly Claim[]
  /** Why the present file is not in force; empty when it is. */
  readonly findings: readonly Finding[]
}

export interface Claim {
  readonly path: string
  readonly blob: BlobId
  readonly parsed: ParsedSpec
}

/** What an `apply` changed: tenants whose spec, plan, product or platform is another now, or whose findings are. */
export interface CatalogDelta {
  readonly tenants: ReadonlySet<TenantId>
}

export interface MutableEntry {
  name: string
  good: Good | undefined
  claims: Claim[]
  findings: readonly Finding[]
}

export type Entries = Record<Kind, Map<string, MutableEntry>>

const NO_FINDINGS: readonly Finding[] = []

export interface Catalog extends CatalogView {
  /** Takes in the changed files of a commit. */
  apply(deltas: readonly FileDelta[]): CatalogDelta
  /** Tells what was in force before a restart; only for names that the coming `apply` will not settle anew by itself. */
  seed(kind: Kind, name: string, good: Good): void
  entry(id: TenantId): Entry<Tenant> | undefined
  entries(kind: Kind): Iterable<Entry>
  /** The plan or product that a tenant runs on: the last good one, even where its file is broken or gone. */
  planInForce(name: string): Plan | undefined
  productInForce(name: string): Product | undefined
  /** Whether the present file of a plan or product is not in force. */
  isHeld(kind: 'Plan' | 'Product', name: string): boolean
  /** All that is wrong now. */
  findings(): Finding[]
  readonly fileCount: number
}

export function createCatalog(): Catalog {
  const files = new Map<string, { readonly kind: Kind; readonly name: string }>()
  const entries: Entries = { Platform: new Map(), Product: new Map(), Plan: new Map(), Tenant: new Map() }
  const unsettled = new Set<TenantId>()
  const index: TenantIndex = createTenantIndex()
  const numbers = createHighestNumbers()
  const view = createCatalogView(entries, index, numbers)

  function apply(deltas: readonly FileDelta[]): CatalogDelta {
    const touched = claimFiles(files, entries, deltas)
    for (const name of touched.Tenant) numbers.note(name)
    const shared = settleShared(entries, touched, view)
    const dirty = tenantsToSettle(entries, touched.Tenant, unsettled, shared)
    return { tenants: settleTenants({ entries, index, view, unsettled, dirty }) }
  }

  return {
    ...view,
    get platform() {
      return view.platform
    },
    apply,
    seed(kind, name, good) {
      const entry = entryOf(entries[kind], name)
      entry.good = good
      if (good.spec.kind === 'Tenant') index.put(good.spec)
    },
    entry: (id) => entries.Tenant.get(id) as Entry<Tenant> | undefined,
    entries: (kind) => entries[kind].values(),
    planInForce: (name) => entries.Plan.get(name)?.good?.spec as Plan | undefined,
    productInForce: (name) => entries.Product.get(name)?.good?.spec as Product | undefined,
    isHeld: (kind, name) => (entries[kind].get(name)?.findings.length ?? 0) > 0,
    findings: () => Object.values(entries).flatMap((map) => [...map.values()].flatMap((entry) => entry.findings)),
    get fileCount() {
      return files.size
    },
  }
}

function entryOf(map: Map<string, MutableEntry>, name: string): MutableEntry {
  let entry = map.get(name)
  if (entry === undefined) {
    entry = { name, good: undefined, claims: [], findings: NO_FINDINGS }
    map.set(name, entry)
  }
  return entry
}

/** Moves files' claims to the things they are about; returns the names that were touched. A rename touches one name and changes nothing else. */
function claimFiles(files: Map<string, { kind: Kind; name: string }>, entries: Entries, deltas: readonly FileDelta[]): Record<Kind, Set<string>> {
  const touched: Record<Kind, Set<string>> = { Platform: new Set(), Product: new Set(), Plan: new Set(), Tenant: new Set() }
  for (const { path } of deltas) {
    const before = files.get(path)
    if (before === undefined) continue
    const entry = entryOf(entries[before.kind], before.name)
    entry.claims = entry.claims.filter((claim) => claim.path !== path)
    files.delete(path)
    touched[before.kind].add(before.name)
  }
  for (const { path, file } of deltas) {
    if (file === undefined) continue
    const about = file.parsed.kind === 'ok' ? { kind: file.parsed.spec.kind, name: file.parsed.spec.metadata.name } : file.parsed.claims
    files.set(path, about)
    entryOf(entries[about.kind], about.name).claims.push({ path, blob: file.blob, parsed: file.parsed })
    touched[about.kind].add(about.name)
  }
  return touched
}

/** The one spec that a thing's files agree on, or why there is none. */
function candidateOf(entry: MutableEntry): { readonly good?: Good; readonly findings: readonly Finding[] } {
  const [claim, ...others] = entry.claims
  if (claim === undefined) return { findings: NO_FINDINGS }
  if (others.length > 0) return { findings: duplicateFindings(entry) }
  if (claim.parsed.kind === 'bad') return { findings: claim.parsed.problems }
  return { good: { spec: claim.parsed.spec, path: claim.path, blob: claim.blob }, findings: NO_FINDINGS }
}

function duplicateFindings(entry: MutableEntry): Finding[] {
  const paths = entry.claims.map(({ path }) => path).sort()
  return paths.map((path) => ({
    file: path,
    field: 'metadata.name',
    message: `"${entry.name}" is also the name in ${paths.filter((other) => other !== path).join(', ')}; a name belongs to one file`,
    fix: 'Rename or remove all but one; until then the last good one stays in force.',
  }))
}

/** Settles platform, products and plans; tells whose tenants are affected. */
function settleShared(entries: Entries, touched: Record<Kind, Set<string>>, view: CatalogView): { readonly all: boolean; readonly products: Set<string>; readonly plans: Set<string> } {
  if (touched.Platform.size + touched.Product.size + touched.Plan.size === 0) return { all: false, products: new Set(), plans: new Set() }
  const platforms = settleTogether(entries.Platform, () => NO_FINDINGS)
  const products = settleTogether<Product>(entries.Product, (product, path) => checkProduct(product, path, view))
  const plans = settleTogether<Plan>(entries.Plan, (plan, path) => checkPlan(plan, path, view))
  return { all: platforms.size > 0, products, plans }
}

/**
 * Takes all new specs of a kind in force, since they may refer to each other, then puts back those that break a rule, until
 * nobody falls. Answers the names about which something is different now.
 */
function settleTogether<T extends AnySpec>(map: ReadonlyMap<string, MutableEntry>, check: (spec: T, path: string) => readonly Finding[]): Set<string> {
  const before = new Map([...map.values()].map((entry) => [entry, { good: entry.good, findings: entry.findings.length, gone: entry.claims.length === 0 }]))
  const candidates = new Set<MutableEntry>()
  for (const entry of map.values()) {
    const { good, findings } = candidateOf(entry)
    entry.findings = findings
    if (good === undefined) continue
    entry.good = good
    candidates.add(entry)
  }
  for (let fallen = true; fallen; ) {
    fallen = false
    for (const entry of candidates) {
      const findings = check(entry.good!.spec as T, entry.good!.path)
      if (findings.length === 0) continue
      entry.findings = findings
      entry.good = before.get(entry)!.good
      candidates.delete(entry)
      fallen = true
    }
  }
  const different = [...before].filter(([entry, was]) => was.good?.spec !== entry.good?.spec || was.findings !== entry.findings.length || was.gone)
  return new Set(different.map(([{ name }]) => name))
}

function tenantsToSettle(entries: Entries, touched: ReadonlySet<string>, unsettled: ReadonlySet<string>, shared: ReturnType<typeof settleShared>): Set<TenantId> {
  const dirty = new Set([...touched, ...unsettled] as TenantId[])
  if (!shared.all && shared.products.size === 0 && shared.plans.size === 0) return dirty
  for (const entry of entries.Tenant.values()) {
    const spec = ((entry.claims[0]?.parsed.kind === 'ok' ? entry.claims[0].parsed.spec : undefined) ?? entry.good?.spec) as Tenant | undefined
    if (shared.all || (spec !== undefined && (shared.products.has(spec.spec.product) || shared.plans.has(spec.spec.plan)))) dirty.add(entry.name as TenantId)
  }
  return dirty
}

interface Settling {
  readonly entries: Entries
  readonly index: TenantIndex
  readonly view: CatalogView
  readonly unsettled: Set<TenantId>
  readonly dirty: ReadonlySet<TenantId>
}

/**
 * Settles the dirty tenants together, so that two of them may swap a name in one commit. Each starts with its new spec in the
 * index; one that breaks a rule is put back to its last good spec, which may cost another its place: repeated until nobody falls.
 * Who already holds a name or a slot keeps it against a newcomer; among newcomers the lowest id wins.
 */
function settleTenants({ entries, index, view, unsettled, dirty }: Settling): Set<TenantId> {
  const candidates = new Map<TenantId, Good<Tenant>>()
  const changed = new Set<TenantId>(dirty)
  for (const id of dirty) {
    const entry = entryOf(entries.Tenant, id)
    const { good, findings } = candidateOf(entry)
    entry.findings = findings
    if (good === undefined) {
      if (entry.claims.length === 0) index.remove(id)
      continue
    }
    candidates.set(id, good as Good<Tenant>)
    index.put(good.spec as Tenant)
  }
  for (let fallen = true; fallen; ) {
    fallen = false
    const context = contextOf(entries, index, view)
    for (const [id, good] of candidates) {
      const entry = entries.Tenant.get(id)!
      const findings = checkTenant(good.spec, good.path, context(good.spec))
      if (findings.length === 0) continue
      entry.findings = findings
      candidates.delete(id)
      fallen = true
      context.forget(good.spec.spec.plan)
      if (entry.good === undefined) index.remove(id)
      else index.put(entry.good.spec as Tenant)
    }
  }
  for (const [id, good] of candidates) entries.Tenant.get(id)!.good = good
  for (const id of dirty) finishSettling(entries, id, unsettled)
  return changed
}

function finishSettling(entries: Entries, id: TenantId, unsettled: Set<TenantId>): void {
  const entry = entries.Tenant.get(id)!
  if (entry.findings.length > 0) unsettled.add(id)
  else unsettled.delete(id)
  if (entry.claims.length === 0) entries.Tenant.delete(id)
}
