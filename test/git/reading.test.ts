import { execFileSync } from 'node:child_process'
import { chmodSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import { createObjectReader } from '../../controller/git/cat-file.ts'
import { createGitCommand, gitEnvironment } from '../../controller/git/git-command.ts'
import type { BlobId, CommitId } from '../../controller/core/specs.ts'
import { waitFor } from '../support/wait.ts'
import { bareRepository, cloneOf, collect, commitFiles, contents, git, NO_BLOB, open, SOME_FILES } from './support.ts'

function blobFromOutside(folder: string, text: string | Buffer): BlobId {
  return execFileSync('git', ['-C', folder, 'hash-object', '-w', '--stdin'], { input: text, encoding: 'utf8' }).trim() as BlobId
}

describe('a tree', () => {
  test('names every file with its mode, symlinks and submodules too, whatever its path', async () => {
    const { folder, first } = await bareRepository()
    const clone = cloneOf(folder)
    const odd = ['sp ace', 'tab\there', 'quo"te', 'back\\slash', 'ünïcödé', '日本.yaml', 'new\nline', '-dash', "it's"]
    for (const name of odd) writeFileSync(path.join(clone, name), name)
    symlinkSync('/etc/passwd', path.join(clone, 'link'))
    writeFileSync(path.join(clone, 'run.sh'), '')
    chmodSync(path.join(clone, 'run.sh'), 0o755)
    git(clone, 'add', '.')
    git(clone, 'update-index', '--add', '--cacheinfo', `160000,${first},module`)
    git(clone, 'commit', '-q', '-m', 'odd')
    git(clone, 'push', '-q')

    const repository = await open(folder)
    const tip = (await repository.tip())!
    const entries = await collect(repository.list(tip))
    expect(entries.map((entry) => entry.path).sort()).toEqual([...odd, 'link', 'run.sh', 'module', ...SOME_FILES.map((file) => file.path)].sort())
    const mode = Object.fromEntries(entries.map((entry) => [entry.path, entry.mode]))
    expect(mode).toMatchObject({ link: '120000', module: '160000', 'run.sh': '100755', 'ünïcödé': '100644' })
    expect(entries.find((entry) => entry.path === 'module')!.blob).toBe(first)

    const changes = await repository.changes(first, tip)
    expect(changes.map((change) => change.kind)).toEqual(Array(odd.length + 3).fill('put'))
    const byPath = (list: typeof entries) => list.toSorted((a, b) => (a.path < b.path ? -1 : 1))
    const put = changes.flatMap((change) => (change.kind === 'put' ? [change.entry] : []))
    expect(byPath(put)).toEqual(byPath(entries.filter((entry) => !SOME_FILES.some((file) => file.path === entry.path))))
    expect(await repository.changes(tip, first)).toEqual(changes.map((change) => ({ kind: 'removed', path: change.kind === 'put' ? change.entry.path : '' })))
    const texts = await contents(repository, tip)
    for (const name of odd) expect(texts[name]).toBe(name)
  })

  test('a rename is a removal and an addition with the same blob; a changed type is a change', async () => {
    const { folder, first } = await bareRepository()
    const clone = cloneOf(folder)
    git(clone, 'mv', 'platform.yaml', 'p.yaml')
    rmSync(path.join(clone, 'tenants/sq/000/user001.yaml'))
    symlinkSync('x', path.join(clone, 'tenants/sq/000/user001.yaml'))
    git(clone, 'add', '.')
    git(clone, 'commit', '-q', '-m', 'rename')
    git(clone, 'push', '-q')
    const repository = await open(folder)
    const changes = await repository.changes(first, (await repository.tip())!)
    expect(changes.map((change) => (change.kind === 'put' ? `${change.entry.mode} ${change.entry.path}` : `removed ${change.path}`))).toEqual([
      '100644 p.yaml',
      'removed platform.yaml',
      '120000 tenants/sq/000/user001.yaml',
    ])
  })

  test('changes are right across a force-push to a history that has nothing in common', async () => {
    const { folder, first } = await bareRepository()
    const { folder: other } = await bareRepository([{ path: 'platform.yaml', text: 'other\n' }, { path: 'tenants/sq/000/user009.yaml', text: '9' }])
    const repository = await open(folder)
    git(other, 'push', '-q', '--force', folder, 'main')
    const tip = (await repository.tip())!
    const changes = await repository.changes(first, tip)
    expect(changes.map((change) => (change.kind === 'put' ? change.entry.path : `removed ${change.path}`))).toEqual([
      'platform.yaml',
      'removed tenants/sq/000/user001.yaml',
      'tenants/sq/000/user009.yaml',
    ])
  })

  test('leaving a list early, or naming a commit that is not there, is no harm and an error', async () => {
    const { folder } = await bareRepository(Array.from({ length: 5000 }, (_, index) => ({ path: `f/${index % 50}/${index}`, text: '' })))
    const repository = await open(folder)
    for await (const entry of repository.list((await repository.tip())!)) {
      expect(entry.mode).toBe('100644')
      break
    }
    await expect(collect(repository.list('2'.repeat(40) as CommitId))).rejects.toThrow(/ls-tree/)
    await expect(repository.changes('2'.repeat(40) as CommitId, (await repository.tip())!)).rejects.toThrow(/diff-tree/)
    await expect(collect(repository.list('--help' as CommitId))).rejects.toThrow('not the full name')
  })
})

describe('the tip', () => {
  test('is undefined where the branch is gone', async () => {
    const { folder } = await bareRepository()
    const repository = await open(folder)
    git(folder, 'update-ref', '-d', 'refs/heads/main')
    git(folder, 'update-ref', 'refs/heads/main/sub', git(folder, 'commit-tree', '-m', 'x', git(folder, 'mktree')))
    expect(await repository.tip()).toBeUndefined()
  })

  test('throws where the repository is gone or the branch is damaged: neither looks like an empty one', async () => {
    const { folder, first } = await bareRepository()
    const repository = await open(folder)
    const ref = path.join(folder, 'refs/heads/main')
    for (const damage of ['', 'rubbish\n', `${'2'.repeat(40)}\n`]) {
      writeFileSync(ref, damage)
      await expect(repository.tip(), JSON.stringify(damage)).rejects.toThrow()
    }
    writeFileSync(ref, `${first}\n`)
    expect(await repository.tip()).toBe(first)
    renameSync(folder, `${folder}.away`)
    await expect(repository.tip()).rejects.toThrow(/not a git repository/)
    await expect(repository.refresh()).rejects.toThrow()
    await expect(collect(repository.list(first))).rejects.toThrow()
  })

  test('opening says what is wrong: no repository, a work tree, a bad branch name, no git', async () => {
    const { folder } = await bareRepository()
    await expect(open('/nonexistent')).rejects.toThrow(/tenantry init/)
    await expect(open(path.join(cloneOf(folder), '.git'))).rejects.toThrow(/not a bare repository/)
    await expect(open(folder, { branch: 'a..b' })).rejects.toThrow(/TENANTRY_BRANCH/)
    await expect(open(folder, { environment: { PATH: '/nonexistent' } })).rejects.toMatchObject({ cause: expect.objectContaining({ message: expect.stringContaining('Install git') }) as Error })
  })
})

describe('reading blobs', () => {
  test('gives contents in the order asked, twice where asked twice, and nothing over the limit', async () => {
    const { folder } = await bareRepository()
    const repository = await open(folder)
    const [small, empty, big, exact] = ['ü\n\0x\n', '', 'x'.repeat(101), 'y'.repeat(100)].map((text) => blobFromOutside(folder, text)) as [BlobId, BlobId, BlobId, BlobId]
    expect(await collect(repository.read([big, small, empty, small, exact], 100))).toEqual([
      { id: big, size: 101 },
      { id: small, size: 6, text: 'ü\n\0x\n' },
      { id: empty, size: 0, text: '' },
      { id: small, size: 6, text: 'ü\n\0x\n' },
      { id: exact, size: 100, text: 'y'.repeat(100) },
    ])
    expect(await collect(repository.read([], 100))).toEqual([])
  })

  test('a missing object, a tree and a damaged one are errors of that read only', async () => {
    const { folder, first } = await bareRepository()
    const repository = await open(folder)
    const good = blobFromOutside(folder, 'good')
    const damaged = blobFromOutside(folder, 'to be damaged')
    const file = path.join(folder, 'objects', damaged.slice(0, 2), damaged.slice(2))
    chmodSync(file, 0o644)
    writeFileSync(file, readFileSync(file).subarray(0, 20))
    const read = (id: string) => collect(repository.read([good, id as BlobId, good], 100))
    await expect(read(NO_BLOB)).rejects.toThrow(`${NO_BLOB} is missing`)
    await expect(read(first)).rejects.toThrow('is a commit, not a file')
    await expect(read('--help')).rejects.toThrow('not the full name')
    await expect(read(damaged)).rejects.toThrow()
    expect((await read(good)).map((blob) => blob.text)).toEqual(['good', 'good', 'good'])
  })

  test('finds what another process wrote after the reader started, loose and packed', async () => {
    const { folder, first } = await bareRepository()
    const repository = await open(folder)
    await contents(repository, first)
    const loose = blobFromOutside(folder, 'new')
    expect(await collect(repository.read([loose], 100))).toMatchObject([{ text: 'new' }])
    const clone = cloneOf(folder)
    for (let index = 0; index < 150; index += 1) writeFileSync(path.join(clone, `n${index}`), `packed ${index}`)
    git(clone, 'add', '.')
    git(clone, 'commit', '-q', '-m', 'many')
    git(clone, 'push', '-q')
    expect(Object.keys(await contents(repository, (await repository.tip())!))).toHaveLength(152)
  })

  test('many readers at once, slow ones and ones that leave, each get their own', async () => {
    const { folder } = await bareRepository(Array.from({ length: 3000 }, (_, index) => ({ path: `f/${index % 30}/${index}`, text: `text ${index}` })))
    const repository = await open(folder)
    const ids = (await collect(repository.list((await repository.tip())!))).map((entry) => entry.blob)
    const all = (await collect(repository.read(ids, 100))).map((blob) => blob.text)
    const slow = async (count: number) => {
      const texts: (string | undefined)[] = []
      for await (const blob of repository.read(ids, 100)) {
        texts.push(blob.text)
        if (texts.length % 500 === 0) await new Promise((resolve) => setImmediate(resolve))
        if (texts.length === count) break
      }
      return texts
    }
    const counts = [1, 2999, 3000, 1001, 1000]
    const results = await Promise.all(counts.map(slow))
    counts.forEach((count, index) => expect(results[index]).toEqual(all.slice(0, count)))
  })

  test('large blobs and groups larger than what is held at once come whole', async () => {
    const { folder } = await bareRepository()
    const repository = await open(folder)
    const texts = [12, 5, 1, 3, 3].map((mb, index) => String(index).repeat(mb * 1024 * 1024))
    const ids = texts.map((text) => blobFromOutside(folder, text))
    expect((await collect(repository.read(ids, 1e9))).map((blob) => blob.text)).toEqual(texts)
  })

  test('starts git again when it died, and gives up on a read only when that fails too', async () => {
    const { folder } = await bareRepository()
    const command = createGitCommand({ folder, environment: process.env })
    const started: ReturnType<typeof command.launch>[] = []
    const reader = createObjectReader({
      ...command,
      launch: (args) => {
        started.push(command.launch(args))
        return started.at(-1)!
      },
    })
    const good = blobFromOutside(folder, 'good')
    const readOnce = async () => (await collect(reader.read([good], 100)))[0]?.text
    expect(await readOnce()).toBe('good')
    started[0]!.child.kill('SIGKILL')
    expect(await readOnce()).toBe('good')
    await reader.recycle()
    expect(started[1]!.child.exitCode).toBe(0)
    expect(await readOnce()).toBe('good')
    expect(started).toHaveLength(3)
    await reader.close()
    await waitFor(() => started.every(({ child }) => child.exitCode !== null || child.signalCode !== null), 'no process left')
    await expect(readOnce()).rejects.toThrow('is closed')
  })

  test('takes in 20,000 blobs in little time, through one process', { timeout: 60_000 }, async () => {
    const { folder } = await bareRepository(Array.from({ length: 20_000 }, (_, index) => ({ path: `t/${Math.floor(index / 100)}/${index}`, text: `name: user${index}\n`.repeat(15) })))
    const repository = await open(folder)
    const ids = (await collect(repository.list((await repository.tip())!))).map((entry) => entry.blob)
    const start = performance.now()
    expect(await collect(repository.read(ids, 1e6))).toHaveLength(20_000)
    expect(performance.now() - start).toBeLessThan(5000)
  })
})

describe('a revision that a person names', () => {
  test('is found by branch, id and ancestry; what names nothing is undefined, and an unreadable repository an error', async () => {
    const { folder, first } = await bareRepository()
    const repository = await open(folder)
    const second = await commitFiles(repository, first, [{ path: 'a', text: 'a' }])
    expect(await Promise.all(['main', 'HEAD', second.slice(0, 10), 'main~1', 'nope', '2'.repeat(40), '--all', `${first}..${second}`].map((name) => repository.resolve(name)))).toEqual([
      second, second, second, first, undefined, undefined, undefined, undefined,
    ])
    renameSync(folder, `${folder}.away`)
    await expect(repository.resolve('main')).rejects.toThrow(/not a git repository/)
  })
})

describe('history', () => {
  test('names every path that was ever added: removed ones, ones on side branches, ones dropped by a merge', async () => {
    const { folder, first } = await bareRepository()
    const repository = await open(folder)
    const second = await commitFiles(repository, first, [{ path: 'tenants/sq/000/user002.yaml', text: '2' }, { path: 'plans/x.yaml', text: '' }])
    const third = await commitFiles(repository, second, [{ path: 'tenants/sq/000/user002.yaml', text: null }])
    const clone = cloneOf(folder)
    git(clone, 'checkout', '-q', '-b', 'side', first)
    mkdirSync(path.join(clone, 'tenants/sq/000'), { recursive: true })
    writeFileSync(path.join(clone, 'tenants/sq/000/user003.yaml'), '3')
    git(clone, 'add', '.')
    git(clone, 'commit', '-q', '-m', 'side')
    git(clone, 'checkout', '-q', 'main')
    git(clone, 'merge', '-q', '-s', 'ours', '-m', 'dropped', 'side')
    writeFileSync(path.join(clone, 'tenants/sq/000/user 004".yaml'), '4')
    git(clone, 'add', '.')
    git(clone, 'commit', '-q', '--amend', '-m', 'added by the merge itself')
    git(clone, 'push', '-q')
    const ids = async (range?: { from: CommitId; to: CommitId }) => (await collect(repository.pathsEverAdded('tenants', range))).map((file) => file.slice('tenants/sq/000/'.length)).sort()
    expect(await ids()).toEqual(['user 004".yaml', 'user001.yaml', 'user002.yaml', 'user003.yaml'])
    expect(await ids({ from: third, to: (await repository.tip())! })).toEqual(['user 004".yaml', 'user003.yaml'])
    expect(await ids({ from: first, to: third })).toEqual(['user002.yaml'])
  })

  test('tells what each commit made of a file, with every trailer, and nothing of merges that changed nothing', async () => {
    const { folder, first } = await bareRepository()
    const repository = await open(folder)
    const file = 'tenants/sq/000/user001.yaml'
    const second = await commitFiles(repository, first, [{ path: file, text: 'name: user001\nstate: ended\n' }], 'two\n\nwhy: not a trailer\n\nBy: one\nBy: another\n')
    await commitFiles(repository, second, [{ path: 'plans/x.yaml', text: '' }])
    const clone = cloneOf(folder)
    git(clone, 'checkout', '-q', '-b', 'side', first)
    writeFileSync(path.join(clone, 'elsewhere'), '')
    git(clone, 'add', '.')
    git(clone, 'commit', '-q', '-m', 'side')
    git(clone, 'checkout', '-q', 'main')
    git(clone, 'merge', '-q', '-m', 'merged', 'side')
    git(clone, 'rm', '-q', file)
    git(clone, 'commit', '-q', '-m', 'three')
    git(clone, 'push', '-q')
    const versions = await repository.versions(file, 10)
    expect(versions.map(({ subject, trailers }) => ({ subject, trailers }))).toEqual([
      { subject: 'three', trailers: [] },
      { subject: 'two', trailers: [{ name: 'By', value: 'one' }, { name: 'By', value: 'another' }] },
      { subject: 'first', trailers: [] },
    ])
    expect(versions[0]!.blob).toBeUndefined()
    expect(versions[2]!.before).toBeUndefined()
    expect([versions[0]!.before, versions[1]!.before]).toEqual([versions[1]!.blob, versions[2]!.blob])
    expect((await collect(repository.read([versions[1]!.blob!], 1000)))[0]!.text).toBe('name: user001\nstate: ended\n')
    expect((await repository.versions(file, 1)).map(({ subject }) => subject)).toEqual(['three'])
    expect(await repository.versions('*.yaml', 10)).toEqual([])
  })

  test('a path is a path: no pattern, no option', async () => {
    const { folder } = await bareRepository()
    const repository = await open(folder)
    expect(await repository.log('*.yaml', 10)).toEqual([])
    expect(await repository.log(':(glob)**', 10)).toEqual([])
    expect(await repository.log('--all', 10)).toEqual([])
    expect(await repository.log('platform.yaml', 10)).toHaveLength(1)
  })
})

test('git sees no secret of ours, and no setting that points it elsewhere', () => {
  const environment = { PATH: '/bin', HOME: '/root', TENANTRY_MASTER_KEY: 's', STRIPE_SECRET_KEY: 's', GIT_DIR: '/elsewhere', GIT_CONFIG_COUNT: '1', GIT_WORK_TREE: '/' }
  expect(Object.keys(gitEnvironment(environment)).filter((name) => name in environment)).toEqual(['PATH', 'HOME'])
})

test('nothing but git itself is left in the repository', async () => {
  const { folder, first } = await bareRepository()
  const repository = await open(folder)
  await commitFiles(repository, first, [{ path: 'a', text: 'a' }])
  expect(readdirSync(folder).sort()).toEqual(['HEAD', 'config', 'objects', 'refs'])
})
