/**
 * Settles tenants whose files, plans or findings changed: which of their new specs are in force. All are tried together, so that
 * two may swap a name in one commit. Who holds a name or a slot in force keeps it against a newcomer; among newcomers the lowest
 * id wins. The answer does not depend on the order of the files.
 */
import { candidateOf, type Entries, type Good, type MutableEntry } from './catalog-entry.ts'
import type { CatalogView } from './catalog-view.ts'
import { checkTenant, type TenantContext } from './check.ts'
import type { Finding } from './problem.ts'
import type { Tenant, TenantId } from './specs.ts'
import { contextOf } from './tenant-context.ts'
import { compareIds } from './tenant-id.ts'
import type { TenantIndex } from './tenant-index.ts'

export interface Settling {
  readonly entries: Entries
  readonly index: TenantIndex
  readonly view: CatalogView
  readonly dirty: ReadonlySet<TenantId>
}

interface Newcomer {
  readonly id: TenantId
  readonly entry: MutableEntry
  readonly good: Good<Tenant>
}

export function settleTenants(settling: Settling): void {
  const newcomers = takeIn(settling)
  const fallen = sortOut(settling, newcomers)
  for (const { entry, good } of newcomers) entry.good = good
  letInAgain(settling, fallen)
}

/** Puts every new spec into the index, as if all were in force; what a removed tenant held is free. */
function takeIn({ entries, index, dirty }: Settling): Set<Newcomer> {
  const newcomers = new Set<Newcomer>()
  for (const id of dirty) {
    const entry = entries.Tenant.open(id)
    const { good, findings } = candidateOf(entry)
    entry.findings = findings
    if (good !== undefined) {
      newcomers.add({ id, entry, good: good as Good<Tenant> })
      index.put(good.spec as Tenant)
    } else if (entry.claims.length === 0) index.remove(id)
  }
  return newcomers
}

/** Puts those that break a rule back to their last good spec, which may cost others their place, until nobody falls. Takes them out of `newcomers`. */
function sortOut({ entries, index, view }: Settling, newcomers: Set<Newcomer>): Newcomer[] {
  const fallen: Newcomer[] = []
  for (;;) {
    const context = contextOf(entries, index, view)
    const failing: Newcomer[] = []
    for (const newcomer of newcomers) {
      if (decide(newcomer, context(newcomer.good.spec)).length > 0) failing.push(newcomer)
    }
    if (failing.length === 0) return fallen
    // What is wrong in itself falls first, so that it costs nobody a name or a slot.
    const wrong = failing.filter(({ good }) => findingsOf(good, alone(context(good.spec))).length > 0)
    for (const newcomer of wrong.length > 0 ? wrong : failing) {
      newcomers.delete(newcomer)
      putBack(index, newcomer)
      fallen.push(newcomer)
    }
  }
}

/** Those that fell only because of somebody who fell as well are let in after all, the lowest id first, where there is room beside all that is in force. */
function letInAgain({ entries, index, view }: Settling, fallen: readonly Newcomer[]): void {
  let outside = fallen.toSorted((a, b) => compareIds(a.id, b.id))
  for (let before = Infinity; outside.length < before; ) {
    before = outside.length
    const context = contextOf(entries, index, view)
    outside = outside.filter((newcomer) => {
      const { spec } = newcomer.good
      index.put(spec)
      // Everybody else in the index is in force, so all who hold a slot come before this one.
      const findings = decide(newcomer, { ...context(spec), slotRank: () => (context.holdsSlot(spec) ? 0 : index.slotsTaken(spec.spec.plan) - 1) })
      if (findings.length === 0) newcomer.entry.good = newcomer.good
      else putBack(index, newcomer)
      return findings.length > 0
    })
  }
}

function decide({ entry, good }: Newcomer, context: TenantContext): readonly Finding[] {
  return (entry.findings = findingsOf(good, context))
}

function findingsOf({ spec, path }: Good<Tenant>, context: TenantContext): readonly Finding[] {
  return checkTenant(spec, path, context)
}

/** The context without other tenants. */
function alone(context: TenantContext): TenantContext {
  return { ...context, heldBy: () => undefined, slotRank: () => 0 }
}

function putBack(index: TenantIndex, { id, entry }: Newcomer): void {
  if (entry.good === undefined) index.remove(id)
  else index.put(entry.good.spec as Tenant)
}
