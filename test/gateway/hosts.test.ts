import { describe, expect, it } from 'vitest'
import { meaningOf } from '../../controller/gateway/host-names.ts'
import { makeKey, rawExchange, routeFor, sqLike, startFixture, startUpstream } from './gateway-fixture.ts'

const PRODUCTS = { contextlite: { title: 'ContextLite', api: '/api/v1/', hostSuffix: 'contextlite.cloud' }, sq: { title: 'SQ', api: '/api/v2/' } }

async function startTwo() {
  const [first, second, sq] = [makeKey(), makeKey(), makeKey()]
  const upstream = await startUpstream(sqLike('ok'))
  const at = { upstream: { host: '127.0.0.1', port: upstream.port } }
  const contextlite = { product: 'contextlite', api: '/api/v1/', ...at }
  const fixture = await startFixture([routeFor('ctx001', first, contextlite), routeFor('ctx002', second, contextlite), routeFor('user001', sq, at)], {}, undefined, undefined, { products: PRODUCTS })
  const ask = async (host: string, headers: string, path = '/api/v1/documents') => {
    const { received, statuses } = await rawExchange(fixture.gateway.port, `GET ${path} HTTP/1.1\r\nHost: ${host}\r\n${headers}Connection: close\r\n\r\n`)
    const body = received.slice(received.indexOf('\r\n\r\n') + 4)
    return { status: statuses[0], body: body.replace(/"requestId":"[^"]*"/, ''), code: /"code":"([^"]+)"/.exec(body)?.[1] }
  }
  return { ...fixture, upstream, first, second, sq, ask }
}

describe('a tenant\'s own host name', () => {
  it('opens with that tenant\'s key, in any case, with port and trailing dot, and so does the common one', async () => {
    const { ask, first } = await startTwo()
    for (const host of ['ctx001.contextlite.cloud', 'CTX001.ContextLite.Cloud', 'ctx001.contextlite.cloud:443', 'ctx001.contextlite.cloud.', 'contextlite.cloud', 'localhost']) {
      expect([host, (await ask(host, `X-API-Key: ${first}\r\n`)).status]).toEqual([host, 200])
    }
  })

  it('with another tenant\'s key is refused in plain words, whether there is a tenant of that name or not', async () => {
    const { ask, first, sq, upstream } = await startTwo()
    const other = await ask('ctx002.contextlite.cloud', `X-API-Key: ${first}\r\n`)
    expect(other).toMatchObject({ status: 403, code: 'host-key-mismatch' })
    expect(await ask('ctx999.contextlite.cloud', `X-API-Key: ${first}\r\n`)).toEqual(other)
    expect(await ask('user001.contextlite.cloud', `X-API-Key: ${sq}\r\n`, '/api/v2/select')).toEqual(other)
    expect(await ask('ctx002.contextlite.cloud', `X-API-Key: ${first}\r\n`, '/api/usage')).toEqual(other)
    expect(upstream.requests).toEqual([])
  })

  it('tells nobody without a key whether there is such a tenant', async () => {
    const { ask } = await startTwo()
    const there = await ask('ctx001.contextlite.cloud', '')
    expect(there).toMatchObject({ status: 401, code: 'key-missing' })
    expect(await ask('ctx999.contextlite.cloud', '')).toEqual(there)
    const unknown = `X-API-Key: ${makeKey()}\r\n`
    expect(await ask('ctx999.contextlite.cloud', unknown)).toEqual(await ask('ctx001.contextlite.cloud', unknown))
  })

  it('that no tenant can have is nobody\'s', async () => {
    const { ask, first } = await startTwo()
    for (const host of ['a.ctx001.contextlite.cloud', '-x.contextlite.cloud', 'ctx_001.contextlite.cloud']) expect(await ask(host, `X-API-Key: ${first}\r\n`)).toMatchObject({ status: 404, code: 'host-unknown' })
  })

  it('does not become another by headers from outside', async () => {
    const { ask, first, upstream } = await startTwo()
    expect((await ask('ctx002.contextlite.cloud', `X-API-Key: ${first}\r\nX-Forwarded-Host: ctx001.contextlite.cloud\r\nX-Tenantry-Tenant: ctx002\r\n`)).status).toBe(403)
    await ask('ctx001.contextlite.cloud', `X-API-Key: ${first}\r\nX-Tenantry-Tenant: ctx002\r\nX-Tenantry-Key: k9\r\nX-Forwarded-Host: evil\r\n`)
    expect(upstream.requests[0]).toMatch(/X-Tenantry-Tenant: ctx001\r\n/)
    expect(upstream.requests[0]).not.toMatch(/ctx002|k9|evil/)
  })

  it('goes to the product with the longest suffix, and means nothing without one', () => {
    const products = { a: { title: 'a', hostSuffix: 'example.com' }, b: { title: 'b', hostSuffix: 'b.example.com' } }
    expect(meaningOf('x.b.example.com', products)).toEqual({ kind: 'tenant', product: 'b', id: 'x' })
    expect(meaningOf('x.example.com', products)).toEqual({ kind: 'tenant', product: 'a', id: 'x' })
    expect([meaningOf('x.example.com', {}), meaningOf('example.com', products), meaningOf('notexample.com', products), meaningOf(undefined, products)].map(({ kind }) => kind)).toEqual(Array<string>(4).fill('common'))
  })
})
