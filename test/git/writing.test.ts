import { spawn, type ChildProcess } from 'node:child_process'
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createBareRepository } from '../../controller/git/bare-repository.ts'
import { IMPORT, importStream, quotePath } from '../../controller/git/fast-import.ts'
import { tempFolder } from '../support/temp.ts'
import { ADA, bareRepository, collect, commitFiles, contents, FIRST_DAY, git, open, SOME_FILES } from './support.ts'

describe('a commit', () => {
  test('adds, changes and removes files on top of its parent, and keeps the rest', async () => {
    const { folder, first } = await bareRepository([...SOME_FILES, { path: 'gone.yaml', text: 'x' }])
    const repository = await open(folder)
    const id = await commitFiles(repository, first, [
      { path: 'platform.yaml', text: 'changed: ü\n' },
      { path: 'tenants/sq/000/user002.yaml', text: '' },
      { path: 'gone.yaml', text: null },
    ])
    expect(await repository.tip()).toBe(id)
    expect(await contents(repository, id)).toEqual({ 'platform.yaml': 'changed: ü\n', 'tenants/sq/000/user001.yaml': 'name: user001\n', 'tenants/sq/000/user002.yaml': '' })
    expect(git(folder, 'fsck', '--strict')).toBe('')
    expect(git(folder, 'for-each-ref', '--format=%(refname)')).toBe('refs/heads/main')
  })

  test('carries author, message, trailers and the time it was given', async () => {
    const { folder, first } = await bareRepository()
    const repository = await open(folder, { now: () => FIRST_DAY, committer: { name: 'Shop', email: 'shop@example.com' } })
    const id = await commitFiles(repository, first, [{ path: 'tenants/sq/000/user001.yaml', text: 'b' }], 'buy user002\n\nBody.\n\nEvent: evt_1\nPlan: sq-founder')
    expect(git(folder, 'log', '-1', '--format=%an|%ae|%cn|%ce|%at|%ct', id)).toBe('Ada|ada@example.com|Shop|shop@example.com|1770902100|1770902100')
    expect(await repository.log('tenants/sq/000/user001.yaml', 1)).toEqual([
      { id, author: 'Ada <ada@example.com>', authoredAt: '2026-02-12T13:15:00.000Z', subject: 'buy user002', trailers: { Event: 'evt_1', Plan: 'sq-founder' } },
    ])
    expect((await repository.log('tenants', 10)).map((commit) => commit.subject)).toEqual(['buy user002', 'first'])
  })

  test('is refused where the branch has moved, and leaves the branch to the other', async () => {
    const { folder, first } = await bareRepository()
    const repository = await open(folder)
    const second = await commitFiles(repository, first, [{ path: 'a', text: 'a' }])
    expect(await repository.commit(first, { message: 'late', author: ADA, files: [{ path: 'b', text: 'b' }] })).toEqual({ kind: 'refused' })
    expect(await repository.tip()).toBe(second)
  })

  test('is refused where the branch was set back to an ancestor or deleted: only its exact parent will do', async () => {
    const { folder, first } = await bareRepository()
    const repository = await open(folder)
    const second = await commitFiles(repository, first, [{ path: 'a', text: 'a' }])
    const late = { message: 'late', author: ADA, files: [{ path: 'b', text: 'b' }] }
    git(folder, 'update-ref', 'refs/heads/main', first)
    expect(await repository.commit(second, late)).toEqual({ kind: 'refused' })
    git(folder, 'update-ref', '-d', 'refs/heads/main')
    expect(await repository.commit(second, late)).toEqual({ kind: 'refused' })
    expect(await repository.tip()).toBeUndefined()
  })

  test('takes 500 files at once', async () => {
    const { folder, first } = await bareRepository()
    const repository = await open(folder)
    const files = Array.from({ length: 500 }, (_, index) => ({ path: `tenants/sq/00${Math.floor(index / 100)}/user${index}.yaml`, text: `n: ${index}\n` }))
    const id = await commitFiles(repository, first, files)
    expect(await repository.changes(first, id)).toHaveLength(500)
  })

  test('text from customers stays inside its place in the stream', async () => {
    const { folder, first } = await bareRepository()
    const repository = await open(folder)
    const author = { name: 'Eve\ncommitter X <x@y> 1 +0000', email: 'e@x>\0\nM 100644 inline evil' }
    const outcome = await repository.commit(first, { message: 'done\nreset refs/heads/main\n', author, files: [{ path: 'a', text: 'data 3\ndone\n' }] })
    expect(outcome.kind).toBe('committed')
    expect((await collect(repository.list((await repository.tip())!))).map((entry) => entry.path)).toEqual(['a', 'platform.yaml', 'tenants/sq/000/user001.yaml'])
    await expect(repository.commit(`${first}\nM 100644 inline x` as typeof first, { message: 'm', author: ADA, files: [] })).rejects.toThrow('not the full name')
  })

  test('the same request gives the same bytes', () => {
    const commit = { message: 'm', author: ADA, committer: ADA, at: FIRST_DAY, files: SOME_FILES }
    expect(importStream(commit)).toEqual(importStream({ ...commit, files: [...SOME_FILES] }))
  })

  test('survives any path that is allowed, and any text', async () => {
    const { folder, first } = await bareRepository()
    const repository = await open(folder)
    const part = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 12 }).filter((text) => !/[\0\r\n/]/.test(text) && text.isWellFormed() && !/^\.+$|^\.?git/i.test(text))
    const paths = fc.array(part, { minLength: 1, maxLength: 3 }).map((parts) => `odd/${parts.join('/')}`)
    await fc.assert(
      fc.asyncProperty(paths, fc.string({ unit: 'grapheme' }), async (file, text) => {
        const id = await commitFiles(repository, (await repository.tip()) ?? first, [{ path: 'odd', text: null }, { path: file, text }])
        const odd = Object.entries(await contents(repository, id)).filter(([name]) => name.startsWith('odd/'))
        expect(odd).toEqual([[file, text]])
      }),
      { numRuns: 40, examples: [['odd/a b\t"c"\\d', 'x'], ['odd/-rf', ''], ['odd/"', '"'], ['odd/ü/日本', 'y']] },
    )
  })
})

