/**
 * Who began a checkout: a cookie that the browser which did so has, and nobody to whom a Checkout session's id or its payment page was
 * shown. It is a MAC of the session's id, so that nothing is kept for it here.
 */
import { timingSafeEqual } from 'node:crypto'
import { parseCookie, stringifySetCookie } from 'cookie'
import type { FastifyRequest } from 'fastify'
import type { Keyring } from '../reconcile/ports.ts'

export interface CheckoutProof {
  /** `Set-Cookie` for the browser that began the session. The last few that it began are kept, since one may have several pages open. */
  cookie(request: Pick<FastifyRequest, 'headers'>, session: string): string
  isGiven(request: Pick<FastifyRequest, 'headers'>, session: string): boolean
}

export interface CheckoutProofOptions {
  readonly keyring: Pick<Keyring, 'mac' | 'masterVersion' | 'masterVersions'>
  readonly publicUrl: () => string
}

/** A session is open for half an hour, a bank may take its time, and the key is shown for a day. */
const MAX_AGE_S = 36 * 60 * 60
const KEPT = 4
const PROOF = /^[0-9a-f]{64}$/

export function createCheckoutProof({ keyring, publicUrl }: CheckoutProofOptions): CheckoutProof {
  const isSecure = (): boolean => publicUrl().startsWith('https:')
  const cookieName = (): string => (isSecure() ? '__Host-checkout' : 'checkout')
  const proofOf = (version: number, session: string): string => keyring.mac(version, `tenantry/checkout-proof/v1\n${session}`)

  function given({ headers: { cookie } }: Pick<FastifyRequest, 'headers'>): string[] {
    const value = cookie === undefined ? undefined : parseCookie(cookie)[cookieName()]
    return value === undefined ? [] : value.split('.', KEPT).filter((each) => PROOF.test(each))
  }

  return {
    cookie(request, session) {
      const proof = proofOf(keyring.masterVersion, session)
      const value = [proof, ...given(request).filter((each) => each !== proof)].slice(0, KEPT).join('.')
      return stringifySetCookie(cookieName(), value, { path: '/', httpOnly: true, sameSite: 'lax', secure: isSecure(), maxAge: MAX_AGE_S })
    },
    isGiven(request, session) {
      const proofs = given(request)
      // The master secret may have been changed since.
      return proofs.length > 0 && keyring.masterVersions.some((version) => proofs.some((each) => isEqual(each, proofOf(version, session))))
    },
  }
}

/** Both of 64 hex digits. */
function isEqual(one: string, other: string): boolean {
  return timingSafeEqual(Buffer.from(one, 'hex'), Buffer.from(other, 'hex'))
}
