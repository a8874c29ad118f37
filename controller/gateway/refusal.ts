/**
 * Every "no" of the gateway as a value, and how it is answered: `application/problem+json` with a stable code, what was wrong and
 * what to do. Nothing here tells an unknown key from a revoked or expired one.
 */
import type { ServerResponse } from 'node:http'
import type { Offer } from './offers.ts'

export interface Refusal {
  readonly status: number
  /** Stable, kebab-case: programs hold on to it. */
  readonly code: string
  readonly title: string
  readonly detail: string
  readonly retryAfterSeconds?: number
  /** Where a person goes on: to pay, to get help, to get more. */
  readonly link?: string
  /** What the request was measured against: `limit` by its name in tenant files, its `value`, what is `used`, when it resets (`resetAt`). */
  readonly measured?: Readonly<Record<string, string | number | boolean>>
  /** What it concerns, by name, where that is more than one thing. */
  readonly lists?: Readonly<Record<string, readonly unknown[]>>
  /** The plan that sets the limit, and the next one that allows more. */
  readonly plan?: string
  readonly upgrade?: Offer
  readonly headers?: readonly string[]
}

/** Browsers may call the API from any page: what opens it is the key, never a cookie. */
export const CORS_ORIGIN: readonly string[] = ['Access-Control-Allow-Origin', '*']
const CORS_EXPOSED = ['Access-Control-Expose-Headers', 'Retry-After, RateLimit, RateLimit-Policy, X-Request-Id']

export function problemBody({ status, code, title, detail, retryAfterSeconds, link, measured, lists, plan, upgrade }: Refusal, requestId: string): string {
  return JSON.stringify({ type: `urn:tenantry:problem:${code}`, title, status, detail, code, ...measured, ...lists, retryAfterSeconds, plan, upgrade, link, requestId })
}

export function problemHeaders({ retryAfterSeconds, headers }: Refusal, requestId: string, bodyBytes: number): string[] {
  const retry = retryAfterSeconds === undefined ? [] : ['Retry-After', String(retryAfterSeconds)]
  const fixed = ['Content-Type', 'application/problem+json', 'Content-Length', String(bodyBytes), 'Cache-Control', 'no-store', 'X-Request-Id', requestId]
  return [...fixed, ...CORS_ORIGIN, ...CORS_EXPOSED, ...retry, ...(headers ?? [])]
}

/** Returns how many bytes of body were sent. */
export function answerRefusal(response: ServerResponse, refusal: Refusal, requestId: string): number {
  const body = problemBody(refusal, requestId)
  const bytes = Buffer.byteLength(body)
  response.writeHead(refusal.status, problemHeaders(refusal, requestId, bytes))
  response.end(body)
  return bytes
}

/** For requests that Node could not parse: there is no response object, only the connection, which is closed afterwards. */
export function rawRefusal(refusal: Refusal, reason: string, requestId: string, date: string): string {
  const body = problemBody(refusal, requestId)
  const headers = ['Date', date, 'Connection', 'close', ...problemHeaders(refusal, requestId, Buffer.byteLength(body))]
  const lines = headers.flatMap((name, index) => (index % 2 === 0 ? [`${name}: ${headers[index + 1]}`] : []))
  return `HTTP/1.1 ${refusal.status} ${reason}\r\n${lines.join('\r\n')}\r\n\r\n${body}`
}

export function tooManyFailedAttempts(waitMs: number): Refusal {
  const retryAfterSeconds = Math.max(1, Math.ceil(waitMs / 1000))
  const detail = `Too many keys that open nothing came from your address. A key that is good is served all the same; check the one you send, and wait ${retryAfterSeconds} s.`
  return { status: 429, code: 'too-many-failed-attempts', title: 'Too many failed attempts', detail, retryAfterSeconds }
}

const CHALLENGE = ['WWW-Authenticate', 'Bearer realm="tenantry"']
const TOKEN_CHALLENGE = ['WWW-Authenticate', 'Bearer realm="tenantry", error="invalid_token"']

