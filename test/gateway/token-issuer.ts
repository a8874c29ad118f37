/** An issuer of tokens on this machine, which publishes its keys as a real one does. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { exportJWK, generateKeyPair, SignJWT, type CryptoKey, type JWK } from 'jose'
import { onTestFinished } from 'vitest'
import type { HeaderFacts } from '../../controller/core/header-facts.ts'

export const ISSUER = 'https://id.example/'
export const AUDIENCE = 'contextlite'

export interface Issuer {
  readonly url: string
  readonly publicKey: CryptoKey
  readonly asked: () => number
  answer: { status: number; keys: JWK[] }
  token(changes?: Partial<Token>): Promise<string>
}

export interface Token {
  readonly claims: Record<string, unknown>
  readonly alg: string
  readonly kid: string
  readonly key: CryptoKey | Uint8Array
}

/** Ends with the test. */
export async function startIssuer(alg = 'RS256'): Promise<Issuer> {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true })
  const keys = [{ ...(await exportJWK(publicKey)), kid: 'one', alg, use: 'sig' }]
  let asked = 0
  const server = createServer((_request, response) => {
    asked++
    response.writeHead(issuer.answer.status, { 'Content-Type': 'application/json' }).end(JSON.stringify({ keys: issuer.answer.keys }))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void server.close())
  const issuer: Issuer = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks`,
    publicKey,
    asked: () => asked,
    answer: { status: 200, keys },
    token: ({ claims = {}, alg: used = alg, kid = 'one', key = privateKey } = {}) =>
      new SignJWT({ iss: ISSUER, aud: AUDIENCE, tenant: 'ctx001', exp: Math.floor(Date.now() / 1000) + 600, ...claims }).setProtectedHeader({ alg: used, kid }).sign(key),
  }
  return issuer
}

/** For a product whose tokens it signs. */
export const jwtOf = ({ url }: Pick<Issuer, 'url'>) => ({ jwt: { issuer: ISSUER, audience: AUDIENCE, jwksUrl: url, tenantClaim: 'tenant' } })

export const productsOf = (jwksUrl: string): HeaderFacts['products'] => ({ contextlite: { title: 'ContextLite', api: '/api/v1/', hostSuffix: 'contextlite.cloud', ...jwtOf({ url: jwksUrl }) } })
