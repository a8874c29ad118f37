/** An agent signs itself up at the public port of the whole system, works at once, and a person takes the trial over by mail. */
import { readFileSync, readdirSync } from 'node:fs'
import path from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { makeInstallation } from '../support/installation.ts'
import { gitIn } from '../support/repository.ts'
import { tempFolder } from '../support/temp.ts'
import { waitFor } from '../support/wait.ts'

const home = path.join(tempFolder(), 'home')
const installation = makeInstallation(home, { GATEWAY_WORKERS: '2' }, afterAll)
let url: string

beforeAll(async () => {
  await installation.start()
  url = installation.run.localUrl
})

interface Trial {
  readonly tenant: string
  readonly key: string
  readonly endpoint: string
  readonly claimUrl: string
  readonly served: boolean
}

/** The link in the mail to an address. */
const mailedLink = (to: string): Promise<string> =>
  waitFor(() => {
    const folder = path.join(home, 'mail')
    const mails = readdirSync(folder).filter((name) => name.endsWith('.eml')).map((name) => readFileSync(path.join(folder, name), 'utf8'))
    return /http:\S+\/auth\/link\?token=3?D?[\w-]+/.exec((mails.find((mail) => mail.includes(to)) ?? '').replace(/=\n/g, '').replace(/=3D/g, '='))?.[0]
  }, 'the mail with the link')

it('works with the first answer, and is a person\'s after one mail and one button', async () => {
  const asked = await fetch(`${url}/api/agents/signup`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"name":"helper"}' })
  const trial = (await asked.json()) as Trial
  expect([asked.status, trial.served]).toEqual([201, true])
  const withKey = { headers: { authorization: `Bearer ${trial.key}` } }
  expect((await fetch(`${trial.endpoint}update?p=notes&c=1.1.1/1.1.1/2.1.1`, { method: 'POST', body: 'remember this', ...withKey })).status).toBe(200)
  expect(await (await fetch(`${trial.endpoint}select?p=notes&c=1.1.1/1.1.1/2.1.1`, withKey)).text()).toBe('remember this')
  expect((await fetch(`${url}/api/usage`, withKey)).status).toBe(200)

  const form = (target: string, fields: Record<string, string>, cookie = '') => fetch(`${url}${target}`, { method: 'POST', redirect: 'manual', headers: { 'content-type': 'application/x-www-form-urlencoded', origin: url, ...(cookie !== '' && { cookie }) }, body: new URLSearchParams(fields) })
  const claim = new URL(trial.claimUrl)
  expect((await form('/auth/sign-in', { email: 'mary@example.com', next: claim.pathname + claim.search })).status).toBe(303)
  const token = new URL(await mailedLink('mary@example.com')).searchParams.get('token')!
  const signedIn = await form('/auth/link', { token })
  expect(signedIn.headers.get('location')).toBe(claim.pathname + claim.search)
  const cookie = signedIn.headers.get('set-cookie')!.split(';')[0]!
  const page = await (await fetch(trial.claimUrl, { headers: { cookie } })).text()
  const csrf = /name="csrf" value="([^"]+)"/.exec(page)![1]!
  expect((await form('/claim', { token: claim.searchParams.get('token')!, csrf }, cookie)).status).toBe(303)

  const file = gitIn(path.join(home, 'tenants.git'), 'grep', '-l', `name: ${trial.tenant}$`, 'main', '--', 'tenants/').replace('main:', '')
  expect(gitIn(path.join(home, 'tenants.git'), 'show', `main:${file}`)).toMatch(/email: mary@example\.com[\s\S]*claimedAt: /)
  expect(await (await fetch(`${trial.endpoint}select?p=notes&c=1.1.1/1.1.1/2.1.1`, withKey)).text()).toBe('remember this')
  expect(installation.log()).not.toContain('mary@example.com')
  expect(installation.log()).not.toContain(trial.key)
})
