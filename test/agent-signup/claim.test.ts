/** A person takes over what an agent began: by the link alone, once, with an address that is proved; keys stay. */
import { describe, expect, test } from 'vitest'
import { cookieOf } from '../accounts/support.ts'
import { openSignupPlace, type SignupPlace } from './place.ts'

const DAY_MS = 86_400_000
const ADA = 'ada@example.com'

async function begun(): Promise<{ place: SignupPlace; path: string; token: string; key: string }> {
  const place = await openSignupPlace()
  const { claimUrl, key } = await place.begin()
  const { pathname, search, searchParams } = new URL(claimUrl)
  return { place, path: pathname + search, token: searchParams.get('token')!, key }
}

describe('the link of a trial', () => {
  test('leads from the agent to the owner: address, mail, button', async () => {
    const { place, path, token, key } = await begun()
    const page = await place.page(path)
    expect(page.statusCode).toBe(200)
    expect(page.body).toContain('user002')
    const asked = await place.form('/auth/sign-in', { email: ADA, next: path })
    expect(asked.statusCode).toBe(303)
    const signedIn = await place.form('/auth/link', { token: new URL(place.mailed[0]!.link).searchParams.get('token')! })
    expect(signedIn.headers.location).toBe(path)
    const cookie = cookieOf(signedIn)
    const offered = (await place.page(path, cookie)).body
    expect(offered).toContain('This trial is mine')
    expect(offered).toContain('may have its key')
    expect((await place.form('/claim', { token, csrf: place.csrf(cookie) }, cookie)).headers.location).toBe(path)

    const { spec } = (await place.tenant('user002'))!
    expect(spec).toMatchObject({ owner: { email: ADA }, trial: { endsAt: '2026-03-08T12:00:00Z', claimedAt: '2026-03-01T12:00:00Z' } })
    expect(place.installation.keyring.keyDigest('user002' as never, spec.keys[0]!)).toBe(place.installation.keyring.digest(key))
    expect(place.log()).toContain('trial: user002 claimed')
    expect(place.log()).not.toContain(ADA)
    expect(place.logged.join()).not.toContain(ADA)
  })

  test('then offers the plans, and pays for this very tenant', async () => {
    const { place, path, token } = await begun()
    const cookie = await place.signedIn(ADA)
    await place.form('/claim', { token, csrf: place.csrf(cookie) }, cookie)
    await place.tenant('user002')
    expect((await place.page(path, cookie)).body).toContain('Standard: 15.00 USD a month')
    const paying = await place.form('/claim/pay', { token, csrf: place.csrf(cookie), plan: 'standard', interval: 'month' }, cookie)
    expect(paying.headers.location).toBe('https://checkout.stripe.com/c/pay/1')
    expect(place.paid).toEqual([{ plan: 'standard', interval: 'month', email: ADA, pays: 'user002' }])
  })

  test('opens nothing for anybody else once it is claimed', async () => {
    const { place, path, token } = await begun()
    const [ada, eve] = [await place.signedIn(ADA), await place.signedIn('eve@example.com')]
    await place.form('/claim', { token, csrf: place.csrf(ada) }, ada)
    await place.tenant('user002')
    expect((await place.page(path)).statusCode).toBe(404)
    expect((await place.page(path, eve)).statusCode).toBe(404)
    expect((await place.form('/claim', { token, csrf: place.csrf(eve) }, eve)).statusCode).toBe(404)
    expect((await place.form('/claim/pay', { token, csrf: place.csrf(eve), plan: 'standard', interval: 'month' }, eve)).statusCode).toBe(404)
    expect((await place.tenant('user002'))!.spec.owner.email).toBe(ADA)
    expect(place.paid).toEqual([])
  })

  test('goes to one of two who claim at once', async () => {
    const { place, token } = await begun()
    const [ada, eve] = [await place.signedIn(ADA), await place.signedIn('eve@example.com')]
    const answers = await Promise.all([ada, eve].map((cookie) => place.form('/claim', { token, csrf: place.csrf(cookie) }, cookie)))
    expect(answers.map(({ statusCode }) => statusCode)).toEqual([303, 404])
    expect((await place.tenant('user002'))!.spec.owner.email).toBe(ADA)
  })

  test('claims nothing for an address that is not proved, or from another site', async () => {
    const { place, path, token } = await begun()
    const { token: bearer } = (await place.app.inject({ method: 'POST', url: '/api/auth/register', payload: { email: ADA, password: 'long enough it is' } })).json<{ token: string }>()
    const unproved = `__Host-session=${bearer}`
    expect((await place.form('/claim', { token, csrf: place.csrf(unproved) }, unproved)).headers.location).toBe(path)
    const cookie = await place.signedIn('grace@example.com')
    expect((await place.form('/claim', { token, csrf: 'guessed' }, cookie)).statusCode).toBe(403)
    expect((await place.tenant('user002'))!.spec.owner.email).toBe('user002@unclaimed.invalid')
  })

  test('is over with the trial', async () => {
    const { place, path, token } = await begun()
    place.pass(7 * DAY_MS)
    expect((await place.page(path)).statusCode).toBe(404)
    const cookie = await place.signedIn(ADA)
    expect((await place.form('/claim', { token, csrf: place.csrf(cookie) }, cookie)).statusCode).toBe(404)
  })

  test.each([
    ['a token that is none', () => 'x'],
    ['a token of another tenant', (token: string) => token.replace('user002', 'user001')],
    ['a token that is off by one digit', (token: string) => token.slice(0, -1) + (token.endsWith('0') ? '1' : '0')],
    ['nothing', () => ''],
  ])('is needed whole: %s', async (_name, other) => {
    const { place, token } = await begun()
    const answer = await place.page(`/claim?token=${other(token)}`)
    expect(answer.statusCode).toBe(404)
    expect(answer.headers['content-type']).toMatch(/^text\/html/)
  })
})
