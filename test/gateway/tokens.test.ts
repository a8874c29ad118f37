/** Tokens of a product's own issuer, against an issuer on this machine that publishes its keys as a real one does. */
import { exportJWK, exportSPKI, generateKeyPair, UnsecuredJWT } from 'jose'
import { describe, expect, it } from 'vitest'
import { createTokens, TOKEN_LIMITS } from '../../controller/gateway/tokens.ts'
import { freePort, makeKey, recordingLog, routeFor, sqLike, startFixture, startUpstream } from './gateway-fixture.ts'
import { AUDIENCE, ISSUER, productsOf, startIssuer } from './token-issuer.ts'

const seconds = (from: number): number => Math.floor(Date.now() / 1000) + from

async function startAll(jwksUrl: string) {
  const upstream = await startUpstream(sqLike('ok'))
  const at = { upstream: { host: '127.0.0.1', port: upstream.port } }
  const routes = [routeFor('ctx001', makeKey(), { product: 'contextlite', api: '/api/v1/', ...at }), routeFor('user001', makeKey(), { instanceKey: makeKey(), ...at }), routeFor('ctx009', makeKey(), { product: 'contextlite', api: '/api/v1/', state: 'suspended' })]
  const fixture = await startFixture(routes, {}, undefined, undefined, { products: productsOf(jwksUrl) })
  const ask = async (token: string, path = '/api/v1/documents', headers: Record<string, string> = {}) => {
    const response = await fetch(`${fixture.url}${path}`, { headers: { Authorization: `Bearer ${token}`, ...headers } })
    const text = await response.text()
    return { status: response.status, code: text.startsWith('{') ? (JSON.parse(text) as { code?: string }).code : undefined }
  }
  return { ...fixture, upstream, ask }
}

const GOOD = { status: 200, code: undefined }
const INVALID = { status: 401, code: 'token-invalid' }

