/**
 * The request head as an instance gets it, as one string. SQ reads the request line, the key and the length, so it gets no more than
 * that; any other product gets the client's headers without those that belong to the connection or pretend an identity.
 */
import { hasPhexts, SQ_API } from '../core/phext-scope.ts'
import { connectionNames, isCredential, isHopByHop, isIdentity } from './header-rules.ts'

/** SQ's calls that change nothing. Everything else may, with GET as well: SQ takes `GET insert`. */
const SQ_READS = new Set(['select', 'toc', 'get', 'status', 'checksum', 'delta', 'json-export', 'version', 'query', 'where', 'load'])

export interface OutgoingRequest {
  readonly method: string
  /** Path and query as they came, beginning with a slash. */
  readonly target: string
  readonly rawHeaders: readonly string[]
  readonly bodyBytes: number
  readonly requestId: string
  readonly clientAddress: string
  readonly host: string
}

export function speaksSq(api: string | undefined): boolean {
  return hasPhexts(api)
}

/** Whether the request may be sent a second time, and stands for HEAD as well. `path` is without the query. */
export function isSafe(method: string, path: string, sq: boolean): boolean {
  if (sq) return (method === 'GET' || method === 'HEAD') && SQ_READS.has(path.slice(SQ_API.length))
  return method === 'GET' || method === 'HEAD' || method === 'OPTIONS'
}

/**
 * SQ compares the live key. The key goes first: SQ takes the first line that begins with "authorization", whatever follows in its name.
 * It answers 400 to HEAD, so that goes as GET.
 */
export function sqHead({ method, target, bodyBytes, host }: Pick<OutgoingRequest, 'method' | 'target' | 'bodyBytes' | 'host'>, key: string): string {
  const sent = method === 'HEAD' ? 'GET' : method
  return `${sent} ${target} HTTP/1.1\r\nAuthorization: Bearer ${key}\r\nContent-Length: ${bodyBytes}\r\nHost: ${host}\r\nConnection: close\r\n\r\n`
}

export function containerHead(request: OutgoingRequest, tenant: string, keyId: string): string {
  const { method, target, rawHeaders, bodyBytes, requestId, clientAddress, host } = request
  const named = connectionNames(rawHeaders)
  let head = `${method} ${target} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n`
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const lower = rawHeaders[i]!.toLowerCase()
    if (lower === 'host' || lower === 'content-length' || isHopByHop(lower, named) || isIdentity(lower) || isCredential(lower)) continue
    head += `${rawHeaders[i]}: ${rawHeaders[i + 1]}\r\n`
  }
  head += `Content-Length: ${bodyBytes}\r\nX-Forwarded-For: ${clientAddress}\r\nX-Forwarded-Host: ${host}\r\nX-Forwarded-Proto: http\r\n`
  return `${head}X-Request-Id: ${requestId}\r\nX-Tenantry-Tenant: ${tenant}\r\nX-Tenantry-Key: ${keyId}\r\n\r\n`
}
