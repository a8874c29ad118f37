/** A tenant's month, day by day, from the ledger of usage and the terms of each day: the same for the reporter and for `billing explain`. Pure. */
import { billMonth, type BilledDay, type MeterTerms } from '../core/metering-bill.ts'
import type { Meter } from '../core/specs.ts'

export interface DayCounts {
  readonly day: string
  readonly requests: number
  readonly bytesOut: number
}

const METERS: readonly Meter['of'][] = ['requests', 'bytesOut']

/** For each meter with terms on any day; days without use are left out. `through` is the last day that counts. */
export function monthByMeter(counts: readonly DayCounts[], month: string, through: string, termsOn: (day: string) => readonly MeterTerms[]): Map<Meter['of'], BilledDay[]> {
  const days = counts.filter(({ day }) => day.startsWith(month) && day <= through).sort((a, b) => (a.day < b.day ? -1 : 1))
  const terms = new Map(days.map(({ day }) => [day, termsOn(day)]))
  const meters = METERS.map((of) => [of, days.map((each) => ({ day: each.day, counted: each[of], terms: terms.get(each.day)!.find((term) => term.of === of) }))] as const)
  return new Map(meters.filter(([, metered]) => metered.some((day) => day.terms !== undefined)).map(([of, metered]) => [of, billMonth(metered)]))
}

export function nextDay(day: string): string {
  return new Date(Date.parse(`${day}T00:00:00Z`) + 86_400_000).toISOString().slice(0, 10)
}

/** The last instant of a day, in seconds since 1970; of the month's last day where the day lies behind the month. */
export function lastSecondOf(day: string, month: string): number {
  const [year, number] = month.split('-').map(Number) as [number, number]
  return Math.min(Date.parse(`${day}T23:59:59Z`), Date.UTC(year, number, 1) - 1000) / 1000
}
