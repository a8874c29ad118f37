/** Narrower keys on the whole system (real SQ where there is one): made by the command line and by agents, in force at once, gone with their parents. */
import { execFileSync } from 'node:child_process'
import path from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { makeInstallation } from '../support/installation.ts'
import { secondMs } from '../support/machine-load.ts'
import { tempFolder } from '../support/temp.ts'
import { waitFor } from '../support/wait.ts'
import { statusOf, store } from './requests.ts'

const installation = makeInstallation(path.join(tempFolder(), 'home'), { GATEWAY_WORKERS: '2' }, afterAll)
let url: string
let key: string

beforeAll(async () => {
  await installation.start()
  url = installation.run.localUrl
  key = installation.keysOf('user001')[0]!
  await waitFor(async () => (await store(url, key, 'before')).status === 200, 'the tenant is served', 30_000)
  await waitFor(async () => (await installation.metric('tenantry_workqueue_depth')) === 0, 'nothing is left to do')
})

const ask = (method: string, target: string, by: string, body?: string) => fetch(`${url}${target}`, { method, headers: { authorization: `Bearer ${by}`, ...(target.startsWith('/api/keys') && body !== undefined && { 'content-type': 'application/json' }) }, ...(body !== undefined && { body }) })
const codeOf = async (answer: Response) => [answer.status, ((await answer.json()) as { code?: string }).code]

interface Made {
  readonly id: string
  readonly key: string
  readonly parent: string
  readonly access: unknown
  readonly endsAt: string | null
  readonly served: boolean
}

async function make(by: string, wish: object): Promise<Made> {
  const answer = await ask('POST', '/api/keys', by, JSON.stringify(wish))
  const made = (await answer.json()) as Made
  // A machine that does much else may take longer than the answer waits for, and says so.
  expect([answer.status, made.served]).toEqual(made.served ? [201, true] : [202, false])
  await waitFor(async () => (await ask('GET', '/api/usage', made.key)).status === 200, 'the key is served', secondMs())
  return made
}

/** As often as it takes to meet every worker. */
const everywhere = async (by: string): Promise<number[]> => [...new Set(await Promise.all(Array.from({ length: 12 }, () => statusOf(url, by))))]

it('the command line makes a key that reads one phext and nothing else', async () => {
  const made = (await installation.cli('key', 'create', 'user001', '--name', 'reader', '--read-only', '--phext', 'notes')).stdout.trim()
  await waitFor(async () => (await ask('GET', '/api/v2/select?p=notes&c=1.1.1/1.1.1/2.1.1', made)).status === 200, 'the new key', secondMs())
  expect(await (await ask('GET', '/api/v2/select?p=notes&c=1.1.1/1.1.1/2.1.1', made)).text()).toBe('before')
  expect(await codeOf(await ask('POST', '/api/v2/update?p=notes&c=1.1.1/1.1.1/2.1.1', made, 'x'))).toEqual([403, 'key-read-only'])
  expect(await codeOf(await ask('GET', '/api/v2/select?p=other', made))).toEqual([403, 'key-phext-denied'])
  expect(installation.keysOf('user001')).toEqual([key])

  expect((await installation.cli('key', 'revoke', 'user001', 'k2')).stdout).toContain('stops working within a second')
  await waitFor(async () => (await statusOf(url, made)) === 401, 'the end of the key', secondMs())
})

