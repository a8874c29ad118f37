/** How amounts, times and limits are said to people, alike on every page: English, UTC, no locale of the machine. Pure. */
import type { BillingInterval, Limit, LimitName, Price, Timestamp } from './specs.ts'

const MONTHS = ['January', 'February', 'March', 'April', 'May', 'June', 'July', 'August', 'September', 'October', 'November', 'December']

/** `12 February 2026`. */
export function dayWords(at: Timestamp): string {
  const date = new Date(at)
  return `${date.getUTCDate()} ${MONTHS[date.getUTCMonth()]} ${date.getUTCFullYear()}`
}

/** `12 February 2026, 13:15 UTC`. */
export function timeWords(at: Timestamp): string {
  return `${dayWords(at)}, ${new Date(at).toISOString().slice(11, 16)} UTC`
}

/** How long something took or takes: `40 ms`, `2.4 s`, `5 minutes`, `3 days`. */
export function durationWords(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`
  if (ms < 60_000) return `${(ms / 1000).toFixed(ms < 10_000 ? 1 : 0)} s`
  const [count, unit] = ms < 3_600_000 ? [ms / 60_000, 'minute'] : ms < 86_400_000 ? [ms / 3_600_000, 'hour'] : [ms / 86_400_000, 'day']
  const whole = Math.round(count as number)
  return `${whole} ${unit}${whole === 1 ? '' : 's'}`
}

/** `1,523,000`. */
export function countWords(count: number): string {
  return String(Math.round(count)).replace(/\B(?=(\d{3})+(?!\d))/g, ',')
}

const MB = 1024 * 1024
const BYTE_UNITS: readonly (readonly [bytes: number, name: string])[] = [[1_000_000 * MB, 'TB'], [1000 * MB, 'GB'], [MB, 'MB'], [1024, 'kB']]

/** Megabytes as the limits count them, of 1024 × 1024 bytes, and a thousand of them a gigabyte, as plans are sold: `234 MB`, `1 GB`. */
export function bytesWords(bytes: number): string {
  const [size, name] = BYTE_UNITS.find(([each]) => bytes >= each) ?? [1, 'bytes']
  const value = bytes / size
  return `${value >= 100 ? countWords(value) : String(Number(value.toPrecision(3)))} ${name}`
}

const SYMBOLS: Readonly<Record<string, string>> = { usd: '$', eur: '€', gbp: '£' }
/** Currencies whose smallest unit is the whole one. Source: https://docs.stripe.com/currencies#zero-decimal */
const WHOLE = new Set(['bif', 'clp', 'djf', 'gnf', 'jpy', 'kmf', 'krw', 'mga', 'pyg', 'rwf', 'ugx', 'vnd', 'vuv', 'xaf', 'xof', 'xpf'])

/** `$10`, `$12.50`, `12.50 CHF`, with thousands apart. */
export function moneyWords({ amount, currency }: Price): string {
  const isWhole = WHOLE.has(currency)
  const units = isWhole ? amount : Math.trunc(amount / 100)
  const cents = isWhole || amount % 100 === 0 ? '' : `.${String(Math.abs(amount % 100)).padStart(2, '0')}`
  const number = `${countWords(Math.abs(units))}${cents}`
  const sign = amount < 0 ? '-' : ''
  const symbol = SYMBOLS[currency]
  return symbol === undefined ? `${sign}${number} ${currency.toUpperCase()}` : `${sign}${symbol}${number}`
}

/** `$10 a month`. */
export function priceWords(price: Price, interval: BillingInterval): string {
  return `${moneyWords(price)} a ${interval}`
}

/** What a limit is called, and what its number counts. */
const LIMIT_NAMES: Readonly<Record<LimitName, readonly [name: string, unit: string]>> = {
  storageMb: ['storage', 'MB'],
  documents: ['documents', ''],
  workspaces: ['workspaces', ''],
  tokensPerQuery: ['tokens a query', ''],
  requestsPerSecond: ['requests a second', ''],
  burst: ['requests at once', ''],
  requestsPerDay: ['requests a day', ''],
  requestsPerMonth: ['requests a month', ''],
  bodyMb: ['size of one request', 'MB'],
  memoryMb: ['memory', 'MB'],
  cpus: ['processors', ''],
  profiles: ['profiles', ''],
  devicesPerProfile: ['devices a profile', ''],
  dataRetentionDays: ['days that data is kept', ''],
}

/** `requests a month`. */
export function limitName(name: LimitName): string {
  return LIMIT_NAMES[name][0]
}

export function isLimitName(name: string): name is LimitName {
  return Object.hasOwn(LIMIT_NAMES, name)
}

/** `5 GB`, `20`, `unlimited`. */
export function limitWords(name: LimitName, value: Limit): string {
  if (value === 'unlimited') return value
  return LIMIT_NAMES[name][1] === 'MB' ? bytesWords(value * 1024 * 1024) : Number.isInteger(value) ? countWords(value) : String(value)
}

/** `one`, `one and two`, `one, two and three`. */
export function listWords(words: readonly string[]): string {
  return words.length < 2 ? (words[0] ?? '') : `${words.slice(0, -1).join(', ')} and ${words.at(-1)}`
}
