/** Sessions: how long they last, how they end, what their cookie says, and from where a form may come. */
import { describe, expect, test } from 'vitest'
import { agentFamily } from '../../controller/accounts/agent-family.ts'
import { bearer, makeSite, ORIGIN, signInByMail, type Site } from './support.ts'

const DAY_MS = 86_400_000
const ADA = 'ada@example.com'

const listed = async (site: Site, headers: Record<string, string>) => (await site.get('/api/auth/sessions', headers)).json<{ sessions: { id: string; current: boolean; agent: string }[] }>().sessions
const isIn = async (site: Site, cookie: string): Promise<boolean> => (await site.get('/api/auth/sessions', { cookie })).statusCode === 200
const csrfOf = (site: Site, cookie: string): string => site.accounts.sessions.of({ headers: { cookie } } as never)!.csrf

describe('a session', () => {
  test('ends when it is not used for two weeks', async () => {
    const site = makeSite()
    const cookie = await signInByMail(site, ADA)
    site.pass(14 * DAY_MS - 1)
    expect(await isIn(site, cookie)).toBe(true)
    site.pass(14 * DAY_MS - 1)
    expect(await isIn(site, cookie)).toBe(true)
    site.pass(14 * DAY_MS)
    expect(await isIn(site, cookie)).toBe(false)
  })

  test('ends after sixty days, however much it is used', async () => {
    const site = makeSite()
    const cookie = await signInByMail(site, ADA)
    for (let day = 0; day < 59; day++) {
      site.pass(DAY_MS)
      expect(await isIn(site, cookie)).toBe(true)
    }
    site.pass(DAY_MS)
    expect(await isIn(site, cookie)).toBe(false)
  })

  test('is written to the disk once in ten minutes at most', async () => {
    const site = makeSite()
    const cookie = await signInByMail(site, ADA)
    const writes = (): number => (site.store.prepare('SELECT total_changes() AS n').get() as { n: number }).n
    const before = writes()
    for (let n = 0; n < 9; n++) {
      site.pass(60_000)
      await isIn(site, cookie)
    }
    expect(writes()).toBe(before)
    site.pass(60_000)
    await isIn(site, cookie)
    expect(writes()).toBe(before + 1)
  })

  test('is in the store and the log as a digest alone', async () => {
    const site = makeSite()
    const [, token] = (await signInByMail(site, ADA)).split('=')
    expect(token).toMatch(/^tnt-s1-/)
    expect(JSON.stringify(site.store.prepare('SELECT * FROM sessions').all())).not.toContain(token)
    expect(site.logged.join()).not.toContain(token)
  })

  test('is ended by itself, one by one, or all at once', async () => {
    const site = makeSite()
    const [one, two, three] = [await signInByMail(site, ADA), await signInByMail(site, ADA), await signInByMail(site, ADA)]
    await site.form('/auth/sign-out', { csrf: csrfOf(site, one) }, { cookie: one })
    expect(await isIn(site, one)).toBe(false)
    const other = (await listed(site, { cookie: two })).find(({ current }) => !current)!
    await site.form('/account/sessions', { csrf: csrfOf(site, two), end: other.id }, { cookie: two })
    expect(await isIn(site, three)).toBe(false)
    await site.form('/account/sessions', { csrf: csrfOf(site, two), end: 'all' }, { cookie: two })
    expect(await isIn(site, two)).toBe(false)
  })

  test('of somebody else cannot be ended', async () => {
    const site = makeSite()
    const [ada, eve] = [await signInByMail(site, ADA), await signInByMail(site, 'eve@example.com')]
    const { id } = (await listed(site, { cookie: ada }))[0]!
    const answer = await site.app.inject({ method: 'DELETE', url: `/api/auth/sessions/${id}`, headers: { cookie: eve, 'x-csrf-token': csrfOf(site, eve) } })
    expect(answer.statusCode).toBe(404)
    expect(await isIn(site, ada)).toBe(true)
  })

  test('of a program is a bearer token, and its cookie counts for nothing beside another token', async () => {
    const site = makeSite()
    const cookie = await signInByMail(site, ADA)
    const token = cookie.split('=')[1]!
    expect(await listed(site, bearer(token))).toHaveLength(1)
    expect((await site.get('/api/auth/sessions', { cookie, ...bearer('tnt-s1-' + 'x'.repeat(43)) })).statusCode).toBe(401)
    expect((await site.post('/api/auth/logout', {}, bearer(token))).statusCode).toBe(204)
    expect(await isIn(site, cookie)).toBe(false)
  })

  test.each(['', 'nonsense', 'tnt-s1-short', `tnt-s1-${'A'.repeat(43)}`, "tnt-s1-' OR 1=1 --"])('is not opened by %j', async (token) => {
    const site = makeSite()
    await signInByMail(site, ADA)
    expect((await site.get('/api/auth/sessions', bearer(token))).statusCode).toBe(401)
    expect(await isIn(site, `__Host-session=${token}`)).toBe(false)
  })

  test('has a page that shows where one is signed in', async () => {
    const site = makeSite()
    const cookie = await signInByMail(site, ADA)
    const page = await site.get('/account/sessions', { cookie })
    expect(page.body).toContain(ADA)
    expect(page.headers['cache-control']).toBe('no-store')
    expect((await site.get('/account/sessions')).headers.location).toBe('/auth/sign-in?next=/account/sessions')
  })
})

