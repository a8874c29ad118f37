/**
 * What a schema cannot say of a tenant's keys: each comes from exactly one thing, and keys made from keys make trees that are neither
 * deep nor wide. Without a clock: a file that is right stays right as time goes by. Pure.
 */
import type { TenantContext } from './check.ts'
import { suggest } from './closest.ts'
import { ancestorsOf, earliest } from './keys.ts'
import type { Finding } from './problem.ts'
import { hasPhexts } from './phext-scope.ts'
import type { KeySpec, Tenant } from './specs.ts'

/** Between a key and the first one that it comes from. */
export const MOST_GENERATIONS = 5
/** Made from one key and alive at the same time. */
export const MOST_LIVE_CHILDREN = 20

type KeyContext = Pick<TenantContext, 'product' | 'heldBy'>

export function keyFindings({ spec }: Tenant, file: string, context: KeyContext): Finding[] {
  const { keys } = spec
  return keys.flatMap((key, index) => {
    const field = `spec.keys[${index}]`
    const findings = [...identityFindings(key, index, keys), ...originFindings(key, keys, index, context), ...endFindings(key), ...parentFindings(key, keys), ...accessFindings(key, context)]
    return findings.map(({ field: part, ...words }) => ({ file, field: part === '' ? field : `${field}.${part}`, ...words }))
  })
}

/** `field` is relative to the key; empty for the key as a whole. */
type KeyFinding = Omit<Finding, 'file'>

function identityFindings({ id }: KeySpec, index: number, keys: readonly KeySpec[]): KeyFinding[] {
  if (keys.findIndex((other) => other.id === id) === index) return []
  return [{ field: 'id', message: `\`${id}\` is the id of another key of this tenant`, fix: 'Give every key an id of its own; ids of revoked keys stay taken.' }]
}

function originFindings({ nonce, digest, master }: Pick<KeySpec, 'nonce' | 'digest' | 'master'>, keys: readonly KeySpec[], index: number, { heldBy }: KeyContext): KeyFinding[] {
  if (digest === undefined) {
    return nonce === undefined ? [{ field: '', message: 'the key has neither a nonce nor a digest, so it has no text', fix: 'Make keys with `tenantry key create`.' }] : []
  }
  if (nonce !== undefined) return [{ field: 'digest', message: 'the key has a nonce as well, and its text comes from one of the two', fix: 'Keep the nonce for a key that Tenantry made, the digest for one that it took over.' }]
  if (master !== undefined) return [{ field: 'master', message: 'a key that is known by its digest is derived from no master secret', fix: 'Remove it.' }]
  const other = heldBy('digest', digest) ?? (keys.findIndex((key) => key.digest === digest) < index ? 'another key of this tenant' : undefined)
  return other === undefined ? [] : [{ field: 'digest', message: `the same key belongs to ${other} already`, fix: 'A key opens one tenant: remove one of the two.' }]
}

function endFindings(key: KeySpec): KeyFinding[] {
  return (['expiresAt', 'revokedAt'] as const).flatMap((end) => {
    const at = key[end]
    if (at === undefined || Date.parse(at) >= Date.parse(key.createdAt)) return []
    return [{ field: end, message: `the key would end before it was created, at ${key.createdAt}`, fix: 'Correct one of the two times.' }]
  })
}

function parentFindings(key: KeySpec, keys: readonly KeySpec[]): KeyFinding[] {
  const findings: KeyFinding[] = []
  const mostAlive = mostChildrenAlive(key, keys)
  if (mostAlive > MOST_LIVE_CHILDREN) {
    findings.push({ field: '', message: `${mostAlive} keys made from \`${key.id}\` live at the same time, and the limit is ${MOST_LIVE_CHILDREN}`, fix: 'Revoke some of them.' })
  }
  const { parent } = key
  if (parent === undefined) return findings
  const ancestors = ancestorsOf(key, keys)
  const field = 'parent'
  if (ancestors.length === 0) {
    const known = keys.map(({ id }) => id).filter((id) => id !== key.id)
    findings.push({ field, message: `this tenant has no key \`${parent}\``, fix: suggest(parent, known) || 'Name the key that it was made from.' })
  } else if (ancestors.includes(key)) {
    findings.push({ field, message: `the key comes from itself: ${[key, ...ancestors.slice(0, ancestors.indexOf(key) + 1)].map(({ id }) => id).join(', made from ')}`, fix: 'Let the first of them have no parent.' })
  } else if (ancestors.length > MOST_GENERATIONS) {
    findings.push({ field, message: `the key is ${ancestors.length} generations below ${ancestors.at(-1)!.id}, and the limit is ${MOST_GENERATIONS}`, fix: 'Make it from a key further up.' })
  }
  return findings
}

/** The most of a key's children that ever live at one instant, by their own times. */
function mostChildrenAlive({ id }: KeySpec, keys: readonly KeySpec[]): number {
  const children = keys.filter(({ parent }) => parent === id)
  if (children.length <= MOST_LIVE_CHILDREN) return children.length
  const spans = children.map(({ createdAt, expiresAt, revokedAt }) => ({ from: Date.parse(createdAt), to: Date.parse(earliest([expiresAt, revokedAt]) ?? '9999-12-31T00:00:00Z') }))
  return Math.max(...spans.map(({ from }) => spans.filter((span) => span.from <= from && from < span.to).length))
}

function accessFindings({ access }: KeySpec, { product }: KeyContext): KeyFinding[] {
  if (access?.phexts === undefined || product === undefined || hasPhexts(product.spec.api?.path)) return []
  return [{ field: 'access.phexts', message: `${product.metadata.name} stores no phexts`, fix: 'Remove it.' }]
}
