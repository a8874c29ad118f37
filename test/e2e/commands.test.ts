/**
 * The commands that look and never change what runs (real SQ where there is one, otherwise the bundled one): the preview of a
 * revision, checking, a new repository, and answers for scripts.
 */
import path from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { makeInstallation } from '../support/installation.ts'
import { cloneRepository, type Clone } from '../support/repository.ts'
import { tempFolder } from '../support/temp.ts'

const installation = makeInstallation(path.join(tempFolder(), 'home'), {}, afterAll)
let clone: Clone
const file = (tenant: string): string => `tenants/sq/000/${tenant}.yaml`

beforeAll(async () => {
  await installation.start()
  clone = cloneRepository(path.join(installation.home, 'tenants.git'))
})

it('plan shows what a branch would do and never does it; its exit codes tell scripts', async () => {
  clone.git('checkout', '--quiet', '-b', 'proposal')
  clone.edit(file('user004'), (text) => text.replace('state: active', 'state: active\n  limits:\n    storageMb: 9000'))
  clone.git('commit', '--quiet', '--all', '--message', 'more room')
  clone.git('push', '--quiet', 'origin', 'proposal')
  clone.git('checkout', '--quiet', 'main')
  const text = await installation.cli('plan', '--base', 'main', '--head', 'proposal', '--check')
  expect(text.code).toBe(3)
  expect(text.stdout).toContain('~ change user004 (sq)')
  expect(text.stdout).toContain('limits.storageMb: 5000 -> 9000')
  const json = await installation.json<{ changes: { tenant: string }[]; approvalNeeded: boolean }>('plan', '--base', 'main', '--head', 'proposal')
  expect(json).toMatchObject({ changes: [{ tenant: 'user004', action: 'change' }], approvalNeeded: false, problems: [] })
  const [nothing, unknown] = await Promise.all([installation.cli('plan', '--base', 'main', '--head', 'main', '--check'), installation.cli('plan', '--head', 'no-such-branch')])
  expect([nothing.code, unknown.code]).toEqual([0, 2])
  expect(Object.values(installation.tenantsJson().tenants).find(({ name }) => name === 'user004')?.quota_mb).toBe(5000)
})

it('validate finds every error at once, in a folder and in a revision', async () => {
  expect((await installation.cli('validate')).code).toBe(0)
  const folder = cloneRepository(path.join(installation.home, 'tenants.git'))
  folder.edit(file('user001'), (text) => text.replace('storageMb', 'storageMB'))
  folder.edit(file('user003'), (text) => text.replace('plan: sq-standard', 'plan: sq-standart'))
  const { code, stdout } = await installation.cli('validate', folder.folder)
  expect(code).toBe(2)
  expect(stdout).toMatch(/tenants\/sq\/000\/user001\.yaml:\d+:\d+ .*storageMB.*Did you mean `?storageMb/i)
  expect(stdout).toMatch(/tenants\/sq\/000\/user003\.yaml:\d+:\d+ .*sq-standart.*Did you mean `?sq-standard/i)
  expect(stdout).toContain('2 problems')
  const json = await installation.json<{ problems: unknown[] }>('validate', folder.folder)
  expect(json.problems).toHaveLength(2)
  expect((await installation.cli('validate', '/nonexistent')).stderr).toContain('/nonexistent does not exist')
})

it('init makes a repository that can be cloned, validated and served', async () => {
  const folder = path.join(tempFolder(), 'new.git')
  const made = await installation.json<{ folder: string; revision: string }>('init', folder, '--empty')
  expect(made.folder).toBe(folder)
  const fresh = cloneRepository(folder)
  expect(fresh.git('ls-files', 'tenants')).toBe('')
  expect(fresh.read('products/sq.yaml')).toContain('kind: Product')
  expect((await installation.cli('validate', folder)).code).toBe(0)
  expect(await installation.json('init', folder)).toMatchObject({ revision: made.revision })
  expect((await installation.cli('init', installation.home)).stderr).toContain('Name an empty or a new folder')
})

it('every command answers JSON on standard output when it is asked to', async () => {
  const answers = await Promise.all([['status'], ['status', 'user001'], ['version'], ['doctor'], ['key', 'list', 'user001']].map((command) => installation.json(...command)))
  for (const answer of answers) expect(answer).toBeTypeOf('object')
  const { code, stdout, stderr } = await installation.cli('--json', 'status', 'user999')
  expect([code, stdout]).toEqual([2, ''])
  expect(stderr).toContain('user999')
})
