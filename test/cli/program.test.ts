import { describe, expect, test } from 'vitest'
import { gitIn } from '../support/repository.ts'
import { terminal } from './support.ts'

describe('the command line', () => {
  test.each([
    [['--help'], 0, /Usage: tenantry/],
    [['--version'], 0, /^1\.2\.3\n$/],
    [['version'], 0, /^1\.2\.3\n$/],
    [['key', '--help'], 0, /rotate/],
  ])('%j answers on standard output', async (args, code, text) => {
    const ran = await (await terminal([])).run(...args)
    expect(ran).toMatchObject({ code, error: '' })
    expect(ran.out).toMatch(text)
  })

  test.each([
    [['frobnicate'], /unknown command 'frobnicate'/],
    [['plan', '--format', 'xml'], /Allowed choices are text, json, markdown/],
    [['suspend'], /missing required argument/],
    [['buy', '--plan', 'x'], /required option/],
    [['validate', '/nonexistent'], /\/nonexistent does not exist/],
    [['key', 'list', 'user999'], /There is no tenant user999/],
    [['status', 'user999'], /Nothing is known of a tenant user999/],
    [['approve', 'abcdef'], /No removals wait for revision abcdef/],
    [['buy', '--plan', 'x', '--email', 'e', '--username', 'u'], /controller is not running/],
  ])('%j is wrong usage: exit 2, the reason on standard error, nothing on standard output', async (args, text) => {
    const ran = await (await terminal()).run(...args)
    expect(ran).toMatchObject({ code: 2, out: '' })
    expect(ran.error).toMatch(text)
  })

  test('settings that cannot be used end with 2 and all their problems', async () => {
    const { run } = await terminal([], { PORT: 'x', LOG_LEVEL: 'y' })
    const { code, error } = await run('status')
    expect(code).toBe(2)
    expect(error).toMatch(/PORT: expected[^]*LOG_LEVEL: expected/)
  })

  test('what fails ends with 1', async () => {
    const { run } = await terminal([], { TENANTRY_REPOSITORY: '/nonexistent/tenants.git' })
    expect(await run('suspend', 'user001')).toMatchObject({ code: 1, out: '' })
  })

  test('--json gives every answer as JSON on standard output', async () => {
    const { json } = await terminal()
    expect(await json('version')).toEqual({ version: '1.2.3' })
    expect(await json('validate')).toEqual({ files: 5, problems: [] })
    expect(await json('status')).toMatchObject({ running: false, tenants: { total: 0 } })
    expect(await json('key', 'list', 'user001')).toMatchObject({ tenant: 'user001', keys: [{ id: 'k1', state: 'live' }] })
  })
})

describe('init', () => {
  test('makes a repository from the sample that is valid, and says what to do with it', async () => {
    const { run, json } = await terminal([])
    const { code, out } = await run('init', 'made.git')
    expect(code).toBe(0)
    expect(out).toMatch(/Clone it, edit, push/)
    expect(await json<{ problems: unknown[] }>('validate', 'made.git')).toMatchObject({ problems: [] })
  })

  test('leaves out the tenants, or sets it up for production, where it is asked to', async () => {
    const { run, json, folder } = await terminal([])
    await run('init', '--empty', '--production', 'made.git')
    const { files } = await json<{ files: number }>('validate', 'made.git')
    const names = gitIn(`${folder}/made.git`, 'ls-tree', '-r', '--name-only', 'main').split('\n')
    expect(names.filter((name) => name.startsWith('tenants/'))).toEqual([])
    expect(files).toBe(names.filter((name) => /^(platform|products\/|plans\/).*yaml$/.test(name)).length)
    expect(gitIn(`${folder}/made.git`, 'show', 'main:products/sq.yaml')).toMatch(/^ {4}engine: docker$/m)
  })

  test('touches nothing that is there already', async () => {
    const { run, git, repository } = await terminal()
    const before = git('rev-parse', 'main')
    expect(await run('init', repository)).toMatchObject({ code: 0, out: expect.stringContaining(before.slice(0, 12)) as string })
    expect(git('rev-parse', 'main')).toBe(before)
    expect(await run('init', '.')).toMatchObject({ code: 1, out: '' })
  })
})
