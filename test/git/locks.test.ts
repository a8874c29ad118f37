import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, utimesSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { removeStaleLocks } from '../../controller/git/locks.ts'
import { waitFor } from '../support/wait.ts'
import { bareRepository, cloneOf, commitFiles, git, open } from './support.ts'

const POLICY = { now: () => new Date(), staleAfterMs: 5000 }

function lock(folder: string, name: string, ageMs: number): string {
  const file = path.join(folder, name)
  mkdirSync(path.dirname(file), { recursive: true })
  writeFileSync(file, '')
  const then = new Date(Date.now() - ageMs)
  utimesSync(file, then, then)
  return file
}

describe('lock files of a killed git', () => {
  test('are removed wherever git makes them, when they are old', async () => {
    const { folder } = await bareRepository()
    const names = ['config.lock', 'packed-refs.lock', 'HEAD.lock', 'gc.pid.lock', 'refs/heads/main.lock', 'refs/heads/team/x.lock', 'objects/info/commit-graph.lock', 'objects/pack/multi-pack-index.lock']
    const files = names.map((name) => lock(folder, name, 10_000))
    expect((await removeStaleLocks(folder, POLICY)).sort()).toEqual(files.sort())
    expect(files.filter((file) => existsSync(file))).toEqual([])
  })

  test('stay while they are fresh, and nothing else is touched', async () => {
    const { folder, first } = await bareRepository()
    const fresh = lock(folder, 'refs/heads/main.lock', 1000)
    lock(folder, 'objects/ab/x.lock', 100_000)
    expect(await removeStaleLocks(folder, POLICY)).toEqual([])
    expect(existsSync(fresh)).toBe(true)
    expect(git(folder, 'rev-parse', 'main')).toBe(first)
  })

  test('stay, however old, while a git process works in the repository', async () => {
    const { folder } = await bareRepository()
    const file = lock(folder, 'refs/heads/main.lock', 3_600_000)
    // Holds a transaction open until it is told otherwise, as a slow receive-pack does.
    const busy = spawn('git', ['update-ref', '--stdin'], { cwd: folder, stdio: 'pipe' })
    onTestFinished(() => void busy.kill())
    await new Promise<void>((resolve) => {
      busy.stdout.once('data', () => resolve())
      busy.stdin.write('start\n')
    })
    expect(await removeStaleLocks(folder, POLICY)).toEqual([])
    busy.kill()
    await waitFor(async () => (await removeStaleLocks(folder, POLICY)).length === 1, 'the lock to go once the process is gone')
    expect(existsSync(file)).toBe(false)
  })

  test('do not wedge: a commit clears an old one on its way, and so does a refresh for pushes of others', async () => {
    const { folder, first } = await bareRepository()
    const repository = await open(folder)
    lock(folder, 'refs/heads/main.lock', 10_000)
    await commitFiles(repository, first, [{ path: 'a', text: 'a' }])
    lock(folder, 'packed-refs.lock', 10_000)
    lock(folder, 'refs/heads/main.lock', 10_000)
    await repository.refresh()
    const clone = cloneOf(folder)
    git(clone, 'commit', '-q', '--allow-empty', '-m', 'x')
    git(clone, 'push', '-q')
  })

  test('a fresh one makes a commit fail with git\'s own words, and the branch stays', async () => {
    const { folder, first } = await bareRepository()
    const repository = await open(folder)
    lock(folder, 'refs/heads/main.lock', 0)
    await expect(commitFiles(repository, first, [{ path: 'a', text: 'a' }])).rejects.toThrow(/main\.lock.*exists/s)
    expect(await repository.tip()).toBe(first)
  })
})
