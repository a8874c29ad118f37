/** Customers of an existing SQ come to a shared SQ that runs in a container, which sees its own folder alone: their data is moved in, not copied. */
import { existsSync, mkdirSync, statSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { buildImage } from '../../deploy/images/build.ts'
import { has } from '../support/parts.ts'
import { tempFolder } from '../support/temp.ts'
import { waitFor } from '../support/wait.ts'
import { makeDockerInstallation, type DockerInstallation } from './docker-installation.ts'
import { fetchBack, store } from './requests.ts'

describe.skipIf(!has('docker') || !has('sq'))('import into a container', () => {
  const KEY = 'a-key-from-before-tenantry'
  const root = tempFolder('old-sq')
  const old = path.join(root, 'ada')
  const file = path.join(root, 'sq.json')
  let installation: DockerInstallation

  beforeAll(async () => {
    await buildImage('sq', () => undefined)
    installation = await makeDockerInstallation({})
    installation.clone.edit('products/sq.yaml', (text) => text.replace('engine: process', 'engine: docker'))
    installation.clone.push('SQ in a container')
    mkdirSync(old)
    // The scroll 1.1.1/1.1.1/2.1.1, as SQ writes it: one chapter break and the text.
    writeFileSync(path.join(old, 'notes.phext'), '\u0019what ada remembers')
    writeFileSync(file, JSON.stringify({ tenants: { [KEY]: { name: 'ada', data_dir: old } } }))
  })
  afterAll(() => installation.cleanUp(), 60_000)

  it('moves the data in, and the old key reads it', async () => {
    const { ino } = statSync(path.join(old, 'notes.phext'))
    expect(await installation.json('import', file, '--plan', 'sq-standard')).toMatchObject({ tenants: [{ tenant: 'user001', data: 'moved' }] })
    await installation.start()
    const { localUrl } = installation.run
    await waitFor(async () => (await fetchBack(localUrl, KEY)).status === 200, 'served', 60_000)
    expect((await fetchBack(localUrl, KEY)).text).toBe('what ada remembers')
    const moved = path.join(installation.home, 'sq/sq-000/data/user001/notes.phext')
    expect([existsSync(old), statSync(moved).ino]).toEqual([false, ino])
    expect((await store(localUrl, KEY, 'and more')).status).toBe(200)
    expect((await fetchBack(localUrl, KEY)).text).toBe('and more')
    expect(await installation.json('import', file, '--plan', 'sq-standard')).toMatchObject({ tenants: [], clashes: [], already: [{ tenant: 'user001' }] })
  })
})
