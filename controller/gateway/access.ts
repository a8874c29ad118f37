/**
 * Whether a request may pass, and to which tenant it belongs: from its key, its path and the routes. Pure: the clock and the digest
 * are handed in. Answers the same for keys that are unknown, revoked and expired.
 */
import type { HeaderFacts, Links } from '../core/header-facts.ts'
import { isWellFormedKey } from '../core/key-format.ts'
import { hasPhexts } from '../core/phext-scope.ts'
import { REFUSALS, type Refusal } from './refusal.ts'
import { scopeRefusal, type Asked } from './scope.ts'
import type { RouteTable, TableKey, TableRoute, Upstream } from './route-table.ts'

export type Credentials = { readonly kind: 'none' } | { readonly kind: 'key'; readonly key: string } | { readonly kind: 'conflict' }

export type Access =
  /** `key` is what the tenant's SQ is reached with. */
  | { readonly kind: 'granted'; readonly key: string; readonly entry: TableKey; readonly upstream: Upstream }
  | Refused

export type Granted = Extract<Access, { kind: 'granted' }>

export type Identity = { readonly kind: 'known'; readonly key: string; readonly entry: TableKey } | Refused

/** `entry` is there where the key is known. */
export interface Refused {
  readonly kind: 'refused'
  readonly refusal: Refusal
  readonly entry?: TableKey
}

const KEY_PREFIX = 'pmb-v1-'

/** The key that the headers carry: bearer, bare, X-SQ-API-Key or X-API-Key. `rawHeaders` is Node's list of names and values. */
export function findCredentials(rawHeaders: readonly string[]): Credentials {
  let found: string | undefined
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const key = keyIn(rawHeaders[i]!, rawHeaders[i + 1]!)
    if (key === undefined || key === found) continue
    // A text that is no key of ours, such as another system's token, gives way to one that is.
    if (found === undefined || !found.startsWith(KEY_PREFIX)) found = key
    else if (key.startsWith(KEY_PREFIX)) return { kind: 'conflict' }
  }
  return found === undefined ? { kind: 'none' } : { kind: 'key', key: found }
}

/** Most headers are told apart by their length alone, which spares the lower-casing. */
function keyIn(name: string, value: string): string | undefined {
  if (name.length === 13) return name.toLowerCase() === 'authorization' ? bearer(value) : undefined
  if (name.length !== 9 && name.length !== 12) return undefined
  const lower = name.toLowerCase()
  return lower === 'x-api-key' || lower === 'x-sq-api-key' ? nonEmpty(value) : undefined
}

function bearer(value: string): string | undefined {
  const space = value.indexOf(' ')
  if (space === -1) return nonEmpty(value)
  return value.slice(0, space).toLowerCase() === 'bearer' ? nonEmpty(value.slice(space + 1).trim()) : undefined
}

function nonEmpty(value: string): string | undefined {
  return value === '' ? undefined : value
}

export interface AccessContext {
  readonly table: RouteTable
  readonly facts: HeaderFacts
  readonly nowMs: number
  /** SHA-256 in lower-case hex. */
  readonly digestOf: (key: string) => string
}

/** Whose key it is, whatever the state of the account. The same steps for keys that are unknown, revoked and expired. */
export function findEntry(credentials: Credentials, { table, nowMs, digestOf }: AccessContext): Identity {
  if (credentials.kind === 'none') return refused(REFUSALS.keyMissing)
  if (credentials.kind === 'conflict') return refused(REFUSALS.keysConflict)
  const { key } = credentials
  const wellFormed = isWellFormedKey(key)
  const entry = wellFormed || table.hasImportedKeys ? table.findKey(digestOf(key)) : undefined
  if (entry === undefined || entry.expiresAtMs <= nowMs) return refused(wellFormed ? REFUSALS.keyInvalid : REFUSALS.keyMalformed)
  return { kind: 'known', key, entry }
}

/** What a known key may ask for now. `key` is its text. */
export function decideAccess({ key, entry }: Extract<Identity, { kind: 'known' }>, asked: Asked & { readonly path: string }, { facts }: Pick<AccessContext, 'facts'>): Access {
  const { links } = facts
  const { product, api, upstream, waiting, instanceKey } = entry.route
  const unserved = stateRefusal(entry.route, links)
  if (unserved !== undefined) return refused(unserved, entry)
  if (api === undefined || !isUnder(asked.path, api)) return refused(otherProduct(product, api), entry)
  const outOfScope = scopeRefusal(entry, asked)
  if (outOfScope !== undefined) return refused(outOfScope, entry)
  if (upstream === undefined || (instanceKey === undefined && needsInstanceKey(entry, key))) return refused(notReady(waiting), entry)
  return { kind: 'granted', key: instanceKey ?? key, entry, upstream }
}

/** Why the account is not served; undefined where it is. */
export function stateRefusal({ state, stateReason }: TableRoute, links: Links): Refusal | undefined {
  if (state === 'suspended') return suspended(stateReason, links)
  return state === 'ended' ? ended(links) : undefined
}

/** SQ knows full keys alone. Any other is served as soon as the route has the instance key. */
function needsInstanceKey({ narrower, route }: TableKey, key: string): boolean {
  return hasPhexts(route.api) && (narrower !== undefined || !isWellFormedKey(key))
}

/** `/api/v2/` holds `/api/v2/select` and `/api/v2` itself. */
export function isUnder(path: string, api: string): boolean {
  return path.startsWith(api) || (api.endsWith('/') && path.length === api.length - 1 && api.startsWith(path))
}

function refused(refusal: Refusal, entry?: TableKey): Refused {
  return entry === undefined ? { kind: 'refused', refusal } : { kind: 'refused', refusal, entry }
}

function suspended(reason: string | undefined, { payment, support }: Links): Refusal {
  const link = payment ?? support
  const why = reason === undefined ? '' : ` Reason: ${reason}.`
  const where = link === undefined ? 'Settle the payment' : `Settle the payment at ${link}`
  const detail = `The account is suspended; what is stored is kept.${why} ${where}, and the same key works again.`
  return { status: 402, code: 'account-suspended', title: 'The account is suspended', detail, ...(link !== undefined && { link }) }
}

/** Not 404: an agent would take that for "nothing stored". */
function ended({ support, upgrade }: Links): Refusal {
  const link = support ?? upgrade
  const where = link === undefined ? 'Ask support' : `Ask at ${link}`
  const detail = `The subscription has ended. What was stored is kept for the retention period and then removed. ${where} to take it up again or to get your data.`
  return { status: 402, code: 'account-ended', title: 'The subscription has ended', detail, ...(link !== undefined && { link }) }
}

function otherProduct(product: string, api: string | undefined): Refusal {
  const has = api === undefined ? 'has no HTTP API' : `is reached under ${api}`
  return { status: 404, code: 'no-such-route-for-product', title: 'The key is for another path', detail: `This key belongs to the product "${product}", which ${has}.` }
}

function notReady(waiting: string | undefined): Refusal {
  const why = waiting === undefined ? '' : ` It waits: ${waiting}.`
  const detail = `The instance behind this key is not ready yet.${why} Try again.`
  return { status: 503, code: 'instance-starting', title: 'The instance is starting', detail, retryAfterSeconds: 5 }
}
