/** What `POST /api/keys` may say, read strictly: a field that is misspelt would otherwise be a key that may more than was meant. Pure. */
import { suggest } from '../core/closest.ts'
import type { KeyWish } from '../core/new-key.ts'
import type { KeyAccess, Timestamp } from '../core/specs.ts'

export interface WishProblem {
  readonly field: string
  readonly message: string
}

export type ReadWish = { readonly kind: 'ok'; readonly wish: Omit<KeyWish, 'parent'> } | { readonly kind: 'bad'; readonly problems: readonly WishProblem[] }

type Check = (value: unknown) => string | undefined

const MOST_SECONDS = 100 * 365 * 24 * 3600
const MOST_PHEXTS = 50
const TIME = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d{1,3})?Z$/

const wholeUpTo = (most: number): Check => (value) => (Number.isInteger(value) && (value as number) >= 1 && (value as number) <= most ? undefined : `expected a whole number from 1 to ${most}`)

const CHECKS: Readonly<Record<string, Check>> = {
  name: (value) => (typeof value === 'string' && value !== '' && value.length <= 200 ? undefined : 'expected one line of text'),
  readOnly: (value) => (typeof value === 'boolean' ? undefined : 'expected true or false'),
  phexts: (value) => (Array.isArray(value) && value.length >= 1 && value.length <= MOST_PHEXTS && value.every((one) => typeof one === 'string') ? undefined : `expected a list of 1 to ${MOST_PHEXTS} names of phexts`),
  requestsPerSecond: wholeUpTo(1_000_000),
  requests: wholeUpTo(1_000_000_000_000),
  expiresAt: (value) => (typeof value === 'string' && TIME.test(value) && !Number.isNaN(Date.parse(value)) ? undefined : 'expected a time in UTC such as 2026-03-01T12:00:00Z'),
  expiresInSeconds: wholeUpTo(MOST_SECONDS),
}

/** `body` as it came; undefined where there was none. */
export function readWish(body: unknown, now: Date): ReadWish {
  if (body === undefined || body === null) return { kind: 'ok', wish: {} }
  if (typeof body !== 'object' || Array.isArray(body)) return { kind: 'bad', problems: [{ field: '', message: 'expected a JSON object' }] }
  const fields = body as Readonly<Record<string, unknown>>
  const problems = Object.entries(fields).flatMap(([field, value]) => {
    const message = Object.hasOwn(CHECKS, field) ? CHECKS[field]!(value) : `there is no such field. ${suggest(field, Object.keys(CHECKS))}`
    return message === undefined ? [] : [{ field, message }]
  })
  if (fields['expiresAt'] !== undefined && fields['expiresInSeconds'] !== undefined) problems.push({ field: 'expiresInSeconds', message: 'there is expiresAt already: give one of the two' })
  return problems.length > 0 ? { kind: 'bad', problems } : { kind: 'ok', wish: wishOf(fields as Fields, now) }
}

interface Fields {
  readonly name?: string
  readonly readOnly?: boolean
  readonly phexts?: readonly string[]
  readonly requestsPerSecond?: number
  readonly requests?: number
  readonly expiresAt?: Timestamp
  readonly expiresInSeconds?: number
}

function wishOf({ name, readOnly, phexts, requestsPerSecond, requests, expiresAt, expiresInSeconds }: Fields, now: Date): Omit<KeyWish, 'parent'> {
  const access: KeyAccess = {
    ...(readOnly === true && { readOnly }),
    ...(phexts && { phexts: [...new Set(phexts)] }),
    ...(requestsPerSecond !== undefined && { requestsPerSecond }),
    ...(requests !== undefined && { requests }),
  }
  const end = expiresInSeconds === undefined ? expiresAt : new Date(now.getTime() + expiresInSeconds * 1000).toISOString()
  return { ...(name !== undefined && { name }), access, ...(end !== undefined && { expiresAt: end }) }
}
