/**
 * Signed tokens (JWT) of a product's own issuer, checked with `jose` against the keys that the issuer publishes. Only asymmetric
 * signatures count; issuer, audience, end and the tenant's claim have to be there and right. Keys that cannot be fetched mean "later",
 * never "yes".
 */
import { createRemoteJWKSet, errors, jwtVerify, type JWTPayload, type JWTVerifyGetKey } from 'jose'
import type { HeaderFacts } from '../core/header-facts.ts'
import type { JwtSpec } from '../core/specs.ts'
import type { Log } from './log.ts'
import { REFUSALS, type Refusal } from './refusal.ts'

export type TokenOutcome =
  /** `tenant` is what the claim says; whether there is such a one is the caller's to see. */
  | { readonly kind: 'good'; readonly product: string; readonly tenant: string; readonly expiresAtMs: number }
  | { readonly kind: 'bad'; readonly refusal: Refusal }

export interface Tokens {
  /** Never rejects. */
  verify(token: string, products: HeaderFacts['products']): Promise<TokenOutcome>
}

export interface TokensOptions {
  readonly now: () => Date
  readonly log: Log
  readonly limits?: Partial<Record<keyof typeof TOKEN_LIMITS, number>>
}

export const TOKEN_LIMITS = {
  /** How old the issuer's keys may be. */
  keysForMs: 10 * 60_000,
  /** Between two looks for a key that was not among them. */
  cooldownMs: 30_000,
  /** After a look that failed. */
  retryMs: 5_000,
  timeoutMs: 5_000,
  clockToleranceSeconds: 30,
} as const

/** Nothing symmetric: a published key would be taken for a secret. */
const ALGORITHMS = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519']
const SHAPE = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*$/

/** Whether a text sent as a key may be a token of some product. */
export function mayBeToken(text: string, products: HeaderFacts['products']): boolean {
  return SHAPE.test(text) && Object.values(products).some(({ jwt }) => jwt !== undefined)
}

class KeysUnavailable extends Error {}

export function createTokens({ now, log, limits }: TokensOptions): Tokens {
  const { keysForMs, cooldownMs, retryMs, timeoutMs, clockToleranceSeconds } = { ...TOKEN_LIMITS, ...limits }
  const published = new Map<string, JWTVerifyGetKey>()

  /** The issuer's keys by their address, fetched when first needed. */
  function keysAt(jwksUrl: string): JWTVerifyGetKey {
    let keys = published.get(jwksUrl)
    if (keys === undefined) published.set(jwksUrl, (keys = guarded(jwksUrl)))
    return keys
  }

  function guarded(jwksUrl: string): JWTVerifyGetKey {
    const remote = createRemoteJWKSet(new URL(jwksUrl), { cacheMaxAge: keysForMs, cooldownDuration: cooldownMs, timeoutDuration: timeoutMs })
    let failedAtMs = -Infinity
    return async (header, token) => {
      if (!remote.fresh && performance.now() - failedAtMs < retryMs) throw new KeysUnavailable()
      try {
        return await remote(header, token)
      } catch (error) {
        if (isAboutToken(error)) throw error
        failedAtMs = performance.now()
        log.warn({ jwksUrl, err: error }, 'the keys of a token issuer cannot be fetched: its tokens are refused until they can')
        throw new KeysUnavailable('', { cause: error })
      }
    }
  }

  async function verifyFor(token: string, product: string, { issuer, audience, jwksUrl, tenantClaim }: JwtSpec): Promise<TokenOutcome> {
    const options = { issuer, audience, algorithms: ALGORITHMS, clockTolerance: clockToleranceSeconds, currentDate: now(), requiredClaims: ['exp', tenantClaim] }
    const { payload } = await jwtVerify(token, keysAt(jwksUrl), options)
    const tenant = payload[tenantClaim]
    if (typeof tenant !== 'string' || payload.exp === undefined) return { kind: 'bad', refusal: REFUSALS.tokenInvalid }
    return { kind: 'good', product, tenant, expiresAtMs: (payload.exp + clockToleranceSeconds) * 1000 }
  }

  return {
    async verify(token, products) {
      const issuer = issuerOf(token)
      const found = Object.entries(products).find(([, { jwt }]) => jwt !== undefined && jwt.issuer === issuer)
      if (found === undefined) return { kind: 'bad', refusal: REFUSALS.tokenInvalid }
      try {
        return await verifyFor(token, found[0], found[1].jwt!)
      } catch (error) {
        return { kind: 'bad', refusal: refusalOf(error) }
      }
    },
  }
}

/** What the token says before anybody believed it: only to know whose keys to look at. */
function issuerOf(token: string): unknown {
  try {
    const payload = JSON.parse(Buffer.from(token.split('.')[1]!, 'base64url').toString()) as JWTPayload | null
    return payload?.iss
  } catch {
    return undefined
  }
}

/** The issuer's keys were there, and none fits. */
function isAboutToken(error: unknown): boolean {
  return error instanceof errors.JWKSNoMatchingKey || error instanceof errors.JWKSMultipleMatchingKeys || error instanceof errors.JOSENotSupported
}

/** Whether it is late is only said of a token whose signature is right. */
function refusalOf(error: unknown): Refusal {
  if (error instanceof KeysUnavailable) return REFUSALS.tokenKeysUnavailable
  return error instanceof errors.JWTExpired ? REFUSALS.tokenExpired : REFUSALS.tokenInvalid
}
