/** The whole way of a purchase, on real parts: a signed webhook becomes a commit, the commit a served tenant, and the key works. */
import path from 'node:path'
import { expect, it } from 'vitest'
import { makeInstallation } from '../support/installation.ts'
import { tempFolder } from '../support/temp.ts'

interface Bought {
  readonly tenant: string
  readonly key: string
  readonly endpoint: string
  readonly ready: boolean
}

it('a purchase answers with a key that stores and fetches', async () => {
  const installation = makeInstallation(path.join(tempFolder(), 'home'))
  await installation.start()
  const bought = await installation.json<Bought>('buy', '--plan', 'sq-founder', '--email', 'ada@example.com', '--username', 'lovelace')
  expect(bought).toMatchObject({ tenant: 'user006', ready: true })
  const at = 'p=notes&c=1.1.1/1.1.1/2.1.1'
  const headers = { authorization: `Bearer ${bought.key}` }
  const stored = await fetch(`${bought.endpoint}/update?${at}`, { method: 'POST', headers, body: 'remember me' })
  expect([stored.status, await stored.text()]).toEqual([200, 'Updated 11 bytes'])
  const fetched = await fetch(`${bought.endpoint}/select?${at}`, { headers })
  expect([fetched.status, await fetched.text()]).toEqual([200, 'remember me'])
})
