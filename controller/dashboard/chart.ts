/**
 * A bar chart of days as SVG without a style or a script: what it looks like stands in the style sheet, sizes are attributes. It is drawn
 * for the eye alone; the same numbers stand in a table beside it.
 */
import { countWords, dayWords } from '../core/wording.ts'
import { html, type Html } from '../web/html.ts'

export interface Bar {
  readonly day: string
  readonly value: number
}

const WIDTH = 720
const HEIGHT = 200
const LEFT = 56
const BOTTOM = 24
const TOP = 10
const LINES = 4
const MOST_LABELS = 6

export function dayChart(bars: readonly Bar[], title: string): Html {
  const top = niceCeiling(Math.max(0, ...bars.map(({ value }) => value)))
  const plotWidth = WIDTH - LEFT
  const plotHeight = HEIGHT - BOTTOM - TOP
  const step = plotWidth / Math.max(1, bars.length)
  const gap = step > 6 ? Math.min(6, step * 0.25) : 0
  const y = (value: number): number => round(TOP + plotHeight * (1 - value / top))
  const lines = Array.from({ length: LINES + 1 }, (_, index) => (top / LINES) * index)
  return html`<svg class="chart" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${`${title}. The table below has the numbers.`}">
${lines.map((value) => html`<line class="chart-line" x1="${LEFT}" x2="${WIDTH}" y1="${y(value)}" y2="${y(value)}"/><text class="chart-label" x="${LEFT - 8}" y="${y(value) + 4}" text-anchor="end">${shortCount(value)}</text>`)}
${bars.map(({ day, value }, index) => value > 0 && html`<rect class="chart-bar" x="${round(LEFT + index * step + gap / 2)}" y="${y(value)}" width="${round(Math.max(0.6, step - gap))}" height="${round(HEIGHT - BOTTOM - y(value))}" rx="${step > 8 ? 2 : 0}"><title>${`${dayWords(day)}: ${countWords(value)}`}</title></rect>`)}
${labelled(bars).map(({ day, index }) => html`<text class="chart-label" x="${index === bars.length - 1 ? WIDTH : round(LEFT + (index + 0.5) * step)}" y="${HEIGHT - 6}" text-anchor="${index === bars.length - 1 ? 'end' : 'middle'}">${shortDay(day)}</text>`)}
</svg>`
}

/** Evenly apart, so that they don't run into each other. */
function labelled(bars: readonly Bar[]): { day: string; index: number }[] {
  const every = Math.max(1, Math.ceil(bars.length / MOST_LABELS))
  return bars.flatMap(({ day }, index) => ((bars.length - 1 - index) % every === 0 && index >= every / 3 ? [{ day, index }] : []))
}

/** The next of 4, 8, 20, 40, 60, 80, 200 … that is not below: four lines fall on whole numbers. */
function niceCeiling(most: number): number {
  for (let scale = 1; ; scale *= 10) for (const digit of [4, 8, 20]) if (most <= digit * scale) return digit * scale
}

/** `1.5k`, `20M`. */
function shortCount(value: number): string {
  if (value >= 1_000_000) return `${Number((value / 1_000_000).toFixed(1))}M`
  return value >= 1000 ? `${Number((value / 1000).toFixed(1))}k` : String(value)
}

/** `12 Feb`. */
function shortDay(day: string): string {
  const [date, month] = dayWords(day).split(' ') as [string, string]
  return `${date} ${month.slice(0, 3)}`
}

function round(value: number): number {
  return Math.round(value * 100) / 100
}
