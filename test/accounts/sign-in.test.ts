/** Signing in through the real routes: by mail, with a password, and what is told to whom. */
import { describe, expect, test } from 'vitest'
import { bearer, cookieOf, makeSite, signInByMail, type Site } from './support.ts'

const ADA = 'ada@example.com'
const PASSWORD = 'correct horse battery'

async function registered(site: Site, email = ADA, password = PASSWORD): Promise<{ user_id: string; token: string }> {
  const answer = await site.post('/api/auth/register', { email, password })
  expect(answer.statusCode).toBe(201)
  return answer.json<{ user_id: string; token: string }>()
}

/** Registered and confirmed with the password. */
async function confirmed(site: Site, email = ADA, password = PASSWORD): Promise<void> {
  await registered(site, email, password)
  expect((await site.form('/auth/link', { token: site.lastLink().token, password })).statusCode).toBe(303)
}

const sessionOf = (site: Site, cookie: string) => site.get('/api/auth/sessions', { cookie })

describe('a sign-in link', () => {
  test('signs in with the button of its page, once, and proves the address', async () => {
    const site = makeSite()
    expect((await site.post('/api/auth/link', { email: 'Ada@Example.com ', next: '/dashboard/user001' })).statusCode).toBe(202)
    expect(site.mails).toMatchObject([{ to: ADA, mail: { kind: 'sign-in', minutes: 15 } }])
    const { path, token } = site.lastLink()
    const page = await site.get(path)
    expect(page.body).toContain(ADA)
    expect(page.headers['set-cookie']).toBeUndefined()
    const signedIn = await site.form('/auth/link', { token })
    expect(signedIn.statusCode).toBe(303)
    expect(signedIn.headers.location).toBe('/dashboard/user001')
    expect((await sessionOf(site, cookieOf(signedIn))).json()).toMatchObject({ email: ADA, emailVerified: true, sessions: [{ current: true }] })
    expect((await site.form('/auth/link', { token })).statusCode).toBe(410)
    expect((await site.get(path)).statusCode).toBe(410)
  })

  test('is not used up by programs that follow links', async () => {
    const site = makeSite()
    await site.post('/api/auth/link', { email: ADA })
    for (let n = 0; n < 5; n++) expect((await site.get(site.lastLink().path)).statusCode).toBe(200)
    expect((await site.form('/auth/link', { token: site.lastLink().token })).statusCode).toBe(303)
  })

  test('is good for fifteen minutes', async () => {
    const site = makeSite()
    await site.post('/api/auth/link', { email: ADA })
    site.pass(15 * 60_000 - 1)
    expect((await site.get(site.lastLink().path)).statusCode).toBe(200)
    site.pass(1)
    expect((await site.form('/auth/link', { token: site.lastLink().token })).statusCode).toBe(410)
  })

  test('two at once open one session', async () => {
    const site = makeSite()
    await site.post('/api/auth/link', { email: ADA })
    const { token } = site.lastLink()
    const answers = await Promise.all([1, 2, 3].map(() => site.form('/auth/link', { token })))
    expect(answers.map(({ statusCode }) => statusCode).sort()).toEqual([303, 410, 410])
  })

  test('leads to the same account each time', async () => {
    const site = makeSite()
    await signInByMail(site, ADA)
    const cookie = await signInByMail(site, 'ADA@example.com')
    expect((await sessionOf(site, cookie)).json<{ sessions: unknown[] }>().sessions).toHaveLength(2)
  })

  test('is in the store and the log as a digest alone', async () => {
    const site = makeSite()
    await site.post('/api/auth/link', { email: ADA })
    const { token } = site.lastLink()
    expect(JSON.stringify(site.store.prepare('SELECT * FROM sign_in_links').all())).not.toContain(token)
    expect(site.logged.join()).not.toContain(token)
  })
})

