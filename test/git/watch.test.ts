import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { waitFor } from '../support/wait.ts'
import { bareRepository, cloneOf, commitFiles, git, open } from './support.ts'

/** Far above what is needed on a quiet machine (a few ms), far below any timer. */
const SOON_MS = 1000

async function watched() {
  const { folder, first } = await bareRepository()
  const repository = await open(folder)
  let pokes = 0
  let lastAt = 0
  const stop = await repository.watch(() => {
    pokes += 1
    lastAt = performance.now()
  })
  onTestFinished(stop)
  /** Runs it and gives the milliseconds from its end to the last poke (below 0 where the poke came first). */
  const pokedBy = async (action: () => unknown): Promise<number> => {
    const before = pokes
    await action()
    const end = performance.now()
    await waitFor(() => pokes > before, 'a poke', SOON_MS)
    return lastAt - end
  }
  return { folder, first, repository, pokedBy, stop, count: () => pokes }
}

function commitIn(clone: string, name: string): void {
  writeFileSync(path.join(clone, name), name)
  git(clone, 'add', '.')
  git(clone, 'commit', '-q', '-m', name)
}

test('every way a branch moves pokes: push, force-push, deletion, pack-refs, return, our own commit', async () => {
  const { folder, repository, pokedBy } = await watched()
  const clone = cloneOf(folder)
  git(folder, 'config', 'receive.denyDeleteCurrent', 'ignore')
  commitIn(clone, 'a')
  await pokedBy(() => git(clone, 'push', '-q'))
  git(clone, 'commit', '-q', '--amend', '-m', 'rewritten')
  await pokedBy(() => git(clone, 'push', '-q', '--force'))
  await pokedBy(() => git(folder, 'pack-refs', '--all'))
  commitIn(clone, 'b')
  await pokedBy(() => git(clone, 'push', '-q'))
  await pokedBy(async () => commitFiles(repository, (await repository.tip())!, [{ path: 'x', text: '' }]))
  await pokedBy(() => git(clone, 'push', '-q', '--delete', 'origin', 'main'))
  expect(await repository.tip()).toBeUndefined()
  await pokedBy(() => git(clone, 'push', '-q', 'origin', 'main'))
  expect(await repository.tip()).toBe(git(clone, 'rev-parse', 'HEAD'))
})

test('twenty pushes in a row: none is missed', async () => {
  const { folder, repository, pokedBy } = await watched()
  const clone = cloneOf(folder)
  for (let index = 0; index < 20; index += 1) {
    commitIn(clone, `f${index}`)
    await pokedBy(() => git(clone, 'push', '-q'))
    expect(await repository.tip()).toBe(git(clone, 'rev-parse', 'HEAD'))
  }
})

test('moves within one millisecond of each other end with a poke after the last', async () => {
  const { folder, first, repository, count } = await watched()
  const second = await commitFiles(repository, first, [{ path: 'a', text: 'a' }])
  let seen: string | undefined
  const stop = await repository.watch(() => void repository.tip().then((tip) => (seen = tip)))
  onTestFinished(stop)
  for (let index = 0; index < 30; index += 1) git(folder, 'update-ref', 'refs/heads/main', index % 2 === 0 ? first : second)
  await waitFor(() => seen === second, 'the last move to be seen', SOON_MS)
  expect(count()).toBeGreaterThan(0)
})

test('objects, hooks and settings are not the branch: no poke; and none after stop', async () => {
  const { folder, first, repository, pokedBy, stop, count } = await watched()
  const before = count()
  git(folder, 'config', 'x.y', 'z')
  mkdirSync(path.join(folder, 'hooks'))
  writeFileSync(path.join(folder, 'hooks/update'), '')
  chmodSync(path.join(folder, 'objects'), 0o755)
  git(folder, 'hash-object', '-w', path.join(folder, 'config'))
  // What follows is seen, so what came before would have been too.
  await pokedBy(() => git(folder, 'update-ref', 'refs/heads/other', first))
  expect(count()).toBeLessThanOrEqual(before + 2)
  await stop()
  const stopped = count()
  const clone = cloneOf(folder)
  commitIn(clone, 'late')
  let other = 0
  onTestFinished(await repository.watch(() => (other += 1)))
  git(clone, 'push', '-q')
  await waitFor(() => other > 0, 'the other watch', SOON_MS)
  expect(count()).toBe(stopped)
})