describe('a token', () => {
  it.each(['RS256', 'ES256', 'EdDSA'])('signed with %s by the product\'s issuer opens the tenant that it names, and the instance is told which', async (alg) => {
    const issuer = await startIssuer(alg)
    const { ask, upstream } = await startAll(issuer.url)
    const token = await issuer.token()
    expect(await ask(token)).toEqual(GOOD)
    expect(await ask(token, '/api/v1/documents', { 'X-Tenantry-Tenant': 'ctx002' })).toEqual(GOOD)
    expect((await ask(token, '/api/usage')).status).toBe(200)
    expect(issuer.asked()).toBe(1)
    for (const request of upstream.requests) {
      expect(request).toMatch(/X-Tenantry-Tenant: ctx001\r\nX-Tenantry-Key: JWT\r\n/)
      expect(request).not.toContain(token)
    }
  })

  it('with anything wrong is refused, in the same words whatever it is', async () => {
    const issuer = await startIssuer()
    const { ask, upstream } = await startAll(issuer.url)
    const other = await generateKeyPair('RS256')
    const bad: Record<string, string> = {
      audience: await issuer.token({ claims: { aud: 'another' } }),
      issuer: await issuer.token({ claims: { iss: 'https://evil.example/' } }),
      'no issuer': await issuer.token({ claims: { iss: undefined } }),
      signature: await issuer.token({ key: other.privateKey }),
      kid: await issuer.token({ kid: 'two' }),
      'no end': await issuer.token({ claims: { exp: undefined } }),
      'not yet': await issuer.token({ claims: { nbf: seconds(600) } }),
      'no tenant': await issuer.token({ claims: { tenant: undefined } }),
      'tenant of another kind': await issuer.token({ claims: { tenant: ['ctx001'] } }),
      'tenant that is not there': await issuer.token({ claims: { tenant: 'ctx002' } }),
      'tenant of another product': await issuer.token({ claims: { tenant: 'user001' } }),
      'alg none': new UnsecuredJWT({ tenant: 'ctx001' }).setIssuer(ISSUER).setAudience(AUDIENCE).setExpirationTime('10m').encode(),
      // The public key, which everybody has, taken for a secret.
      'HS256 with the public key': await issuer.token({ alg: 'HS256', key: new TextEncoder().encode(await exportSPKI(issuer.publicKey)) }),
      'HS256 with the published text': await issuer.token({ alg: 'HS256', key: new TextEncoder().encode(JSON.stringify(await exportJWK(issuer.publicKey))) }),
      'cut off': (await issuer.token()).split('.').slice(0, 2).join('.') + '.',
    }
    for (const [what, token] of Object.entries(bad)) expect([what, await ask(token)]).toEqual([what, INVALID])
    expect(await ask(await issuer.token({ claims: { exp: seconds(-31) } }))).toEqual({ status: 401, code: 'token-expired' })
    expect(await ask(await issuer.token({ claims: { exp: seconds(-31) }, key: other.privateKey }))).toEqual(INVALID)
    expect(upstream.requests).toEqual([])
  })

  it('may be late by as much as clocks differ', async () => {
    const issuer = await startIssuer()
    const { ask } = await startAll(issuer.url)
    expect(await ask(await issuer.token({ claims: { exp: seconds(-10) } }))).toEqual(GOOD)
    expect(await ask(await issuer.token({ claims: { nbf: seconds(10) } }))).toEqual(GOOD)
  })

  it('opens only its product\'s path and its tenant\'s host name, and says why a suspended one is not served', async () => {
    const issuer = await startIssuer()
    const { ask, gateway } = await startAll(issuer.url)
    expect((await ask(await issuer.token(), '/api/v2/select')).code).toBe('no-such-route-for-product')
    expect(await ask(await issuer.token({ claims: { tenant: 'ctx009' } }))).toEqual({ status: 402, code: 'account-suspended' })
    const { rawExchange } = await import('./gateway-fixture.ts')
    const raw = await rawExchange(gateway.port, `GET /api/v1/documents HTTP/1.1\r\nHost: ctx009.contextlite.cloud\r\nAuthorization: Bearer ${await issuer.token()}\r\nConnection: close\r\n\r\n`)
    expect(raw.statuses).toEqual([403])
  })

  it('is not taken where its issuer\'s keys cannot be fetched, and is as soon as they can; keys work all the while', async () => {
    const nowhere = await startAll(`http://127.0.0.1:${await freePort()}/jwks`)
    const issuer = await startIssuer()
    const token = await issuer.token()
    expect(await nowhere.ask(token)).toEqual({ status: 503, code: 'token-keys-unavailable' })
    expect(nowhere.log.join('\n')).not.toContain(token.split('.')[2])

    const tokens = createTokens({ now: () => new Date(), log: recordingLog([]), limits: { retryMs: 0 } })
    const products = productsOf(issuer.url)
    issuer.answer = { ...issuer.answer, status: 500 }
    expect(await tokens.verify(token, products)).toMatchObject({ kind: 'bad', refusal: { status: 503 } })
    issuer.answer = { ...issuer.answer, status: 200 }
    expect(await tokens.verify(token, products)).toMatchObject({ kind: 'good', product: 'contextlite', tenant: 'ctx001' })
  })

  it('signed with a key that was published since is taken after a while; a flood of unknown ones does not reach the issuer', async () => {
    const issuer = await startIssuer()
    const next = await generateKeyPair('RS256', { extractable: true })
    const token = await issuer.token({ kid: 'two', key: next.privateKey })
    const { log, products } = { log: recordingLog([]), products: productsOf(issuer.url) }
    const patient = createTokens({ now: () => new Date(), log })
    for (let n = 0; n < 50; n++) expect(await patient.verify(token, products)).toMatchObject({ kind: 'bad', refusal: { code: 'token-invalid' } })
    expect(issuer.asked()).toBeLessThanOrEqual(2)
    const eager = createTokens({ now: () => new Date(), log, limits: { cooldownMs: 0 } })
    expect(await eager.verify(await issuer.token(), products)).toMatchObject({ kind: 'good' })
    issuer.answer.keys.push({ ...(await exportJWK(next.publicKey)), kid: 'two', alg: 'RS256' })
    expect(await eager.verify(token, products)).toMatchObject({ kind: 'good' })
    expect(TOKEN_LIMITS.cooldownMs).toBeLessThanOrEqual(60_000)
  })

  it('after a failed fetch the issuer is left alone for a moment', async () => {
    const issuer = await startIssuer()
    issuer.answer = { ...issuer.answer, status: 500 }
    const tokens = createTokens({ now: () => new Date(), log: recordingLog([]) })
    for (let n = 0; n < 20; n++) expect(await tokens.verify(await issuer.token(), productsOf(issuer.url))).toMatchObject({ refusal: { status: 503 } })
    expect(issuer.asked()).toBe(1)
  })

  it('is only a mistyped key where no product takes tokens', async () => {
    const issuer = await startIssuer()
    const { url } = await startFixture([routeFor('user001', makeKey())])
    const response = await fetch(`${url}/api/v2/select`, { headers: { Authorization: `Bearer ${await issuer.token()}` } })
    expect(await response.json()).toMatchObject({ code: 'key-malformed' })
    expect(issuer.asked()).toBe(0)
  })
})