export const REFUSALS = {
  keyMissing: {
    status: 401,
    code: 'key-missing',
    title: 'A key is needed',
    detail: 'Send your API key as "Authorization: Bearer KEY", or in X-API-Key or X-SQ-API-Key.',
    headers: CHALLENGE,
  },
  keyMalformed: {
    status: 401,
    code: 'key-malformed',
    title: 'This is not a key',
    detail: 'The text sent as API key is mistyped or cut: a key is "pmb-v1-" and 40 hex digits with a checksum. Copy it again, whole.',
    headers: CHALLENGE,
  },
  keyInvalid: {
    status: 401,
    code: 'key-invalid',
    title: 'This key opens nothing',
    detail: 'The key is not valid here, or no longer. Use a current key of your account.',
    headers: CHALLENGE,
  },
  tokenInvalid: {
    status: 401,
    code: 'token-invalid',
    title: 'The token opens nothing',
    detail: 'It is not signed by the issuer that this service trusts, is not for this service, is not valid yet, or names no account here. Ask your issuer for a new one.',
    headers: TOKEN_CHALLENGE,
  },
  tokenExpired: {
    status: 401,
    code: 'token-expired',
    title: 'The token has expired',
    detail: 'Ask your issuer for a new one.',
    headers: TOKEN_CHALLENGE,
  },
  tokenKeysUnavailable: {
    status: 503,
    code: 'token-keys-unavailable',
    title: 'Tokens cannot be checked at the moment',
    detail: 'The issuer\'s keys cannot be fetched, so nothing is known of your token. Requests with an API key work. Try again.',
    retryAfterSeconds: 5,
  },
  tokenHasNoKeys: {
    status: 403,
    code: 'token-has-no-keys',
    title: 'Keys are made from keys',
    detail: 'A token opens the account, but nothing can be made from it here. Use an API key.',
  },
  hostUnknown: { status: 404, code: 'host-unknown', title: 'Nobody has this address', detail: 'No account can have this host name. Check it.' },
  hostKeyMismatch: {
    status: 403,
    code: 'host-key-mismatch',
    title: 'The key belongs to another account than the address',
    detail: 'The host name is one account\'s and the key is another\'s. Send the key of the account that the address names, or use your own account\'s address.',
  },
  keyReadOnly: { status: 403, code: 'key-read-only', title: 'The key is read-only', detail: 'It reads and changes nothing. Use a key that may write.' },
  keyNotWhole: { status: 403, code: 'key-phext-denied', title: 'The key opens some phexts only', detail: 'This concerns everything that the account stores. Use a key that opens all of it.' },
  keyCallUnknown: {
    status: 403,
    code: 'key-call-denied',
    title: 'The key is narrowed, and the call is none that is known',
    detail: 'It cannot be told whether the call stays within what this key may. Use one of the documented calls, or a key that is not narrowed.',
  },
  keysConflict: {
    status: 400,
    code: 'keys-conflict',
    title: 'Several different keys were sent',
    detail: 'The request carries different keys in different headers, so it is not clear whose it is. Send one.',
  },
  badTarget: { status: 400, code: 'bad-request-target', title: 'The address is not valid', detail: 'The request needs a path that begins with "/".' },
  badRequest: { status: 400, code: 'bad-request', title: 'The request is not valid HTTP', detail: 'It could not be read and was not passed on.' },
  headersTooLarge: { status: 431, code: 'headers-too-large', title: 'The headers are too large', detail: 'All headers together may hold 64 KiB.' },
  tooSlow: {
    status: 408,
    code: 'request-too-slow',
    title: 'The request came too slowly',
    detail: 'It was not complete in time and was not passed on. Send it again.',
  },
  readOnlyMethod: {
    status: 405,
    code: 'method-not-allowed',
    title: 'HEAD cannot change anything',
    detail: 'This path changes memory. Use GET or POST.',
    headers: ['Allow', 'GET, POST'],
  },
  getOnly: {
    status: 405,
    code: 'method-not-allowed',
    title: 'This can only be read',
    detail: 'Use GET.',
    headers: ['Allow', 'GET, HEAD'],
  },
  conditionUnsupported: {
    status: 400,
    code: 'condition-unsupported',
    title: 'Writing under a condition is not possible',
    detail: 'The request has If-Match, If-None-Match or If-Unmodified-Since, which cannot be kept here. Nothing was written. Send it without.',
  },
  notFound: { status: 404, code: 'not-found', title: 'There is nothing here', detail: 'No page and no API is under this path.' },
  routesMissing: {
    status: 503,
    code: 'starting',
    title: 'The service is starting',
    detail: 'It does not know its tenants yet. Nothing is wrong with your key. Try again in a moment.',
    retryAfterSeconds: 2,
  },
  controlPlaneDown: {
    status: 503,
    code: 'control-plane-down',
    title: 'This part of the service is restarting',
    detail: 'Pages, purchases and account calls are away for a moment; stored memory can be reached as always. Try again.',
    retryAfterSeconds: 5,
  },
  controlPlaneSlow: {
    status: 504,
    code: 'control-plane-timeout',
    title: 'No answer in time',
    detail: 'Pages and account calls do not answer at the moment. Try again.',
    retryAfterSeconds: 5,
  },
  queueFull: {
    status: 503,
    code: 'instance-busy',
    title: 'Too many requests are waiting',
    detail: 'The instance has more requests waiting than it can take. The request was not passed on. Try again.',
    retryAfterSeconds: 1,
  },
  memoryFull: {
    status: 503,
    code: 'gateway-busy',
    title: 'Too many large requests at once',
    detail: 'The request was not passed on. Try again.',
    retryAfterSeconds: 2,
  },
  instanceUnreachable: {
    status: 502,
    code: 'instance-unreachable',
    title: 'The instance cannot be reached',
    detail: 'It may be restarting. The request was not passed on, so it is safe to send it again.',
    retryAfterSeconds: 2,
  },
  instanceClosed: {
    status: 502,
    code: 'instance-closed',
    title: 'The instance ended the connection without an answer',
    detail: 'It is not known whether the request took effect. Read before you send it again.',
    retryAfterSeconds: 1,
  },
  instanceMalformed: {
    status: 502,
    code: 'instance-malformed',
    title: 'The instance answered with something that is not HTTP',
    detail: 'The answer could not be passed on.',
  },
  instanceTimeout: {
    status: 504,
    code: 'instance-timeout',
    title: 'The instance did not answer in time',
    detail: 'It is not known whether the request took effect. Read before you send it again.',
    retryAfterSeconds: 5,
  },
  internal: { status: 500, code: 'internal', title: 'The gateway failed', detail: 'This is our fault. The request id helps us to find out why.' },
} as const satisfies Record<string, Refusal>
