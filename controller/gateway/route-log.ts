/**
 * The text of the routes' files, shared by writer and reader: a snapshot is a header line and put records, a log is put and drop
 * records, one JSON object a line. Equal routes give equal lines, so a line's digest stands for the route.
 */
import { hash } from 'node:crypto'
import path from 'node:path'
import { isWellFormedKey } from '../core/key-format.ts'
import type { HeaderFacts } from '../core/header-facts.ts'
import type { Route, RouteKey, RouteRecord, SnapshotHeader } from '../core/route.ts'
import type { KeyAccess, Limits, TenantId } from '../core/specs.ts'

export type { Links } from '../core/header-facts.ts'

/**
 * A snapshot that only compacts says what it replaces: the log `log` up to `bytes`. A reader that stands exactly there goes on with
 * the new log and need not read a hundred thousand routes again.
 */
export interface Header extends SnapshotHeader {
  readonly continues?: { readonly log: string; readonly bytes: number }
}

export const NEWLINE = 0x0a

export function snapshotPath(folder: string): string {
  return path.join(folder, 'snapshot')
}

export function logName(generation: string): string {
  return `log-${generation}`
}

export function isLogName(name: string): boolean {
  return /^log-[0-9A-Za-z-]+$/.test(name)
}

export function encodeHeader(header: Header): string {
  return `${JSON.stringify(header)}\n`
}

/** Undefined where the line is no header of this format: then nothing in the file may be used. */
export function decodeHeader(line: string): Header | undefined {
  const value = parseObject(line)
  if (value?.['format'] !== 1 || typeof value['generation'] !== 'string') return undefined
  if (typeof value['log'] !== 'string' || !isLogName(value['log'])) return undefined
  // One that was written before there were facts has none: what is missing is asked for by nobody.
  const { links, products, plans } = value as Partial<HeaderFacts>
  return { ...(value as unknown as Header), links: links ?? {}, products: products ?? {}, plans: plans ?? {} }
}

/** Field by field in a fixed order, whatever order the route was made in: equal routes must give equal lines. */
export function encodePut(route: Route): string {
  const put = {
    tenant: route.tenant,
    product: route.product,
    plan: route.plan,
    state: route.state,
    stateReason: route.stateReason,
    keys: route.keys.map(orderedKey),
    api: route.api,
    upstream: route.upstream && { host: route.upstream.host, port: route.upstream.port },
    waiting: route.waiting,
    instanceKey: route.instanceKey,
    limits: orderedLimits(route.limits),
    fairUse: route.fairUse && orderedLimits(route.fairUse),
    shard: route.shard,
    awaitingFirstUse: route.awaitingFirstUse,
  }
  return `${JSON.stringify({ put })}\n`
}

function orderedLimits(limits: Limits): Limits {
  return Object.fromEntries(Object.entries(limits).sort(([a], [b]) => (a < b ? -1 : 1)))
}

function orderedKey({ id, digest, imported, name, expiresAt, access, parent }: RouteKey): object {
  return { id, digest, imported, name, expiresAt, access: access && orderedAccess(access), parent }
}

function orderedAccess({ readOnly, phexts, requestsPerSecond, requests }: KeyAccess): object {
  return { readOnly, phexts, requestsPerSecond, requests }
}

export function encodeDrop(tenant: TenantId): string {
  return `${JSON.stringify({ drop: tenant })}\n`
}

/** Undefined for a line that is no record: the caller counts it and goes on. */
export function decodeRecord(line: string): RouteRecord | undefined {
  const value = parseObject(line)
  if (value === undefined) return undefined
  if (typeof value['drop'] === 'string') return { drop: value['drop'] as TenantId }
  const put = value['put']
  return isRoute(put) ? { put } : undefined
}

/** 96 bits of SHA-256: enough to tell lines apart, small enough for a hundred thousand of them. */
export function lineDigest(line: string): string {
  return hash('sha256', line.endsWith('\n') ? line : `${line}\n`, 'base64').slice(0, 16)
}

function parseObject(line: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(line)
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined
  } catch {
    return undefined
  }
}

function isRoute(value: unknown): value is Route {
  if (typeof value !== 'object' || value === null) return false
  const route = value as Partial<Route>
  const named = typeof route.tenant === 'string' && typeof route.product === 'string' && typeof route.plan === 'string'
  const known = route.state === 'active' || route.state === 'suspended' || route.state === 'ended'
  return named && known && Array.isArray(route.keys) && route.keys.every(isRouteKey) && isLimits(route.limits) && isPlaced(route) && isReachable(route)
}

/** Not to be sure of what a key may not is to refuse it: a key that is not understood makes the whole line corrupt. */
function isRouteKey(key: unknown): key is RouteKey {
  const { id, digest, name, expiresAt, access, parent } = (key ?? {}) as Partial<RouteKey>
  const named = typeof id === 'string' && isTextOrAbsent(name) && isTextOrAbsent(parent)
  const validExpiry = expiresAt === undefined || !Number.isNaN(Date.parse(expiresAt))
  return named && typeof digest === 'string' && /^[0-9a-f]{64}$/.test(digest) && validExpiry && (access === undefined || isAccess(access))
}

function isAccess(access: unknown): access is KeyAccess {
  if (typeof access !== 'object' || access === null) return false
  const { readOnly, phexts, requestsPerSecond, requests, ...unknown } = access as KeyAccess
  const scoped = (readOnly === undefined || readOnly) && (phexts === undefined || (Array.isArray(phexts) && phexts.every((phext) => typeof phext === 'string')))
  return scoped && [requestsPerSecond, requests].every((limit) => limit === undefined || limit > 0) && Object.keys(unknown).length === 0
}

function isTextOrAbsent(value: unknown): boolean {
  return value === undefined || typeof value === 'string'
}

function isLimits(limits: unknown): boolean {
  return typeof limits === 'object' && limits !== null
}

function isPlaced({ fairUse, shard, instanceKey }: Partial<Route>): boolean {
  if (instanceKey !== undefined && !isWellFormedKey(instanceKey)) return false
  return (fairUse === undefined || isLimits(fairUse)) && (shard === undefined || (typeof shard === 'string' && !/[/\\]|^\.\.?$/.test(shard)))
}

function isReachable({ api, upstream }: Partial<Route>): boolean {
  if (api !== undefined && (typeof api !== 'string' || !api.startsWith('/'))) return false
  if (upstream === undefined) return true
  return typeof upstream === 'object' && typeof upstream.host === 'string' && Number.isInteger(upstream.port) && upstream.port > 0 && upstream.port < 65536
}
