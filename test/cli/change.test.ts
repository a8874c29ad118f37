/** Commands that change a tenant: one commit each, which says who and why, and leaves the rest of the file as it was. */
import { beforeEach, describe, expect, test } from 'vitest'
import { fileOf, tenantText } from '../support/tenant-files.ts'
import { terminal, type Terminal } from './support.ts'

let term: Terminal
beforeEach(async () => {
  term = await terminal()
})
const file = (): string => term.show(fileOf(1).path)
const commits = (): number => Number(term.git('rev-list', '--count', 'main'))
const message = (): string => term.git('log', '-1', '--format=%an <%ae>%n%B')

describe('a change', () => {
  test('is one commit that says who and why, and keeps comments and order', async () => {
    const { code, out } = await term.run('set', 'user001', 'limits.storageMb=5000', '--reason', 'asked for more')
    expect(code).toBe(0)
    expect(out).toMatch(/^user001 is changed \(commit [0-9a-f]{12}\)\.\n$/)
    expect(commits()).toBe(2)
    expect(message()).toBe('Ada <ada@example.com>\ntenant: set limits.storageMb of user001\n\nasked for more\n\nBy: Ada')
    expect(file()).toContain('email: user001@example.com # asked for by telephone')
    expect(file()).toContain('storageMb: 5000')
    await term.run('set', 'user001', 'limits.storageMb=')
    expect(file()).not.toContain('storageMb')
    expect(term.git('diff', '--stat', 'main~2', 'main', '--', 'platform.yaml', 'products', 'plans', fileOf(2).path)).toBe('')
  })

  test('that makes no difference is no commit', async () => {
    const { code, out } = await term.run('resume', 'user001')
    expect({ code, out }).toEqual({ code: 0, out: 'user001 was so already; nothing was committed.\n' })
    expect(commits()).toBe(1)
  })

  test('suspends, resumes and ends', async () => {
    await term.run('suspend', 'user001', '--reason', 'unpaid')
    expect(file()).toMatch(/^ {2}state: suspended$[^]*^ {2}stateReason: unpaid$/m)
    await term.run('resume', 'user001')
    expect(file()).toBe(tenantText(1).trim())
    await term.run('end', 'user001')
    expect(file()).toMatch(/^ {2}state: ended$[^]*^ {2}endedAt: 2026-03-01T12:00:00Z$/m)
    expect(await term.run('validate')).toMatchObject({ code: 0 })
  })

  test.each([
    ['a value of the wrong kind', 'limits.storageMb=much', /spec\.limits\.storageMb/],
    ['a value above what the platform allows', 'limits.storageMb=10001', /tenants\/sq\/000\/user001\.yaml:\d+:\d+ spec\.limits\.storageMb/],
    ['a plan that there is none of', 'plan=nonsense', /spec\.plan/],
    ['a field that is not for people to set', 'keys=x', /cannot be set/],
    ['no value', 'plan', /cannot be set/],
  ])('that would make the file invalid is refused with 2 and commits nothing: %s', async (_name, assignment, text) => {
    const { code, out, error } = await term.run('set', 'user001', assignment)
    expect({ code, out }).toEqual({ code: 2, out: '' })
    expect(error).toMatch(text)
    expect(commits()).toBe(1)
  })

  test('of a file that waits for something else is made all the same', async () => {
    term.commit({ [fileOf(1).path]: tenantText(1).replace('plan: standard', 'plan: gone') })
    expect(await term.run('suspend', 'user001')).toMatchObject({ code: 0 })
    expect(file()).toContain('state: suspended')
  })

  test('of a file that cannot be read is left to an editor', async () => {
    term.commit({ [fileOf(1).path]: 'kind: [' })
    const { code, error } = await term.run('suspend', 'user001')
    expect(code).toBe(2)
    expect(error).toContain('tenantry validate')
  })

  test('survives somebody else who commits at the same time', async () => {
    const codes = await Promise.all([term.run('set', 'user001', 'limits.storageMb=1'), term.run('set', 'user002', 'limits.storageMb=2'), term.run('suspend', 'user001')])
    expect(codes.map(({ code }) => code)).toEqual([0, 0, 0])
    expect(file()).toMatch(/storageMb: 1/)
    expect(file()).toMatch(/state: suspended/)
    expect(term.show(fileOf(2).path)).toMatch(/storageMb: 2/)
  })
})

describe('keys', () => {
  const keyOf = async (id?: string): Promise<string> => (await term.run('key', 'show', 'user001', ...(id === undefined ? [] : [id]))).out.trim()
  const states = async (): Promise<string[]> => (await term.json<{ keys: { id: string; state: string }[] }>('key', 'list', 'user001')).keys.map(({ id, state }) => `${id} ${state}`)

  test('are listed masked, and shown whole only where one is asked for', async () => {
    const key = await keyOf()
    expect(key).toMatch(/^pmb-v1-[0-9a-f]{40}$/)
    const { out } = await term.run('key', 'list', 'user001')
    expect(out).toMatch(/^ID +KEY +STATE +MAY +CREATED/)
    expect(out).not.toContain(key)
    expect(term.git('log', '-p', '--all')).not.toContain(key)
  })

  test('that are rotated go on for the overlap, and a new one is added', async () => {
    const old = await keyOf()
    const { out, code } = await term.run('key', 'rotate', 'user001', '--reason', 'lost laptop')
    expect(code).toBe(0)
    expect(out.trim()).toBe(await keyOf())
    expect(out.trim()).not.toBe(old)
    expect(await keyOf('k1')).toBe(old)
    expect(await states()).toEqual(['k1 expiring', 'k2 live'])
    expect(file()).toContain('2026-03-02T12:00:00Z')
    expect(message()).toMatch(/rotate a key of user001\n\nlost laptop/)
    term.at = new Date('2026-03-02T12:00:00Z')
    expect(await states()).toEqual(['k1 expired', 'k2 live'])
    await term.run('key', 'rotate', 'user001')
    expect(file().match(/2026-03-02T12:00:00Z/g)).toHaveLength(2)
    expect(await states()).toEqual(['k1 expired', 'k2 expiring', 'k3 live'])
  })

  test('that are revoked stay so, and their id is not used again', async () => {
    await term.run('key', 'rotate', 'user001')
    await term.run('key', 'revoke', 'user001', 'k2')
    expect(await states()).toEqual(['k1 expiring', 'k2 revoked'])
    const before = commits()
    await term.run('key', 'revoke', 'user001', 'k2')
    expect(commits()).toBe(before)
    await term.run('key', 'rotate', 'user001', 'k1')
    expect(await states()).toEqual(['k1 expiring', 'k2 revoked', 'k3 live'])
  })

  test('where none is live are told apart from none at all', async () => {
    await term.run('key', 'revoke', 'user001', 'k1')
    const { code, error } = await term.run('key', 'show', 'user001')
    expect(code).toBe(2)
    expect(error).toContain('tenantry key rotate user001')
    expect((await term.run('key', 'show', 'user001', 'k9')).error).toContain('user001 has no key k9; it has k1.')
  })
})
