import { createHash } from 'node:crypto'
import { existsSync, readdirSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { createObjectReader } from '../../controller/git/cat-file.ts'
import { createGarbageCollection } from '../../controller/git/collect-garbage.ts'
import { createGitCommand } from '../../controller/git/git-command.ts'
import { bareRepository, collect, commitFiles, git, open } from './support.ts'

/** git guesses the number of loose objects from those whose name starts with 17. */
function textsNamed17(count: number): string[] {
  const texts: string[] = []
  for (let index = 0; texts.length < count; index += 1) {
    const text = `text ${index}\n`
    if (createHash('sha1').update(`blob ${text.length}\0${text}`).digest('hex').startsWith('17')) texts.push(text)
  }
  return texts
}

async function crowded() {
  const { folder, first } = await bareRepository()
  const repository = await open(folder)
  const texts = textsNamed17(60)
  await commitFiles(repository, first, texts.map((text, index) => ({ path: `f${index}`, text })))
  const command = createGitCommand({ folder, environment: process.env })
  const reader = createObjectReader(command)
  onTestFinished(() => reader.close())
  const ids = (await collect(repository.list((await repository.tip())!))).map((entry) => entry.blob)
  const readAll = async () => (await collect(reader.read(ids, 1000))).filter((blob) => texts.includes(blob.text!)).length
  return { folder, command, reader, readAll, isLoose: () => existsSync(path.join(folder, 'objects/17')) }
}

describe('packing', () => {
  test('happens every so many commits where there is something to do, and no reader notices', async () => {
    const { folder, command, reader, readAll, isLoose } = await crowded()
    const errors: unknown[] = []
    const garbage = createGarbageCollection({ git: command, onCollected: reader.recycle, onError: (error) => errors.push(error), changesBetween: 3 })
    onTestFinished(() => garbage.close())
    expect(await readAll()).toBe(60)
    garbage.changed()
    garbage.changed()
    await garbage.idle()
    expect(isLoose()).toBe(true)
    garbage.changed()
    let done = false
    const finished = garbage.idle().then(() => (done = true))
    while (!done) expect(await readAll()).toBe(60)
    await finished
    expect(isLoose()).toBe(false)
    expect(readdirSync(path.join(folder, 'objects/pack')).filter((name) => name.endsWith('.pack'))).toHaveLength(1)
    expect(await readAll()).toBe(60)
    expect(errors).toEqual([])
  })

  test('of everything at once, by an operator, under a running reader is no harm either', async () => {
    const { folder, readAll } = await crowded()
    expect(await readAll()).toBe(60)
    git(folder, 'repack', '-q', '-a', '-d')
    expect(await readAll()).toBe(60)
    git(folder, 'gc', '-q', '--prune=now', '--aggressive')
    expect(await readAll()).toBe(60)
  })

  test('that fails is told to somebody and stops nobody; closing ends it quietly', async () => {
    const { folder } = await bareRepository()
    const errors: unknown[] = []
    const broken = createGitCommand({ folder: `${folder}-gone`, environment: process.env })
    const garbage = createGarbageCollection({ git: broken, onCollected: async () => undefined, onError: (error) => errors.push(error), changesBetween: 1 })
    garbage.changed()
    await garbage.idle()
    expect(errors).toHaveLength(1)
    garbage.changed()
    await garbage.close()
    garbage.changed()
    expect(errors).toHaveLength(1)
  })
})
