/**
 * Which headers cross the gateway. Those of one connection stay on it, those that say who somebody is are the gateway's own to set,
 * and keys go no further than they have to.
 */

/** RFC 9110, 7.6.1, and what old proxies add. `expect` was answered by the gateway, `upgrade` is not offered. */
const HOP_BY_HOP = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-authentication-info',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'expect',
  'http2-settings',
])

const CREDENTIALS = new Set(['authorization', 'x-api-key', 'x-sq-api-key'])

/** Lower-case names that `Connection` declares to be of this connection only. */
export function connectionNames(headers: readonly string[]): ReadonlySet<string> | undefined {
  let named: Set<string> | undefined
  for (let i = 0; i < headers.length; i += 2) {
    if (headers[i]!.length !== 10 || headers[i]!.toLowerCase() !== 'connection') continue
    for (const token of headers[i + 1]!.split(',')) (named ??= new Set()).add(token.trim().toLowerCase())
  }
  return named
}

/** Whether `lower` stays on its connection. */
export function isHopByHop(lower: string, named: ReadonlySet<string> | undefined): boolean {
  return HOP_BY_HOP.has(lower) || named?.has(lower) === true
}

/** Headers with which a client could pretend to be somebody else, or somewhere else. */
export function isIdentity(lower: string): boolean {
  return lower.startsWith('x-forwarded-') || lower.startsWith('x-tenantry-') || lower === 'forwarded' || lower === 'x-real-ip' || lower === 'x-request-id'
}

export function isCredential(lower: string): boolean {
  return CREDENTIALS.has(lower)
}
