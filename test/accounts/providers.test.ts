/** Signing in through somebody else: a real OpenID provider and GitHub's calls; only proved addresses, only in the browser that began. */
import { describe, expect, test } from 'vitest'
import { createProvider } from '../../controller/accounts/providers.ts'
import { CLIENT, startGithub, startOidc, type IdentityProvider } from './identity-providers.ts'
import { makeSite, ORIGIN, signInByMail, type Site } from './support.ts'

interface Place {
  readonly site: Site
  readonly elsewhere: IdentityProvider
  readonly id: string
}

const PLACES: readonly (readonly [string, () => Promise<Place>])[] = [
  [
    'an OpenID provider',
    async () => {
      const elsewhere = await startOidc(`${ORIGIN}/auth/provider/oidc/callback`)
      return { elsewhere, id: 'oidc', site: makeSite({ now: new Date(), providers: [createProvider({ kind: 'oidc', id: 'oidc', name: 'Example', issuer: elsewhere.url, ...CLIENT })] }) }
    },
  ],
  [
    'GitHub',
    async () => {
      const elsewhere = await startGithub()
      return { elsewhere, id: 'github', site: makeSite({ providers: [createProvider({ kind: 'github', id: 'github', name: 'GitHub', web: elsewhere.url, api: elsewhere.url, ...CLIENT })] }) }
    },
  ],
]

async function begin({ site, id }: Place, next = '/dashboard/user001') {
  const answer = await site.get(`/auth/provider/${id}?next=${encodeURIComponent(next)}`)
  expect(answer.statusCode).toBe(303)
  return { to: answer.headers.location!, cookie: [answer.headers['set-cookie']].flat()[0]!.split(';')[0]!, set: [answer.headers['set-cookie']].flat()[0]! }
}

async function complete(place: Place, next?: string) {
  const { to, cookie } = await begin(place, next)
  const back = await place.elsewhere.visit(to)
  return place.site.get(back.pathname + back.search, { cookie })
}

const sessionIn = (answer: { headers: Record<string, unknown> }): string | undefined => [answer.headers['set-cookie']].flat().map(String).find((set) => set.startsWith('__Host-session=tnt'))?.split(';')[0]

describe.each(PLACES)('signing in through %s', (_name, open) => {
  test('leads to the account of the address, which a link by mail leads to as well', async () => {
    const place = await open()
    await signInByMail(place.site, 'ada@example.com')
    const answer = await complete(place)
    expect([answer.statusCode, answer.headers.location]).toEqual([303, '/dashboard/user001'])
    const session = await place.site.get('/api/auth/sessions', { cookie: sessionIn(answer)! })
    expect(session.json()).toMatchObject({ email: 'ada@example.com', emailVerified: true, sessions: [{}, {}] })
    expect(place.site.store.prepare('SELECT count(*) AS n FROM accounts').get()).toEqual({ n: 1 })
  })

  test('makes an account where there is none, with the address in lower case', async () => {
    const place = await open()
    place.elsewhere.person.email = 'Grace@Example.com'
    const session = await place.site.get('/api/auth/sessions', { cookie: sessionIn(await complete(place))! })
    expect(session.json()).toMatchObject({ email: 'grace@example.com', emailVerified: true })
  })

  test('signs nobody in with an address that is not confirmed there', async () => {
    const place = await open()
    place.elsewhere.person.verified = false
    const answer = await complete(place)
    expect(answer.json()).toMatchObject({ status: 400, code: 'provider-refused' })
    expect(sessionIn(answer)).toBeUndefined()
    expect(place.site.store.prepare('SELECT count(*) AS n FROM accounts').get()).toEqual({ n: 0 })
  })

  test('asks with state and PKCE, and keeps its attempt in a cookie that no script reads', async () => {
    const place = await open()
    const { to, set } = await begin(place)
    const asked = new URL(to).searchParams
    expect(asked.get('code_challenge_method')).toBe('S256')
    expect(asked.get('state')).toMatch(/^[\w-]{43}$/)
    expect(asked.get('redirect_uri')).toBe(`${ORIGIN}/auth/provider/${place.id}/callback`)
    expect(set).toMatch(/^__Host-sign-in=[^;]+; Max-Age=600; Path=\/; HttpOnly; Secure; SameSite=Lax$/)
  })

  test('counts in the browser that began, for this attempt, once, and for ten minutes', async () => {
    const place = await open()
    const [one, other] = [await begin(place), await begin(place)]
    const back = await place.elsewhere.visit(one.to)
    const target = back.pathname + back.search
    const forged = one.cookie.replace(/\.[0-9a-f]+$/, `.${'0'.repeat(64)}`)
    for (const headers of [{}, { cookie: other.cookie }, { cookie: forged }, { cookie: '__Host-sign-in=x' }]) {
      const answer = await place.site.get(target, headers as Record<string, string>)
      expect([answer.statusCode, sessionIn(answer)]).toEqual([400, undefined])
    }
    expect((await place.site.get(target, { cookie: one.cookie })).statusCode).toBe(303)
    expect((await place.site.get(target, { cookie: one.cookie })).statusCode).toBe(400)
    const late = await begin(place)
    const lateBack = await place.elsewhere.visit(late.to)
    place.site.pass(601_000)
    expect((await place.site.get(lateBack.pathname + lateBack.search, { cookie: late.cookie })).statusCode).toBe(400)
  })

  test('goes to no page of another site afterwards', async () => {
    expect((await complete(await open(), '//evil.example')).headers.location).toBe('/dashboard')
  })

  test('that the person did not allow says so', async () => {
    const place = await open()
    const { to, cookie } = await begin(place)
    const answer = await place.site.get(`/auth/provider/${place.id}/callback?error=access_denied&state=${new URL(to).searchParams.get('state')}`, { cookie, accept: 'text/html' })
    expect(answer.statusCode).toBe(400)
    expect(answer.body).toContain('was not allowed to tell who you are')
  })
})

test('a provider that cannot be reached is said, and tried again the next time', async () => {
  const site = makeSite({ providers: [createProvider({ kind: 'oidc', id: 'oidc', name: 'Example', issuer: 'http://127.0.0.1:9', ...CLIENT })] })
  for (let n = 0; n < 2; n++) expect((await site.get('/auth/provider/oidc')).json()).toMatchObject({ status: 502, code: 'provider-failed' })
  expect((await site.get('/auth/provider/other')).statusCode).toBe(404)
})

test('the sign-in page shows the ways that are configured', async () => {
  const site = makeSite({ providers: [createProvider({ kind: 'oidc', id: 'oidc', name: 'Example', issuer: 'http://127.0.0.1:9', ...CLIENT })] })
  expect((await site.get('/auth/sign-in?next=/claim')).body).toContain('href="/auth/provider/oidc?next=%2Fclaim"')
  expect((await makeSite().get('/auth/sign-in')).body).not.toContain('/auth/provider/')
})