describe('a path', () => {
  test.each(['', '/etc/passwd', 'a/', 'a//b', '../x', 'a/../b', './a', '.', '.git/config', 'a/.GIT/hooks/x', 'a/.git', 'git~1/x', '.git. /x', 'a\0b', 'a\nb', 'a\rb', 'a\ud800'])(
    '%j is refused',
    (text) => expect(() => quotePath(text)).toThrow(/can't be written/),
  )

  test.each(['a', 'tenants/sq/000/user001.yaml', '.github/x', '.gitignore', 'a..b', '...', '-x', 'a b'])('%j is allowed', (text) => {
    expect(quotePath(text)).toBe(`"${text}"`)
  })

  test('that is refused stops the whole commit before the branch moves', async () => {
    const { folder, first } = await bareRepository()
    const repository = await open(folder)
    await expect(repository.commit(first, { message: 'm', author: ADA, files: [{ path: 'ok', text: '' }, { path: '../x', text: '' }] })).rejects.toThrow('"../x"')
    expect(await repository.tip()).toBe(first)
  })
})

describe('two writers on one branch', () => {
  test('of each race exactly one wins, and no committed file is lost', { timeout: 60_000 }, async () => {
    const { folder, first } = await bareRepository()
    const writers = [await open(folder), await open(folder), await open(`file://${folder}`)]
    const committed: string[] = []
    for (let round = 0; round < 12; round += 1) {
      await Promise.all(writers.map((writer) => writer.refresh()))
      const parent = (await writers[0]!.tip()) ?? first
      const outcomes = await Promise.all(
        writers.map((writer, index) => writer.commit(parent, { message: `round ${round} writer ${index}`, author: ADA, files: [{ path: `r${round}w${index}`, text: '' }] })),
      )
      const winners = outcomes.flatMap((outcome, index) => (outcome.kind === 'committed' ? [`r${round}w${index}`] : []))
      expect(winners).toHaveLength(1)
      committed.push(...winners)
    }
    const paths = (await collect(writers[0]!.list((await writers[0]!.tip())!))).map((entry) => entry.path)
    expect(paths.filter((each) => /^r\d/.test(each)).sort()).toEqual(committed.sort())
  })

  test('who tries again after each refusal gets everything in, together with the other', { timeout: 60_000 }, async () => {
    const { folder } = await bareRepository()
    const insist = async (name: string, count: number) => {
      const repository = await open(folder)
      for (let done = 0; done < count; ) {
        const outcome = await repository.commit((await repository.tip())!, { message: `${name} ${done}`, author: ADA, files: [{ path: `${name}/${done}`, text: name }] })
        if (outcome.kind === 'committed') done += 1
      }
    }
    await Promise.all([insist('a', 25), insist('b', 25)])
    expect(git(folder, 'rev-list', '--count', 'main')).toBe('51')
    expect(git(folder, 'ls-tree', '-r', '--name-only', 'main').split('\n')).toHaveLength(52)
  })
})

describe('kill -9', () => {
  const writer = path.join(import.meta.dirname, 'endless-writer.ts')

  test('of the writing program at any moment leaves a branch that is whole, and the next commit works', { timeout: 60_000 }, async () => {
    const { folder } = await bareRepository()
    for (let round = 0; round < 6; round += 1) {
      const child = spawn(process.execPath, [writer, folder, `round${round}`], { stdio: ['ignore', 'pipe', 'inherit'] })
      await firstOutput(child)
      await killAfter(child, round * 7)
    }
    const repository = await open(folder)
    const id = await insistOnCommit(repository, folder)
    expect(git(folder, 'fsck', '--strict', '--connectivity-only')).not.toMatch(/missing|broken/)
    // Every commit of the program holds all its files or is not there at all.
    for (const commit of git(folder, 'rev-list', '--no-merges', `${id}~1`).split('\n').slice(0, -1)) {
      expect(git(folder, 'diff-tree', '-r', '--no-commit-id', '--name-only', commit).split('\n')).toHaveLength(20)
    }
  })

  test('of fast-import in the middle of its stream commits nothing', async () => {
    const { folder, first } = await bareRepository()
    const bytes = importStream({ parent: first, message: 'm', author: ADA, committer: ADA, at: FIRST_DAY, files: [{ path: 'a', text: 'a' }, { path: 'b', text: 'b' }] })
    for (const end of ['SIGKILL', 'cut off'] as const) {
      const child = spawn('git', ['--git-dir', folder, ...IMPORT], { stdio: ['pipe', 'ignore', 'ignore'] })
      const closed = new Promise<number | null>((resolve) => child.on('close', resolve))
      await new Promise((resolve) => child.stdin.write(bytes.subarray(0, bytes.length - 70), resolve))
      if (end === 'SIGKILL') child.kill('SIGKILL')
      else child.stdin.end()
      expect(await closed).not.toBe(0)
      expect(git(folder, 'for-each-ref', '--format=%(refname) %(objectname)')).toBe(`refs/heads/main ${first}`)
    }
    const repository = await open(folder)
    await commitFiles(repository, first, [{ path: 'a', text: 'a' }])
  })
})

function firstOutput(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => child.stdout!.once('data', () => resolve()))
}

