/**
 * Closes days: once one is over, what each tenant used is laid against the plan as it stood then, and what is owed beyond what was
 * written down becomes a row for Stripe. The row is written once, before anything is sent; a crash repeats nothing and leaves out
 * nothing, since what is owed is worked out from the whole month each time.
 */
import { meterTerms, unitsToReport, type MeterTerms } from '../core/metering-bill.ts'
import { daysBefore } from '../core/quota.ts'
import type { CommitId, Plan, Tenant, TenantId } from '../core/specs.ts'
import { transaction, type Store } from '../store/db.ts'
import type { Meta } from '../store/meta.ts'
import type { MeterReports } from '../store/meter-reports.ts'
import { lastSecondOf, monthByMeter, nextDay, type DayCounts } from './month.ts'
import type { TermsAt } from './terms-at.ts'

/** The gateway's ledger, read beside it. */
export interface UsageDays {
  /** Tenants with use on any of these days. */
  usedBetween(fromDay: string, toDay: string): readonly string[]
  history(tenant: string, fromDay: string): readonly DayCounts[]
  close(): void
}

export interface CloseOptions {
  readonly usage: () => UsageDays | undefined
  /** Brings the catalog to the tip and answers which commit that is. */
  readonly sync: () => Promise<CommitId>
  readonly catalog: { tenant(id: TenantId): Tenant | undefined; planInForce(name: string): Plan | undefined; plans(): Iterable<Plan> }
  readonly termsAt: TermsAt
  readonly reports: MeterReports
  /** On the connection of `store`: what is closed is not forgotten in a power cut. */
  readonly meta: Meta
  readonly store: Store
  readonly digest: (text: string) => string
  readonly installation: string
  readonly now: () => Date
}

/** Counts of a day come a little after it; the gateway writes each second. */
const SETTLES_MS = 10 * 60_000
/** What comes later still, while nothing could be written down, is found for so many days. */
const LATE_DAYS = 3
const CLOSED = 'meter-day/'
const LAST_CLOSED = 'meters-closed'

/** The commits by which days were closed. A day that is not there was over before there was metering, or is not over. */
export function closedDays(meta: Meta): ReadonlyMap<string, CommitId> {
  return new Map(meta.startingWith(CLOSED).map(({ name, value }) => [name.slice(CLOSED.length), value as CommitId]))
}

/** Closes every day that is over; answers how many. */
export async function closeDays(options: CloseOptions): Promise<number> {
  const { meta, now } = options
  const lastOver = new Date(now().getTime() - SETTLES_MS - 86_400_000).toISOString().slice(0, 10)
  const before = meta.get(LAST_CLOSED) ?? daysBefore(lastOver, 1)
  let closed = 0
  for (let day = nextDay(before); day <= lastOver; day = nextDay(day)) {
    await closeDay(options, day)
    closed++
  }
  return closed
}

async function closeDay(options: CloseOptions, day: string): Promise<void> {
  const { meta, sync, catalog } = options
  const tip = await sync()
  // A day that a crash interrupted goes on under the commit that it was begun with.
  const revision = (meta.get(CLOSED + day) as CommitId | undefined) ?? tip
  meta.set(CLOSED + day, revision)
  const usage = [...catalog.plans()].some(({ spec }) => spec.meters !== undefined) ? options.usage() : undefined
  try {
    const tenants = usage?.usedBetween(daysBefore(day, LATE_DAYS), day) ?? []
    for (const tenant of tenants) await closeTenant(options, usage!, { tenant: tenant as TenantId, day, revision, tip })
  } finally {
    usage?.close()
  }
  meta.set(LAST_CLOSED, day)
}

interface Closing {
  readonly tenant: TenantId
  readonly day: string
  readonly revision: CommitId
  /** What the catalog stands at. */
  readonly tip: CommitId
}

async function closeTenant(options: CloseOptions, usage: UsageDays, closing: Closing): Promise<void> {
  const { reports, catalog } = options
  const { tenant, day } = closing
  const months = new Set([daysBefore(day, LATE_DAYS).slice(0, 7), day.slice(0, 7)])
  const spec = catalog.tenant(tenant)
  const present = spec === undefined ? [] : meterTerms(spec, catalog.planInForce(spec.spec.plan))
  for (const month of months) {
    if (present.length === 0 && reports.of(tenant, month).length === 0) continue
    await closeMonth(options, usage.history(tenant, `${month}-01`), { ...closing, month, present })
  }
}

async function closeMonth(options: CloseOptions, counts: readonly DayCounts[], closing: Closing & { readonly month: string; readonly present: readonly MeterTerms[] }): Promise<void> {
  const { reports, store, digest, installation, now } = options
  const { tenant, day, month, revision } = closing
  const written = reports.of(tenant, month)
  const terms = await termsByDay(options, counts, closing)
  const bills = monthByMeter(counts, month, day, (each) => terms.get(each) ?? [])
  transaction(store, () => {
    for (const billed of bills.values()) {
      for (const event of new Set(billed.flatMap(({ terms: each }) => each?.event ?? []))) {
        const units = unitsToReport(billed, event, written, day)
        const last = billed.findLast(({ terms: each }) => each?.event === event)!
        if (units === 0 && last.day !== day) continue
        const identifier = `${tenant}.${day}.${digest([installation, tenant, event, month, day].join('\n')).slice(0, 32)}`
        reports.add({ tenant, event, month, day, revision, terms: last.terms!, termsOf: last.day, units, identifier, at: lastSecondOf(day, month) }, now().toISOString())
      }
    }
  })
}

/** What is written down stays as it was; the day at hand goes by its commit; what came late, or was free, is looked up in git. */
async function termsByDay({ reports, meta, termsAt }: CloseOptions, counts: readonly DayCounts[], { tenant, day, month, revision, tip, present }: Closing & { readonly month: string; readonly present: readonly MeterTerms[] }): Promise<Map<string, readonly MeterTerms[]>> {
  const known = new Map<string, MeterTerms[]>()
  // A report of late use stands under the day that it was told on, and has the terms of another.
  for (const report of reports.of(tenant, month).filter((each) => each.termsOf === each.day)) known.set(report.day, [...(known.get(report.day) ?? []), report.terms])
  const terms = new Map<string, readonly MeterTerms[]>()
  for (const { day: each } of counts) {
    const closedBy = each === day ? revision : (meta.get(CLOSED + each) as CommitId | undefined)
    const remembered = known.get(each)
    if (remembered !== undefined) terms.set(each, remembered)
    else if (closedBy === undefined) terms.set(each, [])
    else terms.set(each, closedBy === tip ? present : await termsAt.at(closedBy, tenant))
  }
  return terms
}
