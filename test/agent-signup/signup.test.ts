/** An agent's one call: a tenant and a key, within what the plan says, whatever comes at once and whatever is cut off. */
import { describe, expect, test } from 'vitest'
import { openSignupPlace } from './place.ts'

const DAY_MS = 86_400_000
const NAME = '0b7c1f6e-6b0f-4a5e-9a55-1f0c2a3b4c5d'

describe('one call', () => {
  test('makes a tenant with a key, small and with an end, and says how to use it', async () => {
    const place = await openSignupPlace()
    const answer = await place.begin({ body: { plan: 'standard', name: 'helper' } })
    expect(answer).toMatchObject({ tenant: 'user002', plan: 'standard', endpoint: 'https://tenantry.example/api/v2/', mcp: 'https://tenantry.example/mcp', limits: { storageMb: 50 }, endsAt: '2026-03-08T12:00:00Z', served: true })
    expect(answer.key).toMatch(/^pmb-v1-[0-9a-f]{40}$/)
    const { spec } = (await place.tenant('user002'))!
    expect(spec).toMatchObject({ product: 'sq', plan: 'standard', owner: { email: 'user002@unclaimed.invalid' }, state: 'active', limits: { storageMb: 50 }, keys: [{ id: 'k1', name: 'helper' }], trial: { endsAt: '2026-03-08T12:00:00Z' } })
    expect(place.installation.keyring.keyDigest('user002' as never, spec.keys[0]!)).toBe(place.installation.keyring.digest(answer.key))
  })

  test('needs no body', async () => {
    expect((await (await openSignupPlace()).begin()).plan).toBe('standard')
  })

  test('leaves key, claim link and address out of git, the store and the log', async () => {
    const place = await openSignupPlace()
    const answer = await place.begin({ address: '198.51.100.77', as: NAME })
    const kept = place.log() + place.logged.join() + JSON.stringify(place.installation.stores.durable.prepare('SELECT * FROM agent_signups').all())
    for (const secret of [answer.key, answer.claimUrl.split('token=')[1]!, '198.51.100.77', NAME]) expect(kept).not.toContain(secret)
  })

  test('says when the key is not served yet', async () => {
    const place = await openSignupPlace()
    place.serves = false
    const answer = await place.signup()
    expect([answer.statusCode, answer.json<{ served: boolean }>().served]).toEqual([202, false])
  })

  test('many at once are few commits, with an id each', async () => {
    const place = await openSignupPlace({ trial: '{ days: 7, perAddress: 100, total: 100 }' })
    const before = place.commits()
    const answers = await Promise.all(Array.from({ length: 20 }, () => place.begin()))
    expect(new Set(answers.map(({ tenant }) => tenant)).size).toBe(20)
    expect(new Set(answers.map(({ key }) => key)).size).toBe(20)
    expect(place.commits() - before).toBeLessThanOrEqual(3)
  })

  test('never gives an id again that was given and is gone', async () => {
    const place = await openSignupPlace()
    await place.begin()
    await place.installation.writer.write(() => ({ result: undefined, commit: { message: 'gone', author: { name: 'Op', email: 'op@example.com' }, files: [{ path: 'tenants/sq/000/user002.yaml', text: null }] } }) as never)
    const after = await place.again()
    expect((await after.begin()).tenant).toBe('user003')
  })
})

describe('the same call again', () => {
  test('answers the same trial, key and link, also after a restart', async () => {
    const place = await openSignupPlace()
    const first = await place.begin({ body: { name: 'helper' }, as: NAME })
    expect(await place.begin({ body: { name: 'helper' }, as: NAME })).toEqual(first)
    const after = await place.again()
    expect(await after.begin({ body: { name: 'helper' }, as: NAME })).toEqual(first)
    expect(await after.tenant('user003')).toBeUndefined()
  })

  test('twice at once makes one trial', async () => {
    const place = await openSignupPlace()
    const answers = await Promise.all([1, 2, 3, 4].map(() => place.begin({ as: NAME })))
    expect(new Set(answers.map(({ tenant }) => tenant))).toEqual(new Set(['user002']))
  })

  test('finds its trial where the program ended between commit and answer', async () => {
    const place = await openSignupPlace()
    const first = await place.begin({ as: NAME })
    place.installation.stores.durable.exec('UPDATE agent_signups SET tenant = NULL')
    const after = await place.again()
    expect(await after.begin({ as: NAME })).toEqual(first)
  })

  test('with other wishes is refused', async () => {
    const place = await openSignupPlace()
    await place.begin({ as: NAME })
    const answer = await place.signup({ as: NAME, body: { name: 'another' } })
    expect([answer.statusCode, answer.json<{ code: string }>().code]).toEqual([422, 'idempotency-key-reused'])
  })

  test('by somebody else is another call: nobody gets another one\'s key by its name', async () => {
    const place = await openSignupPlace()
    const [one, other] = [await place.begin({ as: NAME, address: '192.0.2.1' }), await place.begin({ as: NAME, address: '192.0.2.2' })]
    expect(other.key).not.toBe(one.key)
  })

  test('needs a name that nobody can guess', async () => {
    expect((await (await openSignupPlace()).signup({ as: '1' })).json()).toMatchObject({ status: 422, errors: [{ field: 'Idempotency-Key' }] })
  })
})

