import { readdirSync, statSync } from 'node:fs'
import path from 'node:path'
import { expect, it } from 'vitest'
import { makeInstallation } from '../support/installation.ts'
import { tempFolder } from '../support/temp.ts'

it('a first run makes a HOME that no other user of the machine can look into, and secrets that are readable for their owner alone', async () => {
  const tenantry = makeInstallation(path.join(tempFolder(), 'home'), { SQ_BIN: 'bundled' })
  const umask = process.umask(0o022)
  try {
    await tenantry.start()
  } finally {
    process.umask(umask)
  }
  const mode = (name: string): string => (statSync(path.join(tenantry.home, name)).mode & 0o777).toString(8)
  expect(mode('.')).toBe('700')
  const open = readdirSync(tenantry.home).filter((name) => name !== 'tenants.git' && (statSync(path.join(tenantry.home, name)).mode & 0o077) !== 0)
  expect(open).toEqual([])
  expect(['gateway/control.sock', 'web.sock', 'run.json', 'master.key', 'admin-token', 'store.db', 'sq/sq-000/tenants.json'].map((name) => `${name} ${mode(name)}`).filter((line) => !line.endsWith(' 600'))).toEqual([])
})
