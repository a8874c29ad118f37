/**
 * The tenant repository as a whole, at one commit: which files are about what, the last good spec of each thing, and what is
 * wrong. Fed with changed files alone, so that the cost of a commit is the size of the commit. A bad file holds the thing it
 * is about at its last good spec and touches nothing else. In-memory state without I/O: the same files give the same catalog.
 */
import { createEntryMap, createTenantEntries, type Entries, type Entry, type Good } from './catalog-entry.ts'
import type { CatalogView } from './catalog-view.ts'
import { createCatalogView, createHighestNumbers } from './catalog-view-of.ts'
import type { SpecFile } from './parsed.ts'
import type { Finding } from './problem.ts'
import { settleShared, type SharedChange } from './settle-shared.ts'
import { settleTenants } from './settle-tenants.ts'
import type { AnySpec, Kind, Plan, Product, Tenant, TenantId } from './specs.ts'
import { createStandingLayer, type StandingTenants } from './standing.ts'
import { createTenantIndex, type TenantIndex } from './tenant-index.ts'

export type { Entry } from './catalog-entry.ts'

/** A file put or removed (`file` absent). */
export interface FileDelta {
  readonly path: string
  readonly file?: SpecFile
  /** Before a restart, this very file with this very text was in force. As `seed`, for the many that nobody touched meanwhile. */
  readonly standing?: true
}

/** What an `apply` changed: tenants whose files, spec, plan, product or platform are others now, or whose findings are. */
export interface CatalogDelta {
  readonly tenants: ReadonlySet<TenantId>
}

/** What a file is about. */
interface About {
  readonly kind: Kind
  readonly name: string
}

export interface Catalog extends CatalogView {
  /** Takes in the changed files of a commit. */
  apply(deltas: readonly FileDelta[]): CatalogDelta
  /** Tells what was in force before a restart; to be followed by one `apply` of all files, which takes a tenant without a file as removed. */
  seed(kind: Kind, name: string, good: Good): void
  /** Begins with what a process before this one left in force, less `except`, which is to be seeded and applied; `highest` are the highest names that were ever seen. */
  begin(standing: StandingTenants, except: Iterable<TenantId>, highest: Iterable<string>): void
  entry(id: TenantId): Entry<Tenant> | undefined
  entries(kind: Kind): Iterable<Entry>
  /** The plan or product that a tenant runs on: the last good one, even where its file is broken or gone. */
  planInForce(name: string): Plan | undefined
  productInForce(name: string): Product | undefined
  /** Tenants whose owner has this address, in whatever letters, ended ones as well: those in force, and new ones that are being settled. */
  ownedBy(email: string): readonly TenantId[]
  /** Whether the present file of a plan or product is not in force. */
  isHeld(kind: 'Plan' | 'Product', name: string): boolean
  /** The files that are about none of these tenants. */
  filesBeside(tenants: { has(id: TenantId): boolean }): Iterable<SpecFile>
  /** All that is wrong now. */
  findings(): Finding[]
  readonly fileCount: number
}

export function createCatalog(): Catalog {
  const files = new Map<string, About>()
  const seededFiles = new Map<string, About>()
  const standing = createStandingLayer()
  const index: TenantIndex = createTenantIndex(standing)
  const entries: Entries = { Platform: createEntryMap(), Product: createEntryMap(), Plan: createEntryMap(), Tenant: createTenantEntries(standing, overlay) }
  const unsettled = new Set<TenantId>()
  const numbers = createHighestNumbers()
  const view = createCatalogView(entries, index, numbers)

  /** One that stood is to be changed. */
  function overlay({ spec, path }: Good<Tenant>): void {
    files.set(path, { kind: 'Tenant', name: spec.metadata.name })
    index.put(spec)
  }

  const aboutOf = (path: string): About | undefined => {
    const about = files.get(path) ?? seededFiles.get(path)
    if (about !== undefined) return about
    const name = standing.atPath(path)
    return name && { kind: 'Tenant', name }
  }

  function apply(deltas: readonly FileDelta[]): CatalogDelta {
    const touched = claimFiles({ files, aboutOf, entries }, deltas)
    seededFiles.clear()
    for (const { file, standing } of deltas) if (standing && file?.parsed.kind === 'ok') stand(file, file.parsed.spec)
    for (const name of touched.Tenant) numbers.note(name, entries.Tenant.get(name)?.claims[0]?.parsed.kind === 'ok')
    const affected = new Set([...touched.Tenant, ...tenantsOf(entries, settleShared(entries, touched, view))]) as Set<TenantId>
    const before = new Map([...unsettled].filter((id) => !affected.has(id)).map((id) => [id, outcomeOf(entries, id)]))
    const dirty = new Set([...affected, ...before.keys()])
    settleTenants({ entries, index, view, dirty })
    for (const id of dirty) finishSettling(entries, id, unsettled)
    for (const [id, outcome] of before) if (outcomeOf(entries, id) !== outcome) affected.add(id)
    return { tenants: affected }
  }

  function stand({ path, blob }: SpecFile, spec: AnySpec): void {
    entries[spec.kind].open(spec.metadata.name).good ??= { spec, path, blob }
    if (spec.kind === 'Tenant') index.put(spec)
  }

  return {
    ...view,
    get platform() {
      return view.platform
    },
    apply,
    seed(kind, name, good) {
      const { spec, path } = good
      entries[kind].open(name).good = good
      seededFiles.set(path, { kind, name })
      if (spec.kind !== 'Tenant') return
      index.put(spec)
      numbers.note(name, true)
      unsettled.add(spec.metadata.name)
    },
    begin(tenants, except, highest) {
      standing.begin(tenants, except)
      for (const name of highest) numbers.note(name, true)
    },
    entry: (id) => entries.Tenant.get(id) as Entry<Tenant> | undefined,
    entries: (kind) => entries[kind].values(),
    ownedBy: index.ownedBy,
    planInForce: (name) => entries.Plan.get(name)?.good?.spec as Plan | undefined,
    productInForce: (name) => entries.Product.get(name)?.good?.spec as Product | undefined,
    isHeld: (kind, name) => (entries[kind].get(name)?.findings.length ?? 0) > 0,
    *filesBeside(tenants) {
      for (const kind of ['Platform', 'Product', 'Plan'] as const) for (const { claims } of entries[kind].own()) yield* claims
      for (const { name, claims } of entries.Tenant.own()) if (!tenants.has(name as TenantId)) yield* claims
      for (const { tenant } of standing.summaries()) {
        if (!tenants.has(tenant)) yield* entries.Tenant.get(tenant)!.claims
      }
    },
    findings: () => Object.values(entries).flatMap((map) => [...map.own()].flatMap((entry) => entry.findings)),
    get fileCount() {
      return files.size + standing.size
    },
  }
}

