/** Two writers on one real bare repository, each as a process of its own would be. */
import path from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { createBareRepository } from '../../controller/git/bare-repository.ts'
import { openInstallation, type Installation } from '../../controller/installation.ts'
import { readSettings } from '../../controller/settings.ts'
import { gitIn } from '../support/repository.ts'
import { userId } from '../support/specs.ts'
import { tempFolder } from '../support/temp.ts'
import { fileOf, SHARED_FILES } from '../support/tenant-files.ts'

const BY = { name: 'Ada', email: 'ada@example.com' }

async function repository(): Promise<string> {
  const folder = path.join(tempFolder('git'), 'tenants.git')
  await createBareRepository({ folder, branch: 'main', files: [...SHARED_FILES, fileOf(1)], message: 'first', environment: process.env, now: () => new Date() })
  return folder
}

async function open(folder: string, onCommit?: () => void): Promise<Installation> {
  const home = tempFolder('home')
  const installation = await openInstallation(readSettings({ TENANTRY_HOME: home, TENANTRY_REPOSITORY: folder }, home), { environment: process.env, now: () => new Date(), ...(onCommit && { onCommit }) })
  onTestFinished(() => installation.close())
  return installation
}

/** Takes the next free number, as a purchase does. */
function addNext({ writer, settings }: Installation, onDecide: () => void = () => undefined): Promise<{ result: number }> {
  return writer.write((catalog) => {
    onDecide()
    const number = catalog.highestNumber('sq') + 1
    return { result: number, commit: { message: `add ${number}\n\nFrom: ${settings.home}\n`, author: BY, files: [fileOf(number)] } }
  })
}

const filesAt = (folder: string): string[] => gitIn(folder, 'ls-tree', '-r', '--name-only', 'main', 'tenants/').split('\n')

describe('the repository writer', () => {
  test('decides one after another, each on what the one before committed', async () => {
    const folder = await repository()
    let commits = 0
    const installation = await open(folder, () => commits++)
    const results = await Promise.all(Array.from({ length: 5 }, () => addNext(installation)))
    expect(results.map(({ result }) => result)).toEqual([2, 3, 4, 5, 6])
    expect(commits).toBe(5)
  })

  test('two of them on one repository lose nothing and give no number twice', async () => {
    const folder = await repository()
    const [one, two] = await Promise.all([open(folder), open(folder)])
    let decisions = 0
    const results = await Promise.all([one, two, one, two, one, two].map((installation) => addNext(installation, () => decisions++)))
    expect(results.map(({ result }) => result).sort()).toEqual([2, 3, 4, 5, 6, 7])
    expect(filesAt(folder)).toEqual([1, 2, 3, 4, 5, 6, 7].map((n) => fileOf(n).path))
    expect(gitIn(folder, 'rev-list', '--count', 'main')).toBe('7')
    expect(decisions).toBeGreaterThanOrEqual(6)
  })

  test('decides again on the new tip where somebody else was first', async () => {
    const folder = await repository()
    const [one, two] = await Promise.all([open(folder), open(folder)])
    const seen: (string | undefined)[] = []
    await one.writer.write(async (catalog) => {
      seen.push(catalog.tenant(userId(2))?.metadata.name)
      if (seen.length === 1) await addNext(two)
      return { result: 0, commit: { message: 'mine\n', author: BY, files: [fileOf(9)] } }
    })
    expect(seen).toEqual([undefined, 'user002'])
    expect(filesAt(folder)).toEqual([1, 2, 9].map((n) => fileOf(n).path))
  })

  test('gives up after ten refusals, says so, and commits nothing', async () => {
    const folder = await repository()
    const [one, two] = await Promise.all([open(folder), open(folder)])
    const losing = one.writer.write(async () => {
      await addNext(two)
      return { result: 0, commit: { message: 'mine\n', author: BY, files: [fileOf(99)] } }
    })
    await expect(losing).rejects.toThrow('changed 10 times')
    expect(filesAt(folder)).not.toContain(fileOf(99).path)
  })

  test('a decision that commits nothing answers without a revision; one that throws stops no other', async () => {
    const folder = await repository()
    const installation = await open(folder)
    expect(await installation.writer.write(() => ({ result: 'seen' }))).toEqual({ result: 'seen' })
    const bad = installation.writer.write(() => {
      throw new Error('no')
    })
    const good = addNext(installation)
    await expect(bad).rejects.toThrow('no')
    expect((await good).result).toBe(2)
  })
})
