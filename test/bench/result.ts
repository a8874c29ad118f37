/** What a bench answers, and how figures are summed up and shown. */

export interface BenchResult {
  readonly name: string
  readonly figure: number
  readonly unit: string
  /** As people read it, such as `< 250`. Empty: for comparison only. */
  readonly bar: string
  /** Undefined where there is no bar. */
  readonly met: boolean | undefined
  readonly detail: string
}

export interface BenchOptions {
  /** Fewer rounds and fewer tenants: shows that the bench works, not what the figures are. */
  readonly short: boolean
}

export type Bench = (options: BenchOptions) => Promise<BenchResult[]>

/** A figure that has to stay under `bar`. */
export function under(name: string, figure: number, unit: string, bar: number, detail: string): BenchResult {
  return { name, figure: rounded(figure), unit, bar: `< ${bar}`, met: figure < bar, detail }
}

export function atMost(name: string, figure: number, unit: string, bar: number, detail: string): BenchResult {
  return { name, figure: rounded(figure), unit, bar: `<= ${bar}`, met: figure <= bar, detail }
}

export function atLeast(name: string, figure: number, unit: string, bar: number, detail: string): BenchResult {
  return { name, figure: rounded(figure), unit, bar: `>= ${bar}`, met: figure >= bar, detail }
}

/** Something to hold the others against, taken in the same run. */
export function anchor(name: string, figure: number, unit: string, detail: string): BenchResult {
  return { name, figure: rounded(figure), unit, bar: '', met: undefined, detail }
}

/** The value that `share` of all values are not above. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN
}

export const median = (values: readonly number[]): number => quantile(values, 0.5)

export function rounded(value: number): number {
  return Number(value.toPrecision(4))
}

/** Lines of columns for a terminal. */
export function table(results: readonly BenchResult[]): string {
  const rows = results.map(({ name, figure, unit, bar, met, detail }) => [name, `${figure} ${unit}`, bar, met === undefined ? '' : met ? 'met' : 'MISSED', detail])
  const all = [['what', 'figure', 'bar', '', 'detail'], ...rows]
  const widths = all[0]!.map((_, column) => Math.max(...all.map((row) => row[column]!.length)))
  return all.map((row) => row.map((cell, column) => (column === row.length - 1 ? cell : cell.padEnd(widths[column]!))).join('  ').trimEnd()).join('\n')
}