describe('the cookie', () => {
  const setCookie = async (publicUrl: string): Promise<string> => {
    const site = makeSite({ publicUrl })
    await site.post('/api/auth/link', { email: ADA })
    return [(await site.form('/auth/link', { token: site.lastLink().token })).headers['set-cookie']].flat()[0]!
  }

  test('over https belongs to this host alone, and no script reads it', async () => {
    expect(await setCookie(ORIGIN)).toMatch(/^__Host-session=tnt-s1-[\w-]{43}; Max-Age=5184000; Path=\/; HttpOnly; Secure; SameSite=Lax$/)
  })

  test('over plain http works without being marked secure', async () => {
    const cookie = await setCookie('http://localhost:8080')
    expect(cookie).toMatch(/^session=tnt-s1-/)
    expect(cookie).not.toContain('Secure')
    expect(cookie).toContain('HttpOnly; SameSite=Lax')
  })

  test('holds behind a proxy that asks for a password of its own', async () => {
    const site = makeSite()
    const cookie = await signInByMail(site, ADA)
    expect(await listed(site, { cookie, authorization: 'Basic eDp5' })).toHaveLength(1)
  })

  test('is taken out of the browser when the session ends', async () => {
    const site = makeSite()
    const cookie = await signInByMail(site, ADA)
    const answer = await site.form('/auth/sign-out', { csrf: csrfOf(site, cookie) }, { cookie })
    expect(answer.headers['set-cookie']).toMatch(/^__Host-session=; Max-Age=0; Path=\/;/)
  })
})

describe('a form of another site', () => {
  const CROSS = [
    ['says so', { 'sec-fetch-site': 'cross-site' }],
    ['of the same domain says so', { 'sec-fetch-site': 'same-site' }],
    ['has another origin', { 'sec-fetch-site': 'none', origin: 'https://evil.example' }],
    ['has an origin that is not told', { origin: 'null' }],
    ['has our name over http', { origin: 'http://tenantry.example' }],
    ['comes with a password that the browser sends by itself', { 'sec-fetch-site': 'cross-site', authorization: 'Basic eDp5' }],
  ] as const

  test.each(CROSS)('does not sign anybody in: it %s', async (_name, headers) => {
    const site = makeSite()
    await site.post('/api/auth/link', { email: ADA })
    const { token } = site.lastLink()
    for (const [url, fields] of [['/auth/link', { token }], ['/auth/sign-in', { email: ADA }], ['/auth/password', { email: ADA, password: 'x' }], ['/auth/register', { email: ADA, password: 'long enough it is' }]] as const) {
      const answer = await site.form(url, fields, headers)
      expect(answer.statusCode, url).toBe(403)
      expect(answer.headers['set-cookie']).toBeUndefined()
    }
    expect(site.mails).toHaveLength(1)
    expect((await site.form('/auth/link', { token })).statusCode).toBe(303)
  })

  test.each(CROSS)('does nothing with a session: it %s', async (_name, headers) => {
    const site = makeSite()
    const cookie = await signInByMail(site, ADA)
    expect((await site.form('/auth/sign-out', { csrf: csrfOf(site, cookie) }, { cookie, ...headers })).statusCode).toBe(403)
    expect(await isIn(site, cookie)).toBe(true)
  })

  test('is known by the missing token, even where the browser says nothing', async () => {
    const site = makeSite()
    const [cookie, other] = [await signInByMail(site, ADA), await signInByMail(site, 'eve@example.com')]
    for (const csrf of ['', 'guessed', csrfOf(site, other)]) {
      const answer = await site.app.inject({ method: 'POST', url: '/auth/sign-out', payload: `csrf=${csrf}`, headers: { cookie, 'content-type': 'application/x-www-form-urlencoded' } })
      expect(answer.statusCode).toBe(403)
    }
    expect(await isIn(site, cookie)).toBe(true)
  })

  test('is not one that comes by the name under which this site was asked for', async () => {
    const site = makeSite({ publicUrl: 'http://localhost:8080' })
    await site.post('/api/auth/link', { email: ADA })
    const answer = await site.form('/auth/link', { token: site.lastLink().token }, { origin: 'http://127.0.0.1:8080', 'x-forwarded-host': '127.0.0.1:8080' })
    expect(answer.statusCode).toBe(303)
  })
})

test('of a program or browser only its family is kept', () => {
  expect(agentFamily('Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0')).toBe('Firefox on Linux')
  expect(agentFamily('Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0')).toBe('Edge on Windows')
  expect(agentFamily('Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Mobile/15E148 Safari/604.1')).toBe('Safari on iOS')
  expect(agentFamily('curl/8.14.1')).toBe('curl')
  expect(agentFamily('<script>')).toBe('Another program')
  expect(agentFamily(undefined)).toBe('Another program')
})
