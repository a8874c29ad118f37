/** What `validate` and `plan` say, word for word, of small repositories. */
import { readdirSync, writeFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { gitIn } from '../support/repository.ts'
import { fileOf, SHARED_FILES, tenantText } from '../support/tenant-files.ts'
import { terminal } from './support.ts'

describe('validate', () => {
  test('says of a good repository how much it looked at', async () => {
    expect(await (await terminal()).run('validate')).toEqual({ code: 0, out: '5 files, nothing wrong.\n', error: '' })
  })

  test('says everything that is wrong at once, each with its place and what to do', async () => {
    const { run, commit, git } = await terminal()
    const first = git('rev-parse', 'main')
    commit({ [fileOf(1).path]: tenantText(1).replace('state: active', 'state: asleep').replace('plan: standard', 'plan: 7'), [fileOf(2).path]: tenantText(2).replace('plan: standard', 'plan: standart') })
    const { code, out } = await run('validate')
    expect(code).toBe(2)
    expect(out.split('\n').map((line) => line.split(' ').slice(0, 2).join(' '))).toEqual([
      'tenants/sq/000/user001.yaml:7:9 spec.plan:',
      'tenants/sq/000/user001.yaml:10:10 spec.state:',
      'tenants/sq/000/user002.yaml:7:9 spec.plan:',
      '3 problems',
      '',
    ])
    expect(out).toContain('standard')
    expect(await run('validate', '--rev', first)).toMatchObject({ code: 0 })
    expect(await run('validate', '--rev', 'nowhere')).toMatchObject({ code: 2 })
  })

  test('looks at a clone as its files lie there, and at its commits where a revision is named', async () => {
    const { run, repository, folder } = await terminal()
    gitIn('/', 'clone', '--quiet', repository, `${folder}/clone`)
    writeFileSync(`${folder}/clone/${fileOf(1).path}`, 'kind: [')
    expect(await run('validate', 'clone')).toMatchObject({ code: 2 })
    expect(await run('validate', 'clone', '--rev', 'HEAD')).toMatchObject({ code: 0 })
  })

  test('a folder with nothing of the kind is wrong usage', async () => {
    const { error, code } = await (await terminal([])).run('validate', '.')
    expect(code).toBe(2)
    expect(error).toContain('tenantry init DIR')
  })
})

describe('plan', () => {
  const raised = tenantText(1).replace('  state: active', '  limits: { storageMb: 5000 }\n  state: active')
  const suspended = tenantText(2).replace('state: active', 'state: suspended')

  test('says of a revision, in text, what it would do', async () => {
    const { run, commit, git } = await terminal()
    const base = git('rev-parse', 'main')
    const head = commit({ [fileOf(1).path]: raised, [fileOf(2).path]: suspended, [fileOf(3).path]: tenantText(3) })
    const { code, out } = await run('plan', '--base', base)
    expect(code).toBe(0)
    expect(out).toBe(`${base.slice(0, 12)} -> ${head.slice(0, 12)}: 3 tenants changed
  ! suspend user002 (sq)
      state: active -> suspended
  ~ change user001 (sq)
      limits.storageMb: 1000 -> 5000
  + create user003 (sq)

Risks:
  user002 stops being served (suspend)

                      before     after
tenants               2          3
storage sold, MB      2000       7000
container memory, MB  0          0
container cores       0          0
income a month        30.00 USD  45.00 USD
`)
  })

  test('says it in markdown for a pull request, and text of a file breaks no table', async () => {
    const { run, commit, git } = await terminal()
    const base = git('rev-parse', 'main')
    const head = commit({ [fileOf(1).path]: raised, [fileOf(2).path]: suspended.replace('state: suspended', 'state: suspended\n  stateReason: "a|b <b>"') })
    const { out } = await run('plan', '--base', base, '--format', 'markdown')
    expect(out).toBe(`## What ${base.slice(0, 12)} → ${head.slice(0, 12)} would do

| action | tenant | product | fields |
| --- | --- | --- | --- |
| suspend | \`user002\` | sq | state: active → suspended<br>stateReason: (none) → a\\|b &lt;b> |
| change | \`user001\` | sq | limits.storageMb: 1000 → 5000 |

### Risks
- user002 stops being served (suspend)

|  | before | after |
| --- | --- | --- |
| tenants | 2 | 2 |
| storage sold, MB | 2000 | 6000 |
| container memory, MB | 0 | 0 |
| container cores | 0 | 0 |
| income a month | 30.00 USD | 30.00 USD |
`)
  })

  test('with --check ends with 0 for nothing, 3 for changes, 4 for an approval, 2 for invalid files', async () => {
    const { run, commit, git } = await terminal([...SHARED_FILES, ...[1, 2, 3].map(fileOf)])
    const base = git('rev-parse', 'main')
    expect((await run('plan', '--base', base, '--check')).code).toBe(0)
    commit({ [fileOf(1).path]: raised })
    expect((await run('plan', '--base', base, '--check')).code).toBe(3)
    commit({ [fileOf(1).path]: null, [fileOf(2).path]: null, [fileOf(3).path]: null })
    const { code, out } = await run('plan', '--base', base, '--check')
    expect(code).toBe(4)
    expect(out).toContain('3 tenants would be taken out of service; 2 a revision are let through without approval')
    commit({ [fileOf(4).path]: tenantText(4).replace('active', 'asleep') })
    expect((await run('plan', '--base', base, '--check')).code).toBe(2)
  })

  test('changes nothing: neither the repository nor HOME', async () => {
    const { run, commit, git, home } = await terminal()
    commit({ [fileOf(1).path]: raised })
    const before = [git('rev-parse', 'main'), readdirSync(home)]
    expect(await run('plan', '--format', 'json')).toMatchObject({ code: 0, error: '' })
    expect([git('rev-parse', 'main'), readdirSync(home)]).toEqual(before)
  })
})