interface Files {
  readonly files: Map<string, About>
  /** What a file is about now, or was before a restart. */
  readonly aboutOf: (path: string) => About | undefined
  readonly entries: Entries
}

/** Moves files' claims to the things they are about; returns the names that were touched. A rename touches one name and changes nothing else. */
function claimFiles({ files, aboutOf, entries }: Files, deltas: readonly FileDelta[]): Record<Kind, Set<string>> {
  const touched: Record<Kind, Set<string>> = { Platform: new Set(), Product: new Set(), Plan: new Set(), Tenant: new Set() }
  const before = new Map<string, About>()
  for (const { path } of deltas) {
    const was = aboutOf(path)
    if (was === undefined) continue
    const entry = entries[was.kind].open(was.name)
    entry.claims = entry.claims.filter((claim) => claim.path !== path)
    files.delete(path)
    touched[was.kind].add(was.name)
    before.set(path, was)
  }
  const claim = (file: SpecFile, about: About): void => {
    files.set(file.path, about)
    entries[about.kind].open(about.name).claims.push(file)
    touched[about.kind].add(about.name)
  }
  const put = deltas.flatMap(({ file }) => file ?? [])
  for (const file of put) if (file.parsed.kind === 'ok') claim(file, { kind: file.parsed.spec.kind, name: file.parsed.spec.metadata.name })
  for (const file of put) if (file.parsed.kind === 'bad') claim(file, aboutOfBad(file.parsed.claims, before.get(file.path), entries))
  return touched
}

/**
 * A bad file is about what it seems to be about, unless that would leave the thing that it was about without any file: a name
 * that can no longer be read is an error, not a removal.
 */
function aboutOfBad(claims: About, before: About | undefined, entries: Entries): About {
  return before !== undefined && entries[before.kind].get(before.name)?.claims.length === 0 ? before : claims
}

/** The tenants that a change of platform, products and plans is about, by the spec in force and by the one in their file. */
function* tenantsOf(entries: Entries, { all, products, plans }: SharedChange): Generator<string> {
  if (!all && products.size === 0 && plans.size === 0) return
  const concerns = (spec: AnySpec | undefined): boolean => spec?.kind === 'Tenant' && (products.has(spec.spec.product) || plans.has(spec.spec.plan))
  for (const { name, good, claims } of entries.Tenant.values()) {
    if (all || concerns(good?.spec) || claims.some(({ parsed }) => parsed.kind === 'ok' && concerns(parsed.spec))) yield name
  }
}

/** What settling came to, as a text that is equal for equal outcomes. */
function outcomeOf(entries: Entries, id: TenantId): string {
  const entry = entries.Tenant.get(id)
  return entry === undefined ? '' : JSON.stringify([entry.good?.blob, entry.findings])
}

function finishSettling(entries: Entries, id: TenantId, unsettled: Set<TenantId>): void {
  const entry = entries.Tenant.get(id)!
  if (entry.findings.length > 0) unsettled.add(id)
  else unsettled.delete(id)
  if (entry.claims.length === 0) entries.Tenant.delete(id)
}
