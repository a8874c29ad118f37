/**
 * `tenantry billing explain TENANT --month M`: what a tenant owes for metered use, worked out anew from the ledger of usage and the
 * commits of each day, and what Stripe was told of it. The two come from different places: a difference is a finding.
 */
import { amountOf, type BilledDay, type MeterTerms } from '../core/metering-bill.ts'
import type { CommitId, Meter, TenantId } from '../core/specs.ts'
import type { Installation } from '../installation.ts'
import { closedDays } from '../metering/close.ts'
import { monthByMeter, type DayCounts } from '../metering/month.ts'
import { createTermsAt } from '../metering/terms-at.ts'
import { openUsageDays } from '../metering.ts'
import { createSpecParser } from '../specs/parse.ts'
import { createMeta } from '../store/meta.ts'
import { createMeterReports, type MeterReport, type ReportState } from '../store/meter-reports.ts'
import { table, UsageError, withInstallation, type Answer, type CliContext } from './context.ts'

export interface ExplainedMeter {
  readonly event: string
  readonly of: Meter['of']
  readonly plan: string
  readonly days: readonly ExplainedDay[]
  readonly counted: number
  readonly billable: number
  readonly units: number
  /** In the currency's smallest unit. */
  readonly amount: number
  readonly currency: string
  readonly reported: Readonly<Record<Exclude<ReportState, 'nothing'>, number>>
  /** Units of days that are closed, less those that Stripe has or is about to get. */
  readonly difference: number
}

interface ExplainedDay {
  readonly day: string
  readonly counted: number
  readonly included: number
  readonly per: number
  readonly billable: number
  readonly units: number
  readonly remainder: number
  /** Whose files set the terms; null for a day that is not closed, which goes by the present ones. */
  readonly revision: CommitId | null
}

const MONTH = /^\d{4}-(0[1-9]|1[0-2])$/

export async function billingExplain(context: CliContext, tenant: string, options: { readonly month?: string }): Promise<Answer> {
  const month = options.month ?? context.now().toISOString().slice(0, 7)
  if (!MONTH.test(month)) throw new UsageError(`${JSON.stringify(month.slice(0, 40))} is no month. Write it as in 2026-11.`)
  return withInstallation(context, async (installation) => {
    const meters = await explainMonth(installation, tenant as TenantId, month)
    return { json: { tenant, month, meters }, text: describe(tenant, month, meters) }
  })
}

async function explainMonth({ source, catalog, repository, stores, settings }: Installation, tenant: TenantId, month: string): Promise<ExplainedMeter[]> {
  const tip = await source.sync()
  const reports = createMeterReports(stores.durable).of(tenant, month)
  if (catalog.pathOf(tenant) === undefined && reports.length === 0) throw new UsageError(`There is no tenant ${JSON.stringify(tenant.slice(0, 80))}.`)
  const closed = closedDays(createMeta(stores.durable))
  const counts = countsOf(settings.home, tenant, month)
  const parser = createSpecParser()
  const termsAt = createTermsAt(repository, () => parser)
  const lastClosed = [...closed.keys()].sort().at(-1) ?? ''
  const terms = new Map<string, readonly MeterTerms[]>()
  for (const { day } of counts) {
    const revision = closed.get(day) ?? (day > lastClosed ? tip : undefined)
    terms.set(day, revision === undefined ? [] : await termsAt.at(revision, tenant))
  }
  const bills = monthByMeter(counts, month, `${month}-31`, (day) => terms.get(day) ?? [])
  return [...bills.values()].flatMap((billed) => byEvent(billed, reports, closed))
}

function countsOf(home: string, tenant: string, month: string): readonly DayCounts[] {
  const usage = openUsageDays(home)
  try {
    return usage?.history(tenant, `${month}-01`).filter(({ day }) => day.startsWith(month)) ?? []
  } finally {
    usage?.close()
  }
}

/** One for each plan that the tenant had in the month. */
function byEvent(billed: readonly BilledDay[], reports: readonly MeterReport[], closed: ReadonlyMap<string, CommitId>): ExplainedMeter[] {
  const events = new Set(billed.flatMap(({ terms }) => terms?.event ?? []))
  return [...events].map((event) => {
    const days = billed.filter((day): day is BilledDay & { readonly terms: MeterTerms } => day.terms?.event === event)
    const { of, plan, price } = days[0]!.terms
    const units = sum(days.map((day) => day.units))
    const owed = sum(days.filter(({ day }) => closed.has(day)).map((day) => day.units))
    const told = (state: ReportState): number => sum(reports.filter((report) => report.event === event && report.state === state).map((report) => report.units))
    const reported = { sent: told('sent'), waiting: told('waiting'), doubtful: told('doubtful'), 'too-late': told('too-late') }
    return {
      ...{ event, of, plan, units, reported },
      days: days.map(({ day, counted, terms, billable, units: each, remainder }) => ({ day, counted, included: terms.included, per: terms.per, billable, units: each, remainder, revision: closed.get(day) ?? null })),
      counted: sum(days.map(({ counted }) => counted)),
      billable: sum(days.map(({ billable }) => billable)),
      amount: sum(days.map((day) => amountOf(day.units, day.terms))),
      currency: price.currency,
      difference: owed - reported.sent - reported.waiting,
    }
  })
}

function describe(tenant: string, month: string, meters: readonly ExplainedMeter[]): string {
  if (meters.length === 0) return `${tenant} owes nothing for use in ${month}: no plan with a meter was in force on a day with use, or it has no customer at Stripe.\n`
  return meters.map((meter) => describeMeter(tenant, month, meter)).join('\n')
}

function describeMeter(tenant: string, month: string, { event, of, plan, days, counted, billable, units, amount, currency, reported, difference }: ExplainedMeter): string {
  const rows = days.map((day) => [day.day, day.counted, day.included, day.billable, day.per, day.units, day.remainder, day.revision?.slice(0, 12) ?? 'not closed'].map(String))
  const head = ['day', of, 'included', 'beyond', 'per unit', 'units', 'left over', 'commit']
  const left = [reported.waiting > 0 && `${reported.waiting} wait to be sent`, reported.doubtful > 0 && `of ${reported.doubtful} it is not known whether Stripe has them`, reported['too-late'] > 0 && `${reported['too-late']} came too late for Stripe`].filter((words) => words !== false)
  return [
    `${tenant}, ${month}: ${of} of ${plan} (${event})`,
    table([head, ...rows]),
    `counted ${counted}, beyond what is included ${billable}: ${units} units, ${formatAmount(amount, currency)}`,
    `told to Stripe: ${reported.sent} units${left.length === 0 ? '' : `; ${left.join('; ')}`}`,
    difference === 0 ? 'no difference' : `DIFFERENCE: ${difference} units of closed days are neither sent nor waiting`,
    '',
  ].join('\n')
}

function formatAmount(amount: number, currency: string): string {
  const format = new Intl.NumberFormat('en', { style: 'currency', currency })
  return format.format(amount / 10 ** (format.resolvedOptions().maximumFractionDigits ?? 2))
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((a, b) => a + b, 0)
}