describe('the limits', () => {
  test('of one network hold for a day, across restarts, and for all networks of an IPv6 site', async () => {
    const place = await openSignupPlace()
    for (const host of ['1', '2', '3']) await place.begin({ address: `2001:db8:1:${host}::1` })
    const refused = await place.signup({ address: '2001:0db8:1:2:ffff::9' })
    expect(refused.json()).toMatchObject({ status: 429, code: 'too-many-trials' })
    expect(Number(refused.headers['retry-after'])).toBe(DAY_MS / 1000)
    await place.begin({ address: '2001:db8:2:3::1' })
    const after = await place.again()
    expect((await after.signup({ address: '2001:db8:1:2::4' })).statusCode).toBe(429)
    after.pass(DAY_MS)
    await after.begin({ address: '2001:db8:1:2::4' })
  })

  test('of all unclaimed ones hold, however many come at once, and a refused call counts for nobody', async () => {
    const place = await openSignupPlace({ trial: '{ days: 7, perAddress: 2, total: 5 }' })
    const answers = await Promise.all(Array.from({ length: 9 }, (_, n) => place.signup({ address: `192.0.2.${n}` })))
    expect(answers.filter(({ statusCode }) => statusCode === 201)).toHaveLength(5)
    const refused = answers.filter(({ statusCode }) => statusCode !== 201)
    for (const answer of refused) expect(answer.json()).toMatchObject({ status: 503, code: 'trials-full' })
    expect(place.installation.stores.durable.prepare('SELECT count(*) AS n FROM agent_signups').get()).toEqual({ n: 5 })
    expect((await (await place.again()).signup({ address: '192.0.2.99' })).statusCode).toBe(503)
  })

  test('free up when trials end', async () => {
    const place = await openSignupPlace({ trial: '{ days: 7, perAddress: 9, total: 1 }' })
    await place.begin()
    expect((await place.signup()).statusCode).toBe(503)
    place.pass(7 * DAY_MS)
    expect((await place.begin()).tenant).toBe('user003')
  })

  test('of slots are never oversold', async () => {
    const place = await openSignupPlace({ trial: '{ days: 7, perAddress: 9, total: 9 }', more: '  slots: 3\n' })
    const answers = await Promise.all(Array.from({ length: 5 }, () => place.signup()))
    expect(answers.map(({ statusCode }) => statusCode).sort()).toEqual([201, 201, 409, 409, 409])
  })
})

describe('a call that cannot be served', () => {
  test('is told so where no plan has trials', async () => {
    expect((await (await openSignupPlace({ trial: '' })).signup()).json()).toMatchObject({ status: 404, code: 'trials-off' })
  })

  test.each([
    ['a plan without trials', { plan: 'other' }, 403, 'trials-off', undefined],
    ['a plan that is none', { plan: 'standart' }, 422, 'invalid-request', 'plan'],
    ['a name of two lines', { name: 'a\nb' }, 422, 'invalid-request', 'name'],
    ['a field that is none', { email: 'a@example.com' }, 422, 'invalid-request', 'email'],
    ['no object', ['x'], 422, 'invalid-request', ''],
  ])('is told what was wrong: %s', async (_name, body, status, code, field) => {
    const other = { path: 'plans/other.yaml', text: 'apiVersion: tenantry.dev/v1\nkind: Plan\nmetadata: { name: other }\nspec:\n  product: sq\n  title: Other\n  tier: other\n  prices: {}\n  limits: { storageMb: 1000 }\n' }
    const place = await openSignupPlace({ files: [other] })
    const before = place.commits()
    expect((await place.signup({ body })).json()).toMatchObject({ status, code, ...(field !== undefined && { errors: [{ field }] }) })
    expect(place.commits()).toBe(before)
  })
})