function killAfter(child: ChildProcess, delayMs: number): Promise<void> {
  return new Promise((resolve) => {
    child.on('exit', () => resolve())
    setTimeout(() => child.kill('SIGKILL'), delayMs)
  })
}

/** As a worker does: a git of the killed program may still be finishing, or its lock be fresh. */
async function insistOnCommit(repository: Awaited<ReturnType<typeof open>>, folder: string): Promise<string> {
  const deadline = performance.now() + 20_000
  for (;;) {
    const outcome = await repository.commit((await repository.tip())!, { message: 'after', author: ADA, files: [{ path: 'after', text: '' }] }).catch((error: unknown) => {
      if (performance.now() > deadline) throw error
      return { kind: 'refused' as const }
    })
    if (outcome.kind === 'committed') return outcome.id
    if (performance.now() > deadline) throw new Error(`refused for 20 s in ${folder}`)
  }
}

describe('a new repository', () => {
  const options = (folder: string) => ({ folder, branch: 'main', files: SOME_FILES, message: 'first', environment: process.env, now: () => FIRST_DAY })

  test('holds the files; making it again changes nothing', async () => {
    const { folder, first } = await bareRepository()
    expect(await createBareRepository({ ...options(folder), files: [{ path: 'other', text: '' }] })).toBe(first)
    const repository = await open(folder)
    expect(await contents(repository, first)).toEqual(Object.fromEntries(SOME_FILES.map((file) => [file.path, file.text])))
    git(folder, 'pack-refs', '--all')
    expect(await createBareRepository(options(folder))).toBe(first)
  })

  test('is completed after a crash at any step of making it', async () => {
    const { folder: whole, first } = await bareRepository()
    const steps: ((folder: string) => void)[] = [
      (folder) => mkdirSync(folder),
      (folder) => mkdirSync(path.join(folder, 'refs'), { recursive: true }),
      (folder) => {
        mkdirSync(path.join(folder, 'objects'), { recursive: true })
        writeFileSync(path.join(folder, 'config'), '')
      },
      (folder) => git('/', 'init', '-q', '--bare', '-b', 'main', folder),
      (folder) => {
        git('/', 'clone', '-q', '--bare', whole, folder)
        rmSync(path.join(folder, 'packed-refs'))
      },
    ]
    for (const [index, step] of steps.entries()) {
      const folder = path.join(tempFolder('half'), 'tenants.git')
      step(folder)
      expect(await createBareRepository(options(folder)), `step ${index}`).toBe(first)
      expect(git(folder, 'rev-parse', 'HEAD')).toBe(first)
    }
  })

  test('is not made where something else is, nor over a damaged branch', async () => {
    const folder = tempFolder('taken')
    writeFileSync(path.join(folder, 'thesis.txt'), 'x')
    await expect(createBareRepository(options(folder))).rejects.toThrow('it holds "thesis.txt"')
    const { folder: damaged } = await bareRepository()
    writeFileSync(path.join(damaged, 'refs/heads/main'), '')
    await expect(createBareRepository(options(damaged))).rejects.toThrow("can't be read")
    expect(readFileSync(path.join(damaged, 'refs/heads/main'), 'utf8')).toBe('')
  })

  test('is made once when two try at the same time', async () => {
    const folder = path.join(tempFolder('both'), 'tenants.git')
    const [one, other] = await Promise.all([createBareRepository({ ...options(folder), message: 'one' }), createBareRepository({ ...options(folder), message: 'other' })])
    expect(one).toBe(other)
  })
})
