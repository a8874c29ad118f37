/**
 * Settles platform, products and plans: which of their files are in force. They may refer to each other, so all new specs of a
 * kind are tried together, and those that break a rule are put back one by one. What is in force stays so against a newcomer.
 */
import { candidateOf, NO_FINDINGS, type Entries, type EntryMap, type Good, type MutableEntry } from './catalog-entry.ts'
import type { CatalogView } from './catalog-view.ts'
import { checkPlan, checkProduct } from './check.ts'
import { placementFindings } from './placement.ts'
import type { Finding } from './problem.ts'
import type { AnySpec, Kind, Plan, Product, Tenant } from './specs.ts'

/** About whom something is different now; `all` where the platform is. */
export interface SharedChange {
  readonly all: boolean
  readonly products: ReadonlySet<string>
  readonly plans: ReadonlySet<string>
}

const NOTHING: SharedChange = { all: false, products: new Set(), plans: new Set() }

export function settleShared(entries: Entries, touched: Record<Kind, ReadonlySet<string>>, view: CatalogView): SharedChange {
  if (touched.Platform.size + touched.Product.size + touched.Plan.size === 0) return NOTHING
  const platforms = settleTogether(entries.Platform, () => NO_FINDINGS)
  dropFormerPlatforms(entries.Platform)
  const inUse = (name: string): boolean => {
    for (const { good } of entries.Tenant.values()) if ((good?.spec as Tenant | undefined)?.spec.product === name) return true
    return false
  }
  const products = settleTogether<Product>(entries.Product, (product, path, before) => [
    ...checkProduct(product, path, view),
    ...(before === undefined ? NO_FINDINGS : placementFindings(before, product, path, inUse)),
  ])
  const plans = settleTogether<Plan>(entries.Plan, (plan, path) => checkPlan(plan, path, view))
  return { all: platforms.size > 0, products, plans }
}

/** There is one platform: once one under a new name is in force, those whose file is gone are history. */
function dropFormerPlatforms(platforms: EntryMap): void {
  if (![...platforms.values()].some(({ claims, good }) => claims.length > 0 && good !== undefined)) return
  for (const { name, claims } of [...platforms.values()]) if (claims.length === 0) platforms.delete(name)
}

interface Contender {
  readonly entry: MutableEntry
  readonly good: Good
  /** What is in force until this one is. */
  readonly before: Good | undefined
}

/** `before` is what is in force until the spec is. */
type Check<T extends AnySpec> = (spec: T, path: string, before: T | undefined) => readonly Finding[]

/** Settles all of one kind; answers the names about which something is different now. */
function settleTogether<T extends AnySpec>(map: EntryMap, check: Check<T>): Set<string> {
  const was = new Map([...map.own()].map((entry) => [entry, { blob: entry.good?.blob, findings: entry.findings.length, gone: entry.claims.length === 0 }]))
  const contenders: Contender[] = []
  for (const entry of map.own()) {
    const { good, findings } = candidateOf(entry)
    entry.findings = findings
    if (good === undefined) continue
    contenders.push({ entry, good, before: entry.good })
    entry.good = good
  }
  const findingsOf = ({ good, before }: Contender): readonly Finding[] => check(good.spec as T, good.path, before?.spec as T | undefined)
  sortOut(contenders, findingsOf)
  for (const one of contenders) one.entry.findings = findingsOf(one)
  const different = [...was].filter(([entry, { blob, findings, gone }]) => blob !== entry.good?.blob || findings !== entry.findings.length || gone)
  return new Set(different.map(([{ name }]) => name))
}

/** Puts specs back, the last by name first, until nobody breaks a rule; then lets those in again who fell only because of somebody that fell after them. */
function sortOut(contenders: readonly Contender[], findingsOf: (contender: Contender) => readonly Finding[]): void {
  const breaksRule = (one: Contender): boolean => findingsOf(one).length > 0
  const accepted = contenders.toSorted((a, b) => (a.entry.name < b.entry.name ? -1 : 1))
  const fallen: Contender[] = []
  for (let loser = accepted.findLast(breaksRule); loser !== undefined; loser = accepted.findLast(breaksRule)) {
    accepted.splice(accepted.indexOf(loser), 1)
    fallen.push(loser)
    loser.entry.good = loser.before
  }
  const fits = (one: Contender): boolean => {
    one.entry.good = one.good
    const fit = !breaksRule(one)
    if (!fit) one.entry.good = one.before
    return fit
  }
  for (let winner = fallen.findLast(fits); winner !== undefined; winner = fallen.findLast(fits)) {
    fallen.splice(fallen.indexOf(winner), 1)
  }
}