it('an agent makes a narrower key that works when it is answered, for all workers, and the commit says from which', async () => {
  const helper = await make(key, { name: 'helper', phexts: ['notes', 'plans'], requests: 1_000, expiresInSeconds: 3_600 })
  expect(helper).toMatchObject({ parent: 'k1', access: { phexts: ['notes', 'plans'], requests: 1_000 } })
  expect((await Promise.all(Array.from({ length: 12 }, () => ask('GET', '/api/v2/version?p=notes', helper.key)))).map(({ status }) => status)).toEqual(Array<number>(12).fill(200))
  const git = (...args: string[]) => execFileSync('git', ['-C', path.join(installation.home, 'tenants.git'), ...args], { encoding: 'utf8' })
  expect(git('log', '-1', '--format=%B')).toBe(`keys: user001: key ${helper.id} made from k1: phexts notes plans, 1000 requests\n\n- user001: key ${helper.id} made from k1: phexts notes plans, 1000 requests\n\nBy: key k1 of user001\n\n`)
  expect(git('log', '-p', '--all')).not.toContain(helper.key)
  expect(installation.log()).not.toContain(helper.key)

  const grandchild = await make(helper.key, { readOnly: true })
  expect(grandchild).toMatchObject({ parent: helper.id, access: { readOnly: true, phexts: ['notes', 'plans'] }, endsAt: helper.endsAt })
  expect(await codeOf(await ask('POST', '/api/keys', helper.key, JSON.stringify({ phexts: ['secrets'] })))).toEqual([422, 'phext-outside'])
  expect(await codeOf(await ask('POST', '/api/keys', key, JSON.stringify({ readonly: true })))).toEqual([422, 'invalid-request'])
  expect(await codeOf(await ask('POST', '/api/keys', 'pmb-v1-nonsense', '{}'))).toEqual([401, 'key-malformed'])

  const tree = async (by: string) => ((await (await ask('GET', '/api/keys', by)).json()) as { keys: { id: string; key: string; lastUsedAt: string | null }[] }).keys
  expect((await tree(key)).map(({ id }) => id)).toEqual(['k1', helper.id, grandchild.id, 'k2'])
  expect((await tree(helper.key)).map(({ id }) => id)).toEqual([helper.id, grandchild.id])
  expect((await tree(key)).find(({ id }) => id === helper.id)!.key).toBe(`${helper.key.slice(0, 11)}…${helper.key.slice(-4)}`)
  await waitFor(async () => (await tree(key)).find(({ id }) => id === helper.id)!.lastUsedAt !== null, 'its last use')
  expect((await installation.cli('key', 'list', 'user001')).stdout).toMatch(new RegExp(`\n {4}${grandchild.id} .*read-only, phexts notes plans`))

  expect(await codeOf(await ask('DELETE', '/api/keys/k1', helper.key))).toEqual([403, 'key-not-yours'])
  expect(await codeOf(await ask('DELETE', `/api/keys/${helper.id}`, helper.key))).toEqual([403, 'key-not-yours'])
  expect(await codeOf(await ask('DELETE', '/api/keys/k99', key))).toEqual([404, 'key-unknown'])
  expect(await (await ask('DELETE', `/api/keys/${helper.id}`, key)).json()).toEqual({ revoked: [helper.id, grandchild.id] })
  await waitFor(async () => (await statusOf(url, helper.key)) === 401 && (await statusOf(url, grandchild.key)) === 401, 'the end of both', secondMs())
  expect(await everywhere(grandchild.key)).toEqual([401])
})

it('many at once are few commits, and the twenty-first living one is refused in words', async () => {
  const git = (...args: string[]) => execFileSync('git', ['-C', path.join(installation.home, 'tenants.git'), ...args], { encoding: 'utf8' }).trim()
  const before = Number(git('rev-list', '--count', 'HEAD'))
  const made = await Promise.all(Array.from({ length: 20 }, () => make(key, { requests: 5 })))
  expect(new Set(made.map(({ key: text }) => text)).size).toBe(20)
  expect(Number(git('rev-list', '--count', 'HEAD')) - before).toBeLessThan(10)
  const one = await ask('POST', '/api/keys', key, '{}')
  expect([one.status, await one.json()]).toMatchObject([409, { code: 'too-many-child-keys', detail: expect.stringContaining('DELETE /api/keys/ID') as string }])
  expect((await installation.cli('validate')).code).toBe(0)
})

it('who asks is said by the gateway alone, however the address is written', async () => {
  for (const target of ['/api/keys', '/%61pi/keys', '/api//keys', '/api/keys/', '/x/../api/keys']) {
    const answer = await fetch(`${url}${target}`, { headers: { 'X-Tenantry-Tenant': 'user001', 'X-Tenantry-Key': 'k1' } })
    expect([target, [401, 404].includes(answer.status)]).toEqual([target, true])
    await answer.text()
  }
})

it('a suspended account makes no keys, and may still look at them and revoke', async () => {
  const key2 = installation.keysOf('user002')[0]!
  const helper = await make(key2, { readOnly: true })
  await installation.cli('suspend', 'user002')
  await waitFor(async () => (await statusOf(url, key2)) === 402, 'the suspension', secondMs())
  expect(await codeOf(await ask('POST', '/api/keys', key2, '{}'))).toEqual([402, 'account-suspended'])
  expect((await ask('GET', '/api/keys', key2)).status).toBe(200)
  expect((await ask('DELETE', `/api/keys/${helper.id}`, key2)).status).toBe(200)
})