describe('a registration', () => {
  test('has a session that is not confirmed, and is confirmed by the link and the password', async () => {
    const site = makeSite()
    const { user_id, token } = await registered(site)
    expect((await site.get('/api/auth/sessions', bearer(token))).json()).toMatchObject({ email: ADA, emailVerified: false })
    expect(site.mails).toMatchObject([{ to: ADA, mail: { kind: 'confirm-address' } }])
    expect((await site.get(site.lastLink().path)).body).toContain('name="password"')
    expect((await site.form('/auth/link', { token: site.lastLink().token, password: PASSWORD })).statusCode).toBe(303)
    expect((await site.get('/api/auth/sessions', bearer(token))).json()).toMatchObject({ emailVerified: true })
    expect(site.accounts.sessions.of({ headers: bearer(token) } as never)?.account).toBe(user_id)
    expect((await site.post('/api/auth/login', { email: ADA, password: PASSWORD })).statusCode).toBe(200)
  })

  test('in a browser is confirmed there without the password', async () => {
    const site = makeSite()
    const sent = await site.form('/auth/register', { email: ADA, password: PASSWORD, next: '/dashboard' })
    expect(sent.headers.location).toBe('/auth/check-mail')
    const cookie = cookieOf(sent)
    expect((await site.get(site.lastLink().path, { cookie })).body).not.toContain('name="password"')
    await site.form('/auth/link', { token: site.lastLink().token }, { cookie })
    expect((await site.post('/api/auth/login', { email: ADA, password: PASSWORD })).statusCode).toBe(200)
  })

  test('of somebody else opens nothing when the owner of the address comes', async () => {
    const site = makeSite()
    const attacker = await registered(site, ADA, 'the attacker knows')
    await site.form('/auth/link', { token: site.lastLink().token })
    expect((await site.get('/api/auth/sessions', bearer(attacker.token))).statusCode).toBe(401)
    expect((await site.post('/api/auth/login', { email: ADA, password: 'the attacker knows' })).statusCode).toBe(401)
  })

  test('of somebody else opens nothing when the owner signs in by a link of their own', async () => {
    const site = makeSite()
    const attacker = await registered(site, ADA, 'the attacker knows')
    await signInByMail(site, ADA)
    expect((await site.get('/api/auth/sessions', bearer(attacker.token))).json()).toMatchObject({ emailVerified: false })
    expect((await site.post('/api/auth/login', { email: ADA, password: 'the attacker knows' })).statusCode).toBe(401)
  })

  test('with another password at its link is refused, and the link stays good', async () => {
    const site = makeSite()
    await registered(site)
    const { token } = site.lastLink()
    const refused = await site.form('/auth/link', { token, password: 'something else!' })
    expect(refused.statusCode).toBe(422)
    expect(refused.body).toContain('not the password')
    expect((await site.form('/auth/link', { token, password: PASSWORD })).statusCode).toBe(303)
  })

  test('may be guessed at a few times only', async () => {
    const site = makeSite()
    await registered(site)
    const { token } = site.lastLink()
    const statuses = []
    for (let n = 0; n < 6; n++) statuses.push((await site.form('/auth/link', { token, password: `guess number ${n}` })).statusCode)
    expect(statuses).toEqual([422, 422, 422, 422, 422, 429])
  })

  test('of an address that has an account sets a new password, and ends what was signed in', async () => {
    const site = makeSite()
    await confirmed(site)
    const { token } = (await site.post('/api/auth/login', { email: ADA, password: PASSWORD })).json<{ token: string }>()
    await confirmed(site, ADA, 'another long password')
    expect((await site.get('/api/auth/sessions', bearer(token))).statusCode).toBe(401)
    expect((await site.post('/api/auth/login', { email: ADA, password: PASSWORD })).statusCode).toBe(401)
    expect((await site.post('/api/auth/login', { email: ADA, password: 'another long password' })).statusCode).toBe(200)
  })

  test('that nobody confirms is forgotten after a week', async () => {
    const site = makeSite()
    const { token } = await registered(site)
    site.pass(8 * 86_400_000)
    await site.post('/api/auth/link', { email: 'grace@example.com' })
    expect((await site.get('/api/auth/sessions', bearer(token))).statusCode).toBe(401)
  })
})

describe('which addresses have an account', () => {
  /** What an answer shows, without what is random in any. */
  const shown = ({ statusCode, headers, body }: Awaited<ReturnType<Site['post']>>) => ({
    statusCode,
    headers: Object.fromEntries(Object.entries(headers).filter(([name]) => name !== 'date').map(([name, value]) => [name, name === 'set-cookie' ? String(value).replace(/=[^;]+/, '=…') : value])),
    body: body.replace(/[0-9a-f-]{36}/g, 'UUID').replace(/tnt-s1-[\w-]{43}/g, 'TOKEN').replace(/(known|other)@example\.com/g, 'ADDRESS'),
  })

  test.each<[string, (site: Site, email: string) => ReturnType<Site['post']>, number]>([
    ['registering', (site, email) => site.post('/api/auth/register', { email, password: PASSWORD }), 1],
    ['registering with a bad password', (site, email) => site.post('/api/auth/register', { email, password: 'short' }), 0],
    ['registering in a browser', (site, email) => site.form('/auth/register', { email, password: PASSWORD }), 1],
    ['signing in with a wrong password', (site, email) => site.post('/api/auth/login', { email, password: 'wrong password' }), 1],
    ['signing in with a wrong password in a browser', (site, email) => site.form('/auth/password', { email, password: 'wrong password' }), 1],
    ['asking for a link', (site, email) => site.post('/api/auth/link', { email }), 0],
    ['asking for a link in a browser', (site, email) => site.form('/auth/sign-in', { email }), 0],
  ])('is not told by %s: status, headers, text and work are the same', async (_name, ask, hashes) => {
    const site = makeSite()
    await confirmed(site, 'known@example.com')
    site.pass(3_600_000)
    const before = { hashes: site.hashes, mails: site.mails.length }
    const known = shown(await ask(site, 'known@example.com'))
    const between = { hashes: site.hashes, mails: site.mails.length }
    const unknown = shown(await ask(site, 'other@example.com'))
    expect(unknown).toEqual(known)
    expect(between.hashes - before.hashes).toBe(hashes)
    expect(site.hashes - between.hashes).toBe(hashes)
    expect(site.mails.length - between.mails).toBe(between.mails - before.mails)
  })

  test('is not told by registering and then signing in with that password', async () => {
    const site = makeSite()
    await confirmed(site, 'known@example.com')
    site.pass(3_600_000)
    const answers = []
    for (const email of ['known@example.com', 'other@example.com']) {
      await registered(site, email, 'a password of mine')
      answers.push(shown(await site.post('/api/auth/login', { email, password: 'a password of mine' })))
    }
    expect(answers[0]).toEqual(answers[1])
    expect(answers[0]).toMatchObject({ statusCode: 401 })
  })

  test('is not told by limits', async () => {
    const site = makeSite()
    await confirmed(site, 'known@example.com')
    site.pass(24 * 3_600_000)
    const attempts = async (email: string): Promise<unknown[]> => {
      const answers = []
      for (let n = 0; n < 12; n++) answers.push(shown(await site.post('/api/auth/login', { email, password: 'wrong password' })))
      for (let n = 0; n < 6; n++) answers.push(shown(await site.post('/api/auth/link', { email })))
      return answers
    }
    const known = await attempts('known@example.com')
    expect(await attempts('other@example.com')).toEqual(known)
    expect(known).toContainEqual(expect.objectContaining({ statusCode: 429 }))
  })
})
