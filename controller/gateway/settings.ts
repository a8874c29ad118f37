/** The gateway's fixed numbers in one place; tests hand in smaller ones. Units are in the names. */

export interface GatewaySettings {
  /** Addresses and networks of reverse proxies, whose `X-Forwarded-For` is believed. */
  readonly trustedProxies: readonly string[]
  readonly headersTimeoutMs: number
  /** From the first byte of a request to the last of its body. */
  readonly requestTimeoutMs: number
  readonly keepAliveTimeoutMs: number
  readonly maxHeaderBytes: number
  /** Where the tenant's limits name none. SQ itself takes 64 MiB. */
  readonly defaultBodyMb: number
  /** Request bodies and unread answers held at once, all tenants together. */
  readonly bufferBytes: number
  /** Of one answer, before its instance has to wait for a slow reader: a waiting SQ delays a reload, and with it every tenant. */
  readonly answerBufferBytes: number
  /** Answers to reads, kept until the next write; all workers together. 0 keeps none. */
  readonly readCacheBytes: number
  /** Silence of an instance, before its answer or in it. */
  readonly answerTimeoutMs: number
  /** How long a request waits for the port of an instance that restarts. */
  readonly comebackMs: number
  readonly redialMs: number
  /** SQ cuts the 513th connection. */
  readonly connectionsPerUpstream: number
  /** Of one tenant to one SQ. */
  readonly connectionsPerTenant: number
  /** To one SQ, of requests that were started just now: it has no use for more than keep its processors busy. */
  readonly promptPerSq: number
  readonly queuePerUpstream: number
  readonly queuePerTenant: number
  /** Begun of one tenant by each worker before it looks at what others sent. */
  readonly requestsPerTurn: number
  readonly controlAnswerTimeoutMs: number
  readonly drainMs: number
  /** How often a worker posts what it counted, which is written down at once: what a kill may lose. */
  readonly usageFlushMs: number
}

export const DEFAULT_SETTINGS: GatewaySettings = Object.freeze({
  trustedProxies: [],
  headersTimeoutMs: 30_000,
  requestTimeoutMs: 60_000,
  keepAliveTimeoutMs: 65_000,
  maxHeaderBytes: 64 * 1024,
  defaultBodyMb: 64,
  bufferBytes: 256 * 1024 * 1024,
  answerBufferBytes: 4 * 1024 * 1024,
  readCacheBytes: 64 * 1024 * 1024,
  answerTimeoutMs: 60_000,
  comebackMs: 5_000,
  redialMs: 50,
  connectionsPerUpstream: 500,
  connectionsPerTenant: 64,
  promptPerSq: 8,
  queuePerUpstream: 4_000,
  queuePerTenant: 1_000,
  requestsPerTurn: 8,
  controlAnswerTimeoutMs: 60_000,
  drainMs: 10_000,
  usageFlushMs: 500,
})
